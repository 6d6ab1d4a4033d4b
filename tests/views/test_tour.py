"""The tour: five steps, every figure the plan's own."""

import html
import re

import numpy as np
import pytest

from workbench import moments
from workbench.truth import regret
from workbench.types import Observation
from workbench.views import done_html, skip_html, tour, words
from workbench.views.tour import proprioception


@pytest.fixture(scope="module")
def shipped():
    """The moment that the app opens on."""
    return moments.load(moments.available()[0])


@pytest.fixture(scope="module")
def steps(shipped) -> list[str]:
    return list(tour(shipped.plan).values())


def rows(page: str) -> list[list[str]]:
    """A step's table as text, head left out."""
    lines = re.findall(r"<tr[^>]*>(.*?)</tr>", page)[1:]
    return [[plain(cell) for cell in re.findall(r"<td>(.*?)</td>", line)] for line in lines]


def plain(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", page))


def test_the_observation_has_what_the_model_gets_with_units(shipped, steps):
    seen = shipped.plan.moment.observation
    assert len(steps) == 5
    assert steps[0].count("<img") == len(seen.images) == 2
    assert shipped.plan.moment.instruction in plain(steps[0])
    position = ", ".join(f"{metres:.3f}" for metres in seen.proprio[2:5])
    assert proprioception(seen)["gripper position"] == f"{position} m (x, y, z)"
    assert f"{position} m (x, y, z)" in plain(steps[0])


def test_a_robot_that_is_not_liberos_gets_no_names_for_its_numbers():
    seen = Observation({}, np.zeros(14))
    assert proprioception(seen) == {"proprioception": "14 numbers, in the robot's own units"}


def test_every_plan_has_its_path_and_its_imagined_picture(shipped, steps):
    steps_, numbers = shipped.plan.candidates[0].actions.shape
    assert steps[1].count('class="overlay"') == 8
    assert f"next {steps_} control steps, {numbers} numbers each" in plain(steps[1])
    assert steps[2].count("<img") == 1 + 2 * 8, "now, and for each what it imagines and what differs"


def test_values_read_as_on_the_cards(shipped, steps):
    plan = shipped.plan
    told = {row[0]: row[2:] for row in rows(steps[3])}
    assert told == {
        words.name(c.index): [words.number(c.value), words.meaning(plan, c.value), words.reason(plan, c)]
        for c in plan.candidates
    }
    assert rows(steps[3])[0][0] == words.name(plan.best)
    assert f"γ = {plan.gamma:g}" in plain(steps[3])
    assert "not a probability" in plain(steps[3])


def test_the_truth_is_the_recorded_one(shipped, steps):
    plan = shipped.plan
    told = {row[0]: row[1:] for row in rows(steps[4])}
    assert told == {
        words.name(c.index): [words.result(c.outcome), words.number(c.outcome.worth), words.number(c.value)]
        for c in plan.candidates
    }
    worth = [float(row[2]) for row in rows(steps[4])]
    assert worth == sorted(worth, reverse=True)
    assert words.headline(plan) in plain(steps[4])
    assert f"chosen one's: {words.number(regret(plan))}." in plain(steps[4])


def test_every_term_is_explained_once(steps):
    terms = re.findall(r"<dfn>(.*?)</dfn>", "".join(steps))
    assert len(terms) == len(set(terms))
    assert {"observation", "proprioception", "chunk", "future", "value", "worth", "regret"} <= {
        term.lower() for term in terms
    }


def test_without_the_truth_there_is_no_tour(plan):
    with pytest.raises(ValueError, match="execute them all first"):
        tour(plan)


def test_the_ways_out_lead_to_the_same_moment():
    for page in (skip_html("a&b"), done_html("a&b")):
        assert 'href="./?moment=a%26b"' in page
