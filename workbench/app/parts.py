"""What all pages share: the engine, the worker, the windows, the recorded moments."""

from dataclasses import dataclass

import gradio as gr

from workbench.app.board import Board
from workbench.app.engine import Engine
from workbench.app.loop import Loop
from workbench.app.session import Session, Sessions
from workbench.app.worker import Worker
from workbench.moments import RecordedMoment


@dataclass(frozen=True, eq=False)
class Parts:
    """The app behind its pages."""

    engine: Engine
    worker: Worker
    sessions: Sessions
    moments: dict[str, RecordedMoment]

    @property
    def default(self) -> RecordedMoment:
        """The moment on which the page opens."""
        return next(iter(self.moments.values()))

    def open(self, request: gr.Request) -> None:
        """A window has been opened."""
        session = Session(self.worker, Board(self.default, self.engine), Loop(self.engine))
        self.sessions.add(str(request.session_hash), session)

    def leave(self, request: gr.Request) -> None:
        """A window has been closed: nothing runs for nobody."""
        self.sessions.drop(str(request.session_hash))

    def session(self, request: gr.Request) -> Session:
        """The window that a handler works for."""
        try:
            return self.sessions.get(str(request.session_hash))
        except KeyError as error:
            raise gr.Error(error.args[0], print_exception=False) from None

    def moment(self, name: str) -> RecordedMoment:
        """A recorded moment by name."""
        if name not in self.moments:
            raise gr.Error(f"expected one of {', '.join(self.moments)}; got {name!r}", print_exception=False)
        return self.moments[name]

    def close(self) -> None:
        """The app ends: nothing keeps running."""
        self.sessions.clear()
        self.worker.stop()
        self.engine.close()
