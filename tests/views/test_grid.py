"""What a grid says of its cells, on the page and in the picture to keep."""

import re
from dataclasses import replace

import numpy as np
import pytest

from workbench.grid import Axis, Cell, Grid
from workbench.planning.settings import PlanSettings
from workbench.views.grid import HEAD, SIDE, STUB, changed, grid_html, grid_picture, label, reference_of


@pytest.fixture
def grid(plan) -> Grid:
    return Grid(plan.moment, Axis("calls", (1, 5)), Axis("value", ("v", "q")), PlanSettings())


def cell(place, *, value=0.5, shade=100, push=0.0) -> Cell:
    pictures = {camera: np.full((96, 96, 3), shade, np.uint8) for camera in ("wrist", "primary")}
    ends = np.array([[0.0, 0, 0], [0.02, 0, 0]])
    return Cell(place, 1, value, pictures, np.full((2, 16, 7), push), ends)


def test_what_changed_in_numbers():
    found = changed(cell((0, 1), value=0.6, shade=151, push=0.1), cell((0, 0)))
    assert (found.value, found.picture, found.actions) == pytest.approx((0.1, 0.2, 0.1))
    assert changed(cell((0, 1)), cell((0, 0))).nothing
    other = replace(cell((0, 1)), actions=np.zeros((2, 8, 7)))
    assert np.isinf(changed(other, cell((0, 0))).actions)


def test_the_reference_is_the_cell_of_the_usual_settings(grid):
    assert reference_of(grid) == (0, 1)
    assert reference_of(replace(grid, across=Axis("calls", (1, 2)))) == (0, 0)


def test_the_page_fills_and_says_what_moved(grid):
    cells = {(0, 1): cell((0, 1)), (1, 0): cell((1, 0), value=0.31, shade=151), (1, 1): cell((1, 1))}
    html = grid_html(grid, cells, reference=(0, 1), save=True)
    kinds = re.findall(r'class="cell (\w+)"', html)
    assert kinds == ["empty", "reference", "moved", "same"]
    assert "-0.19, picture 20.0 %" in html and "spread 10 mm" in html and "#2" in html
    assert "value of Q(s, a)" in html and 'download="grid-value-calls.webp"' in html
    assert "waits for the reference" in grid_html(grid, {(1, 1): cells[1, 1]}, reference=(0, 1))


def test_the_saved_picture_holds_both_pictures_of_every_cell(grid):
    cells = {(0, 0): cell((0, 0)), (0, 1): cell((0, 1), shade=255)}
    picture = grid_picture(grid, cells, reference=(0, 0))
    row = HEAD + 24 + SIDE // 2
    first = STUB + SIDE // 2
    second = first + 2 * SIDE + 24
    assert picture[row, first].tolist() == [100, 100, 100] and picture[row, second].tolist() == [255, 255, 255]
    assert picture[row, first + SIDE].sum() < 80, "nothing changed: dark"
    assert picture[row, second + SIDE].sum() > 500, "everything changed: bright"
    assert len(np.unique(picture[: HEAD - 10].reshape(-1, 3), axis=0)) > 10, "there is a title"


def test_no_cell_is_said_to_share_noise_where_that_is_what_differs(plan):
    switched = Grid(plan.moment, Axis("same_noise", (False, True)), Axis("calls", (1,)), PlanSettings())
    assert "the same noise in every cell" not in grid_html(switched, {})


def test_labels():
    assert label("same_noise", True) == "same noise on" and label("variance_scale", False) == "own levels off"
    assert (
        label("sigma_max", 80.0) == "first σ 80" and label("aggregation", "success_vote") == "aggregation success vote"
    )
