"""Which steps of an episode a training sample takes, as plain arithmetic (METHOD section 2).

An episode has `length` steps. At step t a sample takes the actions t, t + 1, ..., t + chunk - 1, the last one
repeated beyond the end, and looks at what is there min(t + chunk, length - 1): the future frame.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int


def future_index(step: int, length: int, chunk_size: int) -> int:
    """The step whose pictures, proprio and value a sample at `step` predicts."""
    return min(step + chunk_size, length - 1)


def action_chunk(actions: Float[np.ndarray, "steps a"], step: int, chunk_size: int) -> Float[np.ndarray, "k a"]:
    """The `chunk_size` actions from `step` on; the last action of the episode fills up what is missing."""
    if not 0 <= step < len(actions):
        raise IndexError(f"expected a step from 0 to {len(actions) - 1}, got {step}")
    return actions[np.minimum(np.arange(step, step + chunk_size), len(actions) - 1)]


def returns(
    length: int, success: float, gamma: float, *, upstream_compatible: bool = False
) -> Float[np.ndarray, " steps"]:
    """What the value predicts, for every step: success * gamma ** (steps to the end).

    `success` is True, False or, where success has degrees, a score in [0, 1]. In [0, 1]; latents and losses
    hold 2 x - 1. `upstream_compatible` gives a partial score the returns of a full success, as the
    published ALOHA planning model was trained (METHOD.md 2).
    """
    score = float(success > 0) if upstream_compatible else float(success)
    return score * gamma ** np.arange(length - 1, -1, -1, dtype=np.float64)


def ends(lengths: Sequence[int]) -> Int[np.ndarray, " episodes"]:
    """Where each episode ends when all steps are numbered through; `locate` takes it."""
    return np.cumsum(np.asarray(lengths, dtype=np.int64))


def locate(ends: Int[np.ndarray, " episodes"], index: int) -> tuple[int, int]:
    """Episode and step within it of a step that is numbered through all episodes."""
    total = int(ends[-1]) if len(ends) else 0
    if not 0 <= index < total:
        raise IndexError(f"expected a step from 0 to {total - 1}, got {index}")
    episode = int(np.searchsorted(ends, index, side="right"))
    return episode, index - (int(ends[episode - 1]) if episode else 0)


def noops(actions: Float[np.ndarray, "steps a"], threshold: float = 1e-4) -> Bool[np.ndarray, " steps"]:
    """Which actions do nothing: no motion, and the gripper (last) as in the last action that does something.

    The first action does nothing if it does not move (METHOD 5.5). `threshold`: length of the motion.
    """
    still = np.linalg.norm(actions[:, :-1], axis=1) < threshold
    idle, kept = np.zeros(len(actions), dtype=bool), None
    for step, action in enumerate(actions):
        idle[step] = still[step] and (kept is None or action[-1] == kept)
        if not idle[step]:
            kept = action[-1]
    return idle
