"""Study's values: what a model expected of a policy's episodes and what came true, recorded or asked anew here."""

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from workbench import foresight, views
from workbench.app.engine import Engine
from workbench.app.panel import Panel
from workbench.app.parts import CHOSEN, QUIET, RUN, Parts, one_line
from workbench.app.session import Session
from workbench.app.settings import number
from workbench.foresight import Foreseen
from workbench.planning.events import Stepped
from workbench.rollout import EpisodeResult

MOST = 20
"""Episodes that are run on the page; `workbench bench foresight` runs any number."""

EMPTY = (
    "No recorded evaluation is here: `workbench bench foresight --out DIR/NAME.json` makes one and "
    "`workbench app --data DIR` lists it. Or ask anew on a few episodes."
)
REMEMBER = """(name) => {
  readdress({ result: name });
  return name;
}"""
"""The recorded evaluation is part of the page's address; what is returned is what the handler is given."""

Fill = Callable[[gr.Request], tuple[Any, ...]]


class Values(Panel):
    """An evaluation on the page: a recorded one, or one of its own as far as it has come."""

    def __init__(self, engine: Engine, recorded: Foreseen | None = None) -> None:
        super().__init__(engine, lambda found: views.foresight_html(found, origin="asked here", save=True))
        self.episodes, self.horizon, self.ended = 1, 1, 0
        if recorded is None:
            self.note = EMPTY
        else:
            self.result, self.body = recorded, views.foresight_html(recorded, origin="recorded")

    def ask(self, episodes: int, horizon: int) -> None:
        """So many episodes have been asked for, of at most `horizon` control steps each."""
        self.episodes, self.horizon, self.ended = episodes, horizon, 0
        self.begin()

    def see(self, event: Any) -> bool:
        """Take an event in; True if it is worth showing at once."""
        share = self.progress or 0.0
        worth = not isinstance(event, Stepped | EpisodeResult) and super().see(event)
        if isinstance(event, EpisodeResult):
            self.ended += 1
        at = event.step / self.horizon if isinstance(event, Stepped) else 0.0
        self.progress = max(share, min((self.ended + at) / self.episodes, 1.0))
        if not worth:  # of a decision's network calls there are many: episodes are what is counted
            self.phase = f"episode {min(self.ended + 1, self.episodes)} of {self.episodes}"
        return worth


def build(parts: Parts) -> tuple[list[Any], Fill]:
    """Components and handlers; returns what is set when the page opens, and the values to set.

    The session shows an object with `values`, a `Values`, and `running`, the panel that works.
    """
    names, suites = list(parts.results), list(parts.engine.suites())
    own = parts.default.plan.moment.address.split("/")[0]
    with gr.Row(elem_classes="controls-row"):
        which = gr.Dropdown(names, value=None, label="recorded evaluation", scale=3)
        suite = gr.Dropdown(suites, value=own if own in suites else None, label="or ask anew on", scale=2)
        episodes = number(4, precision=0, label=f"episodes, 1 to {MOST}", scale=1)
        seed = number(0, precision=0, label="seed", scale=1)
        run = gr.Button("Run", variant="primary", elem_id="run-values", elem_classes="idle-only", scale=0, min_width=90)
        stop = gr.Button("Cancel", variant="stop", elem_id="stop-values", elem_classes="busy-only", scale=0)
    page = gr.HTML(Values(parts.engine).html(), elem_id="values", apply_default_css=False)

    def fill(request: gr.Request) -> tuple[str | None, str]:
        first = next(iter(names), None)
        name = request.query_params.get("result", first)
        if name not in names:
            if name is not None:
                gr.Warning("the address names no evaluation that is here: this is the first one")
            name = first
        session = parts.session(request)
        show(parts, session, name)
        return name, session.shown.values.html()

    def on_which(name: str, request: gr.Request) -> str:
        session = parts.session(request)
        session.cancel()
        show(parts, session, name)
        return session.shown.values.html()

    def on_run(suite: str, episodes: float, seed: float, request: gr.Request) -> Iterator[str]:
        session = parts.session(request)
        with one_line():
            count = checked(parts, suite, episodes)
        session.cancel()
        shown = session.shown
        values = shown.running = shown.values
        values.ask(count, parts.engine.horizon(suite))
        for _ in session.run(lambda: parts.engine.foresee(suite, count, int(seed or 0)), values):
            yield session.shown.values.html()
        if shown.running is not values:  # the grid has taken over
            values.stop("cancelled")
            yield session.shown.values.html()

    def on_stop(request: gr.Request) -> None:
        parts.session(request).cancel()

    which.input(on_which, which, page, js=REMEMBER, **CHOSEN)
    run.click(on_run, [suite, episodes, seed], page, **RUN)
    stop.click(on_stop, queue=False, **QUIET)
    return [which, page], fill


def show(parts: Parts, session: Session, name: str | None) -> None:
    """Let the page show that recorded evaluation; what cannot be read is said on it, in one line."""
    session.shown.values = Values(parts.engine)
    if name is None:
        return
    try:
        if name not in parts.results:
            raise ValueError(f"evaluation: expected one from the list, got {name[:100]!r}")
        session.shown.values = Values(parts.engine, foresight.open_record(parts.results[name]))
    except (ValueError, OSError) as error:
        session.shown.values.stop(str(error))


def checked(parts: Parts, suite: str | None, episodes: float | None) -> int:
    """How many episodes are to be run. ValueError for what cannot be, or where nothing can be simulated."""
    if suite not in parts.engine.suites():
        raise ValueError(f"suite: expected one of {', '.join(parts.engine.suites())}; got {suite!r}")
    if not isinstance(episodes, int | float) or not 1 <= episodes <= MOST:
        raise ValueError(f"episodes: expected 1 to {MOST}, got {episodes}")
    if why := parts.engine.cannot_execute():
        raise ValueError(why)
    return int(episodes)
