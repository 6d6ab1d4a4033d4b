"""The plan page: pick a moment, plan, compare eight candidates, execute them."""

import json
from collections.abc import Iterator

import gradio as gr

from workbench import views
from workbench.app.board import Board
from workbench.app.parts import Parts
from workbench.app.settings import DEFAULT, PRESETS, Controls, brought

QUIET = {"show_progress": "hidden", "api_visibility": "private"}
"""The page shows its own progress."""

RUN = QUIET | {"concurrency_limit": None}
"""What runs waits in the worker's queue, not in Gradio's."""

PICK_MOMENT = """element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-name]');
  if (button) trigger('select', { name: button.dataset.name });
});"""

PICK_CARD = """element.addEventListener('click', (event) => {
  const card = event.target.closest('.card');
  if (card && !event.target.closest('button')) trigger('select', { index: Number(card.dataset.candidate) });
});"""


def build(parts: Parts, controls: Controls) -> None:
    """Components and handlers of the page."""
    first = Board(parts.default, parts.engine)
    with gr.Row(elem_id="plan-top", equal_height=True):
        strip = gr.HTML(
            _strip(parts, parts.default.name), elem_id="moments", js_on_load=PICK_MOMENT, apply_default_css=False
        )
        with gr.Column(elem_id="plan-actions", scale=0, min_width=292):
            preset = gr.Radio(list(PRESETS), value=DEFAULT, show_label=False, container=False, elem_id="preset")
            with gr.Row():
                plan = gr.Button("Plan", variant="primary", elem_id="plan", elem_classes="idle-only", size="sm")
                winner = gr.Button("Execute the winner", elem_id="winner", elem_classes="idle-only", size="sm")
                reveal = gr.Button("Execute all", elem_id="reveal", elem_classes="idle-only", size="sm")
                cancel = gr.Button("Cancel", variant="stop", elem_id="cancel", elem_classes="busy-only", size="sm")
    board = gr.HTML(first.html(), elem_id="board", js_on_load=PICK_CARD, apply_default_css=False)
    truth = gr.HTML("", elem_id="truth", apply_default_css=False)

    def on_plan(data: dict, request: gr.Request) -> Iterator[tuple[str, str]]:
        session, choice = parts.session(request), controls.read(data)
        moment = session.board.moment
        session.board.begin(choice.settings)
        work = lambda: parts.engine.plan(moment, choice.settings, choice.checkpoint, choice.planner)  # noqa: E731
        for _ in session.run(work, session.board):
            yield session.board.html(), ""

    def on_winner(request: gr.Request) -> Iterator[tuple[str, str]]:
        yield from execute(parts, request, everything=False)

    def on_reveal(request: gr.Request) -> Iterator[tuple[str, str]]:
        yield from execute(parts, request, everything=True)

    def on_moment(event: gr.EventData, request: gr.Request) -> tuple:
        session, moment = parts.session(request), parts.moment(event.name)
        session.cancel()
        session.board = Board(moment, parts.engine)
        return _strip(parts, moment.name), session.board.html(), "", *brought(moment)

    def on_card(event: gr.EventData, request: gr.Request) -> str:
        return parts.session(request).board.truth_html(event.index)

    def on_cancel(request: gr.Request) -> None:
        parts.session(request).cancel()

    both = [board, truth]
    plan.click(on_plan, controls.inputs, both, **RUN)
    winner.click(on_winner, None, both, **RUN)
    reveal.click(on_reveal, None, both, **RUN)
    cancel.click(on_cancel, queue=False, **QUIET)
    strip.select(on_moment, None, [strip, *both, *controls.of_moment], **QUIET)
    board.select(on_card, None, truth, **QUIET)
    # In the browser, so that a click on *Plan* right after it finds it done.
    ensembles = [controls.by_name["futures"], controls.by_name["values"]]
    preset.input(None, preset, ensembles, js=f"(name) => ({json.dumps(PRESETS)})[name]", **QUIET)


def execute(parts: Parts, request: gr.Request, *, everything: bool) -> Iterator[tuple[str, str]]:
    """The truth of the chosen candidate or of all: from the simulator, or as recorded where there is none."""
    session = parts.session(request)
    board, indices = session.board, None if everything else [session.board.plan.best]
    if why := parts.engine.cannot_execute():
        board.uncover(indices, why)
        yield board.html(), board.truth_html()
        return
    plan = board.plan
    board.begin_execution(indices)
    for _ in session.run(lambda: parts.engine.execute(plan, indices), board):
        yield board.html(), board.truth_html()


def _strip(parts: Parts, chosen: str) -> str:
    return views.gallery_html([(name, one.plan.moment) for name, one in parts.moments.items()], chosen=chosen)
