"""Fill a grid: the plans of its cells, one after another.

Nothing is computed twice: the observation is encoded once a checkpoint, cells that ask the network the same thing
share a plan, and another aggregation reads the same samples.
"""

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.grid import Cell, Grid
from workbench.models import checkpoints
from workbench.models.bundle import Bundle
from workbench.planning.aggregate import aggregate, choose
from workbench.planning.best_of_n import plan_events
from workbench.planning.events import Called
from workbench.steps import encode
from workbench.types import Plan

Event = Called | Cell
Load = Callable[[str, str | None], tuple[Bundle, Bundle]]


def grid_events(grid: Grid, load: Load = checkpoints.load_pair) -> Generator[Event, None, list[Cell]]:
    """Make all plans of the grid; yields a `Called` a network call and each `Cell` as it is done.

    `load(checkpoint, planner)` gives the pair of models.
    """
    cells = []
    for name in grid.checkpoints:
        cells += yield from part_events(*load(name, grid.planner_of(name)), grid, name)
    return cells


def part_events(policy: Bundle, planner: Bundle, grid: Grid, checkpoint: str) -> Generator[Event, None, list[Cell]]:
    """The cells of one checkpoint, whose models are given; they count in the whole grid's progress."""
    before = grid.checkpoints[: grid.checkpoints.index(checkpoint)]
    done, total = sum(map(grid.rounds, before)), sum(map(grid.rounds, grid.checkpoints))
    encoded, cells = encode(policy, grid.moment.observation, grid.moment.instruction), []
    for job, places in grid.jobs(checkpoint).items():
        asks = _from(policy, job.sigma_max)
        events = plan_events(asks, planner, grid.moment, settings=job.settings, encoded=encoded)
        plan = yield from _counted(events, done, total)
        done += job.settings.rounds
        for place in places:
            cell = _cell(place, plan, grid.asked(place).settings.aggregation)
            cells.append(cell)
            yield cell
    return cells


def _from(policy: Bundle, sigma_max: float | None) -> Bundle:
    """The same weights, whose proposals begin at another noise level."""
    return policy if sigma_max is None else replace(policy, spec=replace(policy.spec, sigma_max=sigma_max))


def _counted(events: Generator[Any, None, Plan], done: int, total: int) -> Generator[Called, None, Plan]:
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            return end.value
        if isinstance(event, Called):
            yield Called(event.phase, done + event.done, total)


def _cell(place: tuple[int, int], plan: Plan, rule: str) -> Cell:
    values = np.stack([np.ravel(one.values) for one in plan.candidates])
    best = choose(values)[rule]
    paths = [one.path for one in plan.candidates]
    return Cell(
        place=place,
        best=best,
        value=float(aggregate(values, rule)[best]),
        pictures={camera: futures[-1] for camera, futures in plan.candidates[best].futures.items()},
        actions=np.stack([one.actions for one in plan.candidates]),
        ends=None if any(path is None for path in paths) else np.stack([path[-1] for path in paths]),
    )
