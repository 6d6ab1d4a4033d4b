"""Who may use what cannot be shared, in order of arrival. All of it happens in the worker's thread."""

import time
from collections.abc import Callable, Generator, Hashable, Iterator
from contextlib import contextmanager
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
