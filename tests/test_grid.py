"""A grid's cells are the plans that one would make one by one, and nothing is computed twice."""

from dataclasses import replace

import numpy as np
import pytest

from workbench import filling
from workbench.filling import grid_events
from workbench.grid import Axis, Cell, Grid, axis
from workbench.models.bundle import tiny
from workbench.planning import run
from workbench.planning.best_of_n import plan_events
from workbench.planning.events import Called
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.types import Moment, Observation

SMALL = PlanSettings(candidates=3, calls=2, futures=2, future_calls=2, values=2, value_calls=2, seed=5)


@pytest.fixture(scope="module")
def bundle():
    return replace(tiny(PLATFORMS["libero"], causal=False), name="mini")


@pytest.fixture(scope="module")
def moment():
    images = {camera: np.full((64, 64, 3), 90, np.uint8) for camera in ("wrist", "primary")}
    return Moment(Observation(images, np.zeros(9)), "put the red cube on the plate", "test/0/0@0")


def cells_of(grid: Grid, bundle) -> tuple[list, dict]:
    events = []
    for event in (work := grid_events(grid, lambda name, planner: (bundle, bundle))):
        events.append(event)
    work.close()
    return events, {event.place: event for event in events if isinstance(event, Cell)}


@pytest.mark.heavy
def test_every_cell_is_the_plan_made_alone(bundle, moment):
    grid = Grid(moment, Axis("calls", (1, 3)), Axis("sigma_max", (80.0, 20.0)), SMALL)
    events, cells = cells_of(grid, bundle)
    assert list(cells) == grid.places == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for (row, column), cell in cells.items():
        spec = replace(bundle.spec, sigma_max=(80.0, 20.0)[row])
        alone = replace(SMALL, calls=(1, 3)[column])
        plan = run(plan_events(replace(bundle, spec=spec), bundle, moment, settings=alone))
        best = plan.candidates[plan.best]
        assert cell.best == plan.best and cell.value == pytest.approx(best.value, abs=1e-5)
        np.testing.assert_allclose(cell.chosen, best.actions, atol=1e-5)
        assert np.abs(cell.pictures["primary"].astype(int) - best.futures["primary"][-1]).max() <= 1
        ends = np.stack([one.path[-1] for one in plan.candidates])
        assert cell.spread == pytest.approx(np.sqrt(((ends - ends.mean(0)) ** 2).sum(1).mean()), abs=1e-6)
    called = [event for event in events if isinstance(event, Called)]
    assert [event.done for event in called] == list(range(1, called[-1].total + 1))


@pytest.mark.heavy
def test_a_switch_is_an_axis(bundle, moment):
    grid = Grid(moment, Axis("same_noise", (False, True)), Axis("variance_scale", (True,)), SMALL)
    _, cells = cells_of(grid, bundle)
    for column, same_noise in enumerate((False, True)):
        alone = replace(SMALL, same_noise=same_noise, variance_scale=True)
        plan = run(plan_events(bundle, bundle, moment, settings=alone))
        assert cells[0, column].value == pytest.approx(plan.candidates[plan.best].value, abs=1e-5)
    assert cells[0, 0].value != cells[0, 1].value


@pytest.mark.heavy
def test_equal_questions_are_asked_once(bundle, moment, monkeypatch):
    made = []
    monkeypatch.setattr(filling, "plan_events", lambda *a, **k: made.append(k["settings"]) or plan_events(*a, **k))
    rules = ("average", "lcb", "success_vote", "majority_mean")
    grid = Grid(moment, Axis("aggregation", rules), Axis("seed", (0, 1)), SMALL)
    _, cells = cells_of(grid, bundle)
    assert len(cells) == 8 and [settings.seed for settings in made] == [0, 1]
    plan = run(plan_events(bundle, bundle, moment, settings=replace(SMALL, seed=0)))
    assert [cells[0, c].best for c in range(4)] == [plan.choices[rule] for rule in rules]
    made.clear()
    cells_of(Grid(moment, Axis("futures", (1, 2)), Axis("value", ("q",)), SMALL), bundle)
    assert len(made) == 1, "Q(s, a) imagines nothing: the number of futures is of no account"


@pytest.mark.heavy
def test_checkpoints_come_one_after_the_other_and_count_together(bundle, moment):
    grid = Grid(moment, Axis("checkpoint", ("mini", "other")), Axis("seed", (0, 1)), SMALL, planner="third")
    asked = []
    work = grid_events(grid, lambda name, planner: asked.append((name, planner)) or (bundle, bundle))
    total = [event.total for event in work if isinstance(event, Called)]
    assert asked == [("mini", "third"), ("other", None)]
    assert set(total) == {4 * SMALL.rounds} and len(total) == 4 * SMALL.rounds


def test_axes_as_people_write_them():
    assert axis("calls", " 1, 2,5 ").values == (1, 2, 5)
    assert axis("sigma_min", "4, 0.5").values == (4.0, 0.5)
    assert axis("value", "v,q").values == ("v", "q")
    assert axis("same_noise", "off, on").values == (False, True)


@pytest.mark.parametrize(
    ("setting", "text", "reason"),
    [
        ("colour", "1", "expected one of seed, calls"),
        ("calls", "", "at least one value"),
        ("calls", "1, 1", "different values"),
        ("calls", "two", "whole numbers with commas"),
        ("sigma_min", "<b>", "numbers with commas"),
        ("same_noise", "True", "on or off with commas"),
        ("seed", ",".join(map(str, range(99))), "at most 36 values"),
    ],
)
def test_an_axis_that_cannot_be_is_one_line(setting, text, reason):
    with pytest.raises(ValueError, match=reason):
        axis(setting, text)


@pytest.mark.parametrize(
    ("across", "down", "reason"),
    [
        (Axis("calls", (1, 51)), Axis("seed", (0,)), "calls: expected 1 to 50, got 51"),
        (Axis("calls", (1,)), Axis("calls", (2,)), "two different settings"),
        (Axis("calls", tuple(range(1, 8))), Axis("seed", tuple(range(6))), "at most 36 cells, got 42"),
        (Axis("sigma_max", (float("nan"),)), Axis("seed", (0,)), "sigma_max: expected more than sigma_min"),
        (Axis("candidates", (17,)), Axis("seed", (0,)), "1 to 16 in a grid"),
        (Axis("aggregation", ("best",)), Axis("seed", (0,)), "aggregation: expected one of"),
    ],
)
def test_a_grid_that_cannot_be_is_one_line(moment, across, down, reason):
    with pytest.raises(ValueError, match=reason):
        Grid(moment, across, down, SMALL)
