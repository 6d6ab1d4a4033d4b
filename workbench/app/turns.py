"""Who may use what cannot be shared, in order of arrival. All of it happens in the worker's thread."""

import time
from collections.abc import Callable, Generator, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from workbench.control import Beside
from workbench.interventions import Paused

Admits = Callable[[list[Hashable], Hashable], bool]
"""(keys in use, key asked for) -> whether both can be."""


MOMENT = 0.005
"""Seconds that a turn of somebody who only waits takes from the others."""

LONGEST_PAUSE = 600.0
"""Seconds for which an episode may be paused."""


@dataclass(frozen=True)
class Loading:
    """Something that takes seconds is being got ready."""

    what: str


@dataclass(frozen=True)
class Waiting:
    """A job waits until others are through."""

    place: int
    """1 is next."""
    what: str


class Line:
    """A line in front of something of which only so much is there."""

    def __init__(self, what: str, admits: Admits) -> None:
        self.what, self._admits = what, admits
        self._waiting: list[list[Hashable]] = []
        self._inside: list[list[Hashable]] = []

    @property
    def inside(self) -> int:
        """How many have been admitted."""
        return len(self._inside)

    @contextmanager
    def ticket(self, key: Hashable = None) -> Iterator[list[Hashable]]:
        """A place in the line, given back at the end, admitted or not."""
        ticket = [key]  # a list: told apart by identity
        self._waiting.append(ticket)
        try:
            yield ticket
        finally:
            for part in (self._waiting, self._inside):
                part[:] = [other for other in part if other is not ticket]

    def wait(self, ticket: list[Hashable]) -> Generator[Any, None, None]:
        """Yield `Waiting` until it is `ticket`'s turn; nobody overtakes."""
        while not (self._waiting[0] is ticket and self._admits([key for (key,) in self._inside], ticket[0])):
            yield Waiting(next(i for i, other in enumerate(self._waiting) if other is ticket) + 1, self.what)
        self._waiting.pop(0)
        self._inside.append(ticket)


def together(inside: list[Hashable], key: Hashable) -> bool:
    """Any number, as long as all want the same."""
    return all(other == key for other in inside)


def at_most(count: int) -> Admits:
    """Any `count`, whatever they want."""
    return lambda inside, key: len(inside) < count


class Patience:
    """Lets others have their turns while an episode is paused, for so long and no longer: it holds a simulator."""

    def __init__(self, seconds: float = LONGEST_PAUSE) -> None:
        self.seconds, self._since = seconds, None

    def see(self, event: Beside) -> None:
        """ValueError, in words for the person at the page, at the end of it."""
        if not isinstance(event.event, Paused):
            self._since = None
            return
        self._since = self._since or time.monotonic()
        if time.monotonic() - self._since > self.seconds:
            raise ValueError(
                f"paused for {self.seconds / 60:.0f} minutes: the simulator is for others now, run it again"
            )
        time.sleep(MOMENT)


def elsewhere(
    meanwhile: Any, function: Callable[[], Any], *, abandoned: Callable[[Any], None] | None = None
) -> Generator:
    """Run something slow in a thread of its own, so that others have their turns; yields `meanwhile` until it is
    done and returns its result. Closed before that, `abandoned` is given what it comes to."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="elsewhere")
    future = pool.submit(function)
    pool.shutdown(wait=False)
    try:
        while not wait([future], timeout=MOMENT).done:
            yield meanwhile
    except GeneratorExit:
        if abandoned is not None:
            future.add_done_callback(lambda done: None if done.exception() else abandoned(done.result()))
        raise
    return future.result()


class Clock:
    """Seconds that a generator has worked, without the time between its events."""

    seconds = 0.0

    def count(self, events: Generator) -> Generator:
        with closing(events):
            while True:
                begin = time.perf_counter()
                try:
                    event = next(events)
                except StopIteration as end:
                    return end.value
                finally:
                    self.seconds += time.perf_counter() - begin
                yield event
