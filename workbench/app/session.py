"""What one browser window is looking at. Pages hold an id; plans, outcomes and jobs stay here, bounded."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from functools import partial
from typing import Any

from workbench.app.worker import SILENCE, Cancelled, Job, Work, Worker

MOST = 64
"""Windows remembered at once; the one that was used longest ago is forgotten first."""

PATIENCE = 10.0
"""Seconds that a click waits for a page that is still being opened."""

PATIENT = 8
"""Clicks that wait so at once, at most: ids that nobody was given must not hold all of the server's threads."""

EVERY, SELDOM = 0.2, 0.5
"""Seconds between two updates of a page: of something new, and, for each job that is at work, of mere progress."""


class Session:
    """One window: what it shows, and what runs for it."""

    def __init__(self, worker: Worker, shown: Any) -> None:
        self.worker, self.shown = worker, shown
        self.pinned: list[str] = []
        """Names of the kept runs that it compares with."""
        self._job: Job | None = None

    def run(self, work: Work, state: Any) -> Iterator[None]:
        """Run `work` and let `state` see its events; yields whenever there is something new to show.

        What ran for this window before is closed: a visitor has one job. `state.finish` gets the result,
        `state.stop` the reason of an early end, in one line.
        """
        job = self.worker.start(work)
        before, self._job = self._job, job  # in this order: whoever sees its job cancelled sees that another took over
        if before is not None:
            before.cancel()
        yield
        try:
            yield from self._watch(job, state)
            end = partial(state.finish, job.result)
        except Cancelled:
            end = partial(state.stop, "cancelled")
        except Exception as error:  # whatever went wrong is said on the page, and the page lives on
            end = partial(state.stop, in_words(error))
        if self._job is job:  # no other run has taken the page over
            end()
            yield

    def _watch(self, job: Job, state: Any) -> Iterator[None]:
        """Let `state` see the events; yields at most every `EVERY` seconds."""
        shown, due = time.monotonic(), None
        for event in job.events(EVERY):
            if self._job is not job:  # what another run shows by now is not to be touched
                raise Cancelled
            if event is not SILENCE:
                new = state.see(event)
                patience = EVERY if new else SELDOM * max(1, self.worker.busy)
                due = min(due or shown + patience, shown + patience)
            if due is not None and time.monotonic() >= due:
                yield
                shown, due = time.monotonic(), None

    def cancel(self) -> None:
        """Stop what runs for this window, if anything does."""
        if self._job is not None:
            self._job.cancel()

    def leave(self) -> None:
        """Stop what runs for this window, which turns to something else: it shows nothing more."""
        job, self._job = self._job, None
        if job is not None:
            job.cancel()


def in_words(error: Exception) -> str:
    """An error as one line for the person at the page."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, by name
        return "not enough memory for this: ask for fewer candidates, futures, values or seeds"
    return " ".join(str(error).split()) or type(error).__name__


class Sessions:
    """All windows by id, and the ids of those that have been forgotten."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._gone: deque[str] = deque(maxlen=16 * MOST)
        self._patient = 0
        self._changed = threading.Condition()

    def add(self, name: str, session: Session) -> None:
        """Remember `session`; the one used longest ago makes room."""
        with self._changed:
            self._sessions[name] = session
            while len(self._sessions) > MOST:
                oldest, forgotten = self._sessions.popitem(last=False)
                self._gone.append(oldest)
                forgotten.cancel()
            self._changed.notify_all()

    def drop(self, name: str) -> None:
        """Forget a session and stop what runs for it. Unknown names are fine."""
        with self._changed:
            session = self._sessions.pop(name, None)
            self._gone.append(name)
            self._changed.notify_all()
        if session is not None:
            session.cancel()

    def clear(self) -> None:
        """Forget all sessions and stop what runs for them."""
        for name in list(self._sessions):
            self.drop(name)

    def get(self, name: str) -> Session:
        """The session of that id; of a page that is being opened, once it is there: a click may be faster.

        KeyError, in words for the person at the page, if it has been forgotten.
        """
        with self._changed:
            self._wait(name)
            if name not in self._sessions:
                raise KeyError("this page has been away for too long: reload it")
            self._sessions.move_to_end(name)
            return self._sessions[name]

    def _wait(self, name: str) -> None:
        """Until there is, or has been, a session of that id; not for long, and not many at once."""
        if self._patient >= PATIENT:
            return
        self._patient += 1
        try:
            self._changed.wait_for(lambda: name in self._sessions or name in self._gone, PATIENCE)
        finally:
            self._patient -= 1

    def __len__(self) -> int:
        return len(self._sessions)
