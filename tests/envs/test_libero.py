"""`libero_mini` in LIBERO's machinery: protocol, units, rendering on demand, exact snapshots, task switching."""

import numpy as np
import pytest

from workbench.envs.base import Env
from workbench.envs.suites import training_seed

pytestmark = pytest.mark.sim

DOWN, STILL = np.r_[0, 0, -1, 0, 0, 0, -1.0], np.r_[np.zeros(6), -1.0]


@pytest.fixture(scope="module")
def env():
    from workbench.envs.libero import make_env

    env = make_env("libero_mini", image_size=64)
    yield env
    env.close()


def actions(count: int) -> np.ndarray:
    """Random motion in which the gripper closes and opens every five steps."""
    moves = np.random.default_rng(0).uniform(-1, 1, (count, 7))
    moves[:, 6] = np.where(np.arange(count) // 5 % 2, 1, -1)
    return moves


def states(env, moves) -> np.ndarray:
    found = []
    for move in moves:
        env.step(move)
        found.append(env.snapshot()["physics"])
    return np.stack(found)


def test_is_an_env_and_starts_settled(env):
    env.reset("put the blue cube on the plate", 3, 0)
    assert isinstance(env, Env)
    assert (env.instruction, env.horizon, env.steps) == ("put the blue cube on the plate", 100, 0)
    assert not env.success
    velocity = env.sim.data.qvel
    assert np.abs(velocity).max() < 0.02, "everything rests after the waiting steps"
    for cube in ("red", "blue"):
        assert env.sim.data.get_body_xpos(f"{cube}_cube_1_main")[2] == pytest.approx(0.024, abs=1e-3)


def test_proprio_has_liberos_form_and_units(env):
    env.reset(0, 0, 0)
    proprio = env.observe([]).proprio
    assert proprio.shape == (9,) and proprio.dtype == np.float64
    assert proprio[:2] == pytest.approx([0.04, -0.04], abs=2e-3), "an open gripper, in metres"
    assert np.linalg.norm(proprio[5:]) == pytest.approx(1)
    assert np.abs(proprio[5]) > 0.99, "the hand points down: half a turn about x, as (x, y, z, w)"
    for _ in range(4):
        env.step(DOWN)
    lower = env.observe([]).proprio
    assert -0.06 < lower[4] - proprio[4] < -0.02, "down is negative z, about a centimetre a step"


def test_only_observe_renders(env, monkeypatch):
    env.reset(0, 0, 0)
    rendered = []
    render = type(env.sim).render
    monkeypatch.setattr(type(env.sim), "render", lambda *a, **k: rendered.append(k["camera_name"]) or render(*a, **k))
    env.step(STILL)
    env.snapshot()
    assert env.observe([]).images == {} and rendered == []
    assert list(env.observe(["wrist"]).images) == ["wrist"] and rendered == ["robot0_eye_in_hand"]


def test_pictures_are_upright_and_sharp(env):
    env.reset(0, 0, 0)
    images = env.observe().images
    assert list(images) == ["wrist", "primary"]
    for picture in images.values():
        assert picture.shape == (64, 64, 3) and picture.dtype == np.uint8 and picture.std() > 20
    red, yellow = (mask(images["primary"]) for mask in (is_red, is_yellow))
    assert red.sum() > 25, "a cube is large enough to be seen at 64 pixels"
    # The bin is behind the cubes: further up in an upright picture.
    assert np.argwhere(yellow)[:, 0].mean() < np.argwhere(red)[:, 0].mean()


def is_red(picture):
    r, g, b = np.moveaxis(picture.astype(int), -1, 0)
    return (r > 120) & (g < 120) & (b < 120) & (r - g > 60)


def is_yellow(picture):
    r, g, b = np.moveaxis(picture.astype(int), -1, 0)
    return (r > 150) & (g > 100) & (b < 80)


def test_same_seed_same_placement(env):
    env.reset(1, None, training_seed(1))
    first = env.snapshot()["physics"]
    env.step(DOWN)
    env.reset(1, None, training_seed(2))
    assert np.abs(env.snapshot()["physics"] - first).max() > 1e-3
    env.reset(1, None, training_seed(1))
    assert (env.snapshot()["physics"] == first).all()


def test_the_callers_randomness_is_left_alone(env):
    np.random.seed(5)  # noqa: NPY002 (robosuite draws from this generator)
    expected = np.random.RandomState(5).uniform()
    env.reset(0, None, training_seed(1))
    assert np.random.uniform() == expected  # noqa: NPY002


def test_sides_are_swapped_at_random(env):
    left = []
    for k in range(12):
        env.draw(0, training_seed(k))
        red, blue = (env.sim.data.get_joint_qpos(f"{c}_cube_1_joint0") for c in ("red", "blue"))
        assert np.linalg.norm(red[:2] - blue[:2]) > 0.1, "fingers must fit between the cubes"
        left.append(red[1] < blue[1])
    assert 0 < sum(left) < 12


def test_twenty_random_actions_from_a_snapshot_are_the_same(env):
    env.reset(0, 0, 0)
    states(env, actions(7))
    snapshot, seen = env.snapshot(), env.observe()
    expected = states(env, actions(27)[7:])
    env.reset(3, 5, 1)
    env.restore(snapshot)
    again = env.observe()
    assert env.instruction == "put the red cube on the plate" and env.steps == 7
    assert (again.proprio == seen.proprio).all()
    assert all((again.images[name] == seen.images[name]).all() for name in seen.images)
    assert np.abs(states(env, actions(27)[7:]) - expected).max() <= 1e-12


def test_a_snapshot_without_the_grippers_memory_would_drift(env):
    env.reset(0, 0, 0)
    states(env, actions(8))
    snapshot = dict(env.snapshot())
    expected = states(env, actions(28)[8:])
    env.restore(snapshot | {"gripper": np.zeros(2)})
    assert np.abs(states(env, actions(28)[8:]) - expected).max() > 1e-3


def test_a_snapshot_is_arrays_and_small(env):
    snapshot = env.snapshot()
    assert all(isinstance(value, np.ndarray) and value.dtype.kind in "biuf" for value in snapshot.values())
    assert sum(value.nbytes for value in snapshot.values()) < 64_000


def test_a_foreign_snapshot_is_refused(env):
    foreign = dict(env.snapshot()) | {"suite": np.frombuffer(b"libero_goal", np.uint8)}
    with pytest.raises(ValueError, match="expected a snapshot of suite libero_mini, got one of 'libero_goal'"):
        env.restore(foreign)
    with pytest.raises(ValueError, match="expected a snapshot"):
        env.restore({})
    with pytest.raises(ValueError, match="physical numbers, got 3"):
        env.restore(dict(env.snapshot()) | {"physics": np.zeros(3)})


@pytest.mark.parametrize("action", [np.zeros(6), np.full(7, np.nan)])
def test_a_bad_action_is_refused(env, action):
    with pytest.raises(ValueError, match="expected 7 finite numbers"):
        env.step(action)


def test_bad_names_and_states_are_refused(env):
    with pytest.raises(ValueError, match="known cameras: wrist, primary"):
        env.observe(["selfie"])
    with pytest.raises(ValueError, match="initial state from 0 to 49, got 50"):
        env.reset(0, 50, 0)
    with pytest.raises(ValueError, match="expected an initial state of shape"):
        env.reset(0, np.zeros(3), 0)


def test_success_is_liberos_predicate(env):
    """Lay the cube down in the bin by hand: the bin's task is solved, the plate's is not."""
    for task, solved in ((1, True), (0, False)):
        env.reset(task, 0, 0)
        bin_position = env.sim.data.get_body_xpos("square_bin_1_main")
        pose = np.r_[bin_position[:2], 0.032, 1, 0, 0, 0]
        env.sim.data.set_joint_qpos("red_cube_1_joint0", pose)
        assert env.step(STILL) is solved and env.success is solved


def test_close_is_idempotent():
    from workbench.envs.libero import make_env

    env = make_env("libero_mini_hard", image_size=32)
    assert env.horizon == 120
    env.reset(5, 49, 0)
    assert env.observe(["primary"]).images["primary"].shape == (32, 32, 3)
    env.close()
    env.close()
