"""Time that passes only where somebody sleeps, so that a test of a pace does not depend on how busy the machine is."""

from collections.abc import Callable
from concurrent.futures import Future


class Clock:
    """Takes the place of the module `time`."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    perf_counter = monotonic

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def pool(self, *_, **__) -> "Pool":
        """Takes the place of `ThreadPoolExecutor`."""
        return Pool(self)


class Pool:
    """Its thread runs beside the others: what it sleeps does not pass for them, but only then is its answer there."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def submit(self, work: Callable, *args) -> "Later":
        later, begun = Later(self._clock), self._clock.now
        try:
            later.set_result(work(*args))
        except Exception as error:
            later.set_exception(error)
        later.due, self._clock.now = self._clock.now, begun
        return later

    def shutdown(self, **_) -> None:
        pass


class Later(Future):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock, self.due = clock, 0.0

    def done(self) -> bool:
        return self._clock.now >= self.due
