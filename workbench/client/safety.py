"""What a robot must never be told: commands that no demonstration ever came near, or that are no numbers.

Upstream pauses when a joint target exceeds the present position by 0.15 rad, and lets jumps the other way pass
(METHOD.md 8); here a jump is a jump in both directions.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.wire import Contract


@dataclass(frozen=True, eq=False)
class Limits:
    """Bounds of one action (a,), in the robot's units; a scalar holds for every dimension."""

    low: Any = -np.inf
    high: Any = np.inf
    jump: Any = np.inf
    """Greatest distance of a joint target from the present position, both ways; infinite where actions are no
    targets, and for grippers. ALOHA: 0.15 rad a joint."""

    @classmethod
    def of(cls, contract: Contract, *, slack: float = 0.1, jump: Any = np.inf) -> "Limits":
        """The range of the demonstrations, wider by `slack` of it at each end."""
        low, high = np.array(contract.actions_min), np.array(contract.actions_max)
        margin = slack * (high - low)
        return cls(low - margin, high + margin, jump)

    def problem(self, action: np.ndarray, position: np.ndarray | None) -> str | None:
        """Why `action` must not be executed where the robot is at `position`, or None."""
        if not np.isfinite(action).all():
            return f"action {int(np.flatnonzero(~np.isfinite(action))[0])} is no finite number"
        for wrong, what in ((action < self.low, "below"), (action > self.high, "above")):
            if np.any(wrong):
                i = int(np.flatnonzero(wrong)[0])
                return f"action {i} is {action[i]:.3f}, {what} what demonstrations ever did"
        if not np.any(np.isfinite(self.jump)):
            return None
        if position is None or np.shape(position) != action.shape or not np.isfinite(position).all():
            return "the robot does not say where its joints are"
        far = np.abs(action - position) - self.jump
        if np.any(far > 0):
            i = int(np.argmax(far))
            return f"joint {i} would jump from {position[i]:.3f} to {action[i]:.3f}"
        return None
