"""Windows are bounded; what runs for one can be cancelled, and an error is a sentence on its page."""

import threading
import time
from dataclasses import replace
from itertools import pairwise

import gradio as gr
import numpy as np
import pytest
from patience import until

from workbench.app.board import Board
from workbench.app.engine import Engine
from workbench.app.parts import Parts
from workbench.app.session import EVERY, MOST, Session, Sessions, in_words
from workbench.app.turns import Loading, Waiting
from workbench.app.worker import Worker
from workbench.planning.events import Called


class Seen:
    """A page's state that remembers what it was told."""

    def __init__(self):
        self.events, self.end = [], None

    def see(self, event):
        self.events.append(event)
        return True

    def finish(self, result):
        self.end = ("finish", result)

    def stop(self, note):
        self.end = ("stop", note)


@pytest.fixture
def session(recorded):
    worker = Worker()
    yield Session(worker, None)
    worker.stop()


def count(upto: int):
    yield from range(upto)
    return upto


def test_a_run_sees_every_event_and_the_end(session):
    seen = Seen()
    assert len(list(session.run(lambda: count(3), seen))) >= 2, "the start and the end are shown"
    assert seen.events == [0, 1, 2]
    assert seen.end == ("finish", 3)


def test_a_page_is_updated_at_most_five_times_a_second(session):
    def busy():
        begin = time.monotonic()
        while time.monotonic() - begin < 5.5 * EVERY:
            yield
            time.sleep(0.002)

    shown = [time.monotonic() for _ in session.run(busy, Seen())]
    gaps = [b - a for a, b in pairwise(shown[:-1])]
    assert len(gaps) >= 2 and min(gaps) >= 0.9 * EVERY


def test_a_job_is_ahead_of_the_others_until_there_is_something_to_look_at(session):
    def work():
        yield Loading("models")
        loaded.wait(10)
        yield Called("propose", 1, 2)
        waited.wait(10)
        yield Waiting(1, "a simulator")
        looked.wait(10)
        yield "first"
        gate.wait(10)

    loaded, waited, looked, gate = (threading.Event() for _ in range(4))
    steps = session.run(work, Seen())
    next(steps), next(steps)
    assert not session._job.young, "who waits until something is loaded has no use for being ahead"
    loaded.set()
    until(lambda: session._job.young)  # progress is nothing to look at
    waited.set()
    until(lambda: not session._job.young)  # who waits for somebody else has no use for it either
    looked.set()
    next(steps)
    assert session._job.noticed and not session._job.young
    gate.set()
    list(steps)


def test_what_happened_is_shown_even_if_nothing_follows(session):
    gate = threading.Event()

    def work():
        yield "first"
        yield "second"
        gate.wait(10)

    seen = Seen()
    steps = session.run(work, seen)
    next(steps), next(steps)
    assert seen.events == ["first", "second"], "an update comes though the third event does not"
    gate.set()
    list(steps)


def test_no_memory_is_said_in_words():
    OutOfMemoryError = type("OutOfMemoryError", (RuntimeError,), {})
    assert "fewer candidates" in in_words(OutOfMemoryError("CUDA out of memory. Tried to allocate ..."))
    assert "fewer candidates" in in_words(MemoryError())


def test_an_error_becomes_one_line(session):
    def work():
        yield 1
        raise ValueError("checkpoint: expected one of mini,\n got 'maxi'")

    seen = Seen()
    list(session.run(work, seen))
    assert seen.end == ("stop", "checkpoint: expected one of mini, got 'maxi'")


def test_cancel_stops_the_run_and_the_next_one_works(session):
    def endless():
        while True:
            yield

    seen = Seen()
    steps = session.run(endless, seen)
    for _ in range(5):
        next(steps)
    session.cancel()
    list(steps)
    assert seen.end == ("stop", "cancelled")
    again = Seen()
    list(session.run(lambda: count(2), again))
    assert again.end == ("finish", 2)


def test_a_new_run_takes_the_page_over_from_the_old_one(session):
    def endless():
        while True:
            yield

    seen = Seen()
    old = session.run(endless, seen)
    next(old)
    list(session.run(lambda: count(2), seen))
    list(old)
    assert seen.end == ("finish", 2), "the old run's end says nothing"


def test_windows_are_bounded_and_the_oldest_goes_first(session):
    windows = Sessions()
    for number in range(MOST):
        windows.add(str(number), session)
    assert windows.get("0") is session  # used just now
    windows.add("new", session)
    assert len(windows) == MOST
    assert windows.get("0") is session
    with pytest.raises(KeyError, match="reload"):
        windows.get("1")
    windows.drop("new")
    windows.drop("new")
    assert len(windows) == MOST - 1


def test_a_click_waits_for_its_page_and_not_for_one_that_is_gone(session, monkeypatch):
    windows, found = Sessions(), []
    click = threading.Thread(target=lambda: found.append(windows.get("slow")))
    click.start()
    windows.add("other", session)
    assert not found and click.is_alive()
    windows.add("slow", session)
    click.join(5)
    assert found == [session]
    windows.drop("slow")
    begun = time.monotonic()
    with pytest.raises(KeyError, match="reload"):
        windows.get("slow")
    assert time.monotonic() - begun < 5, "it is known to be gone"
    monkeypatch.setattr("workbench.app.session.PATIENCE", 0.05)
    with pytest.raises(KeyError, match="reload"):
        windows.get("never")


def test_ids_that_nobody_was_given_hold_few_threads(session, monkeypatch):
    monkeypatch.setattr("workbench.app.session.PATIENT", 2)
    windows = Sessions()
    windows.add("known", session)

    def forged(name):
        with pytest.raises(KeyError, match="reload"):
            windows.get(name)

    held = [threading.Thread(target=forged, args=(name,)) for name in ("a", "b")]
    for thread in held:
        thread.start()
    while windows._patient < 2:
        time.sleep(0.001)
    begun = time.monotonic()
    forged("c")
    assert windows.get("known") is session, "whoever has a page is not held up"
    assert time.monotonic() - begun < 5
    for name in ("a", "b"):
        windows.drop(name)
    for thread in held:
        thread.join(5)
    assert windows._patient == 0


@pytest.fixture
def parts(recorded):
    parts = Parts(Engine(), Sessions(), {recorded.name: recorded})
    yield parts
    parts.close()


def window(name: str = "abc", **address: str) -> gr.Request:
    """A request as Gradio hands it to a handler."""
    request = gr.Request(session_hash=name)
    request.kwargs = {"query_params": address}
    return request


def test_closing_a_window_stops_what_runs_for_it(parts, endless):
    session, _ = parts.open(window(), lambda moment: Board(moment, parts.engine))
    assert parts.session(window()) is session
    steps = session.run(endless, Seen())
    next(steps), next(steps)
    parts.leave(window())
    assert endless.closed.wait(5)
    with pytest.raises(gr.Error, match="reload"):
        parts.session(window())
    with pytest.raises(gr.Error, match="expected one of example"):
        parts.moment("<b>")


def test_a_window_opens_on_the_moment_in_its_address(parts, recorded):
    assert parts.open(window(moment="example"), lambda moment: moment)[1] is recorded
    assert parts.open(window(moment="<b>"), lambda moment: moment)[1] is parts.default


def test_a_moment_of_a_recording_says_which_and_others_do_not(parts, recorded):
    plan = replace(recorded.plan, moment=replace(recorded.plan.moment, snapshot=None, address="a.hdf5#0@5"))
    parts.library.sources["ours/a.hdf5#0"] = None
    known, brought = (parts.moment(parts.opened(plan, name, 5)) for name in ("ours/a.hdf5#0", "yours/a.hdf5#0"))
    assert "href" in parts.source(known) and ">from a.hdf5#0, step 5<" in parts.source(known)
    assert "href" not in parts.source(brought) and ">from a.hdf5#0, step 5<" in parts.source(brought)
    unknown = parts.moment(parts.opened(plan))
    assert ">from a.hdf5#0@5<" in parts.source(unknown), "a kept run, opened after a restart"
    here = replace(plan, moment=replace(plan.moment, snapshot={"steps": np.zeros(1)}))
    assert parts.source(recorded) == "" and parts.source(parts.moment(parts.opened(here))) == ""
    board = Board(known, parts.engine, parts.source(known))
    assert parts.source(known) in board.html()


def test_whoever_takes_over_is_not_told_of_the_end_of_the_one_before(session):
    """Whatever comes first: the old one sees that it is not the window's job any more."""
    gate = threading.Event()

    def waits():
        yield "old"
        gate.wait(10)
        yield "old again"

    old, new = Seen(), Seen()
    first = session.run(waits, old)
    next(first), next(first)
    cancel = Worker.start

    def slow(worker, *given, **options):
        job = cancel(worker, *given, **options)
        time.sleep(0.05)
        return job

    session.worker.start = slow.__get__(session.worker)
    second = session.run(lambda: count(2), new)
    next(second)
    gate.set()
    assert list(first) == [] and old.end is None
    list(second)
    assert new.end == ("finish", 2)


def test_a_window_that_turns_to_something_else_is_shown_nothing_more_of_the_old(session, endless):
    seen = Seen()
    updates = session.run(endless, seen)
    next(updates), next(updates)
    session.leave()
    assert list(updates) == [] and seen.end is None
    assert endless.closed.wait(5)
