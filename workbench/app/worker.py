"""One thread that runs one generator of events after another: models and simulators live in it alone."""

import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from queue import SimpleQueue
from typing import Any

Work = Callable[[], Generator[Any, None, Any]]


class Cancelled(Exception):
    """The job was stopped before its end."""


class Job:
    """A generator on its way through the worker: iterate for its events; then `result` is what it returned."""

    def __init__(self, work: Work) -> None:
        self.result: Any = None
        self._work, self._events = work, SimpleQueue()
        self._stopped = threading.Event()
        self._future: Future | None = None

    def __iter__(self) -> Iterator[Any]:
        """Yield events as they come; raise what the work raised, or Cancelled. Leaving the loop cancels."""
        try:
            while True:
                kind, value = self._events.get()
                if kind == "event":
                    yield value
                elif kind == "result":
                    self.result = value
                    return
                else:
                    raise value
        finally:
            self.cancel()

    @property
    def idle(self) -> bool:
        """Whether no event is waiting to be looked at."""
        return self._events.empty()

    def cancel(self) -> None:
        """Close the generator before its next event, in the worker's thread. Idempotent, from any thread."""
        self._stopped.set()
        self._events.put(("error", Cancelled()))
        if self._future is not None:
            self._future.cancel()

    def run(self) -> None:
        """The worker's side."""
        try:
            with closing(self._work()) as events:
                self._exhaust(events)
        except Exception as error:  # the page that iterates shows it
            self._events.put(("error", error))

    def _exhaust(self, events: Generator[Any, None, Any]) -> None:
        while not self._stopped.is_set():
            try:
                self._events.put(("event", next(events)))
            except StopIteration as end:
                self._events.put(("result", end.value))
                return


class Worker:
    """Runs jobs in order, each to its end."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="engine")

    def start(self, work: Work) -> Job:
        """Put `work` in the queue; it begins when what came before has ended."""
        job = Job(work)
        job._future = self._pool.submit(job.run)
        return job

    def stop(self) -> None:
        """Finish what runs and take nothing new."""
        self._pool.shutdown(cancel_futures=True)
