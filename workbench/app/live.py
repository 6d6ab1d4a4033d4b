"""The episode page: a closed loop in the simulator, live."""

from collections.abc import Iterator

import gradio as gr

from workbench.app import settings
from workbench.app.engine import EpisodeRequest
from workbench.app.loop import Loop
from workbench.app.parts import QUIET, RUN, Parts
from workbench.app.session import Session
from workbench.app.settings import Choice

PLANNERS = {"the policy alone": False, "best of N (see Settings)": True}
INITS = 50


def build(demo: gr.Blocks, parts: Parts) -> None:
    """Components and handlers of the page."""
    controls = settings.drawer(parts.engine, parts.default)
    suites = parts.engine.suites()
    first = next(iter(suites))
    with gr.Row(elem_id="episode-top"):
        suite = gr.Dropdown(list(suites), value=first, label="suite", scale=1)
        task = gr.Dropdown(_tasks(suites[first]), value=0, label="task", scale=2)
        init = gr.Number(0, minimum=0, maximum=INITS - 1, precision=0, label="initial state", scale=1)
        planner = gr.Dropdown(list(PLANNERS), value=next(iter(PLANNERS)), label="who decides", scale=1)
        run = gr.Button("Run", variant="primary", elem_id="run", elem_classes="idle-only", scale=1)
        stop = gr.Button("Stop", variant="stop", elem_id="stop", elem_classes="busy-only", scale=1)
    page = gr.HTML(Loop(parts.engine).html(), elem_id="episode", apply_default_css=False)

    def on_load(request: gr.Request) -> None:
        parts.open(request, lambda moment: Loop(parts.engine))

    def on_run(data: dict, request: gr.Request) -> Iterator[str]:
        session, choice = parts.session(request), controls.read(data)
        asked = EpisodeRequest(
            data[suite], data[task], int(data[init] or 0), choice.settings.seed, PLANNERS[data[planner]]
        )
        yield from run_episode(parts, session, asked, choice)

    def on_stop(request: gr.Request) -> None:
        parts.session(request).cancel()

    demo.load(on_load, **QUIET)
    inputs = {suite, task, init, planner, *controls.inputs}
    run.click(on_run, inputs, page, **RUN)
    stop.click(on_stop, queue=False, **QUIET)
    suite.change(lambda name: gr.Dropdown(_tasks(suites[name]), value=0), suite, task, **QUIET)


def run_episode(parts: Parts, session: Session, asked: EpisodeRequest, choice: Choice) -> Iterator[str]:
    """Run it, or say why not."""
    loop = session.shown
    loop.begin(parts.engine.suites()[asked.suite][asked.task], parts.engine.horizon(asked.suite))
    if why := parts.engine.cannot_execute():
        loop.stop(why)
        yield loop.html()
        return
    work = lambda: parts.engine.episode(asked, choice.settings, choice.checkpoint, choice.planner)  # noqa: E731
    for _ in session.run(work, loop):
        yield loop.html()


def _tasks(instructions) -> list[tuple[str, int]]:
    return [(instruction, number) for number, instruction in enumerate(instructions)]
