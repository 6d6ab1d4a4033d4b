"""What if: one thing about a moment changed, two answers, and what moved between them by how much.

An *answer* is what the model says about one moment: what it would do, what comes of it, what that is worth
(`asking` finds it). Two answers with the same noise differ only by what was changed; another seed's answer about
the unchanged moment is the yardstick. A *dream* continues an imagined future as if it were the present.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from workbench.envs.base import Furnished
from workbench.types import Actions, Image, Moment, Observation

Acting = Callable[[Actions], Actions]
"""What is done instead of what the policy proposes."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What the model says about one moment, and, where it was executed, what really came of it."""

    moment: Moment
    actions: Actions
    path: Float[np.ndarray, "points 3"] | None
    """Where the gripper would go, metres; None if the platform has no path."""
    future: Mapping[str, Image]
    """Camera to imagined picture at the end of the chunk."""
    value: float
    """Of the imagined future, in [0, 1]."""
    real: Observation | None = None
    """What the simulator shows at the end of the chunk, pictures as the model sees them."""
    gamma: float = 0.99


@dataclass(frozen=True)
class Difference:
    """How far one answer is from another."""

    actions: float
    """Root mean square over the chunk, in the robot's own units."""
    end: float | None
    """Between the ends of the paths, metres; None without paths."""
    future: Mapping[str, float]
    """Camera to mean absolute difference of the imagined pictures, as a share of the range."""
    value: float
    """The second's value less the first's."""
    real: Mapping[str, float] = field(default_factory=dict)
    """Camera to the same difference of the real pictures, where both were executed."""


@dataclass(frozen=True, eq=False)
class WhatIf:
    """A moment as it is and with one thing changed."""

    change: str
    """What was changed, in words."""
    before: Answer
    after: Answer
    yardstick: Difference
    """How far another seed's answer about the unchanged moment is from `before`."""

    @property
    def difference(self) -> Difference:
        """What moved, and by how much."""
        return measure(self.before, self.after)


# what can be changed ------------------------------------------------------------------------------------------


def blank(moment: Moment, camera: str) -> Moment:
    """The same moment with one camera black."""
    return _with_images(moment, {camera: np.zeros_like(_image(moment, camera))})


def swap(moment: Moment, one: str, other: str) -> Moment:
    """The same moment with the pictures of two cameras exchanged."""
    return _with_images(moment, {one: _image(moment, other), other: _image(moment, one)})


def felt(moment: Moment, index: int, by: float) -> Moment:
    """The same moment with one number of the proprio `by` more, in its own unit."""
    proprio = np.array(moment.observation.proprio, dtype=float)
    if not 0 <= index < len(proprio):
        raise ValueError(f"proprio: expected a number from 0 to {len(proprio) - 1}, got {index}")
    proprio[index] += by
    return replace(moment, observation=replace(moment.observation, proprio=proprio))


def told(moment: Moment, instruction: str) -> Moment:
    """The same moment with another instruction."""
    return replace(moment, instruction=" ".join(instruction.split()))


def otherwise(index: int | None = None, *, times: float = 1.0, plus: float = 0.0) -> Acting:
    """Actions `times` and `plus` something, in dimension `index` (None: in all)."""

    def act(actions: Actions) -> Actions:
        if index is not None and not 0 <= index < actions.shape[1]:
            raise ValueError(f"action: expected a dimension from 0 to {actions.shape[1] - 1}, got {index}")
        changed = np.array(actions, dtype=float)
        part = slice(None) if index is None else index
        changed[:, part] = changed[:, part] * times + plus
        return changed

    return act


def moved(env: Furnished, moment: Moment, name: str, by: Sequence[float]) -> Moment:
    """The same moment with an object moved `by` (3,) metres in the simulator, seen anew.

    ValueError without a snapshot or for an unknown object.
    """
    env.restore(snapshot_of(moment))
    env.move(name, np.asarray(by, dtype=float))
    snapshot = env.snapshot()
    return replace(moment, observation=env.observe(), snapshot=snapshot)


def _image(moment: Moment, camera: str) -> Image:
    images = moment.observation.images
    if camera not in images:
        raise ValueError(f"camera: expected one of {', '.join(images)}; got {camera!r}")
    return images[camera]


def _with_images(moment: Moment, images: Mapping[str, Image]) -> Moment:
    seen = moment.observation
    return replace(moment, observation=replace(seen, images={**seen.images, **images}))


def snapshot_of(moment: Moment) -> Mapping[str, np.ndarray]:
    """The simulator's state at `moment`; ValueError if there is none."""
    if moment.snapshot is None:
        raise ValueError(f"expected a moment with a simulator snapshot, {moment.address} has none")
    return moment.snapshot


# measuring ----------------------------------------------------------------------------------------------------


def measure(before: Answer, after: Answer) -> Difference:
    """How far `after` is from `before`."""
    paths = before.path is not None and after.path is not None
    real = {}
    if before.real is not None and after.real is not None:
        real = {camera: apart(image, after.real.images[camera]) for camera, image in before.real.images.items()}
    return Difference(
        actions=float(np.sqrt(((after.actions - before.actions) ** 2).mean())),
        end=float(np.linalg.norm(after.path[-1] - before.path[-1])) if paths else None,
        future={camera: apart(image, after.future[camera]) for camera, image in before.future.items()},
        value=after.value - before.value,
        real=real,
    )


def apart(one: Image, other: Image) -> float:
    """Mean absolute difference of two pictures of one size, as a share of the range."""
    return float(np.abs(one.astype(float) - other).mean() / 255)


# dreaming -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Dreamt:
    """One chunk of a dream."""

    actions: Actions
    path: Float[np.ndarray, "points 3"] | None
    future: Mapping[str, Image]
    value: float
    real: Observation | None = None
    """What the simulator shows after the same actions."""


@dataclass(frozen=True, eq=False)
class Dream:
    """Chunk after chunk, each begun in the imagined end of the one before."""

    moment: Moment
    chunks: Sequence[Dreamt]
    seen: Mapping[str, Image]
    """Camera to the present picture as the model sees it."""
    gamma: float = 0.99

    def error(self, k: int, camera: str) -> float | None:
        """How far chunk `k`'s imagined picture is from the real one; None where nothing was executed."""
        real = self.chunks[k].real
        return None if real is None else apart(self.chunks[k].future[camera], real.images[camera])

    def stillness(self, k: int, camera: str) -> float | None:
        """How far the very first picture is from the real one after chunk `k`: the error of imagining nothing."""
        real = self.chunks[k].real
        return None if real is None else apart(self.seen[camera], real.images[camera])

    @property
    def leaves(self) -> int | None:
        """The first chunk whose imagined pictures are further from the real ones than the present's are: from
        there on the dream says less than standing still would. None while that has not happened."""
        for k, chunk in enumerate(self.chunks):
            if chunk.real is None:
                return None
            cameras = list(chunk.future)
            if sum(self.error(k, c) for c in cameras) > sum(self.stillness(k, c) for c in cameras):
                return k
        return None
