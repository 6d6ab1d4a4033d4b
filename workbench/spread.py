"""Independent jobs, spread over processes here or on a Ray cluster. One way for all that consists of episodes.

What a job gives must depend on the job alone: its seeds are part of it. Then neither the number of processes nor
who did what, in which order, changes a result. A process that dies costs the job that it was at; that is done
again by a new one.
"""

import logging
import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_any
from typing import Any, TypeVar

from tqdm import tqdm

from workbench import runtime
from workbench.cluster import spread_over

RESTARTS = 3
"""So often a job is begun again after its process died; then something is broken."""

Job = TypeVar("Job")
Result = TypeVar("Result")
log = logging.getLogger(__name__)


def spread(
    work: Callable[[Job], Result], jobs: Iterable[Job], *, workers: int | None, ray: str | None = None
) -> Generator[tuple[Job, Result], None, None]:
    """Do `work(job)` for all jobs, `workers` at a time; yields each job with its result as soon as it is done.

    `work` is a function of a module, jobs and results can be sent between processes. What a process should keep
    from one job to the next (a model, a simulator) it caches. Numerical libraries get one thread a process, whose
    number would change the last digit of sums. Closing the generator ends the processes at once. Errors of `work`
    arrive as they are; RuntimeError if processes die again and again. A job is taken from `jobs` when there is a
    process for it, so that they may end early, by the clock say.

    `ray`: do it on the Ray cluster of that address (`cluster.spread_over`). `workers` None: a process a core, or all
    that the cluster has.
    """
    if ray is not None:
        yield from spread_over(ray, work, jobs, places=workers)
        return
    waiting, again, begun = enumerate(jobs), deque[tuple[int, Job]](), Counter[int]()
    with ExitStack() as stack:
        free: list[Process] = [stack.enter_context(Process()) for _ in range(workers or runtime.cores())]
        busy: dict[Future, tuple[Process, int, Job]] = {}
        while True:
            while free and (entry := again.popleft() if again else next(waiting, None)):
                number, job = entry
                begun[number] += 1
                if begun[number] > RESTARTS + 1:
                    raise RuntimeError(f"processes died {RESTARTS + 1} times; `workbench doctor` tries the renderer")
                process = free.pop()
                busy[process.submit(work, job)] = process, number, job
            if not busy:
                return
            for future in wait(busy, return_when=FIRST_COMPLETED).done:
                process, number, job = busy.pop(future)
                free.append(process)
                try:
                    result = future.result()
                except BrokenProcessPool:
                    log.warning("a process died; a new one does again what it was at")
                    again.appendleft((number, job))
                    process.close()
                else:
                    yield job, result


class Process:
    """One process, started when there is something to do and again after it died; it ends with this one."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._lifeline: Connection | None = None

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, work: Callable, *arguments: Any) -> Future:
        """Do `work(*arguments)` there."""
        if self._pool is not None:
            try:
                return self._pool.submit(work, *arguments)
            except BrokenProcessPool:  # it died idle
                self.close()
        context = multiprocessing.get_context("spawn")
        theirs, self._lifeline = context.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_settle, initargs=(theirs,))
        return self._pool.submit(work, *arguments)

    def close(self) -> None:
        """End it at once, whatever it is at. Idempotent."""
        if self._pool is not None:
            self._lifeline.close()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def _settle(lifeline: Connection) -> None:
    """What a process does first. Ctrl-C in a terminal reaches every process; this one ends when it is told to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    runtime.limit_threads(1)
    tqdm.set_lock(threading.RLock())  # its own is shared between processes: left behind by an end at once, and told of

    def watch() -> None:
        wait_for_any([lifeline])  # closed by the other side, or gone with it
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
