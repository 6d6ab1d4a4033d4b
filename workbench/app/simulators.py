"""A few simulators, each a process of its own, lent to one job at a time and kept for the next."""

from collections.abc import Callable

from workbench.envs.base import Env
from workbench.envs.process import ProcessEnv

MOST = 2
"""Simulators at once: each takes a core and some hundred megabytes."""

Key = tuple[str, int]
"""Suite and side of its pictures."""


def start(key: Key) -> Env:
    """A new simulator."""
    suite, size = key
    return ProcessEnv(suite, image_size=size)


class Simulators:
    """Those that are here; the one that was used longest ago makes room."""

    def __init__(self, make: Callable[[Key], Env] = start) -> None:
        self.make = make
        self._idle: list[tuple[Key, Env]] = []

    def idle(self, key: Key, *, lent: int) -> Env | None:
        """One of that kind for this job alone, if one is idle; else None, and there is room to make one.

        `lent` is how many others are out.
        """
        for place, (kind, env) in enumerate(self._idle):
            if kind == key:
                del self._idle[place]
                return env
        while self._idle and len(self._idle) + lent >= MOST:
            self._idle.pop(0)[1].close()
        return None

    def give_back(self, key: Key, env: Env) -> None:
        """The job is through with it."""
        self._idle.append((key, env))

    def close(self) -> None:
        """End all that are idle."""
        while self._idle:
            self._idle.pop()[1].close()
