"""The study page: what values are worth, over whole episodes; and one moment under any two settings, cell by cell."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from workbench import views
from workbench.app import values
from workbench.app.engine import Engine
from workbench.app.panel import Panel
from workbench.app.parts import CHOSEN, PICKED, QUIET, RUN, Parts, one_line
from workbench.app.settings import brought
from workbench.grid import SETTINGS, Cell, Grid, axis
from workbench.moments import RecordedMoment
from workbench.planning.settings import PlanSettings

USUAL = {
    "seed": "0, 100, 200",
    "calls": "1, 2, 5, 10",
    "candidates": "2, 4, 8",
    "futures": "1, 3, 5",
    "values": "1, 5, 10",
    "depth": "1, 2",
    "sigma_min": "4, 1, 0.3",
    "sigma_max": "80, 40, 20",
    "aggregation": "majority_mean, average, lcb, success_vote",
    "value": "v, q",
    "same_noise": "off, on",
    "variance_scale": "off, on",
}
"""What an axis begins with; the checkpoints are those that are here. Candidate i of seed s has seed s + i: seeds
close together share candidates."""
EMPTY = (
    "Run plans this moment once for every pair of these values. A cell shows the best candidate and what it is worth, "
    "and how far both have moved from a cell that you click."
)
ADDRESS = ("x", "xs", "y", "ys")
"""What the page's address says of the grid."""
REMEMBER = "(x, xs, y, ys) => readdress({ x, xs, y, ys })"
PICK_CELL = """element.addEventListener('click', (event) => {
  const cell = event.target.closest('button.cell');
  if (cell) trigger('select', { row: Number(cell.dataset.row), column: Number(cell.dataset.column) });
});"""


class Gridded(Panel):
    """The page's state: a moment, and the cells of its grid as far as they are there."""

    def __init__(self, engine: Engine, moment: RecordedMoment) -> None:
        super().__init__(engine, lambda result: "")
        self.moment = moment
        self.grid: Grid | None = None
        self.cells: dict[tuple[int, int], Cell] = {}
        self.reference = (0, 0)
        self.note = EMPTY

    def ask(self, grid: Grid) -> None:
        """Another grid has been asked for."""
        self.grid, self.cells, self.reference = grid, {}, views.reference_of(grid)
        self.begin()
        self.draw()

    def see(self, event: Any) -> bool:
        """Take an event in."""
        if not isinstance(event, Cell):
            return super().see(event)
        self.cells[event.place] = event
        self.draw()
        return True

    def finish(self, result: Any) -> None:
        """All cells are there."""
        super().finish(result)
        self.draw()

    def stop(self, note: str) -> None:
        """It ended early; the cells that are there stay."""
        super().stop(note)
        self.draw()

    def compare_with(self, place: tuple[int, int]) -> None:
        """Another cell is the reference."""
        if place in self.cells:
            self.reference = place
            self.draw()

    def draw(self) -> None:
        """Draw what is there."""
        if self.grid is not None:
            save = self.progress is None and bool(self.cells)
            self.body = views.grid_html(self.grid, self.cells, reference=self.reference, save=save)


class Study:
    """A window's two studies, of which one works at a time."""

    def __init__(self, engine: Engine, moment: RecordedMoment) -> None:
        self.grid, self.values = Gridded(engine, moment), values.Values(engine)
        self.running: Panel | None = None


def build(demo: gr.Blocks, parts: Parts) -> None:
    """Components and handlers of the page."""
    with gr.Tabs(elem_id="studies", elem_classes="kinds") as tabs:  # static/app.js keeps the choice in the address
        with gr.Tab("Values", id="values"):
            valued, fill = values.build(parts)
        with gr.Tab("Grid", id="grid"):
            axes, strip = build_grid(parts)

    def on_load(request: gr.Request) -> tuple:
        _, moment = parts.open(request, lambda moment: Study(parts.engine, moment))
        given = request.query_params
        texts = (str(given.get(name, control.value))[:200] for name, control in zip(ADDRESS, axes, strict=True))
        tab = "grid" if given.get("tab", "grid" if "x" in given else "") == "grid" else "values"
        return gr.Tabs(selected=tab), parts.strip(moment.name), *known_axes(*texts), *fill(request)

    demo.load(on_load, None, [tabs, strip, *axes, *valued], **QUIET)


def build_grid(parts: Parts) -> tuple[list[gr.components.Component], gr.HTML]:
    """The grid's components and handlers; returns its axes and the moments to choose from."""
    usual = USUAL | {"checkpoint": ", ".join(parts.engine.checkpoints())}
    strip = parts.moments_html()
    with gr.Row(elem_classes="controls-row"):
        x = gr.Dropdown(list(SETTINGS), value="calls", label="across", scale=1)
        xs = gr.Textbox(usual["calls"], label="its values, with commas between", max_length=200, scale=2)
        y = gr.Dropdown(list(SETTINGS), value="seed", label="down", scale=1)
        ys = gr.Textbox(usual["seed"], label="its values, with commas between", max_length=200, scale=2)
        futures = gr.Dropdown([("1 x 1, quick", 1), ("3 x 5, the paper's", 3)], value=1, label="ensembles", scale=1)
        run = gr.Button("Run", variant="primary", elem_id="run-grid", elem_classes="idle-only", scale=0, min_width=90)
        stop = gr.Button("Cancel", variant="stop", elem_id="stop-grid", elem_classes="busy-only", scale=0, min_width=90)
    page = gr.HTML(
        Gridded(parts.engine, parts.default).html(), elem_id="grid", js_on_load=PICK_CELL, apply_default_css=False
    )
    axes = [x, xs, y, ys]

    def on_moment(event: gr.EventData, request: gr.Request) -> tuple[str, str]:
        session, moment = parts.session(request), parts.moment(event.name)
        session.cancel()
        session.shown.grid = Gridded(parts.engine, moment)
        return parts.strip(moment.name), session.shown.grid.html()

    def on_run(request: gr.Request, *given: Any) -> Iterator[str]:
        session = parts.session(request)
        with one_line():
            grid = asked(parts, session.shown.grid.moment, *given)
        session.cancel()
        shown = session.shown
        panel = shown.running = shown.grid
        panel.ask(grid)
        for _ in session.run(lambda: parts.engine.grid(grid), panel):
            yield session.shown.grid.html()
        if shown.running is not panel:  # the values have taken over
            panel.stop("cancelled")
            yield session.shown.grid.html()

    def on_cell(event: gr.EventData, request: gr.Request) -> str:
        shown = parts.session(request).shown.grid
        shown.compare_with((event.row, event.column))
        return shown.html()

    def on_stop(request: gr.Request) -> None:
        parts.session(request).cancel()

    strip.select(on_moment, None, [strip, page], **PICKED)
    x.input(usual.get, x, xs, **CHOSEN)
    y.input(usual.get, y, ys, **CHOSEN)
    run.click(None, axes, None, js=REMEMBER, **QUIET)
    run.click(on_run, [*axes, futures], page, **RUN)
    stop.click(on_stop, queue=False, **QUIET)
    page.select(on_cell, None, page, **PICKED)
    return axes, strip


def known_axes(x: str, xs: str, y: str, ys: str) -> tuple[str, str, str, str]:
    """The axes of an address; those of the first grid where it names no setting."""
    if x in SETTINGS and y in SETTINGS:
        return x, xs, y, ys
    gr.Warning("the address names no setting that can be an axis: this is the first grid")
    return "calls", USUAL["calls"], "seed", USUAL["seed"]


def asked(parts: Parts, moment: RecordedMoment, x: str, xs: str, y: str, ys: str, futures: int) -> Grid:
    """The grid of a moment, which brings its settings along. ValueError for what cannot be."""
    seed, calls, sigma_min = brought(moment)
    settings = PlanSettings(seed=int(seed or 0), calls=int(calls), sigma_min=sigma_min)
    if futures == 1:
        settings = replace(settings, futures=1, values=1)
    engine = parts.engine
    grid = Grid(moment.plan.moment, axis(x, xs), axis(y, ys), settings, engine.checkpoint, engine.planner)
    if strange := set(grid.checkpoints) - set(engine.checkpoints()):
        raise ValueError(f"checkpoint: expected some of {', '.join(engine.checkpoints())}; got {', '.join(strange)}")
    return grid
