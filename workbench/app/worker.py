"""One thread that advances all visitors' generators, event by event: models and simulators live in it alone.

So a slider does not wait behind somebody's best-of-8, and whoever presses *Plan* soon has something to look at: until
then, and for some seconds of work at most, a job goes ahead of the others. Those that are soon done follow in order of
arrival, and the long ones in turn; some turns are everybody's, so that none stands still. What one job does
to itself (an error, no memory left, being cancelled) ends that job and no other.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from queue import Empty, SimpleQueue
from typing import Any

from workbench.app.turns import Loading, Waiting
from workbench.control import Beside
from workbench.planning.events import Called

Work = Callable[[], Generator[Any, None, Any]]


LEAD = 64
"""Events that a job may be ahead of whoever looks at them; then others have its turns."""


IDLE = (Loading, Waiting)
"""Events of a job that has no use for its turns now."""
PROGRESS = (Called, *IDLE)
"""Events that tell how far something is; every other is something to look at."""

YOUNG = 5.0
"""Seconds of the thread's own computing after which a job that has had nothing to show is like any other. Not of the
clock: where other programs have most of the processor, jobs would lose their lead half-way, and all would be late."""

SHORT = 10.0
"""Seconds of turns after which a job takes turns with all others, as an episode does or a grid."""

FOR_ALL = 0.125
"""What all others get of the time that jobs spend ahead of them, so that they go on however many new ones come. Of the
time, not of the turns: the turns of old jobs, eight candidates at once, are the longest."""

DUE, PAID = 0.1, -1.0
"""Seconds of it that must be due before they have a turn; and how far they can be ahead, at most, after a long one."""


SILENCE = object()
"""Stands for an event that has not come."""


class Cancelled(Exception):
    """The job was stopped before its end."""


class Job:
    """A generator on its way through the worker: iterate for its events; then `result` is what it returned."""

    def __init__(self, work: Work, wake: Callable[[], None], *, watched: bool = True) -> None:
        self.result: Any = None
        self.since = time.monotonic()
        """When it was asked for."""
        self.worked = self.held = 0.0
        """Seconds that the worker's thread has computed for it; and that it has spent on it, waiting included."""
        self.noticed = False
        """Whether it has made something to look at."""
        self.in_line = False
        """Whether it only waits, for its turn at something else or for something to be loaded."""
        self._watched = watched
        self._work, self._wake = work, wake
        self._generator: Generator[Any, None, Any] | None = None
        self._events: SimpleQueue = SimpleQueue()
        self._stopped = self._cancelled = False

    def __iter__(self) -> Iterator[Any]:
        """Yield events as they come; raise what the work raised, or Cancelled. Leaving the loop cancels."""
        return self.events(None)

    def events(self, patience: float | None) -> Iterator[Any]:
        """The same, and `SILENCE` whenever nothing has come for `patience` seconds."""
        try:
            while True:
                try:
                    kind, value = self._events.get(timeout=patience)
                except Empty:
                    yield SILENCE
                    continue
                if self._events.qsize() == LEAD - 1:
                    self._wake()
                if self._cancelled:  # what is left of it interests nobody
                    raise Cancelled
                if kind == "event":
                    yield value
                elif kind == "result":
                    self.result = value
                    return
                else:
                    raise value
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Close the generator before its next event, in the worker's thread. Idempotent, from any thread."""
        self._stopped = self._cancelled = True
        self._events.put(("error", Cancelled()))
        self._wake()

    # the worker's side -------------------------------------------------------------------------------

    @property
    def stopped(self) -> bool:
        """Whether it waits to be closed."""
        return self._stopped

    @property
    def young(self) -> bool:
        """Whether it goes ahead of the others."""
        return not self.noticed and not self.in_line and self.worked < YOUNG

    @property
    def short(self) -> bool:
        """Whether it is served in order of arrival: of equal jobs that take turns, all would end with the last."""
        return not self.in_line and self.held < SHORT

    @property
    def ready(self) -> bool:
        """Whether a turn would be of use."""
        return self._stopped or self._events.qsize() < LEAD

    def advance(self) -> bool:
        """Make one event; False when there will be no more."""
        begin, since = time.thread_time(), time.perf_counter()
        try:
            if self._generator is None:
                self._generator = self._work()
            event = next(self._generator)
            # Here, not where it is looked at: until that thread has its turn, the job would go on ahead of others.
            told = event.event if isinstance(event, Beside) else event
            self.in_line, self.noticed = isinstance(told, IDLE), self.noticed or not isinstance(told, PROGRESS)
            if self._watched:
                self._events.put(("event", event))
            return True
        except StopIteration as end:
            self._events.put(("result", end.value))
        except Exception as error:  # the page that iterates shows it
            # Without the traceback, whose frames would keep the job's tensors.
            self._events.put(("error", error.with_traceback(None)))
        finally:
            self.worked += time.thread_time() - begin
            self.held += time.perf_counter() - since
        self._stopped = True
        return False

    def close(self) -> None:
        """Let the generator clean up; what goes wrong there reaches nobody else."""
        generator, self._generator = self._generator, None
        if generator is not None:
            try:
                generator.close()
            except Exception as error:
                self._events.put(("error", error.with_traceback(None)))


class Worker:
    """Advances jobs in turn, in a thread of its own, until it is stopped."""

    def __init__(self, crowd: Callable[[int], None] = lambda jobs: None) -> None:
        """`crowd` is told, in the thread, how many jobs share it, before every turn."""
        self._crowd = crowd
        self._jobs: deque[Job] = deque()
        self._due = 0.0
        """Seconds of turns that are due to those who are overtaken."""
        self._share = 0.0
        """What a second of this turn adds to that."""
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> int:
        """How many jobs share the thread now."""
        return len(self._jobs)

    def start(self, work: Work, *, watched: bool = True) -> Job:
        """Let `work` take part from the next turn on; if nobody is going to look at its events, say so."""
        job = Job(work, self._wake, watched=watched)
        with self._changed:
            if self._ended:
                job.cancel()
            else:
                self._jobs.append(job)
            self._changed.notify()
        return job

    def stop(self) -> None:
        """Close everything that runs and take nothing new."""
        with self._changed:
            self._ended = True
            for job in self._jobs:
                job.cancel()
            self._changed.notify()
        self._thread.join()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            self._crowd(self.busy)
            before = job.held
            alive = not job.stopped and job.advance()
            self._due = max(PAID, self._due + self._share * (job.held - before))
            if not alive:
                job.close()
                with self._changed:
                    self._jobs.remove(job)

    def _next(self) -> Job | None:
        """Whose turn it is: first whoever waits to be closed, which frees what it holds; None at the end."""
        with self._changed:
            while not any(job.ready for job in self._jobs):
                if self._ended and not self._jobs:
                    return None
                self._changed.wait()
            job = next((job for job in self._jobs if job.stopped), None) or self._whose_turn()
            self._jobs.remove(job)  # to the end of the line
            self._jobs.append(job)
            return job

    def _whose_turn(self) -> Job:
        """Mostly whoever came first, of those with nothing to show yet, else of those that are soon done."""
        ready = [job for job in self._jobs if job.ready]
        ahead = [job for job in ready if job.young] or [job for job in ready if job.short]
        if ahead and self._due <= DUE:
            first = min(ahead, key=lambda job: job.since)
            self._share = FOR_ALL if first is not ready[0] else 0.0
            return first
        self._share = -1.0 if ahead else 0.0
        return ready[0]
