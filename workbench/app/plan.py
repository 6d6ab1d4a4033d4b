"""The plan page: pick a moment, plan, compare eight candidates, execute them."""

import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from workbench.app import kept, pinned, settings
from workbench.app.board import Board
from workbench.app.engine import Events
from workbench.app.parts import PICKED, QUIET, RUN, Parts, one_line
from workbench.app.session import Session
from workbench.app.settings import DEFAULT, PRESETS, Controls, brought
from workbench.app.turns import Loading
from workbench.moments import RecordedMoment

PICK_CARD = """element.addEventListener('click', (event) => {
  if (event.target.closest('[data-steer]')) {
    const { moment } = document.querySelector('#board plan-board').dataset;
    trigger('submit', { ...event.target.closest('plan-target').choice, moment });
  }
  const card = event.target.closest('.card');
  if (card && !event.target.closest('button, label')) trigger('select', { index: Number(card.dataset.candidate) });
});"""

PICK_OFFER = """element.addEventListener('click', (event) => {
  const offer = event.target.closest('[data-execute]');
  if (!offer) return;
  const { moment } = document.querySelector('#board plan-board').dataset;
  trigger('select', { index: Number(offer.dataset.execute), moment });
});"""

SEEN = """(...given) => {
  const board = document.querySelector('#board plan-board');
  return [...given.slice(0, -1), board ? board.dataset.moment : ''];
}"""
"""What a button was pressed in front of: a click on another moment may reach the server before it."""

Shown = tuple[Any, Any, Any]
"""HTML, or `gr.skip()` for what stays, for each component of `Page.shown`."""


@dataclass(frozen=True)
class Page:
    """What is on the page beside the settings."""

    strip: gr.HTML
    """The moments to choose from."""
    preset: gr.Radio
    plan: gr.Button
    winner: gr.Button
    reveal: gr.Button
    cancel: gr.Button
    pin: gr.Button
    seen: gr.Textbox
    """Never shown: the address of the moment on the board as a button is pressed (`SEEN`), the last of its inputs."""
    beside: gr.HTML
    """The pinned runs."""
    board: gr.HTML
    truth: gr.HTML

    @property
    def asking(self) -> list[gr.Button]:
        """The buttons that ask something about the moment."""
        return [self.plan, self.winner, self.reveal]

    @property
    def shown(self) -> list[gr.HTML]:
        """What changes while a plan is made or executed, and at its end."""
        return [self.board, self.truth, self.beside]


def build(demo: gr.Blocks, parts: Parts) -> None:
    """Components and handlers of the page."""
    controls = settings.drawer(parts.engine, parts.default, executes=True)
    page = lay_out(parts)
    opens(demo, parts, page, controls)
    plans(parts, page, controls)
    executes(parts, page, controls)
    pins(parts, page)


def ready(parts: Parts) -> Events:
    """Before anybody comes: models and simulator, and every moment as it is seen and as it is shown."""
    recorded = list(parts.moments.values())
    yield from parts.engine.warm([one.plan.moment for one in recorded])
    for one in recorded:
        Board(one, parts.engine).html()
        yield Loading("moments")


def lay_out(parts: Parts) -> Page:
    """The components, open on the default moment."""
    with gr.Row(elem_id="plan-top", equal_height=True):
        strip = parts.moments_html()
        with gr.Column(elem_id="plan-actions", scale=0, min_width=292):
            preset = gr.Radio(list(PRESETS), value=DEFAULT, show_label=False, container=False, elem_id="preset")
            with gr.Row():
                # Until the page knows its moment, which brings settings along, nothing can be asked about it.
                waits = {"elem_classes": "idle-only", "size": "sm", "interactive": False}
                plan = gr.Button("Plan", variant="primary", elem_id="plan", **waits)
                winner = gr.Button("Execute the winner", elem_id="winner", **waits)
                reveal = gr.Button("Execute all", elem_id="reveal", **waits)
                cancel = gr.Button("Cancel", variant="stop", elem_id="cancel", elem_classes="busy-only", size="sm")
            pin = gr.Button("Pin this run beside the next ones", elem_id="pin", elem_classes="idle-only", size="sm")
    beside = gr.HTML("", elem_id="pinned", js_on_load=pinned.UNPIN, apply_default_css=False)
    first = Board(parts.default, parts.engine)
    board = gr.HTML(first.html(), elem_id="board", js_on_load=PICK_CARD, apply_default_css=False)
    truth = gr.HTML("", elem_id="truth", js_on_load=PICK_OFFER, apply_default_css=False)
    seen = gr.Textbox(visible=False)
    return Page(strip, preset, plan, winner, reveal, cancel, pin, seen, beside, board, truth)


def opens(demo: gr.Blocks, parts: Parts, page: Page, controls: Controls) -> None:
    """Opening the page, and going to another moment."""
    moved = [page.strip, *page.shown, *controls.of_moment]

    def board_of(moment: RecordedMoment) -> Board:
        return Board(moment, parts.engine, parts.source(moment))

    def on_load(request: gr.Request) -> tuple:
        session, moment = parts.open(request, board_of)
        if (run := request.query_params.get("run")) is not None:
            moment = reopen(parts, session, run) or moment
        session.pinned = pinned.asked(request.query_params.get("pin"))
        ready = [gr.Button(interactive=True) for _ in page.asking]
        board, beside = session.shown, pinned.html(session, session.shown)
        if moment is parts.default:  # the page came with it
            return *ready, *(gr.skip(),) * 3, beside, *brought(moment)
        return *ready, parts.strip(moment.name), board.html(), board.truth_html(), beside, *brought(moment)

    def on_moment(event: gr.EventData, request: gr.Request) -> tuple:
        session, moment = parts.session(request), parts.moment(event.name)
        session.shown = board_of(moment)  # in this order: what ends sees that something else is shown
        session.leave()
        beside = pinned.html(session, session.shown)
        return parts.strip(moment.name), session.shown.html(), "", beside, *brought(moment)

    demo.load(on_load, None, [*page.asking, *moved], **QUIET)
    page.strip.select(on_moment, None, moved, **PICKED)


def plans(parts: Parts, page: Page, controls: Controls) -> None:
    """Plan, cancel, and a person's own plan."""

    def on_plan(data: dict, request: gr.Request) -> Iterator[Shown]:
        session, choice = parts.session(request), controls.read(data)
        board = pressed(session, data[page.seen])
        moment = board.moment
        board.begin(choice.settings)
        plan = lambda: parts.engine.plan(moment, choice.settings, choice.checkpoint, choice.planner)  # noqa: E731
        for _ in session.run(lambda: kept.keeping(plan(), board.recorded.name), board):
            yield board.html(), "", gr.skip()
        yield from ended(session, board)

    def on_yours(event: gr.EventData, request: gr.Request) -> Iterator[Shown]:
        session, choice = parts.session(request), event._data or {}
        board = pressed(session, choice.get("moment"))
        with one_line():
            steer = board.steer(choice)
        plan = board.plan
        board.begin_yours()
        add = lambda: parts.engine.add(plan, steer)  # noqa: E731
        for _ in session.run(lambda: kept.keeping(add(), board.recorded.name), board):
            yield board.html(), "", gr.skip()
        yield from ended(session, board)

    def on_cancel(request: gr.Request) -> None:
        parts.session(request).cancel()

    page.cancel.click(on_cancel, queue=False, **QUIET)
    # In the browser, so that a click on *Plan* right after it finds it done.
    ensembles = [controls.by_name["futures"], controls.by_name["values"]]
    page.preset.input(None, page.preset, ensembles, js=f"(name) => ({json.dumps(PRESETS)})[name]", **QUIET)
    page.plan.click(on_plan, controls.inputs | {page.seen}, page.shown, js=SEEN, **RUN)
    page.board.submit(on_yours, None, page.shown, **RUN)


def executes(parts: Parts, page: Page, controls: Controls) -> None:
    """The truth: of the winner, of all, of the card that is looked at."""

    def on_winner(request: gr.Request, often: int, seen: str) -> Iterator[Shown]:
        session = parts.session(request)
        board = pressed(session, seen)
        yield from execute(parts, session, board, [board.plan.best], int(often))

    def on_reveal(request: gr.Request, often: int, seen: str) -> Iterator[Shown]:
        session = parts.session(request)
        yield from execute(parts, session, pressed(session, seen), None, int(often))

    def on_offer(event: gr.EventData, request: gr.Request, often: int) -> Iterator[Shown]:
        session = parts.session(request)
        yield from execute(parts, session, pressed(session, event.moment), [event.index], int(often))

    def on_card(event: gr.EventData, request: gr.Request) -> str:
        with one_line():
            return parts.session(request).shown.pick(event.index)

    page.board.select(on_card, None, page.truth, **PICKED)
    page.winner.click(on_winner, [controls.continuations, page.seen], page.shown, js=SEEN, **RUN)
    page.reveal.click(on_reveal, [controls.continuations, page.seen], page.shown, js=SEEN, **RUN)
    page.truth.select(on_offer, controls.continuations, page.shown, **RUN)


def pins(parts: Parts, page: Page) -> None:
    """Runs beside the next ones."""

    def on_pin(request: gr.Request) -> str:
        session = parts.session(request)
        with one_line():
            pinned.pin(session, session.shown)
        return pinned.html(session, session.shown)

    def on_unpin(event: gr.EventData, request: gr.Request) -> str:
        session = parts.session(request)
        pinned.unpin(session, event.name)
        return pinned.html(session, session.shown)

    page.pin.click(on_pin, None, page.beside, **QUIET)
    page.beside.select(on_unpin, None, page.beside, **PICKED)


def pressed(session: Session, seen: str | None) -> Board:
    """The board in front of which a button was pressed; an error for the person at the page if it is gone."""
    board = session.shown
    if board.moment.address != seen:
        said = "another moment has come in between, and nothing was done: press again if it is about this one"
        raise gr.Error(said, print_exception=False)
    return board


def ended(session: Session, board: Board) -> Iterator[Shown]:
    """At the end of a run: what differs from the pinned ones, if any are, said anew; of a board that is gone, nothing.

    Gradio shows what came last once more when a handler ends, which must not be what was there before.
    """
    if session.shown is not board:
        yield session.shown.html(), session.shown.truth_html(), gr.skip()
    elif session.pinned:
        yield gr.skip(), gr.skip(), pinned.html(session, board)


def reopen(parts: Parts, session: Session, run: str) -> RecordedMoment | None:
    """Show the kept run of that name; returns its moment, with the settings of the run. None if it is not here."""
    try:
        plan, name = kept.reopen(run)
    except (ValueError, OSError) as error:
        gr.Warning(html.escape(str(error)))
        return None
    moment = parts.moment(name) if parts.knows(name) else parts.moment(parts.opened(plan))
    session.shown = Board(moment, parts.engine, parts.source(moment))
    session.shown.open(plan, run)
    return replace(moment, plan=plan)


def execute(
    parts: Parts, session: Session, board: Board, indices: Sequence[int] | None, continuations: int
) -> Iterator[Shown]:
    """The truth of some candidates or of all: from the simulator, or as recorded where there is none."""
    with one_line():
        board.check(indices)
    if why := parts.engine.cannot_execute():
        board.uncover(indices, why, continuations)
        yield board.html(), board.truth_html(), pinned.html(session, board)
        return
    plan, run = board.plan, board.run if board.own_run else None
    board.begin_execution(indices, continuations)
    truth = lambda: parts.engine.execute(plan, indices, continuations)  # noqa: E731
    for _ in session.run(lambda: kept.keeping(truth(), board.recorded.name, run), board):
        yield board.html(), board.truth_html(), gr.skip()
    yield from ended(session, board)
