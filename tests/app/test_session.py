"""Windows are bounded; what runs for one can be cancelled, and an error is a sentence on its page."""

import gradio as gr
import pytest

from workbench.app.board import Board
from workbench.app.engine import Engine
from workbench.app.loop import Loop
from workbench.app.parts import Parts
from workbench.app.session import MOST, Session, Sessions
from workbench.app.worker import Worker


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
    worker, engine = Worker(), Engine()
    yield Session(worker, Board(recorded, engine), Loop(engine))
    worker.stop()


def count(upto: int):
    yield from range(upto)
    return upto


def test_a_run_shows_the_start_every_event_and_the_end(session):
    seen = Seen()
    assert len(list(session.run(lambda: count(3), seen))) == 1 + 3 + 1
    assert seen.events == [0, 1, 2]
    assert seen.end == ("finish", 3)


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


def test_closing_a_window_stops_what_runs_for_it(recorded, endless):
    engine, worker = Engine(), Worker()
    parts = Parts(engine, worker, Sessions(), {recorded.name: recorded})
    window = gr.Request(session_hash="abc")
    parts.open(window)
    session = parts.session(window)
    steps = session.run(endless, Seen())
    next(steps), next(steps)
    parts.leave(window)
    assert endless.closed.wait(5)
    with pytest.raises(gr.Error, match="reload"):
        parts.session(window)
    with pytest.raises(gr.Error, match="expected one of example"):
        parts.moment("<b>")
    parts.close()
