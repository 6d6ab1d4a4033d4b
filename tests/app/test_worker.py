"""All jobs in turn in one thread, one event each; what one does to itself reaches no other."""

import threading
import time

import pytest
from patience import until

from workbench.app.turns import Loading, Waiting
from workbench.app.worker import LEAD, SILENCE, Cancelled, Worker
from workbench.control import Beside
from workbench.planning.events import Called

PROGRESS = Called("propose", 1, 9)
"""Nothing to look at yet."""


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


def test_long_jobs_take_turns_in_one_thread(worker, monkeypatch):
    monkeypatch.setattr("workbench.app.worker.SHORT", 0.0)
    gate, seen = threading.Event(), []

    def work(name, events):
        gate.wait(10)
        for _ in range(events):
            seen.append((name, threading.current_thread().name))
            yield

    jobs = [worker.start(lambda name=name: work(name, 4)) for name in "abc"]
    gate.set()
    for job in jobs:
        list(job)
    names = [name for name, _ in seen]
    assert sorted(names) == sorted("abc" * 4)
    for k in range(4):
        assert set(names[3 * k : 3 * k + 3]) == set("abc"), f"one event each: {names}"
    assert len({thread for _, thread in seen}) == 1


def test_how_many_share_the_thread_is_told_in_it_before_every_turn():
    told, gate = [], threading.Event()
    worker = Worker(lambda jobs: told.append((jobs, threading.current_thread().name)))

    def work(events):
        gate.wait(10)
        yield from range(events)

    jobs = [worker.start(lambda events=events: work(events)) for events in (2, 2)]
    gate.set()
    for job in jobs:
        list(job)
    list(worker.start(lambda: work(3)))
    worker.stop()
    counts = [count for count, _ in told]
    turns = 3 + 3 + 4  # an event a turn, and one to end
    assert len(counts) == turns and set(counts) == {1, 2} and counts[-4:] == [1] * 4
    assert {name for _, name in told} == {"engine"}


def test_short_jobs_are_served_as_they_came_and_the_others_go_on_meanwhile(worker, monkeypatch):
    monkeypatch.setattr("workbench.app.worker.FOR_ALL", 0.25)
    monkeypatch.setattr("workbench.app.worker.DUE", 0.0)
    gate, seen = threading.Event(), []

    def work(name):
        gate.wait(10)
        for _ in range(6):
            seen.append(name)
            time.sleep(0.01)
            yield

    jobs = [worker.start(lambda name=name: work(name), watched=False) for name in "abc"]
    gate.set()
    until(lambda: all(job.stopped for job in jobs))
    ends = ["".join(seen).rindex(name) for name in "abc"]
    assert ends == sorted(ends) and ends[0] < 9, f"in turns, all would end with the last: {seen}"
    assert "c" in seen[: ends[0] + 4], f"none stands still: {seen}"


def test_a_short_job_does_not_wait_behind_a_long_one(worker, endless):
    long = iter(worker.start(endless))
    for _ in range(3):
        next(long)
    assert worker.busy == 1
    assert list(worker.start(lambda: iter_of(1, 2, 3))) == [1, 2, 3], "while the endless one goes on"
    assert not endless.closed.is_set()
    long.close()
    assert endless.closed.wait(5)


def test_a_new_job_goes_ahead_of_old_ones_which_go_on_nevertheless(worker, monkeypatch):
    monkeypatch.setattr("workbench.app.worker.FOR_ALL", 0.25)
    monkeypatch.setattr("workbench.app.worker.DUE", 0.0)
    seen, ended = [], threading.Event()

    def old(name):
        while not ended.is_set():
            seen.append(name)
            time.sleep(0.01)
            yield

    def new():
        for _ in range(6):
            seen.append("new")
            time.sleep(0.01)
            yield PROGRESS
        ended.set()

    for name in "ab":
        worker.start(lambda name=name: old(name), watched=False)
    until(lambda: {"a", "b"} <= set(seen))
    list(worker.start(new))
    first = seen.index("new")
    turns = seen[first : first + 9]
    assert turns.count("new") == 6, f"most turns: {turns}"
    assert {"a", "b"} & set(turns), f"the old ones go on: {turns}"


def test_the_time_for_all_is_measured_in_seconds(worker, monkeypatch):
    """One long turn of an old job uses up what is everybody's of many short ones of new jobs."""
    monkeypatch.setattr("workbench.app.worker.FOR_ALL", 0.25)
    monkeypatch.setattr("workbench.app.worker.DUE", 0.0)
    seen, ended = [], threading.Event()

    def old():
        while not ended.is_set():
            seen.append("old")
            time.sleep(0.2)
            yield "a picture"

    def new():
        for _ in range(16):
            seen.append("new")
            time.sleep(0.01)
            yield PROGRESS
        ended.set()

    worker.start(old, watched=False)
    until(lambda: "old" in seen)
    list(worker.start(new))
    turns = seen[seen.index("new") : len(seen) - seen[::-1].index("new")]
    assert turns.count("old") == 1, f"0.2 s of the others are worth 0.8 s of the new ones: {turns}"


def test_of_new_jobs_the_first_has_something_to_show_first(worker):
    gate, seen = threading.Event(), []

    def work(name):
        gate.wait(10)
        for _ in range(4):
            seen.append(name)
            yield PROGRESS

    jobs = [worker.start(lambda name=name: work(name)) for name in "abc"]
    gate.set()
    for job in jobs:
        list(job)
    last = ["".join(seen).rindex(name) for name in "abc"]
    assert last == sorted(last), f"those that came later overtake nobody: {seen}"


def test_who_has_something_to_look_at_goes_ahead_no_longer_be_it_looked_at_or_not(worker):
    gate, seen = threading.Event(), []

    def work(name):
        gate.wait(10)
        for event in (PROGRESS, PROGRESS, "a picture", PROGRESS, PROGRESS):
            seen.append(name)
            yield event

    jobs = [worker.start(lambda name=name: work(name), watched=False) for name in "ab"]
    gate.set()
    until(lambda: all(job.stopped for job in jobs))
    assert "".join(seen[:6]) == "aaabbb"


def test_a_job_that_computes_for_long_without_anything_to_show_is_like_any_other(worker, monkeypatch):
    monkeypatch.setattr("workbench.app.worker.YOUNG", 0.01)
    monkeypatch.setattr("workbench.app.worker.FOR_ALL", 0.0)
    seen, ended = [], threading.Event()

    def computing(seconds, waiting):
        begin = time.thread_time()
        while not ended.is_set():
            time.sleep(waiting)
            while time.thread_time() - begin < seconds:
                pass
            yield PROGRESS

    def other():
        seen.append("other")
        yield PROGRESS

    busy = worker.start(lambda: computing(0.02, 0), watched=False)
    until(lambda: busy.worked > 0.01)
    list(worker.start(other))
    idle = worker.start(lambda: computing(0, 0.02), watched=False)
    time.sleep(0.1)
    assert not busy.young
    assert idle.young, "waiting is not computing: it is late through no fault of its own"
    assert seen == ["other"]
    ended.set()


def test_a_job_whose_turns_are_long_takes_turns_with_all_others_though_it_hardly_computes(worker, monkeypatch):
    """As an episode does, which waits for its simulator."""
    monkeypatch.setattr("workbench.app.worker.SHORT", 0.05)
    ended = threading.Event()

    def episode():
        while not ended.is_set():
            time.sleep(0.02)
            yield "a picture"

    job = worker.start(episode, watched=False)
    until(lambda: job.held > 0.05)
    assert job.worked < 0.05 and not job.short
    ended.set()


@pytest.mark.parametrize("event", [Loading("a checkpoint"), Waiting(1, "a simulator")])
def test_who_only_waits_has_no_use_for_being_ahead(worker, event):
    ended = threading.Event()

    def work():
        while not ended.wait(0.001):
            yield event

    job = worker.start(work, watched=False)
    until(lambda: job.in_line)
    assert not (job.young or job.short or job.noticed)
    ended.set()


def test_an_episode_beside_another_has_something_to_show_when_either_has(worker):
    ended = threading.Event()

    def work():
        yield Beside(0, PROGRESS)
        looked.set()
        ended.wait(10)
        yield Beside(1, "a picture")

    looked = threading.Event()
    job = worker.start(work, watched=False)
    assert looked.wait(10)
    assert job.young
    ended.set()
    until(lambda: job.noticed)


def test_no_memory_left_ends_one_job(worker, endless):
    class OutOfMemoryError(RuntimeError):
        """As torch calls it."""

    def greedy():
        held = bytearray(1000)
        yield len(held)
        raise OutOfMemoryError("CUDA out of memory")

    other = iter(worker.start(endless))
    next(other)
    job = worker.start(greedy)
    with pytest.raises(OutOfMemoryError) as caught:
        list(job)
    frames = [entry.name for entry in caught.traceback]
    assert "greedy" not in frames, "no frame of the job is kept, nor what it held"
    next(other)


def test_an_error_while_closing_hurts_nobody(worker):
    def stubborn():
        try:
            while True:
                yield
        finally:
            raise ValueError("cannot close")

    events = iter(worker.start(stubborn))
    next(events)
    events.close()
    assert list(worker.start(lambda: iter_of(7))) == [7]


def test_whoever_is_cancelled_is_closed_before_anybody_else_goes_on(worker):
    order, gate = [], threading.Event()

    def busy():
        gate.wait(10)
        for k in range(3):
            order.append(k)
            yield

    def held():
        try:
            while True:
                yield
        finally:
            order.append("closed")

    leaving = worker.start(held)
    next(iter_events := iter(leaving))
    job = worker.start(busy)
    iter_events.close()
    gate.set()
    list(job)
    assert order.index("closed") <= 1, "within one event of somebody else"


def test_silence_is_told_when_asked_for(worker):
    gate = threading.Event()

    def slow():
        gate.wait(10)
        yield "event"

    events = worker.start(slow).events(0.01)
    assert next(events) is SILENCE
    gate.set()
    assert "event" in list(events)


def test_nobody_runs_far_ahead_of_who_looks(worker):
    made = []

    def fast():
        for k in range(10 * LEAD):
            made.append(k)
            yield k

    events = iter(worker.start(fast))
    next(events)
    assert list(worker.start(lambda: iter_of(*range(3 * LEAD)))) == list(range(3 * LEAD)), "others go on meanwhile"
    assert len(made) <= LEAD + 2
    assert list(events)[-1] == 10 * LEAD - 1, "and it goes on when they are looked at"


def test_stopping_closes_what_runs_and_takes_nothing_new(endless):
    worker = Worker()
    job = worker.start(endless)
    next(iter(job))
    worker.stop()
    assert endless.closed.is_set()
    with pytest.raises(Cancelled):
        list(worker.start(endless))


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
