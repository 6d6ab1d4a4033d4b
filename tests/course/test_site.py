"""Pages of the course: formulas without a script, links among pages, nothing fetched from elsewhere."""

import re
from pathlib import Path

import pytest

from workbench.course import LESSONS
from workbench.course.formulas import FORMULA, formula_html, set_formulas
from workbench.course.site import PLOTLY, build, notebooks, page

# Jupyter's packages are imported by the tests that need them: every process of a run collects this file.
FOLDER = Path(__file__).parents[2] / "notebooks"
FIGURE = {"data": [{"type": "scatter", "x": [0, 1], "y": [0, 1]}], "layout": {}}


def test_a_formula_is_a_picture_that_says_what_it_is():
    html = formula_html(r"\frac{\sigma}{\sqrt{m}}")
    assert html.startswith('<img src="data:image/svg+xml;base64,') and r'alt="\frac{\sigma}{\sqrt{m}}"' in html


def test_formulas_are_found_and_words_left_alone():
    html = set_formulas("With $n$ calls:\n\n$$x = 1$$\n\nand `code` for 3 dollars.")
    assert html.count("<img") == 2 and html.count("<p style") == 1 and html.endswith("for 3 dollars.")


def test_what_cannot_be_set_is_named():
    with pytest.raises(ValueError, match=r"formula: cannot be set: .*nonsense"):
        formula_html(r"\nonsense{x}")


@pytest.mark.heavy
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_formula_of_the_course_can_be_set(path):
    import nbformat

    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            assert set_formulas(cell.source).count("data:image/svg") == len(FORMULA.findall(cell.source))


@pytest.mark.heavy
def test_a_page_fetches_nothing():
    import nbformat

    shown = [nbformat.v4.new_output("display_data", {PLOTLY: FIGURE}) for _ in range(2)]
    cells = [
        nbformat.v4.new_markdown_cell("# A <b> title\n\n$x$ and [the next](02_next.ipynb)"),
        nbformat.v4.new_code_cell("1", outputs=shown),
    ]
    html = page(nbformat.v4.new_notebook(cells=cells))
    assert not re.search(r'<(script|link|img)[^>]*(src|href)="(https?:)?//', html)
    assert 'href="02_next.html"' in html and "data:image/svg+xml" in html
    assert html.count("Plotly.newPlot(") >= 2
    assert 3e6 < len(html) < 8e6, "plotly's script is brought along, once"
    assert "<title>A &lt;b&gt; title</title>" in html


def test_a_widget_leaves_a_sentence_and_its_figure():
    import ipywidgets
    import nbformat

    from workbench.widgets.explore import STILL, Controls

    bundles = [Controls([ipywidgets.IntSlider()])._repr_mimebundle_(), {"text/html": '<div class="wb">figure</div>'}]
    shown = [nbformat.v4.new_output("display_data", bundle) for bundle in bundles]
    html = page(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=shown)]))
    assert html.index(STILL) < html.index('<div class="wb">figure</div>')
    assert "widget-view" not in html, "nothing that waits for a kernel"


def test_the_index_comes_first_and_names_every_notebook():
    import nbformat

    paths = notebooks(FOLDER)
    assert paths[0].stem == "index" and {path.stem for path in paths[1:]} == {"00_tour", *LESSONS}
    text = nbformat.read(paths[0], as_version=4).cells[0].source
    assert re.findall(r"\((\w+)\.ipynb\)", text) == [path.stem for path in paths[1:]]


def test_a_wrong_name_or_folder_is_one_line(tmp_path):
    with pytest.raises(ValueError, match="expected one of 00_tour, .*; got 9_none"):
        next(build(FOLDER, tmp_path, only=["9_none"]))
    with pytest.raises(FileNotFoundError, match="checkout"):
        notebooks(tmp_path)


@pytest.mark.notebook
def test_a_failing_cell_is_named(tmp_path):
    import nbformat

    def write(name, *cells):
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        nbformat.write(nbformat.v4.new_notebook(cells=list(cells), metadata=kernel), tmp_path / f"{name}.ipynb")

    write("index", nbformat.v4.new_markdown_cell("# Index"))
    write("00_bad", nbformat.v4.new_code_cell("1 / 0"))
    pages = build(tmp_path, tmp_path / "out")
    assert next(pages).name == "index" and (tmp_path / "out/index.html").exists()
    with pytest.raises(ValueError, match="00_bad.ipynb: a cell failed: ZeroDivisionError"):
        next(pages)
    assert not (tmp_path / "out/00_bad.html").exists()
