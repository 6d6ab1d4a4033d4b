"""What one browser window is looking at. Pages hold an id; plans, outcomes and jobs stay here, bounded."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from workbench.app.board import Board
from workbench.app.loop import Loop
from workbench.app.worker import Cancelled, Job, Work, Worker

MOST = 32
"""Windows remembered at once; the one that was used longest ago is forgotten first."""

EVERY = 0.12
"""Seconds between two looks at something that changes all the time."""


class Session:
    """One window: its plan, its episode, and what runs for it."""

    def __init__(self, worker: Worker, board: Board, loop: Loop) -> None:
        self.worker, self.board, self.loop = worker, board, loop
        self._job: Job | None = None

    def run(self, work: Work, state: Any) -> Iterator[None]:
        """Run `work` and let `state` see its events; yields whenever there is something new to show.

        What ran for this window before is cancelled. `state.finish` gets the result, `state.stop` the reason
        of an early end, in one line.
        """
        self.cancel()
        job = self._job = self.worker.start(work)
        shown = time.monotonic()
        yield
        try:
            for event in job:
                if state.see(event) or time.monotonic() - shown > EVERY:
                    shown = time.monotonic()
                    yield
            state.finish(job.result)
        except Cancelled:
            if self._job is not job:  # another run has taken the page over
                return
            state.stop("cancelled")
        except Exception as error:  # whatever went wrong is said on the page, and the page lives on
            state.stop(" ".join(str(error).split()) or type(error).__name__)
        yield

    def cancel(self) -> None:
        """Stop what runs for this window, if anything does."""
        if self._job is not None:
            self._job.cancel()


class Sessions:
    """All windows by id."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, name: str, session: Session) -> None:
        """Remember `session`; the one used longest ago makes room."""
        with self._lock:
            self._sessions[name] = session
            while len(self._sessions) > MOST:
                self._sessions.popitem(last=False)[1].cancel()

    def drop(self, name: str) -> None:
        """Forget a session and stop what runs for it. Unknown names are fine."""
        with self._lock:
            session = self._sessions.pop(name, None)
        if session is not None:
            session.cancel()

    def clear(self) -> None:
        """Forget all sessions and stop what runs for them."""
        for name in list(self._sessions):
            self.drop(name)

    def get(self, name: str) -> Session:
        """The session of that id. KeyError, in words for the person at the page, if it has been forgotten."""
        with self._lock:
            if name not in self._sessions:
                raise KeyError("this page has been away for too long: reload it")
            self._sessions.move_to_end(name)
            return self._sessions[name]

    def __len__(self) -> int:
        return len(self._sessions)
