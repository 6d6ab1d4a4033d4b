"""Projections put what the scene knows onto the pixels that show it."""

import numpy as np
import pytest

from workbench.views.paths import project

pytestmark = pytest.mark.sim


@pytest.fixture(scope="module")
def env():
    from workbench.envs.libero import make_env

    env = make_env("libero_mini", image_size=96)
    yield env
    env.close()


@pytest.mark.parametrize("colour", ["red", "blue"])
def test_a_cube_appears_where_its_position_projects_to(env, colour):
    env.reset("put the red cube on the plate", 2, 0)
    seen = env.observe()
    place = env.sim.data.get_body_xpos(f"{colour}_cube_1_main")[None]
    column, row = project(place, seen.projections["primary"])[0]
    patch = seen.images["primary"][round(row) - 1 : round(row) + 2, round(column) - 1 : round(column) + 2]
    red, _, blue = patch.reshape(-1, 3).astype(int).mean(0)
    assert (red - blue if colour == "red" else blue - red) > 60


def test_the_projection_follows_size_and_moving_cameras(env):
    env.reset(0, 0, 0)
    before = env.observe()
    for _ in range(8):
        env.step(np.r_[0, 1, 0, 0, 0, 0, -1.0])
    after = env.observe()
    assert np.array_equal(before.projections["primary"], after.projections["primary"])
    assert not np.allclose(before.projections["wrist"], after.projections["wrist"])
    assert env.observe([]).projections == {}
