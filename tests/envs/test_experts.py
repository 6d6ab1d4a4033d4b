"""The scripted expert solves its tasks; its perturbed kinds fail as they are meant to."""

from contextlib import closing

import numpy as np
import pytest

from workbench.envs.experts import FAILURES, Goal, failures_of, goal_of
from workbench.envs.suites import training_seed

pytestmark = pytest.mark.sim


@pytest.fixture(scope="module")
def env():
    from workbench.envs.libero import make_env

    env = make_env("libero_mini_hard", image_size=32)
    yield env
    env.close()


def run(env, task: int, *, kind: str, key: int) -> np.ndarray:
    from workbench.envs.experts import expert

    env.reset(task, None, training_seed(9, task, key))
    actions = []
    for action in expert(env, seed=key, kind=kind):
        actions.append(action)
        if env.step(action) or env.steps == env.horizon:
            return np.stack(actions)


def test_knows_what_its_instructions_ask_for():
    assert goal_of("put the red cube in the bin") == Goal("red_cube_1_main", "square_bin_1_main")
    assert goal_of("stack the blue cube on the red cube") == Goal("blue_cube_1_main", "red_cube_1_main")
    soup = "pick up the alphabet soup and place it in the basket"
    assert goal_of(soup) == Goal("alphabet_soup_1_main", "basket_1_main")
    with pytest.raises(ValueError, match="not 'turn on the stove'"):
        goal_of("turn on the stove")


def test_with_one_basket_there_is_no_wrong_target():
    soup = "pick up the alphabet soup and place it in the basket"
    assert set(failures_of("put the red cube in the bin")) == set(FAILURES)
    assert set(FAILURES) - set(failures_of(soup)) == {"wrong_target"}


@pytest.mark.parametrize("task, leaves", [(0, "expert"), (4, "expert"), (0, "wrong_object")])
def test_puts_things_into_liberos_basket(libero_assets, task, leaves):
    """A can; a bottle, which is grasped near its top; and another thing than the one that was asked for."""
    from workbench.envs.experts import expert
    from workbench.envs.libero import make_env

    with closing(make_env("libero_object", image_size=32)) as env:
        env.reset(task, None, training_seed(9, task, 0))
        basket = env.objects()["basket_1"]
        for action in expert(env, seed=0, kind=leaves):
            if env.step(action) or env.steps == 160:
                break
        inside = [n for n, x in env.objects().items() if np.abs(x - basket)[:2].max() < 0.07 and n != "basket_1"]
        asked = goal_of(env.instruction).thing.removesuffix("_main")
        assert len(inside) == 1
        assert (inside == [asked]) == env.success == (leaves == "expert")


@pytest.mark.parametrize("task", range(6))
def test_solves_every_task(env, task):
    solved = []
    for key in range(4):
        actions = run(env, task, kind="expert", key=key)
        assert np.abs(actions).max() <= 1 and (actions[:, 3:6] == 0).all()
        assert set(actions[:, 6]) == {-1.0, 1.0}, "the gripper is open or closed"
        solved.append(env.success)
    assert sum(solved) >= 3


@pytest.mark.parametrize("kind", ["miss", "wrong_object", "wrong_target", "drop", "noisy"])
def test_perturbed_kinds_fail(env, kind):
    failed = 0
    for key in range(3):
        run(env, 0, kind=kind, key=key)
        failed += not env.success
    assert failed >= 2


def test_wrong_object_moves_the_other_cube(env):
    env.reset(0, None, training_seed(9, 0, 0))
    before = {c: env.sim.data.get_body_xpos(f"{c}_cube_1_main").copy() for c in ("red", "blue")}
    run(env, 0, kind="wrong_object", key=0)
    moved = {c: np.linalg.norm(env.sim.data.get_body_xpos(f"{c}_cube_1_main") - x) for c, x in before.items()}
    assert moved["red"] < 0.02 < 0.1 < moved["blue"]


def test_the_same_seed_acts_the_same(env):
    assert (run(env, 4, kind="expert", key=1) == run(env, 4, kind="expert", key=1)).all()


def test_episodes_differ(env):
    lengths = {len(run(env, 1, kind="expert", key=key)) for key in range(3)}
    assert len(lengths) > 1


def test_mends_what_a_mishap_leaves(env):
    from workbench.envs.experts import expert, mislead

    solved = 0
    for key in range(6):
        env.reset(key, None, training_seed(9, key, 7))
        before = env.observe([]).proprio
        mislead(env, seed=key)
        assert not env.success and np.abs(env.observe([]).proprio - before).max() > 0.02
        for _, action in zip(range(env.horizon), expert(env, seed=key), strict=False):
            if env.step(action):
                break
        solved += env.success
    assert solved >= 4


def test_ways_differ_to_both_sides(env):
    from workbench.envs.experts import Style

    styles = [Style.draw(np.random.RandomState(seed)) for seed in range(40)]
    assert min(style.bow for style in styles) < -0.02 and max(style.bow for style in styles) > 0.02
    assert all(0.65 <= style.speed <= 1 for style in styles)


def test_unknown_kind(env):
    from workbench.envs.experts import expert

    with pytest.raises(ValueError, match="known kinds: expert, miss"):
        next(expert(env, seed=0, kind="lazy"))
