"""LIBERO's official suites, where their assets are: our `Env` against LIBERO's own environment and protocol."""

import numpy as np
import pytest

pytestmark = pytest.mark.sim

TASK, INIT = 8, 2  # libero_goal: put the bowl on the plate


@pytest.fixture(scope="module")
def env(libero_assets):
    from workbench.envs.libero import make_env

    env = make_env("libero_goal")
    yield env
    env.close()


@pytest.fixture(scope="module")
def moves():
    return np.random.default_rng(0).uniform(-1, 1, (5, 7))


def test_runs_the_published_protocol(env, moves):
    env.reset(TASK, INIT, 0)
    assert (env.instruction, env.horizon) == ("put the bowl on the plate", 300)
    assert not any(env.step(move) for move in moves) and not env.success
    picture = env.observe(["primary"]).images["primary"]
    assert picture.shape == (256, 256, 3)
    table, wall = picture[-30:].mean((0, 1)), picture[:30, :40].mean((0, 1))
    assert table[0] - table[2] > 20 and abs(wall[0] - wall[2]) < 15, "brown table below, grey wall above"


def test_equals_liberos_own_environment(env, moves):
    """Soft resets, no cameras, switched tasks: the same physics as upstream's evaluation, to the last bit."""
    from libero.libero.envs import OffScreenRenderEnv

    from workbench.envs.libero import init_states

    env.reset(TASK, INIT, 0)
    upstream = OffScreenRenderEnv(bddl_file_name=str(env.suite.bddl(TASK)), use_camera_obs=False)
    upstream.seed(0)
    upstream.reset()
    observed = upstream.set_init_state(init_states("libero_goal", TASK)[INIT])
    for action in [[0, 0, 0, 0, 0, 0, -1]] * 10 + list(moves):
        observed, *_ = upstream.step(action)
    for move in moves:
        env.step(move)
    assert np.abs(upstream.sim.get_state().flatten() - env.sim.get_state().flatten()).max() == 0
    names = ("robot0_gripper_qpos", "robot0_eef_pos", "robot0_eef_quat")
    theirs = np.concatenate([observed[name] for name in names])
    # robosuite samples its observables one substep (2 ms) before the control step ends.
    assert env.observe([]).proprio == pytest.approx(theirs, abs=3e-3)
    upstream.close()


def test_a_snapshot_returns_to_another_task(env, moves):
    env.reset(TASK, INIT, 0)
    env.step(moves[0])
    snapshot, seen = env.snapshot(), env.observe()
    for move in moves:
        env.step(move)
    expected = env.snapshot()["physics"]
    env.reset(0, 0, 0)
    env.restore(snapshot)
    assert env.instruction == "put the bowl on the plate"
    assert (env.observe().images["wrist"] == seen.images["wrist"]).all()
    for move in moves:
        env.step(move)
    assert np.abs(env.snapshot()["physics"] - expected).max() <= 1e-12
