"""RoboCasa's adapter on robosuite 1.5, in an interpreter of its own; where that is absent, what to do."""

import os
from pathlib import Path

import numpy as np
import pytest

from workbench import cli
from workbench.envs.base import Env
from workbench.envs.process import ProcessEnv
from workbench.envs.suites import suite
from workbench.platforms import PLATFORMS

PLUGINS = Path(__file__).parents[1] / "plugins"
SPEC = PLATFORMS["robocasa"]


def test_without_the_interpreter_one_line_says_how_to_get_it(monkeypatch, capsys):
    for named in ("", "/nowhere/python"):
        monkeypatch.setenv("WORKBENCH_ROBOCASA_PYTHON", named)
        with pytest.raises(
            FileNotFoundError, match=r"WORKBENCH_ROBOCASA_PYTHON.*pip install robosuite==1.5.1"
        ) as error:
            ProcessEnv("robocasa")
        assert "\n" not in str(error.value)


def test_another_robots_checkpoint_is_said_before_anything_is_started(capsys, tmp_path):
    for name, platform in (("robocasa", "robocasa"), ("aloha_sim", "aloha")):
        for command in ("plan", "rollout"):
            assert cli.main([command, "--suite", name, "--checkpoint", "mini", "--out", str(tmp_path / "x")]) == 2
            said = capsys.readouterr().err
            assert f"suite {name} expects a checkpoint of platform {platform}, got mini of platform libero" in said


def test_there_is_no_expert_in_kitchens(capsys, tmp_path):
    assert cli.main(["collect", "--suite", "robocasa", "--out", str(tmp_path)]) == 2
    assert "there is no scripted expert for robocasa" in capsys.readouterr().err


@pytest.fixture(scope="module")
def python():
    named = os.environ.get("WORKBENCH_ROBOCASA_PYTHON")
    if not named or not Path(named).is_file():
        pytest.skip("needs robosuite 1.5: set WORKBENCH_ROBOCASA_PYTHON to an interpreter that has it")
    return named


@pytest.fixture
def open_kitchen(python, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS))
    opened = []

    def make(**settings) -> ProcessEnv:
        opened.append(
            ProcessEnv("robocasa", factory="robosuite_kitchen:make", python=python, image_size=64, **settings)
        )
        return opened[-1]

    yield make
    for env in opened:
        env.close()


def wander(seed: int, steps: int = 20) -> np.ndarray:
    actions = np.random.default_rng(seed).uniform(-1, 1, (steps, 7))
    actions[:, 6] = np.where(np.arange(steps) // 5 % 2, 1, -1)
    return actions


def compare(one: dict, other: dict) -> None:
    assert one.keys() == other.keys() and len(one) > 30
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.sim
def test_it_is_an_env_with_the_platforms_cameras_sizes_and_motion(open_kitchen):
    env = open_kitchen()
    assert isinstance(env, Env)
    env.reset("CoffeePressButton", 30, 0)
    assert env.instruction == "lift the cube in kitchen 6, 9" and env.horizon == 300 and env.steps == 0
    seen = env.observe()
    assert set(seen.images) == set(SPEC.cameras) and seen.proprio.shape == (SPEC.proprio_dim,)
    assert all(picture.shape == (64, 64, 3) and picture.std() > 5 for picture in seen.images.values())
    assert not (seen.images["primary"] == seen.images["secondary"]).all() and not env.observe([]).images
    dark = [(picture < 3).all(-1).mean() for picture in seen.images.values()]
    assert max(dark) < 0.3, "pictures of a room, not of unwritten memory"
    u, v, depth = seen.projections["primary"] @ np.append(seen.proprio[2:5], 1)
    assert depth > 0 and 0 < u / depth < 64 and 0 < v / depth < 64, "the gripper is in the picture"
    for _ in range(10):
        assert env.step(np.r_[0, 0, 1, 0, 0, 0, 1]) is False
    moved = env.observe([]).proprio - seen.proprio
    assert moved[4] > 0.05 and abs(moved[2:4]).max() < 0.05, "up is up, and the base stands"
    assert env.steps == 10 and moved[0] < 0, "the gripper closes"
    with pytest.raises(ValueError, match="expected 7 finite numbers"):
        env.step(np.zeros(12))
    with pytest.raises(ValueError, match="unknown camera 'front'"):
        env.observe(["front"])


@pytest.mark.sim
def test_a_snapshot_continues_exactly_here_and_in_a_fresh_process(open_kitchen):
    env = open_kitchen()
    env.reset(0, 12, 0)
    for action in wander(0):
        env.step(action)
    snapshot, seen = env.snapshot(), env.observe()
    after = []
    for _ in range(2):
        env.restore(snapshot)
        assert env.steps == 20 and (env.observe([]).proprio == seen.proprio).all()
        for action in wander(1):
            env.step(action)
        after.append(env.snapshot())
    compare(*after)
    env.reset(5, 3, 0)
    env.restore(snapshot)  # another kitchen than the present one: it is built again
    assert env.instruction == "lift the cube in kitchen 2, 2"
    env.close()
    other = open_kitchen()
    other.restore(snapshot)
    assert all((picture == seen.images[name]).all() for name, picture in other.observe().images.items())
    for action in wander(1):
        other.step(action)
    compare(other.snapshot(), after[0])
    with pytest.raises(ValueError, match="expected a snapshot of robocasa"):
        other.restore({"physics": np.zeros(3)})


@pytest.mark.sim
@pytest.mark.parametrize("trouble", ["hang", "die"])
def test_a_worker_that_hangs_or_dies_is_replaced_where_it_was(open_kitchen, tmp_path, trouble):
    orders = tmp_path / "orders"
    env = open_kitchen(orders=str(orders), time_limit=10.0)
    env.reset(2, 0, 0)
    for action in wander(2, 6):
        env.step(action)
    before = env.observe(["wrist"])
    orders.write_text(trouble)
    after = env.observe(["wrist"])
    assert env.restarts == 1 and env.steps == 6
    np.testing.assert_allclose(after.proprio, before.proprio, rtol=0, atol=1e-12)
    assert (after.images["wrist"] == before.images["wrist"]).all()


@pytest.mark.sim
def test_an_interpreter_without_robocasa_is_told_apart(python, monkeypatch):
    monkeypatch.setenv("WORKBENCH_ROBOCASA_PYTHON", python)
    assert suite("robocasa").python() == python
    try:
        env = ProcessEnv("robocasa")
    except FileNotFoundError as error:
        assert "has no robocasa: python3.11 -m venv" in str(error)
    else:
        env.close()
