"""The fixed initial states: fifty a task, reproducible, and met by nobody who trains."""

import numpy as np
import pytest

from workbench.envs import suites

pytestmark = pytest.mark.sim

NAMES = ("libero_mini", "libero_mini_hard")
CUBES = slice(10, 13), slice(17, 20)
"""Positions of the cubes in a state: after time, seven arm joints and two fingers, a pose each."""


@pytest.fixture(scope="module", params=NAMES)
def env(request):
    from workbench.envs.libero import make_env

    env = make_env(request.param, image_size=32)
    yield env
    env.close()


def test_fifty_different_placements_a_task(env):
    from workbench.envs.libero import init_states

    for task in range(len(env.suite.tasks)):
        states = init_states(env.suite.name, task)
        assert states.shape == (50, 45) and states.dtype == np.float64
        assert len(np.unique(states[:, CUBES[0]], axis=0)) == 50
        apart = np.linalg.norm(states[:, 10:12] - states[:, 17:19], axis=1)
        assert apart.min() > 0.1


def test_the_files_are_what_the_module_makes(env):
    from workbench.envs import init_states
    from workbench.envs.libero import init_states as shipped

    task = len(env.suite.tasks) - 1
    assert np.abs(init_states.draw(env, task)[:5] - shipped(env.suite.name, task)[:5]).max() < 1e-12


def test_a_reset_starts_from_its_state(env):
    from workbench.envs.libero import init_states

    env.reset(1, 17, 0)
    cube = env.sim.data.get_joint_qpos("red_cube_1_joint0")[:2]
    assert cube == pytest.approx(init_states(env.suite.name, 1)[17, 10:12], abs=1e-3)


def test_no_training_seed_or_placement_is_one_of_them(env):
    from workbench.envs import init_states
    from workbench.envs.libero import init_states as shipped

    fixed = [seed for task in range(len(env.suite.tasks)) for seed in init_states.seeds(env.suite.name, task)]
    assert max(fixed) < suites.FIRST_TRAINING_SEED
    known = np.concatenate([shipped(env.suite.name, task) for task in range(len(env.suite.tasks))])
    for k in range(40):
        drawn = env.draw(0, suites.training_seed(0, 0, k))
        assert np.abs(known[:, 10:13] - drawn[10:13]).max(axis=1).min() > 1e-6
