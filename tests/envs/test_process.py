"""A simulator in a process of its own: the same protocol, exact replay, recovery from hangs and crashes."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from workbench.envs.base import Env
from workbench.envs.process import ProcessEnv, SimulatorError

PUSH = np.r_[1.0, np.zeros(6)]


@pytest.fixture
def orders(tmp_path):
    return tmp_path / "orders"


@pytest.fixture
def env(orders):
    env = ProcessEnv("points", factory="frail_world:make", time_limit=6.0, orders=str(orders))
    yield env
    env.close()


def test_speaks_the_protocol(env):
    assert isinstance(env, Env)
    env.reset("go to the right", None, 3)
    assert (env.instruction, env.horizon, env.steps, env.success) == ("go to the right", 60, 0, False)
    for _ in range(env.horizon):
        to_goal = np.array([0.5, 0.0]) - env.observe([]).proprio[2:4]
        if env.step(np.r_[np.clip(20 * to_goal, -1, 1), np.zeros(5)]):
            break
    assert env.success and 3 < env.steps < 60
    assert list(env.observe().images) == ["wrist", "primary"] and env.observe([]).images == {}
    assert env.objects() == {}, "a point has nothing beside it"
    with pytest.raises(ValueError, match="expected a simulator whose objects can be moved"):
        env.move("cube", np.zeros(3))


@pytest.mark.heavy
def test_the_childs_errors_arrive_as_they_are(env):
    env.reset(0, None, 0)
    with pytest.raises(ValueError, match="could not convert"):
        env.step(np.array(["left"] * 7))
    assert env.steps == 0 and env.restarts == 0
    with pytest.raises(ValueError, match="known suites: points"):
        ProcessEnv("lines", factory="frail_world:make", orders="none")


@pytest.mark.heavy
@pytest.mark.parametrize("trouble", ["hang", "die"])
def test_recovers_where_it_was(env, orders, trouble):
    env.reset(1, None, 5)
    for _ in range(4):
        env.step(PUSH)
    env.restore(env.snapshot())
    for _ in range(3):
        env.step(PUSH)
    before = env.observe()
    env._time_limit = 2.0  # seconds that the hanging call is waited for
    orders.write_text(trouble)
    after = env.observe()
    assert env.restarts == 1 and env.steps == 7
    assert (after.proprio == before.proprio).all(), "the wind's randomness is replayed, too"


@pytest.mark.heavy
def test_trouble_twice_is_one_clear_line(env, orders):
    env.reset(1, None, 5)
    orders.write_text("die always")
    with pytest.raises(SimulatorError, match=r"died \(exit code 7\) in observe, twice") as caught:
        env.observe()
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="call reset or restore"):
        env.step(PUSH)
    orders.unlink()
    env.reset(0, None, 0)
    assert env.observe().proprio.shape == (9,), "a reset starts afresh"


@pytest.mark.heavy
def test_threads_take_turns(env):
    env.reset(0, None, 0)
    threads = [threading.Thread(target=env.step, args=(PUSH * 0,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert env.steps == 8


@pytest.mark.heavy
def test_close_ends_the_process(env):
    process = env._child.process
    env.close()
    env.close()
    assert process.poll() is not None


@pytest.mark.heavy
def test_the_child_ends_with_its_parent(orders):
    program = (
        "import os; from workbench.envs.process import ProcessEnv; "
        f"env = ProcessEnv('points', factory='frail_world:make', orders={str(orders)!r}); "
        "print(env._child.process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-"], input=program, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGKILL
    child = int(done.stdout)
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        threading.Event().wait(0.1)
    pytest.fail("the simulator's process outlived its parent")


@pytest.mark.sim
def test_twenty_random_actions_in_a_fresh_process_are_the_same():
    from workbench.envs.libero import make_env

    moves = np.random.default_rng(1).uniform(-1, 1, (28, 7))
    moves[:, 6] = np.where(np.arange(28) // 5 % 2, 1, -1)
    here = make_env("libero_mini", image_size=64)
    here.reset(2, 1, 0)
    for move in moves[:8]:
        here.step(move)
    snapshot, seen = here.snapshot(), here.observe(["wrist"])
    there = ProcessEnv("libero_mini", image_size=64)
    there.restore(snapshot)
    assert (there.observe(["wrist"]).images["wrist"] == seen.images["wrist"]).all()
    for move in moves[8:]:
        here.step(move)
        there.step(move)
        assert np.abs(here.snapshot()["physics"] - there.snapshot()["physics"]).max() <= 1e-12
    assert there.steps == 28
    here.close()
    there.close()
