"""What all pages share: the engine, the windows, the recorded moments."""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from workbench import views
from workbench.app.engine import Engine
from workbench.app.library import Library
from workbench.app.session import Session, Sessions
from workbench.moments import RecordedMoment
from workbench.types import Plan

QUIET = {"show_progress": "hidden", "api_visibility": "private"}
"""The page shows its own progress."""

CHOSEN = QUIET | {"trigger_mode": "always_last"}
"""The same for a control: its last state counts. Left alone, Gradio drops a change while one before is answered."""

PICKED = QUIET | {"trigger_mode": "multiple"}
"""The same for what is picked in a picture or a list: all are answered, in turn. (Of those that "always_last" puts off
Gradio 6.31 sends the first one's data again.)"""

RUN = QUIET | {"concurrency_limit": None}
"""What runs takes turns in the worker, not in Gradio's queue."""

ANEW = RUN | {"trigger_mode": "multiple"}
"""The same for a button that stays in sight: what runs gives way to a press, which Gradio would drop."""

AGAIN = RUN | {"trigger_mode": "always_last"}
"""The same for what runs at every change of a control: the last change counts."""

OPENED = "opened-"
"""How the names of moments begin that were opened out of a recorded episode: nobody else can load them."""

MOST_OPENED = 64
"""Moments of recorded episodes remembered at once; the one opened longest ago is forgotten first."""

PICK_MOMENT = """element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-name]');
  if (!button) return;
  readdress({ run: null, moment: button.dataset.name });
  trigger('select', { name: button.dataset.name });
});"""
"""The moment is part of the page's address; the menu takes it along (static/app.js)."""


@contextmanager
def one_line() -> Iterator[None]:
    """What cannot be is said on the page in one line, without a traceback on the terminal."""
    try:
        yield
    except ValueError as error:
        raise gr.Error(str(error), print_exception=False) from None


@dataclass(frozen=True, eq=False)
class OpenedMoment(RecordedMoment):
    """A step of a recorded episode, without a simulator's state: it can be asked about, not executed."""

    episode: str = ""
    """The episode's name in the library; empty where only the moment's address says what it was."""
    step: int = 0

    @property
    def place(self) -> str:
        """File and step, for people: "a.hdf5#0, step 5"."""
        if not self.episode:
            return self.plan.moment.address
        return f"{self.episode.rpartition('/')[2]}, step {self.step}"


@dataclass(frozen=True, eq=False)
class Parts:
    """The app behind its pages."""

    engine: Engine
    sessions: Sessions
    moments: dict[str, RecordedMoment]
    library: Library = field(default_factory=lambda: Library([]))
    """The recorded episodes that everybody may look at."""
    results: Mapping[str, Path] = field(default_factory=dict)
    """Files of `workbench bench foresight` by name."""
    _opened: OrderedDict[str, OpenedMoment] = field(default_factory=OrderedDict)

    @property
    def default(self) -> RecordedMoment:
        """The moment on which the pages open."""
        return next(iter(self.moments.values()))

    def open(self, request: gr.Request, shown: Callable[[RecordedMoment], Any]) -> tuple[Session, RecordedMoment]:
        """A window has been opened, on the moment in its address; `shown` makes what it shows of that."""
        name = request.query_params.get("moment")
        known = self.moments | self._opened
        if name is not None and name not in known:
            gr.Warning("the address names no moment that is here: this is the first one")
        moment = known.get(name, self.default)
        session = Session(self.engine.worker, shown(moment))
        self.sessions.add(str(request.session_hash), session)
        return session, moment

    def leave(self, request: gr.Request) -> None:
        """A window has been closed: nothing runs for nobody."""
        self.sessions.drop(str(request.session_hash))

    def session(self, request: gr.Request) -> Session:
        """The window that a handler works for."""
        try:
            return self.sessions.get(str(request.session_hash))
        except KeyError as error:
            raise gr.Error(error.args[0], print_exception=False) from None

    def knows(self, name: str) -> bool:
        """Whether there is a moment of that name."""
        return name in self.moments or name in self._opened

    def moment(self, name: str) -> RecordedMoment:
        """A recorded moment by name."""
        known = self.moments | self._opened
        if name not in known:
            raise gr.Error(f"expected one of {', '.join(self.moments)}; got {name!r}", print_exception=False)
        return known[name]

    def opened(self, plan: Plan, episode: str = "", step: int = 0) -> str:
        """Remember a moment that was opened out of a recorded episode; returns a name that nobody guesses."""
        name = f"{OPENED}{secrets.token_hex(8)}"
        why = "Out of a recorded episode, without a simulator's state: it can be asked about, not executed."
        self._opened[name] = OpenedMoment(name, plan.moment.instruction, why, 0.0, plan, episode, step)
        while len(self._opened) > MOST_OPENED:
            self._opened.popitem(last=False)
        return name

    def source(self, moment: RecordedMoment) -> str:
        """Which recording a moment came from, as HTML, with the way back where it is still there; empty for others."""
        if not isinstance(moment, OpenedMoment) or moment.plan.moment.snapshot is not None:
            return ""
        there = moment.episode in self.library.sources  # what a visitor brings is gone with the page
        return views.source_html(moment.place, moment.episode if there else "", moment.step)

    def strip(self, chosen: str) -> str:
        """All moments to choose from, and before them the one that was opened."""
        own = {chosen: self._opened[chosen]} if chosen in self._opened else {}
        return views.gallery_html(
            [(name, one.plan.moment) for name, one in (own | self.moments).items()], chosen=chosen
        )

    def moments_html(self) -> gr.HTML:
        """The component with them."""
        first = self.strip(self.default.name)
        return gr.HTML(first, elem_id="moments", js_on_load=PICK_MOMENT, apply_default_css=False)

    def close(self) -> None:
        """The app ends: nothing keeps running."""
        self.sessions.clear()
        self.engine.close()
