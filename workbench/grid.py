"""One moment under any two settings: a grid of plans, all from the same noise. `filling` makes them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from workbench.diffusion.levels import SIGMA_MAX
from workbench.planning.settings import LOWEST_SIGMA, PlanSettings
from workbench.types import Actions, Image, Moment

MOST = 36
"""Cells of a grid."""
MOST_CANDIDATES = 16
"""Candidates of a cell."""

COUNTS = ("seed", "calls", "candidates", "futures", "values", "depth")
LEVELS = ("sigma_min", "sigma_max")
WORDS = ("aggregation", "value", "checkpoint")
SWITCHES = ("same_noise", "variance_scale")
SETTINGS = (*COUNTS, *LEVELS, *WORDS, *SWITCHES)
"""What can be an axis."""


@dataclass(frozen=True)
class Axis:
    """One setting and the values that it takes."""

    setting: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if self.setting not in SETTINGS:
            raise ValueError(f"axis: expected one of {', '.join(SETTINGS)}; got {self.setting!r}")
        if not self.values:
            raise ValueError(f"{self.setting}: expected at least one value, got none")
        if len(set(self.values)) < len(self.values):
            raise ValueError(f"{self.setting}: expected different values, got {', '.join(map(str, self.values))}")


def axis(setting: str, text: str) -> Axis:
    """An axis from its values as a person writes them, with commas between. ValueError, in one line, for others."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if len(words) > MOST:
        raise ValueError(f"{setting}: expected at most {MOST} values, got {len(words)}")
    kind = int if setting in COUNTS else float if setting in LEVELS else _switch if setting in SWITCHES else str
    try:
        values = tuple(kind(word) for word in words)
    except ValueError:
        wanted = {int: "whole numbers", float: "numbers", _switch: "on or off"}[kind]
        raise ValueError(f"{setting}: expected {wanted} with commas between, got {text[:80]!r}") from None
    return Axis(setting, values)


def _switch(word: str) -> bool:
    if word not in ("on", "off"):
        raise ValueError(f"expected on or off, got {word!r}")
    return word == "on"


@dataclass(frozen=True)
class Asked:
    """What one cell asks."""

    settings: PlanSettings
    checkpoint: str
    sigma_max: float | None = None
    """First noise level of a candidate's actions; None: the checkpoint's."""

    @property
    def work(self) -> "Asked":
        """What the network is asked: the same for cells that can share a plan."""
        settings = replace(self.settings, aggregation=PlanSettings().aggregation)
        if settings.value == "q":  # which imagines nothing
            settings = replace(settings, futures=1, future_calls=1)
        return replace(self, settings=settings)


@dataclass(frozen=True, eq=False)
class Grid:
    """A moment, what is asked of it, and the two settings that differ from cell to cell.

    ValueError if a cell asks what cannot be, or if there are more than `MOST` of them.
    """

    moment: Moment
    across: Axis
    down: Axis
    settings: PlanSettings
    checkpoint: str = "mini"
    planner: str | None = None
    """Imagines and values for `checkpoint`; other checkpoints have their own."""

    def __post_init__(self) -> None:
        if self.across.setting == self.down.setting:
            raise ValueError(f"axes: expected two different settings, got {self.across.setting} twice")
        if len(self.places) > MOST:
            raise ValueError(f"grid: expected at most {MOST} cells, got {len(self.places)}: leave out some values")
        for place in self.places:
            _check(self.asked(place))

    @property
    def places(self) -> list[tuple[int, int]]:
        """(row, column) of every cell, in reading order."""
        return [(r, c) for r in range(len(self.down.values)) for c in range(len(self.across.values))]

    def asked(self, place: tuple[int, int]) -> Asked:
        """What the cell at (row, column) asks."""
        row, column = place
        given = {self.down.setting: self.down.values[row], self.across.setting: self.across.values[column]}
        checkpoint, sigma_max = given.pop("checkpoint", self.checkpoint), given.pop("sigma_max", None)
        return Asked(replace(self.settings, **given), checkpoint, sigma_max)

    def jobs(self, checkpoint: str) -> Mapping[Asked, list[tuple[int, int]]]:
        """What the network of `checkpoint` is asked, with the cells that the answer is for."""
        found: dict[Asked, list[tuple[int, int]]] = {}
        for place in self.places:
            asked = self.asked(place)
            if asked.checkpoint == checkpoint:
                found.setdefault(asked.work, []).append(place)
        return found

    @property
    def checkpoints(self) -> list[str]:
        """The checkpoints of the cells, each once."""
        return list(dict.fromkeys(self.asked(place).checkpoint for place in self.places))

    def planner_of(self, checkpoint: str) -> str | None:
        """Which checkpoint imagines and values for `checkpoint`; None: the one that it names itself."""
        return self.planner if checkpoint == self.checkpoint else None

    def rounds(self, checkpoint: str) -> int:
        """Network calls that follow one another for the cells of `checkpoint`."""
        return sum(job.settings.rounds for job in self.jobs(checkpoint))


@dataclass(frozen=True, eq=False)
class Cell:
    """What came of one cell; also the event that says so."""

    place: tuple[int, int]
    best: int
    """Index of the chosen candidate."""
    value: float
    """Its value in [0, 1]."""
    pictures: Mapping[str, Image]
    """Camera to what it imagines at the end of the chunk: the future of most network calls."""
    actions: Float[np.ndarray, "n k a"]
    """All candidates' chunks, in the robot's units."""
    ends: Float[np.ndarray, "n 3"] | None
    """Where their paths end, metres; None if the platform has no path."""

    @property
    def chosen(self) -> Actions:
        """The chosen candidate's chunk."""
        return self.actions[self.best]

    @property
    def spread(self) -> float:
        """How far apart the candidates are: root mean square distance of their paths' ends from the mean, metres;
        of their actions, in the robot's units, if there are no paths."""
        apart = self.actions if self.ends is None else self.ends
        return float(np.sqrt(((apart - apart.mean(0)) ** 2).sum(-1).mean()))


def _check(asked: Asked) -> None:
    last, first = asked.settings.sigma_min or LOWEST_SIGMA, asked.sigma_max or SIGMA_MAX
    if not last < first <= 10 * SIGMA_MAX:  # nan fails, too
        raise ValueError(
            f"sigma_max: expected more than sigma_min ({last:g}), at most {10 * SIGMA_MAX:g}; got {first:g}"
        )
    if asked.settings.candidates > MOST_CANDIDATES:
        raise ValueError(f"candidates: expected 1 to {MOST_CANDIDATES} in a grid, got {asked.settings.candidates}")
