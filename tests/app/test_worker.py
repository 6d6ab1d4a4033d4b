"""One job after another in one thread; cancelling closes the generator there."""

import threading

import pytest

from workbench.app.worker import Cancelled, Worker


@pytest.fixture
def worker():
    worker = Worker()
    yield worker
    worker.stop()


def test_events_arrive_in_order_and_the_result_last(worker):
    def work():
        yield 1
        yield 2
        return "done"

    job = worker.start(work)
    assert list(job) == [1, 2]
    assert job.result == "done"


def test_everything_runs_in_one_thread_in_order(worker):
    seen = []

    def work(name):
        for _ in range(3):
            seen.append((name, threading.current_thread().name))
            yield

    jobs = [worker.start(lambda name=name: work(name)) for name in "ab"]
    for job in jobs:
        list(job)
    assert [name for name, _ in seen] == list("aaabbb")
    assert len({thread for _, thread in seen}) == 1


def test_what_the_work_raises_reaches_who_waits(worker):
    def work():
        yield 1
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        list(worker.start(work))
    assert list(worker.start(lambda: iter_of(7))) == [7]  # and the worker goes on


def iter_of(*events):
    yield from events


def test_cancelling_closes_the_generator_and_frees_the_worker(worker):
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield "tick"
        finally:
            closed.set()

    job = worker.start(endless)
    events = iter(job)
    assert next(events) == "tick"
    job.cancel()
    with pytest.raises(Cancelled):
        for _ in events:
            pass
    assert closed.wait(5)
    assert list(worker.start(lambda: iter_of(1))) == [1]


def test_leaving_the_loop_cancels(worker, endless):
    for _ in worker.start(endless):
        break
    assert endless.closed.wait(5)


def test_a_job_that_waits_can_be_cancelled_before_it_begins(worker):
    gate, began = threading.Event(), []

    def first():
        gate.wait(10)
        yield

    def second():
        began.append(True)
        yield

    blocking, waiting = worker.start(first), worker.start(second)
    waiting.cancel()
    with pytest.raises(Cancelled):
        list(waiting)
    gate.set()
    list(blocking)
    assert list(worker.start(lambda: iter_of(1))) == [1]
    assert not began
