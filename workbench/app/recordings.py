"""The recordings page: recorded episodes and data sets under one slider; any step can be opened on the other pages."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from workbench import recordings, views
from workbench.app.library import Library
from workbench.app.panel import Panel
from workbench.app.parts import PICKED, QUIET, RUN, Parts, one_line
from workbench.data.readers import SUFFIXES
from workbench.planning.settings import PlanSettings
from workbench.types import Moment
from workbench.views.tags import tag

ANY = "any"
OUTCOMES = {ANY: None, "success": True, "failure": False}

OPENED = PlanSettings(futures=1, values=1)
"""How a plan is made of a step that is opened: quickly; the other pages ask anew."""

OPEN = """element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-open]');
  if (!button) return;
  const scrubber = button.closest('episode-scrubber');
  trigger('select', { page: button.dataset.open, step: scrubber.step });
});"""
GO = """() => {
  const ready = document.querySelector("#recording [data-ready]");
  if (!ready) return;
  const there = new URL(ready.dataset.ready, location);
  new URLSearchParams(location.search).forEach((value, name) => {
    if (!['moment', 'episode', 'step'].includes(name)) there.searchParams.set(name, value);
  });
  location.assign(there);
}"""
"""What was asked for is there: its page, as large or dark as this one."""


class Watched(Panel):
    """The page's state: one episode, and what a model has said along it."""

    def __init__(self, parts: Parts, library: Library) -> None:
        super().__init__(parts.engine, self._draw)
        self.library, self.parts = library, parts
        self.name, self.episode, self.recalled = "", None, None
        self.step, self.page = 0, ""

    def choose(self, name: str | None, step: int = 0) -> None:
        """Show the episode of that name at `step`; ValueError in one line if it cannot be read."""
        if not name:
            self.name, self.episode, self.body = "", None, "No episode of that kind is here."
            return
        self.name, self.episode, self.recalled = name, self.library.read(name), None
        self.step, self.note = min(max(step, 0), len(self.episode) - 1), ""
        self.body = self._drawn()

    def begin(self) -> None:
        """Work has been asked for; what was ready before is not."""
        super().begin()
        self.body = self._drawn()

    def asked(self, page: str, step: int) -> Moment:
        """The moment at `step`, to be opened on another page; ValueError for what is not there."""
        if self.episode is None or page not in views.OPENINGS:
            raise ValueError("expected an episode and one of the pages to open it on: choose an episode first")
        if self.engine.spec is not None:
            recordings.fit(self.episode, self.engine.spec)
        moment = recordings.moment_at(self.episode, step)
        self.page, self.step = page, self.episode.observed(step)
        return moment

    def _draw(self, result: Any) -> str:
        if isinstance(result, recordings.Recalled):
            self.recalled = result
            return self._drawn()
        opened = self.parts.opened(result, self.name, self.step)
        address = f"/{self.page.removeprefix('plan')}?moment={opened}"
        return self._drawn() + tag("i", data_ready=address)

    def _drawn(self) -> str:
        spec = self.engine.spec
        gripper = spec.gripper if spec and self.episode.actions.shape[1] == spec.action_dim else None
        drawn = views.recording_html(self.episode, self.name, recalled=self.recalled, step=self.step, gripper=gripper)
        shared = self.name in self.parts.library.sources  # static/app.js puts it in the address
        return drawn + tag("shown-episode", data_name=self.name if shared else "")


def build(demo: gr.Blocks, parts: Parts) -> None:
    """Components and handlers of the page."""
    shared = parts.library
    first = list(shared.sources)
    with gr.Row(elem_classes="controls-row"):
        task = gr.Dropdown([ANY, *shared.tasks], value=ANY, label="task", scale=2)
        outcome = gr.Dropdown(list(OUTCOMES), value=ANY, label="outcome", scale=1)
        episode = gr.Dropdown(first, value=first[0] if first else None, label="episode", scale=4)
        ask = gr.Button("Ask the model", elem_id="recall", elem_classes="idle-only", scale=1, min_width=130)
        stop = gr.Button("Stop", variant="stop", elem_id="stop", elem_classes="busy-only", scale=1)
        upload = gr.UploadButton("Bring a file", file_types=list(SUFFIXES), elem_id="bring", scale=1, min_width=130)
    page = gr.HTML("", elem_id="recording", js_on_load=OPEN, apply_default_css=False)
    choices = [task, outcome, episode]

    def on_load(request: gr.Request) -> tuple:
        session, _ = parts.open(request, lambda moment: Watched(parts, Library(shared.folders, shared.sources)))
        name, step = request.query_params.get("episode"), request.query_params.get("step", "")
        step = int(step) if step.isdecimal() and len(step) < 10 else 0
        return (*_listed(session.shown, ANY, ANY, name, step), session.shown.html())

    def on_filter(request: gr.Request, task: str, outcome: str) -> tuple:
        session = parts.session(request)
        session.cancel()
        return (*_listed(session.shown, task, outcome), session.shown.html())

    def on_choose(request: gr.Request, name: str | None) -> str:
        session = parts.session(request)
        session.cancel()
        with one_line():
            session.shown.choose(name)
        return session.shown.html()

    def on_bring(request: gr.Request, path: str) -> tuple:
        session = parts.session(request)
        session.cancel()
        shown = session.shown
        with one_line():
            name = shown.library.bring(path)
        return (*_listed(shown, ANY, ANY, name), shown.html())

    def on_ask(request: gr.Request) -> Iterator[str]:
        session = parts.session(request)
        episode = session.shown.episode
        yield from _run(session, lambda: parts.engine.recall(episode))

    def on_open(event: gr.EventData, request: gr.Request) -> Iterator[str]:
        session = parts.session(request)
        engine = parts.engine
        with one_line():
            moment = session.shown.asked(str(event.page), int(event.step))
        yield from _run(session, lambda: engine.plan(moment, OPENED, engine.checkpoint, engine.planner))

    def on_stop(request: gr.Request) -> None:
        parts.session(request).cancel()

    demo.load(on_load, None, [*choices, page], **QUIET)
    gr.on([task.input, outcome.input], on_filter, [task, outcome], [*choices, page], **PICKED)
    episode.input(on_choose, episode, page, **PICKED)
    upload.upload(on_bring, upload, [*choices, page], **QUIET)
    ask.click(on_ask, None, page, **RUN)
    page.select(on_open, None, page, **RUN).then(None, None, None, js=GO)
    stop.click(on_stop, queue=False, **QUIET)


def _listed(shown: Watched, task: str, outcome: str, name: str | None = None, step: int = 0) -> tuple:
    """The three lists for a choice of task and outcome, and the first episode of it (or `name`, at `step`) shown."""
    library = shown.library
    names = list(recordings.chosen(library.sources, task=None if task == ANY else task, success=OUTCOMES[outcome]))
    name, step = (name, step) if name in names else (next(iter(names), None), 0)
    with one_line():
        shown.choose(name, step)
    tasks = gr.Dropdown([ANY, *library.tasks], value=task)
    return tasks, gr.Dropdown(list(OUTCOMES), value=outcome), gr.Dropdown(names, value=name)


def _run(session, work) -> Iterator[str]:
    if session.shown.episode is None:
        raise gr.Error("choose an episode first", print_exception=False)
    session.shown.begin()
    for _ in session.run(work, session.shown):
        yield session.shown.html()
