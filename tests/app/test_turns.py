"""What cannot be shared is had in order of arrival, and what is given back can be had again."""

import threading
import time
from contextlib import closing

import pytest
import virtual_time
from point_world import PointWorld

from workbench.app import engine as engines
from workbench.app import turns
from workbench.app.engine import Engine
from workbench.app.simulators import MOST, Simulators
from workbench.app.turns import Clock, Line, Patience, Waiting, at_most, elsewhere, together
from workbench.control import Beside
from workbench.interventions import Paused
from workbench.planning import run


def visit(line: Line, key: object, log: list):
    """Wait, be inside for two events, leave."""
    with line.ticket(key) as ticket:
        yield from line.wait(ticket)
        log.append(key)
        yield "inside"
        yield "inside"


def drain(*visits) -> None:
    """In turn, as the worker does."""
    left = list(visits)
    while left:
        left = [one for one in left if next(one, None) is not None]


def test_those_who_want_the_same_are_in_together_and_nobody_overtakes():
    line, log = Line("another checkpoint", together), []
    a, b, c = (visit(line, key, log) for key in ("mini", "other", "mini"))
    assert next(a) == "inside"
    assert next(b) == Waiting(1, "another checkpoint")
    assert next(c) == Waiting(2, "another checkpoint"), "though it wants what is in use, `other` came first"
    drain(a, b, c)
    assert log == ["mini", "other", "mini"]
    together_now = [visit(line, "mini", log) for _ in range(3)]
    assert [next(one) for one in together_now] == ["inside"] * 3
    drain(*together_now)
    assert line.inside == 0


def test_a_place_is_given_back_whatever_happens():
    line, log = Line("a simulator", at_most(1)), []
    first, second, third = (visit(line, key, log) for key in "abc")
    assert next(first) == "inside" and next(second).place == 1 and next(third).place == 2
    second.close()  # left while waiting
    assert next(third).place == 1
    first.close()  # left while inside
    assert next(third) == "inside"


class Fake(PointWorld):
    """A simulator that knows whether it is open."""

    def __init__(self, key):
        super().__init__()
        self.open = True

    def close(self):
        self.open = False


def test_simulators_are_kept_for_the_next_and_bounded():
    pool = Simulators(Fake)
    one = pool.make(("a", 64))
    pool.give_back(("a", 64), one)
    assert pool.idle(("b", 64), lent=0) is None and one.open
    assert pool.idle(("a", 64), lent=0) is one
    pool.give_back(("a", 64), one)
    assert pool.idle(("b", 64), lent=MOST - 1) is None
    assert not one.open, "room was made by closing an idle one"
    other = pool.make(("b", 64))
    pool.give_back(("b", 64), other)
    pool.close()
    assert not other.open


def test_what_is_slow_takes_no_turns_and_what_is_abandoned_is_kept():
    gate, kept = threading.Event(), []
    slow = elsewhere("loading", lambda: gate.wait(10), abandoned=kept.append)
    assert [next(slow), next(slow)] == ["loading"] * 2
    slow.close()
    gate.set()
    for _ in range(500):
        if kept:
            break
        time.sleep(0.01)
    assert kept == [True]
    assert run(elsewhere("loading", lambda: 7)) == 7
    with pytest.raises(ValueError, match="no such checkpoint"):
        run(elsewhere("loading", fails))


def fails():
    raise ValueError("no such checkpoint")


@pytest.fixture
def engine(monkeypatch):
    monkeypatch.setattr(engines.checkpoints, "load_pair", lambda *names: (names, names))
    engine = Engine()
    yield engine
    engine.close()


def use(engine: Engine, checkpoint: str, log: list):
    """A job that uses models for three events."""

    def work(policy, planner):
        for _ in range(3):
            log.append(policy[0])
            yield policy[0]

    return engine._with_models(checkpoint, None, work)


def test_models_are_swapped_only_when_nobody_uses_them(engine):
    log = []
    jobs = [engine.worker.start(lambda name=name: use(engine, name, log)) for name in ("a", "b", "a")]
    seen = [list(job) for job in jobs]
    assert log[:3] == ["a"] * 3 and log[3:6] == ["b"] * 3 and log[6:] == ["a"] * 3
    assert any(isinstance(event, Waiting) and event.place == 2 for event in seen[2])


def test_a_cancelled_job_leaves_the_line(engine):
    log = []
    with closing(use(engine, "a", log)) as first, closing(use(engine, "b", log)) as second:
        while next(first) != "a":
            pass
        assert isinstance(next(second), Waiting)
    assert list(use(engine, "b", log))[-1] == "b"


def test_estimates_are_of_own_time_shared_by_those_who_are_served(engine, endless):
    settings = engines.PlanSettings(candidates=1, calls=1, futures=1, values=1)
    alone = engine.seconds(settings)
    assert alone == pytest.approx(settings.network_calls * engine.seconds_a_call)
    other = iter(engine.worker.start(endless))
    next(other)
    assert engine.seconds(settings) == pytest.approx(2 * alone)


def test_time_between_events_is_not_the_plans(monkeypatch):
    monkeypatch.setattr(turns, "time", virtual := virtual_time.Clock())
    clock = Clock()

    def work():
        virtual.sleep(1.0)
        yield
        virtual.sleep(2.0)
        return "done"

    events = clock.count(work())
    next(events)
    virtual.sleep(20.0)  # somebody else's turn
    with pytest.raises(StopIteration, match="done"):
        next(events)
    assert clock.seconds == 3.0


def test_a_pause_has_an_end():
    patience, paused, going = Patience(0.05), Beside(0, Paused(3, {})), Beside(0, None)
    patience.see(paused)
    time.sleep(0.06)
    patience.see(going)
    patience.see(paused)  # counted anew
    time.sleep(0.06)
    with pytest.raises(ValueError, match="the simulator is for others now"):
        patience.see(paused)
