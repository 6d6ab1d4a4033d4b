"""One queue before one model: first come, first served, every question until its deadline.

A question that nobody waits for any more is not begun, and one that is being answered is given up between two
events of its planning. The queue has few places: who finds it full is told at once, which is better than an answer
that comes too late to be safe.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from workbench.wire import WireError

Work = Callable[[], Generator[Any, None, Any]]
"""Makes a generator of events that returns the answer."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Job:
    work: Work
    deadline: float
    """On the monotonic clock, seconds."""
    answer: Future = field(default_factory=Future)


class Line:
    """Questions wait here; a thread of its own answers them one after another."""

    def __init__(self, *, places: int = 16) -> None:
        self.places = places
        self._waiting: queue.Queue[_Job | None] = queue.Queue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="policy", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Questions that wait; the one that is being answered is not among them."""
        return self._waiting.qsize()

    @property
    def alive(self) -> bool:
        """Whether questions are still answered."""
        return self._thread.is_alive() and not self._closed

    def ask(self, work: Work, *, seconds: float) -> Future:
        """The answer to come, in `seconds` or as a WireError. Raises WireError if there is no place in the queue."""
        if not self.alive:
            raise WireError("the server is closing: ask again in a moment", 503)
        if len(self) >= self.places:
            raise WireError(f"the queue is full with {self.places} questions: ask again in a moment", 503)
        job = _Job(work, time.monotonic() + seconds)
        self._waiting.put(job)
        return job.answer

    def close(self, *, patience: float = 10.0) -> None:
        """Answer nobody any more: who still waits is told so. Idempotent."""
        self._closed = True
        self._waiting.put(None)
        self._thread.join(patience)

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None:
            if not job.answer.set_running_or_notify_cancel():
                continue  # nobody waits for it
            try:
                job.answer.set_result(self._answer(job))
            except WireError as error:
                job.answer.set_exception(error)
            except ValueError as error:  # such as a word that the model does not know
                job.answer.set_exception(WireError(" ".join(str(error).split())))
            except Exception as error:  # a mistake of ours: the log has it, the robot a reason
                log.exception("a question could not be answered")
                job.answer.set_exception(WireError(f"the model failed ({type(error).__name__})", 500))

    def _answer(self, job: _Job) -> Any:
        with closing(job.work()) as events:
            while True:
                if self._closed:
                    raise WireError("the server is closing: ask again in a moment", 503)
                if time.monotonic() > job.deadline:
                    raise WireError("the deadline passed before there was an answer", 504)
                try:
                    next(events)
                except StopIteration as end:
                    return end.value
