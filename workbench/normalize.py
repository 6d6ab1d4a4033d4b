"""Dataset statistics, and the map between physical units and [-1, 1] (METHOD section 2).

Per dimension x' = 2 (x - min) / (max - min) - 1, in float64, with the minima and maxima of the
demonstrations. Nothing is clipped: what lies outside the demonstrations' range lands outside [-1, 1].
The statistics belong to a checkpoint; data at hand never replaces them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from workbench import files

REQUIRED = ("actions_min", "actions_max", "proprio_min", "proprio_max")


@dataclass(frozen=True, eq=False)
class Statistics:
    """Range of every action and proprio dimension, in physical units, as float64 vectors.

    `extra` keeps the other keys of the published statistics files (`actions_mean`, `proprio_std`, ...);
    no computation uses them.
    """

    actions_min: Float[np.ndarray, " _"]
    actions_max: Float[np.ndarray, " _"]
    proprio_min: Float[np.ndarray, " _"]
    proprio_max: Float[np.ndarray, " _"]
    extra: Mapping[str, Float[np.ndarray, " _"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in REQUIRED:
            object.__setattr__(self, name, _vector(getattr(self, name), name))
        object.__setattr__(self, "extra", {name: _vector(x, name) for name, x in self.extra.items()})
        for part in ("actions", "proprio"):
            low, high = getattr(self, f"{part}_min"), getattr(self, f"{part}_max")
            if low.shape != high.shape or np.any(low > high):
                raise ValueError(f"expected {part}_min <= {part}_max in every dimension: mend the statistics file")

    @classmethod
    def from_episodes(
        cls,
        actions: Sequence[Float[np.ndarray, "_ a"]],
        proprio: Sequence[Float[np.ndarray, "_ d"]],
    ) -> "Statistics":
        """Statistics over every step of the given episodes (of demonstrations: rollouts use theirs)."""
        if not actions or not proprio:
            raise ValueError("expected at least one episode to take statistics of, got none")
        parts = {"actions": np.concatenate(actions), "proprio": np.concatenate(proprio)}
        measures = {"min": np.min, "max": np.max, "mean": np.mean, "std": np.std, "median": np.median}
        values = {
            f"{part}_{name}": measure(steps.astype(np.float64), axis=0)
            for part, steps in parts.items()
            for name, measure in measures.items()
        }
        required = {name: values.pop(name) for name in REQUIRED}
        return cls(**required, extra=values)

    @classmethod
    def load(cls, path: str | Path) -> "Statistics":
        """Read a statistics file (METHOD 5.5). The minima and maxima are required, other keys are kept."""
        values = files.read_json(path)
        missing = [name for name in REQUIRED if name not in values] if isinstance(values, dict) else REQUIRED
        if missing:
            raise ValueError(f"{path} is no statistics file, it lacks {', '.join(missing)}: point to stats.json")
        vectors = {name: _vector(x, name) for name, x in values.items()}
        required = {name: vectors.pop(name) for name in REQUIRED}
        return cls(**required, extra=vectors)

    def save(self, path: str | Path) -> None:
        """Write the statistics in the published JSON form."""
        values = {name: getattr(self, name) for name in REQUIRED} | dict(self.extra)
        files.write_json(path, {name: x.tolist() for name, x in sorted(values.items())})


def _vector(values: object, name: str) -> np.ndarray:
    try:
        vector = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected a list of numbers, got {type(values).__name__}") from error
    if vector.ndim != 1 or not np.all(np.isfinite(vector)):
        raise ValueError(f"{name}: expected a flat list of finite numbers: mend the statistics file")
    vector.setflags(write=False)
    return vector


def normalize_actions(actions: Float[np.ndarray, "... a"], statistics: Statistics) -> Float[np.ndarray, "... a"]:
    """Physical actions to [-1, 1] over the demonstrations' range, float64; a constant dimension becomes 0."""
    return _normalize(actions, statistics.actions_min, statistics.actions_max, "actions")


def normalize_proprio(proprio: Float[np.ndarray, "... d"], statistics: Statistics) -> Float[np.ndarray, "... d"]:
    """Physical proprio to [-1, 1] over the demonstrations' range, float64; a constant dimension becomes 0."""
    return _normalize(proprio, statistics.proprio_min, statistics.proprio_max, "proprio")


def unnormalize_actions(actions: Float[np.ndarray, "... a"], statistics: Statistics) -> Float[np.ndarray, "... a"]:
    """The inverse of `normalize_actions`, as float64; a constant dimension becomes its constant."""
    return _unnormalize(actions, statistics.actions_min, statistics.actions_max, "actions")


def unnormalize_proprio(proprio: Float[np.ndarray, "... d"], statistics: Statistics) -> Float[np.ndarray, "... d"]:
    """The inverse of `normalize_proprio`, as float64; a constant dimension becomes its constant."""
    return _unnormalize(proprio, statistics.proprio_min, statistics.proprio_max, "proprio")


def equal(a: Statistics, b: Statistics) -> bool:
    """Whether two statistics normalise alike: same minima and maxima (`extra` does not count)."""
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in REQUIRED)


def _normalize(x: np.ndarray, low: np.ndarray, high: np.ndarray, name: str) -> np.ndarray:
    _check(x, low, name)
    span = high - low
    constant = span == 0  # (x - min) / 0 is not a number; 0 is the middle of the range
    return np.where(constant, 0.0, 2.0 * (x.astype(np.float64) - low) / np.where(constant, 1.0, span) - 1.0)


def _unnormalize(x: np.ndarray, low: np.ndarray, high: np.ndarray, name: str) -> np.ndarray:
    _check(x, low, name)
    return 0.5 * (x.astype(np.float64) + 1.0) * (high - low) + low


def _check(x: np.ndarray, low: np.ndarray, name: str) -> None:
    if x.ndim == 0 or x.shape[-1] != len(low):
        raise ValueError(
            f"expected {name} with {len(low)} dimensions as the statistics have, got shape {x.shape}: "
            "use the statistics of the checkpoint that the data is meant for"
        )
