"""The control loop, with a client that answers as the test wants: what is sent, when it is asked, when it holds."""

import threading

import fake_policy
import numpy as np
import pytest
import virtual_time

from workbench.client import Limits, Pace, Refused, RobotStopped, Unreachable, drive, loop
from workbench.client.rehearsal import Rehearsal
from workbench.wire import Answer

HZ = 100.0
SMALL = (16, 16)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """`test_end_to_end` has the real one."""
    clock = virtual_time.Clock()
    monkeypatch.setattr(loop, "time", clock)
    monkeypatch.setattr(loop, "ThreadPoolExecutor", clock.pool)
    return clock


class Server:
    """Takes the place of a `PolicyClient`: chunk after chunk of numbered actions, `seconds` after it is asked."""

    def __init__(self, seconds: float = 0.0, script: list | None = None) -> None:
        self.seconds, self.script = seconds, list(script or [])
        self.asked: list[float] = []
        self.seeds: list[int] = []

    def contract(self):
        return fake_policy.contract()

    def act(self, observation, instruction, *, seed, deadline):
        self.asked.append(float(observation.proprio[0]))
        self.seeds.append(seed)
        loop.time.sleep(self.seconds)
        said = self.script.pop(0) if self.script else None
        if isinstance(said, Exception):
            raise said
        ramp = fake_policy.STEP * np.arange(1, 51)[:, None]
        chunk = observation.proprio + ramp if said is None else said
        return Answer(chunk[None], np.array([0.5]))


def pace(**changes) -> Pace:
    return Pace(**{"hz": HZ, "execute_steps": 10, "ahead": 0, **changes})


def run(server, steps, *, robot=None, limits=None, **changes):
    robot = robot or Rehearsal(fake_policy.contract(), size=SMALL)
    ticks, driving = [], drive(robot, server, "go", pace=pace(**changes), limits=limits or Limits(), steps=steps)
    while True:
        try:
            ticks.append(next(driving))
        except StopIteration as end:
            return robot, ticks, end.value


def test_a_chunk_is_executed_up_to_its_limit_and_the_next_one_continues():
    robot, ticks, figures = run(Server(), 60)
    moved = np.diff([np.zeros(14), *robot.commands], axis=0)
    np.testing.assert_allclose(moved, fake_policy.STEP)  # no action twice, none left out
    assert figures.chunks >= 4 and figures.held == 60 - len(robot.commands) > 0
    assert [tick.number for tick in ticks] == list(range(60))


def test_asked_ahead_the_robot_never_waits_and_misses_no_action():
    server = Server(seconds=2 / HZ)
    robot, ticks, figures = run(server, 80, ahead=5)
    np.testing.assert_allclose(np.diff([np.zeros(14), *robot.commands], axis=0), fake_policy.STEP)
    first = next(tick.number for tick in ticks if tick.action is not None)
    assert all(tick.action is not None for tick in ticks[first:])
    assert figures.chunks > 10 and len(set(server.seeds)) == len(server.seeds)


def test_an_answer_that_is_late_holds_the_robot_and_continues_where_it_is():
    robot, ticks, figures = run(Server(seconds=12 / HZ), 60, ahead=4)
    np.testing.assert_allclose(np.diff([np.zeros(14), *robot.commands], axis=0), fake_policy.STEP)
    assert robot.holds > 10 and figures.held == robot.holds - 1  # the last one ends the episode
    assert {tick.reason for tick in ticks if tick.action is None} <= {
        "waiting for the first answer",
        "waiting for an answer",
    }


def test_a_stale_answer_is_thrown_away_and_asked_for_again():
    class Slow(Server):
        def act(self, *args, **kwargs):
            self.seconds = 0.2 if len(self.asked) == 1 else 0.0
            return super().act(*args, **kwargs)

    robot, ticks, figures = run(Slow(), 100, max_age=0.1)
    assert figures.refused == 1 and any("stale" in tick.reason for tick in ticks)
    np.testing.assert_allclose(np.diff([np.zeros(14), *robot.commands], axis=0), fake_policy.STEP)


@pytest.mark.parametrize("jump", [0.5, -0.5])
def test_an_impossible_command_holds_and_a_fresh_answer_goes_on(jump):
    server = Server(script=[np.full((50, 14), jump)])
    robot, ticks, figures = run(server, 30, limits=Limits(jump=0.15))
    assert figures.refused == 1 and f"would jump from 0.000 to {jump:.3f}" in ticks[1].reason + ticks[2].reason
    assert np.abs(robot.commands).max() < 0.1 and len(robot.commands) > 10


def test_the_answer_that_was_to_continue_what_is_impossible_is_not_counted_as_refused():
    chunk = fake_policy.STEP * np.arange(1, 51)[:, None] * np.ones(14)
    chunk[7] = 0.5  # the next answer has been asked for at action 5, and is under way
    robot, _, figures = run(Server(seconds=4 / HZ, script=[chunk]), 60, ahead=5, limits=Limits(jump=0.15))
    assert figures.refused == 1 and len(robot.commands) > 30
    np.testing.assert_allclose(np.diff([np.zeros(14), *robot.commands], axis=0), fake_policy.STEP)


def test_impossible_commands_without_end_stop_the_robot():
    server = Server(script=[np.full((50, 14), np.nan)] * 50)
    robot = Rehearsal(fake_policy.contract(), size=SMALL)
    with pytest.raises(RobotStopped, match="4 answers in a row .* no finite number"):
        run(server, 500, robot=robot, patience=3)
    assert not robot.commands and robot.holds > 4


def test_a_chunk_of_another_robot_is_not_executed():
    with pytest.raises(RobotStopped, match="shape"):
        run(Server(script=[np.zeros((50, 7))] * 50), 500, patience=3)


def test_a_server_that_goes_is_waited_for_and_then_the_robot_goes_on():
    gone = [None, Unreachable("gone"), Refused(503, "full"), None]
    robot, ticks, figures = run(Server(script=gone), 120)
    assert figures.refused == 2 and figures.held > 2 * 0.2 * HZ * 0.8
    assert {"gone", "the policy server refused (503): full"} <= {tick.reason for tick in ticks}
    np.testing.assert_allclose(np.diff([np.zeros(14), *robot.commands], axis=0), fake_policy.STEP)


def test_a_server_that_stays_away_stops_the_robot():
    with pytest.raises(RobotStopped, match="no answer for"):
        run(Server(script=[Unreachable("gone")] * 50), 500, outage=0.3)


def test_where_asking_again_cannot_help_it_is_said_at_once():
    with pytest.raises(Refused, match="no token"):
        run(Server(script=[Refused(401, "no token")]), 100)


def test_closing_the_loop_holds_the_robot():
    robot = Rehearsal(fake_policy.contract(), size=SMALL)
    driving = drive(robot, Server(), "go", pace=pace(), limits=Limits(), steps=100)
    while next(driving).action is None:
        pass
    before = robot.holds
    driving.close()
    assert robot.holds == before + 1


def test_after_a_silence_of_the_loop_itself_the_rest_of_a_chunk_is_stale():
    class Stalling(Rehearsal):
        def command(self, action):
            super().command(action)
            if len(self.commands) == 3:
                loop.time.sleep(0.15)

    robot = Stalling(fake_policy.contract(), size=SMALL)
    _, ticks, figures = run(Server(), 30, robot=robot)
    after = next(tick for tick in ticks if tick.late > 0.05)
    assert after.action is None and figures.missed >= 10


def test_a_robot_whose_cameras_are_slow_moves_all_the_same():
    class Slow(Rehearsal):
        def observe(self):
            loop.time.sleep(10 / HZ)
            return super().observe()

    robot = Slow(fake_policy.contract(), size=SMALL)
    _, ticks, figures = run(Server(), 60, robot=robot)
    assert figures.chunks > 2 and len(robot.commands) > 20 and figures.refused == 0


def test_another_robot_than_the_servers_does_not_move():
    class Blind(Rehearsal):
        def observe(self):
            seen = super().observe()
            return type(seen)({"primary": seen.images["primary"]}, seen.proprio)

    robot = Blind(fake_policy.contract(), size=SMALL)
    with pytest.raises(ValueError, match="the robot lacks left_wrist"):
        run(Server(), 10, robot=robot)
    with pytest.raises(ValueError, match="execute_steps: expected at most 50"):
        run(Server(), 10, execute_steps=60)
    with pytest.raises(ValueError, match="ahead <= execute_steps / 2"):
        Pace(execute_steps=10, ahead=6)
    assert not robot.commands and threading.active_count() < 50
