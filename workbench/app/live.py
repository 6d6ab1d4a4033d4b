"""The live page: closed loops in the simulator, in whose course a person may reach."""

from collections.abc import Iterator

import gradio as gr

from workbench.app import settings
from workbench.app.engine import EpisodeRequest
from workbench.app.loop import Loop
from workbench.app.parts import QUIET, RUN, Parts, one_line
from workbench.app.session import Session
from workbench.app.settings import Choice, number, slider

DECIDERS = {"the policy alone": (False,), "best of N (see Settings)": (True,), "both, side by side": (True, False)}
"""Who decides, in each column: best of N or not."""

INITS = 50


def build(demo: gr.Blocks, parts: Parts) -> None:
    """Components and handlers of the page."""
    controls = settings.drawer(parts.engine, parts.default)
    suites = parts.engine.suites()
    first = next(iter(suites))
    with gr.Row(elem_classes="controls-row"):
        suite = gr.Dropdown(list(suites), value=first, label="suite", scale=2)
        task = gr.Dropdown(_tasks(suites[first]), value=0, label="task", scale=4)
        init = number(0, minimum=0, maximum=INITS - 1, precision=0, label="initial state", scale=1)
        who = gr.Dropdown(list(DECIDERS), value=next(iter(DECIDERS)), label="who decides", scale=2)
        run = gr.Button("Run", variant="primary", elem_id="run", elem_classes="idle-only", scale=1)
        pause = gr.Button("Pause", elem_id="pause", elem_classes="going-only", scale=1)
        resume = gr.Button("Resume", variant="primary", elem_id="resume", elem_classes="paused-only", scale=1)
        stop = gr.Button("Stop", variant="stop", elem_id="stop", elem_classes="busy-only", scale=1)
    with gr.Row(elem_id="reach-in", elem_classes="controls-row paused-only"):
        words = gr.Dropdown(
            list(suites[first]), label="tell the robot something else", allow_custom_value=True, scale=3
        )
        tell = gr.Button("Tell", elem_id="tell", scale=1, min_width=70)
        thing = gr.Dropdown([], label="move an object", scale=2)
        x = slider(-20, 20, value=0, step=1, label="away from the robot, cm", scale=3)
        y = slider(-20, 20, value=5, step=1, label="to its left, cm", scale=3)
        move = gr.Button("Move", elem_id="move", scale=1, min_width=70)
    page = gr.HTML(Loop(parts.engine).html(), elem_id="live", apply_default_css=False)

    def on_load(request: gr.Request) -> None:
        parts.open(request, lambda moment: Loop(parts.engine))

    def on_run(data: dict, request: gr.Request) -> Iterator[str]:
        session, choice = parts.session(request), controls.read(data)
        asked = EpisodeRequest(data[suite], data[task], int(data[init] or 0), choice.settings.seed, DECIDERS[data[who]])
        yield from run_episodes(parts, session, asked, choice)

    def on_pause(request: gr.Request, name: str) -> tuple:
        loop = parts.session(request).shown
        named = [(each.replace("_", " "), each) for each in loop.pause()]
        told = gr.Dropdown(list(suites[name]), value=loop.told, allow_custom_value=True)
        return told, gr.Dropdown(named, value=named[0][1] if named else None)

    def on_resume(request: gr.Request) -> None:
        parts.session(request).shown.resume()

    def on_tell(request: gr.Request, words: str | None) -> None:
        with one_line():
            parts.session(request).shown.tell(words or "")

    def on_move(request: gr.Request, name: str | None, x: float, y: float) -> None:
        with one_line():
            parts.session(request).shown.move(name or "", x, y)

    def on_stop(request: gr.Request) -> None:
        parts.session(request).cancel()

    demo.load(on_load, **QUIET)
    run.click(on_run, {suite, task, init, who, *controls.inputs}, page, **RUN)
    pause.click(on_pause, suite, [words, thing], **RUN)
    resume.click(on_resume, queue=False, **QUIET)
    tell.click(on_tell, words, queue=False, **QUIET)
    move.click(on_move, [thing, x, y], queue=False, **QUIET)
    stop.click(on_stop, queue=False, **QUIET)
    suite.change(lambda name: gr.Dropdown(_tasks(suites[name]), value=0), suite, task, **QUIET)


def run_episodes(parts: Parts, session: Session, asked: EpisodeRequest, choice: Choice) -> Iterator[str]:
    """Run them, or say why not."""
    loop = session.shown
    names = [f"best of {choice.settings.candidates}" if plans else "the policy alone" for plans in asked.planners]
    loop.begin(parts.engine.suites()[asked.suite][asked.task], parts.engine.horizon(asked.suite), names)
    if why := parts.engine.cannot_execute():
        loop.stop(why)
        yield loop.html()
        return
    hands = loop.hands
    models = (choice.settings, choice.checkpoint, choice.planner)
    for _ in session.run(lambda: parts.engine.episode(asked, *models, hands), loop):
        yield loop.html()


def _tasks(instructions) -> list[tuple[str, int]]:
    return [(instruction, number) for number, instruction in enumerate(instructions)]
