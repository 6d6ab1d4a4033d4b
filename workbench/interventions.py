"""A hand on a running episode: pause it, tell the robot something else, move an object, let it go on.

Whoever watches writes to a `Hand` from any thread; the control loop reads it before every control step
(`control.act`). Pausing alone changes nothing: the same chunk goes on. After an intervention the rest of the chunk
is dropped, and the next decision sees the world, and hears the words, as they are now.
"""

from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workbench.envs.base import Env, Furnished
from workbench.types import Observation

LONGEST = 300
"""Characters of an instruction."""


@dataclass(frozen=True)
class Told:
    """The robot hears something else from now on. Success is still the task's."""

    instruction: str


@dataclass(frozen=True)
class Moved:
    """An object of the scene is put somewhere else."""

    name: str
    by: tuple[float, float, float]
    """Metres, in the simulator's axes."""


Change = Told | Moved


@dataclass(frozen=True)
class Paused:
    """The episode waits for its hand; comes again and again until it may go on."""

    step: int
    objects: Mapping[str, np.ndarray]
    """Where everything is that can be moved, (3,) metres; empty where nothing can be."""


@dataclass(frozen=True, eq=False)
class Intervened:
    """Something has been changed before this control step."""

    step: int
    change: Change
    observation: Observation
    """What is seen now."""


@dataclass(frozen=True)
class Refused:
    """Something could not be changed; the episode is as it was."""

    step: int
    change: Change
    reason: str


class Hand:
    """What somebody wants of a running episode.

    `understands` raises ValueError for an instruction that the model cannot read (`Bundle.text.embed`); it may be
    set until the episode begins.
    """

    def __init__(self, understands: Callable[[str], object] | None = None) -> None:
        self.understands = understands
        self.instruction: str | None = None
        """What the robot has been told instead of its task; None: nothing."""
        self.paused = False
        self._wanted: deque[Change] = deque()

    def pause(self) -> None:
        """Wait before the next control step."""
        self.paused = True

    def resume(self) -> None:
        """Go on."""
        self.paused = False

    def tell(self, instruction: str) -> None:
        """Say something else. ValueError for no words, or too many characters."""
        words = " ".join(instruction.split())
        if not words or len(words) > LONGEST:
            raise ValueError(f"instruction: expected 1 to {LONGEST} characters, got {len(words)}")
        self._wanted.append(Told(words))

    def move(self, name: str, by: Sequence[float]) -> None:
        """Put an object `by` (3,) metres beside where it is. ValueError for anything but three finite numbers."""
        if np.shape(by) != (3,) or not np.isfinite(by).all():
            raise ValueError(f"expected three finite numbers of metres, got {by}")
        x, y, z = (float(metres) for metres in by)
        self._wanted.append(Moved(name, (x, y, z)))

    def hold(self, env: Env, cameras: Sequence[str]) -> Generator[object, None, Observation | None]:
        """Wait as long as it is paused, and do what is wanted: the control loop's side.

        Yields `Paused` while it waits, and an `Intervened` or `Refused` a change. Returns what `cameras` see
        after the last change, None if there was none.
        """
        seen = None
        while self.paused or self._wanted:
            if not self._wanted:
                yield Paused(env.steps, _objects(env))
                continue
            change = self._wanted.popleft()
            try:
                self._make(env, change)
            except ValueError as error:
                yield Refused(env.steps, change, str(error))
                continue
            seen = env.observe(cameras)
            yield Intervened(env.steps, change, seen)
        return seen

    def _make(self, env: Env, change: Change) -> None:
        if isinstance(change, Told):
            if self.understands is not None:
                self.understands(change.instruction)
            self.instruction = change.instruction
        elif isinstance(env, Furnished):
            env.move(change.name, np.array(change.by))
        else:
            raise ValueError("the scene: expected a simulator whose objects can be moved; here none can")


def _objects(env: Env) -> Mapping[str, np.ndarray]:
    return env.objects() if isinstance(env, Furnished) else {}
