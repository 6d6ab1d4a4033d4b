"""What is copied from the page makes the same plan again."""

import json
import shlex
from dataclasses import replace

import numpy as np
import pytest

from workbench import cli, moments
from workbench.app.copied import as_command, as_python
from workbench.exports import unusual
from workbench.models import checkpoints
from workbench.planning import run
from workbench.planning.best_of_n import plan_events
from workbench.planning.settings import PlanSettings
from workbench.planning.yours import Steer, your_plan_events
from workbench.types import Draw, Outcome
from workbench.views import copy_html

FEW = {"candidates": 2, "calls": 2, "futures": 1, "future_calls": 1, "values": 2, "value_calls": 2}
SMALL = PlanSettings(**FEW, seed=7, aggregation="lcb")


@pytest.fixture(scope="module")
def name() -> str:
    return moments.available()[0]


@pytest.fixture(scope="module")
def plan(name):
    policy, planner = checkpoints.load_pair("mini", None)
    return run(plan_events(policy, planner, moments.load(name).plan.moment, settings=SMALL))


@pytest.mark.heavy
def test_only_what_is_unusual_is_said_and_always_the_seed(plan):
    assert unusual(plan) == {**FEW, "aggregation": "lcb", "seed": 7}


@pytest.mark.heavy
def test_the_python_makes_the_same_plan(plan, name):
    made: dict = {}
    exec(as_python(plan, name), made)
    for ours, theirs in zip(plan.candidates, made["plan"].candidates, strict=True):
        np.testing.assert_allclose(theirs.actions, ours.actions, atol=1e-6)
        np.testing.assert_allclose(theirs.values, ours.values, atol=1e-6)
    assert made["plan"].best == plan.best


@pytest.mark.heavy
def test_the_command_makes_the_same_plan(plan, name, tmp_path, capsys):
    program, *arguments = shlex.split(as_command(plan, name, out=str(tmp_path / "a plan")))
    assert program == "workbench" and cli.main(arguments) == 0
    record = json.loads((tmp_path / "a plan" / "plan.json").read_text())
    assert record["best"] == plan.best
    for ours, theirs in zip(plan.candidates, record["candidates"], strict=True):
        np.testing.assert_allclose(theirs["actions"], ours.actions, atol=1e-6)
        np.testing.assert_allclose(theirs["values"], ours.values, atol=1e-6)


@pytest.mark.heavy
def test_the_python_makes_your_own_plan_too(plan, name):
    policy, planner = checkpoints.load_pair("mini", None)
    x, y, z = plan.candidates[0].path[-1].tolist()
    ours = run(your_plan_events(policy, planner, plan, Steer((x, y, z + 0.02), close=False, speed=0.5)))
    made: dict = {}
    exec(as_python(ours, name), made)
    assert made["plan"].yours == ours.yours == 2 and made["plan"].best == ours.best
    for one, other in zip(ours.candidates, made["plan"].candidates, strict=True):
        np.testing.assert_allclose(other.values, one.values, atol=1e-6)


@pytest.fixture
def executed(plan):
    """The plan, executed twice each, as far as its numbers say so."""
    outcome = Outcome(True, 40, 0.3, draws=(Draw(True, 40, 0.6), Draw(False, 60, 0.0)))
    return replace(plan, candidates=[replace(c, outcome=outcome) for c in plan.candidates])


def test_what_was_executed_is_executed_as_often(executed, name):
    assert "--execute all --continuations 2 --out" in as_command(executed, name)
    python = as_python(executed, name)
    compile(python, "copied", "exec")
    assert f"ProcessEnv('{name.split('-')[0]}', image_size=policy.spec.render_size)" in python
    assert "execute_candidates(env, policy, plan, seed=7, continuations=2)" in python
    once = replace(executed.candidates[1], outcome=Outcome(True, 40, 0.6))
    alone = replace(executed, candidates=[replace(executed.candidates[0], outcome=None), once])
    assert "execute_candidates(env, policy, plan, indices=[1], seed=7)" in as_python(alone, name)


@pytest.mark.sim
def test_the_python_executes_them_too(executed, name):
    made: dict = {}
    exec(as_python(executed, name), made)
    assert [len(c.outcome.draws) for c in made["plan"].candidates] == [2, 2]
    assert all(c.outcome.after_chunk is not None for c in made["plan"].candidates)


def test_nothing_is_offered_for_a_moment_that_is_only_here(plan):
    texts = {"Copy": as_python(plan, "opened-1f"), "Copy it": as_command(plan, "opened-1f")}
    assert texts == {"Copy": "", "Copy it": ""} and copy_html(texts) == ""
