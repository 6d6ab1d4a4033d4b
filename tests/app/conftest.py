"""The views' example plans, here as recorded moments."""

import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.moments import RecordedMoment

_source = Path(__file__).parents[1] / "views" / "conftest.py"
_spec = importlib.util.spec_from_file_location("example_plans", _source)
examples = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(examples)

TRUTH = {0: 52, 1: None, 2: None, 3: 59, 4: 41, 5: 44, 6: 47, 7: 44}


@pytest.fixture(scope="session")
def recorded() -> RecordedMoment:
    """A moment with eight candidates whose truth is known."""
    plan = examples.execute(examples.make_plan(), TRUTH, frames=6)
    return RecordedMoment("example", "An example", "six of eight succeed", 1.0, plan)


class Endless:
    """Work that goes on until it is closed, and notes that it was."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def __call__(self) -> Iterator[None]:
        try:
            while True:
                yield
        finally:
            self.closed.set()


@pytest.fixture
def endless() -> Endless:
    return Endless()
