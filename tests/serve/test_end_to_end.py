"""A robot at 25 Hz and a server in another process, killed and started again while the robot moves."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing

import fake_policy
import numpy as np
import pytest

from workbench.client import Limits, Pace, PolicyClient, drive
from workbench.client.rehearsal import Rehearsal
from workbench.wire import Contract

PACE = Pace(hz=25.0, execute_steps=20, ahead=10, deadline=1.0, outage=60.0)
LIMITS = Limits(low=-1, high=1, jump=0.15)


def travel(port: int, steps: int, see: Callable[[int, Rehearsal], bool] = lambda number, robot: False):
    """Drive for `steps` ticks, or until `see`, which is called after each, says that it is enough."""
    with closing(PolicyClient(f"http://127.0.0.1:{port}", timeout=1.0)) as client:
        robot = Rehearsal(fake_policy.contract())
        loop, ticks = drive(robot, client, "fold the shirt", pace=PACE, limits=LIMITS, steps=steps), []
        while True:
            try:
                ticks.append(next(loop))
            except StopIteration as end:
                return robot, ticks, end.value
            if see(len(ticks), robot):
                loop.close()
                return robot, ticks, None


@pytest.mark.heavy
def test_a_robot_and_a_server_in_another_process(start, port):
    """How punctual the commands are depends on the machine: `workbench bench serve`; a busy one may hold."""
    start(port, seconds=0.1)
    robot, _, _ = travel(port, 1500, lambda _, robot: len(robot.commands) == 45)
    np.testing.assert_allclose(np.diff(robot.commands, axis=0), 2 * fake_policy.STEP, atol=1e-12)
    assert len(robot.commands) == 45


@pytest.mark.heavy
def test_a_killed_server_holds_the_robot_and_a_new_one_lets_it_go_on(start, port):
    """It starts again without anybody waiting for it: the robot's clock goes on."""
    processes = [start(port)]
    code = f"import sys; sys.path[:0] = {sys.path!r}; import fake_policy; fake_policy.main('{port}')"
    commands: list[int] = []

    def see(number: int, robot: Rehearsal) -> bool:
        commands.append(len(robot.commands))
        if number == 15:
            processes[0].kill()
            processes[0].wait()
        if number == 45:
            processes.append(subprocess.Popen([sys.executable, "-c", code]))
        return number > 45 and commands[-1] > commands[44] + 20

    began = time.monotonic()
    try:
        robot, ticks, _ = travel(port, 1500, see)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    seconds = time.monotonic() - began
    assert seconds > len(ticks) / 25 - 0.1 and seconds < 60
    assert commands[14] > 5 and commands[44] == commands[40], "it moved, and then it held"
    assert all("no policy server" in tick.reason for tick in ticks[40:45])
    assert commands[-1] > commands[44] + 20, "it went on"
    assert np.abs(np.diff(robot.commands, axis=0)).max() < 2.5 * fake_policy.STEP, "from where it was"


@pytest.mark.slow
def test_the_real_server_holds_25_hz_and_survives_being_killed(port):
    """`workbench serve` with the shipped checkpoint, SIGKILLed in the middle of an episode."""
    command = [sys.executable, "-m", "workbench", "serve", "--port", str(port), "--calls", "1"]
    processes = [subprocess.Popen(command)]
    try:
        with closing(PolicyClient(f"http://127.0.0.1:{port}", timeout=20.0)) as client:
            contract = _wait(client)
            robot = Rehearsal(contract, size=(128, 128))
            pace = Pace(contract.control_hz, contract.execute_steps, contract.execute_steps // 2, deadline=10.0)
            words = "put the red cube on the plate"
            limits = Limits(low=-np.inf, high=np.inf)
            for number, _ in enumerate(drive(robot, client, words, pace=pace, limits=limits, steps=2000)):
                if number == 200:
                    moved = len(robot.commands)
                    assert moved
                    processes[0].kill()
                    processes[0].wait()
                    processes.append(subprocess.Popen(command))
                if len(processes) == 2 and len(robot.commands) > moved + 100:
                    return
            raise AssertionError("it did not go on")
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _wait(client: PolicyClient) -> Contract:
    for _ in range(1200):
        try:
            return client.contract()
        except ConnectionError:
            time.sleep(0.1)
    raise RuntimeError("no server")
