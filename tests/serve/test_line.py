"""The queue: first come, first served, until the deadline, with a reason for everybody else."""

import threading
import time

import pytest

from workbench.serve import Line
from workbench.wire import WireError


def work(seconds: float = 0.0, answer: object = "done", seen: list | None = None):
    def events():
        for _ in range(20):
            time.sleep(seconds / 20)
            yield
        if seen is not None:
            seen.append(answer)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return events


@pytest.fixture
def line():
    line = Line(places=3)
    yield line
    line.close()


def test_questions_are_answered_in_their_order(line):
    seen = []
    answers = [line.ask(work(0.01, number, seen), seconds=5) for number in range(3)]
    assert [answer.result(5) for answer in answers] == seen == [0, 1, 2]


def test_a_full_queue_says_so_at_once(line):
    held = threading.Event()

    def wait():
        held.wait(5)
        yield
        return "late"

    first = line.ask(wait, seconds=5)
    while len(line):
        time.sleep(0.001)
    rest = [line.ask(work(), seconds=5) for _ in range(3)]
    with pytest.raises(WireError, match="full with 3") as refusal:
        line.ask(work(), seconds=5)
    assert refusal.value.status == 503
    held.set()
    assert first.result(5) == "late" and [one.result(5) for one in rest] == ["done"] * 3


def test_a_deadline_ends_what_runs_and_what_waits(line):
    seen = []
    slow, waiting = line.ask(work(5, seen=seen), seconds=0.1), line.ask(work(0, seen=seen), seconds=0.05)
    for answer in (slow, waiting):
        with pytest.raises(WireError, match="deadline") as refusal:
            answer.result(5)
        assert refusal.value.status == 504
    assert not seen
    assert line.ask(work(), seconds=5).result(5) == "done"


def test_a_question_that_nobody_waits_for_is_not_begun(line):
    seen = []
    first, second = line.ask(work(0.1), seconds=5), line.ask(work(0, "second", seen), seconds=5)
    assert second.cancel() and first.result(5) == "done"
    assert line.ask(work(), seconds=5).result(5) == "done" and not seen


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [(ValueError("unknown\nword"), 422, "unknown word"), (ZeroDivisionError("secret"), 500, "ZeroDivisionError")],
)
def test_an_error_becomes_a_reason_and_the_next_question_is_answered(line, error, status, reason):
    with pytest.raises(WireError, match=reason) as refusal:
        line.ask(work(0, error), seconds=5).result(5)
    assert refusal.value.status == status and "secret" not in str(refusal.value)
    assert line.ask(work(), seconds=5).result(5) == "done"


def test_closing_tells_everybody():
    line = Line()
    running, waiting = line.ask(work(5), seconds=9), line.ask(work(), seconds=9)
    line.close()
    for answer in (running, waiting):
        with pytest.raises(WireError, match="closing"):
            answer.result(1)
    with pytest.raises(WireError, match="closing"):
        line.ask(work(), seconds=1)
    line.close()
    assert not line.alive
