"""The one protocol through which everything talks to a simulator, in this process or in another."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from workbench.types import Observation, Snapshot


@runtime_checkable
class Env(Protocol):
    """A simulated task. Rendering happens in `observe` and nowhere else.

    `step` returns whether the task is solved. `reset` settles the scene (LIBERO: ten waiting steps)
    before it returns, so that step 0 is the first step that a policy takes.
    """

    instruction: str
    horizon: int
    """Control steps after which an episode counts as failed."""
    steps: int
    """Control steps taken since `reset`."""

    def reset(self, task: int | str, init: int | np.ndarray | None, seed: int) -> None:
        """Start `task` (index or instruction) from initial state `init`; None draws one from `seed`."""
        ...

    def step(self, action: np.ndarray) -> bool:
        """Take one raw action (a,); return whether the task is solved now."""
        ...

    def observe(self, cameras: Sequence[str] | None = None) -> Observation:
        """Render `cameras` (default: all of the platform's; an empty list renders nothing)."""
        ...

    @property
    def success(self) -> bool:
        """Whether the task is solved in the present state."""
        ...

    def snapshot(self) -> Snapshot:
        """Everything that the next step reads, as arrays."""
        ...

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to `snapshot`, also one of another process; the task is switched if need be."""
        ...

    def close(self) -> None:
        """Release the renderer. Idempotent."""
        ...


@runtime_checkable
class Scored(Env, Protocol):
    """A simulated task that counts how far an episode got, not only whether it was solved."""

    @property
    def score(self) -> float | None:
        """The furthest that the episode got so far, in [0, 1]; 1 is success."""
        ...


@runtime_checkable
class Furnished(Env, Protocol):
    """A simulated task whose objects can be moved by hand."""

    def objects(self) -> dict[str, np.ndarray]:
        """Where every object that can be moved is: name to (3,) metres."""
        ...

    def move(self, name: str, by: np.ndarray) -> None:
        """Put an object `by` (3,) metres beside where it is, at rest. ValueError lists the known ones."""
        ...
