"""All robots through one test: plan, world model and value with random weights. Nothing asks which robot it is."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

from workbench.layout import MODES
from workbench.models.bundle import tiny
from workbench.planning import run
from workbench.planning.best_of_n import plan_events
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS, PlatformSpec
from workbench.policy import ask, predict_in_turn
from workbench.steps import encode, extract
from workbench.types import Moment, Observation

WORDS = "put the red cube on the plate"
PACKAGE = Path(__file__).parents[2] / "workbench"


def observation(spec: PlatformSpec) -> Observation:
    random = np.random.default_rng(0)
    images = {camera: random.integers(0, 256, (48, 64, 3), np.uint8) for camera in spec.cameras}
    return Observation(images, random.uniform(-1, 1, spec.proprio_dim))


@pytest.fixture(scope="module", params=PLATFORMS.values(), ids=PLATFORMS)
def robot(request):
    return tiny(request.param)


@pytest.mark.heavy
def test_a_plan_has_chunks_futures_and_values_of_this_robot(robot):
    spec = robot.spec
    settings = PlanSettings(candidates=2, calls=1, futures=1, future_calls=1, values=2, value_calls=2)
    plan = run(plan_events(robot, None, Moment(observation(spec), WORDS, "here"), settings=settings))
    for candidate in plan.candidates:
        assert candidate.actions.shape == (spec.chunk_size, spec.action_dim) and np.isfinite(candidate.actions).all()
        assert list(candidate.futures) == list(spec.cameras)
        assert all(pictures.shape == (1, 64, 64, 3) for pictures in candidate.futures.values())
        assert candidate.values.shape == (1, 2) and 0 <= candidate.value <= 1
        assert (candidate.path is None) == (spec.path is None)
    assert plan.gamma == spec.gamma and plan.network_calls == settings.network_calls


@pytest.mark.heavy
def test_one_thing_after_another_gives_the_same_kinds_of_numbers(robot):
    said = predict_in_turn(robot, observation(robot.spec), WORDS, calls=1, value="q")
    assert said.future_proprio.shape == (robot.spec.proprio_dim,) and 0 <= said.value <= 1
    assert list(said.images) == list(robot.spec.cameras)


@pytest.fixture(scope="module")
def given(robot):
    """Every frame filled in once."""
    return ask(robot, encode(robot, observation(robot.spec), WORDS), "policy", seed=0, calls=1)


@pytest.mark.parametrize("mode", MODES)
def test_every_question_leaves_what_is_known_and_changes_the_rest(robot, given, mode):
    answer = ask(robot, given, mode, seed=1, calls=1)
    known = torch.tensor(robot.layout.known(mode))
    same = (answer.x == given.x).flatten(3).all(3).all(1)[0]
    assert torch.equal(same, known)
    chunk = extract(answer, robot.stats).actions[0]
    assert (chunk == extract(given, robot.stats).actions[0]).all() == bool(known[robot.layout.index("actions")])


def test_the_layouts_are_the_published_ones():
    frames = {name: [frame.name for frame in spec.layout().frames] for name, spec in PLATFORMS.items()}
    future = ["future proprio", "future wrist", "future primary", "value"]
    assert frames["libero"] == ["blank", "proprio", "wrist", "primary", "actions", *future]
    assert frames["robocasa"][2:5] == ["wrist", "primary", "secondary"]
    assert frames["aloha"][2:5] == ["left_wrist", "right_wrist", "primary"]
    assert [len(names) for names in frames.values()] == [9, 11, 11]


@pytest.mark.heavy
def test_no_line_of_the_package_asks_which_robot_it_is():
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
            sides = [getattr(node, "value", None)] if isinstance(node, ast.MatchValue) else sides
            if any(isinstance(side, ast.Constant) and side.value in PLATFORMS for side in sides):
                found.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert not found, "a platform is data: give PlatformSpec a field instead"
