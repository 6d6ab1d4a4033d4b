"""A question, its answer, and what a server asks of a robot: the same whatever form they travel in.

Everything is checked by type, shape and range before a model sees it. What is wrong is a `WireError`: one line
with what was expected and what came, and the HTTP status that says whose fault it is.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from workbench.platforms import PlatformSpec
from workbench.types import Actions, Observation

MAX_BODY = 16 * 2**20
"""Bytes of a request, or of an answer. Three raw pictures of 640 by 480 in base64 are 3.7 million."""
SIDES = (8, 2048)
"""Least and greatest height or width of a picture, in pixels."""
MAX_NUMBER = 1e4
"""Greatest magnitude of a proprio number: no joint, in radians or metres, gets near it."""
MAX_INSTRUCTION = 1000
MAX_DEADLINE = 300.0
MAX_SEED = 2**31 - 1


class WireError(ValueError):
    """A message that cannot be served; `status` is the HTTP status that says why."""

    def __init__(self, reason: str, status: int = 422) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, eq=False)
class Question:
    """What a robot asks: here is what I see and what I shall do, what now?"""

    observation: Observation
    instruction: str
    seed: int | None = None
    """Of everything that is drawn; None: the server's own."""
    deadline: float | None = None
    """Seconds after which the answer is of no use; None: the server's own limit."""
    pictures: bool = False
    """Whether the imagined future pictures are wanted: they cost a decoder."""
    everything: bool = False
    """Whether all candidates are wanted, not only the chosen one."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What the policy says: the chosen candidate, or all of them."""

    actions: Float[np.ndarray, "n k a"]
    """In physical units, step by step of the robot's control rate."""
    values: Float[np.ndarray, " n"]
    """In [0, 1]; gamma ** (steps to success), no probability."""
    best: int = 0
    """Index of the chosen candidate."""
    futures: Mapping[str, UInt8[np.ndarray, "n h w 3"]] = field(default_factory=dict)
    """Camera to the imagined picture at the end of each candidate's chunk; empty unless asked for."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """JSON values: `seed`, `network_calls`, `seconds`, `checkpoint`, `margin`."""

    @property
    def chosen(self) -> Actions:
        """The chunk to execute."""
        return self.actions[self.best]

    def only_best(self) -> "Answer":
        """The same answer without the candidates that were not chosen."""
        one = slice(self.best, self.best + 1)
        futures = {camera: pictures[one] for camera, pictures in self.futures.items()}
        return Answer(self.actions[one], self.values[one], 0, futures, self.about)


@dataclass(frozen=True)
class Contract:
    """What a server expects and gives; a client compares it with its robot before anything moves."""

    platform: str
    cameras: tuple[str, ...]
    proprio_dim: int
    action_dim: int
    chunk_size: int
    execute_steps: int
    control_hz: float
    actions_min: tuple[float, ...]
    """Least action of the demonstrations, in physical units."""
    actions_max: tuple[float, ...]
    checkpoint: str

    @classmethod
    def of(cls, spec: PlatformSpec, *, actions_min: np.ndarray, actions_max: np.ndarray, checkpoint: str) -> "Contract":
        """The contract of a checkpoint on this platform."""
        low, high = (tuple(float(x) for x in bound) for bound in (actions_min, actions_max))
        sizes = ("cameras", "proprio_dim", "action_dim", "chunk_size", "execute_steps", "control_hz")
        parts = {name: getattr(spec, name) for name in sizes}
        return cls(platform=spec.name, actions_min=low, actions_max=high, checkpoint=checkpoint, **parts)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Contract":
        """The inverse of `to_json`; ValueError if something is missing or of another type."""
        kinds = {"platform": str, "checkpoint": str, "control_hz": int | float}
        kinds |= dict.fromkeys(("proprio_dim", "action_dim", "chunk_size", "execute_steps"), int)
        kinds |= dict.fromkeys(("cameras", "actions_min", "actions_max"), list)
        for name, kind in kinds.items():
            if not isinstance(values, Mapping) or not isinstance(values.get(name), kind):
                raise ValueError(f"expected a policy server's contract, {name} is missing: is it the right address?")
        return cls(**{one.name: _tuple(values[one.name]) for one in fields(cls)})

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: list(x) if isinstance(x, tuple) else x for name, x in asdict(self).items()}


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


WORDS = ("instruction", "seed", "deadline", "pictures", "everything")


def question(images: Mapping[str, Any], proprio: Any, words: Mapping[str, Any], spec: PlatformSpec) -> Question:
    """The question that arrays and words of unknown origin are. WireError unless a policy of `spec` can answer it."""
    if missing := [camera for camera in spec.cameras if camera not in images]:
        raise WireError(f"expected the cameras {', '.join(spec.cameras)}; missing {', '.join(missing)}")
    if unknown := sorted(set(images) - set(spec.cameras)):
        raise WireError(f"expected the cameras {', '.join(spec.cameras)}; got also {unknown[0][:40]!r}")
    for camera, picture in images.items():
        check_picture(picture, camera)
    check_numbers(proprio, (spec.proprio_dim,), "proprio")
    proprio = proprio.astype(np.float64)
    if np.abs(proprio).max(initial=0) > MAX_NUMBER:
        raise WireError(f"proprio: expected numbers up to {MAX_NUMBER:g} in radians or metres, got a larger one")
    if unknown := sorted(set(words) - set(WORDS)):
        raise WireError(f"expected {', '.join(WORDS)}; got also {unknown[0][:40]!r}")
    _check_words(**words)
    return Question(Observation(dict(images), proprio), **words)


def check_picture(picture: Any, name: str) -> None:
    """WireError unless it is one RGB picture of bearable size."""
    least, most = SIDES
    fits = picture.ndim == 3 and picture.shape[2] == 3 and all(least <= side <= most for side in picture.shape[:2])
    if picture.dtype != np.uint8 or not fits:
        raise WireError(
            f"{name}: expected a picture (h, w, 3) of uint8, {least} to {most} pixels a side; "
            f"got {picture.dtype} of shape {picture.shape}"
        )


def check_numbers(numbers: np.ndarray, shape: tuple[int, ...], name: str) -> None:
    """WireError unless it holds finite numbers in that shape."""
    if numbers.shape != shape or numbers.dtype.kind not in "fiu":
        raise WireError(f"{name}: expected numbers of shape {shape}, got {numbers.dtype} of shape {numbers.shape}")
    if not np.isfinite(numbers).all():
        raise WireError(f"{name}: expected finite numbers, got {numbers[~np.isfinite(numbers)][0]}")


def _check_words(
    instruction: Any = "", seed: Any = None, deadline: Any = None, pictures: Any = False, everything: Any = False
) -> None:
    if type(instruction) is not str or not 0 < len(instruction.strip()) <= len(instruction) <= MAX_INSTRUCTION:
        raise WireError(f"instruction: expected 1 to {MAX_INSTRUCTION} characters of text")
    if not instruction.isprintable():
        raise WireError("instruction: expected printable characters")
    if seed is not None and (type(seed) is not int or not 0 <= seed <= MAX_SEED):
        raise WireError(f"seed: expected a whole number from 0 to {MAX_SEED}")
    if deadline is not None and (type(deadline) not in (int, float) or not 0 < deadline <= MAX_DEADLINE):
        raise WireError(f"deadline: expected more than 0 and at most {MAX_DEADLINE:g} seconds")
    for name, given in (("pictures", pictures), ("everything", everything)):
        if type(given) is not bool:
            raise WireError(f"{name}: expected true or false")
