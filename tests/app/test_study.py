"""The study page's state, and grids that it does not ask for."""

from collections.abc import Iterator

import numpy as np
import pytest

from workbench.app.engine import Engine
from workbench.app.parts import Parts
from workbench.app.session import Sessions
from workbench.app.study import USUAL, Gridded, asked, known_axes
from workbench.grid import SETTINGS, Cell, axis


@pytest.fixture
def parts(recorded) -> Iterator[Parts]:
    parts = Parts(Engine(), Sessions(), {recorded.name: recorded})
    yield parts
    parts.close()


def cell(place) -> Cell:
    return Cell(place, 0, 0.5, {}, np.zeros((2, 4, 7)), np.zeros((2, 3)))


def test_cells_show_as_they_come_and_stay_when_it_is_cancelled(parts, recorded):
    shown = Gridded(parts.engine, recorded)
    shown.ask(asked(parts, recorded, "calls", "1, 2", "seed", "0", 1))
    assert shown.html().count("cell empty") == 2 and 'data-busy="yes"' in shown.html()
    assert shown.see(cell((0, 0)))
    assert shown.html().count("cell empty") == 1 and "Save as one picture" not in shown.html()
    shown.stop("cancelled")
    assert "cancelled" in shown.html() and "at 0.50" in shown.html()
    assert "Save as one picture" in shown.html()


def test_only_a_cell_that_is_there_becomes_the_reference(parts, recorded):
    shown = Gridded(parts.engine, recorded)
    shown.compare_with((0, 0))  # no grid yet
    shown.ask(asked(parts, recorded, "calls", "1, 2", "seed", "0", 3))
    assert shown.grid.settings.futures == 3 and shown.grid.settings.values == 5
    shown.see(cell((0, 1)))
    shown.compare_with((7, 7))
    assert shown.reference == (0, 0)
    shown.compare_with((0, 1))
    assert shown.reference == (0, 1)


def test_a_checkpoint_is_one_of_those_that_may_be_chosen(parts, recorded):
    with pytest.raises(ValueError, match="expected some of mini, mini-planner; got /etc/passwd"):
        asked(parts, recorded, "checkpoint", "mini, /etc/passwd", "seed", "0", 1)


def test_every_axis_has_something_to_begin_with():
    assert USUAL.keys() | {"checkpoint"} == set(SETTINGS)
    for setting, values in USUAL.items():
        assert len(axis(setting, values).values) >= 2


def test_an_address_without_known_settings_opens_the_first_grid():
    assert known_axes("seed", "7", "value", "v") == ("seed", "7", "value", "v")
    with pytest.warns(UserWarning, match="names no setting"):
        assert known_axes("<b>", "7", "value", "v")[0] == "calls"
