"""The course as web pages: every notebook executed and exported, nothing fetched from elsewhere.

A page is a still: figures that need no kernel work in it, widgets have left their last figure behind.
"""

import re
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import files
from workbench.course.formulas import set_formulas

INDEX = "index"
OUTSIDE = re.compile(r'<script[^>]*\bsrc="[^"]*"[^>]*>\s*</script>')
"""What nbconvert would have a browser fetch."""
LINK = re.compile(r'href="([\w.-]+)\.ipynb"')


@dataclass(frozen=True)
class Built:
    """One page is done."""

    name: str
    seconds: float
    done: int
    total: int


def notebooks(folder: Path) -> list[Path]:
    """The notebooks of the course, the index first. FileNotFoundError if there is none."""
    found = sorted(folder.glob("[0-9]*.ipynb"))
    if not found or not (folder / f"{INDEX}.ipynb").is_file():
        raise FileNotFoundError(
            f"expected the course's notebooks in {folder}: run this in a checkout of the repository"
        )
    return [folder / f"{INDEX}.ipynb", *found]


def build(folder: Path, out: Path, *, only: Sequence[str] = (), timeout: float = 600) -> Generator[Built, None, Path]:
    """Execute the notebooks of `folder` and write their pages to `out`; yields `Built` a page, returns the index.

    `only`: names of the notebooks to build (default: all; the index always). `timeout`: seconds a cell may take. A cell
    that fails raises ValueError with its name and error; pages that are done stay.
    """
    chosen = [path for path in notebooks(folder) if not only or path.stem in (INDEX, *only)]
    if unknown := set(only) - {path.stem for path in chosen}:
        known = ", ".join(path.stem for path in notebooks(folder)[1:])
        raise ValueError(f"notebook: expected one of {known}; got {', '.join(sorted(unknown))}")
    out.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(chosen, start=1):
        start = time.perf_counter()
        html = page(executed(path, timeout))
        with files.atomic_path(out / f"{path.stem}.html") as place:
            place.write_text(html, encoding="utf-8")
        yield Built(path.stem, time.perf_counter() - start, number, len(chosen))
    return out / f"{INDEX}.html"


def executed(path: Path, timeout: float) -> Any:
    """The notebook with the outputs of all of its cells."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=timeout, kernel_name="python3", store_widget_state=False)
    try:
        return client.execute(cwd=str(path.parent))
    except CellExecutionError as error:
        raise ValueError(f"{path.name}: a cell failed: {error.ename}: {error.evalue}") from error


def page(notebook: Any) -> str:
    """An executed notebook as one self-contained page."""
    from nbconvert import HTMLExporter

    inline = True
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = set_formulas(cell.source)
        for output in cell.get("outputs", []):
            if (figure := output.get("data", {}).get(PLOTLY)) is not None:
                output.data["text/html"] = _plotly(figure, inline)
                inline = False
    notebook.metadata["title"] = _title(notebook)
    html, _ = HTMLExporter(template_name="lab").from_notebook_node(notebook)
    return LINK.sub(r'href="\1.html"', OUTSIDE.sub("", html))


PLOTLY = "application/vnd.plotly.v1+json"


def _plotly(figure: dict[str, Any], script: bool) -> str:
    """A plotly figure; the first of a page brings plotly's script along."""
    from plotly.io import to_html

    return to_html(dict(figure), include_plotlyjs=script, full_html=False, validate=False)


def _title(notebook: Any) -> str:
    heading = re.search(r"(?m)^# (.+)$", notebook.cells[0].source)
    return heading[1] if heading else "Cosmos Policy Workbench"
