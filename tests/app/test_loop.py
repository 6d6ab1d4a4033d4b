"""What the live page knows of its episodes: columns apart, a pause that is waited for, refusals in words."""

import threading

import numpy as np
import pytest

from workbench.app.engine import Engine
from workbench.app.loop import Loop
from workbench.control import Beside
from workbench.interventions import Intervened, Moved, Paused, Refused, Told
from workbench.planning.events import Decided, EpisodeEnded, Stepped


class NoEngine(Engine):
    def __init__(self) -> None:
        self._pair = None


@pytest.fixture
def loop() -> Loop:
    loop = Loop(NoEngine())
    loop.begin("put the cube", 100, ["best of 8", "the policy alone"])
    return loop


def test_each_column_has_its_own_events(loop, recorded):
    assert loop.see(Beside(0, Decided(0, recorded.plan)))
    loop.see(Beside(1, Stepped(7, [0.0], None, False)))
    first, second = loop.states.values()
    assert (len(first.decisions), first.step, len(second.decisions), second.step) == (1, 0, 0, 7)
    assert first.decisions[0][1].moment.snapshot is None, "what only a simulator needs is not kept"
    assert 'aria-valuenow="7"' in loop.html()
    loop.see(Beside(1, EpisodeEnded(True, 9)))
    assert "the policy alone solved it in 9 steps" in loop.html()


def test_a_pause_is_waited_for_and_says_what_can_be_moved(loop):
    found = []
    person = threading.Thread(target=lambda: found.extend(loop.pause()))
    person.start()
    while not all(hand.paused for hand in loop.hands):
        pass
    assert loop.see(Beside(0, Paused(3, {"red_cube": np.zeros(3)})))
    person.join(10)
    assert found == ["red_cube"] and 'data-paused="yes"' in loop.html()
    assert not loop.see(Beside(0, Paused(3, {"red_cube": np.zeros(3)}))), "the same again"
    loop.resume()
    assert not any(hand.paused for hand in loop.hands)


def test_interventions_reach_every_column_and_what_is_refused_is_said(loop, recorded):
    seen = recorded.plan.moment.observation
    loop.tell("go up")
    loop.move("red_cube", 5, -10)
    assert [list(hand._wanted) for hand in loop.hands] == [[Told("go up"), Moved("red_cube", (0.05, -0.1, 0.0))]] * 2
    loop.see(Beside(0, Intervened(4, Told("go up"), seen)))
    assert [state.interventions for state in loop.states.values()] == [((4, "told “go up”", 0),), ()]
    loop.hands[1].instruction = "go up"
    assert "success is still judged by “put the cube”" in loop.html()
    loop.see(Beside(1, Refused(4, Told("<b>"), "unknown <b>")))
    assert "unknown &lt;b&gt;" in loop.html()


def test_an_early_end_lets_nobody_wait(loop):
    loop.stop("cancelled")
    assert loop.pause() == [] and "cancelled" in loop.html()
