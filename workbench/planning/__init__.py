"""Planning: seeds, aggregation, best of N. Every long function is a generator of `events`."""

from collections.abc import Generator
from typing import TypeVar

Result = TypeVar("Result")


def run(work: Generator[object, None, Result]) -> Result:
    """Exhaust a generator of events and return its result."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value
