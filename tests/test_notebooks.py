"""Every notebook runs from top to bottom, and its paired script says the same."""

from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_there_is_a_tour():
    assert [path.name for path in NOTEBOOKS] == ["00_tour.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_pair_agrees(path):
    cells, script = (jupytext.read(place).cells for place in (path, path.with_suffix(".py")))
    assert [(cell.cell_type, cell.source) for cell in cells] == [(cell.cell_type, cell.source) for cell in script]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_are_short_and_saved_without_output(path):
    for cell in jupytext.read(path).cells:
        assert len(cell.source.splitlines()) <= 15
        assert not cell.get("outputs")


@pytest.mark.notebook
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path):
    """Restart and run all; the tour ends with eight cards and a real picture beside the imagined one."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=str(FOLDER))
    shown = [
        output.data.get("text/html", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    cards = [html for html in shown if "#8" in html and "#1" in html]
    assert len(cards) >= 2, "candidate cards before and after execution"
    assert any("dB" in html for html in shown), "imagined beside real, with its PSNR"
