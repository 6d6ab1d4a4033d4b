"""Regret and rank correlation of known numbers."""

from dataclasses import replace

import numpy as np
import pytest

from workbench.truth import rank_correlation, regret
from workbench.types import Candidate, Moment, Observation, Outcome, Plan


@pytest.fixture
def plan() -> Plan:
    """Four executed candidates; the first was chosen."""
    values, worths = (0.1, 0.4, 0.2, 0.9), (0.5, 0.0, 0.25, 0.75)
    candidates = [
        Candidate(i, i, np.zeros((1, 7)), value=value, outcome=Outcome(worth > 0, 5, worth))
        for i, (value, worth) in enumerate(zip(values, worths, strict=True))
    ]
    moment = Moment(Observation({}, np.zeros(9)), "task", "suite/0/0@0")
    return Plan(moment, candidates, 0, 1.0, {}, 0, {}, {}, {}, 0.9)


def covered(plan: Plan, *indices: int) -> Plan:
    """The plan before these were executed."""
    candidates = [replace(c, outcome=None) if c.index in indices else c for c in plan.candidates]
    return replace(plan, candidates=candidates)


def test_regret_is_the_best_worth_less_the_chosen_ones(plan):
    assert regret(plan) == pytest.approx(0.25)
    assert regret(replace(plan, best=3)) == 0.0


@pytest.mark.parametrize("missing", [0, 1, 3])
def test_regret_is_unknown_until_all_have_been_executed(plan, missing):
    assert regret(covered(plan, missing)) is None
    assert regret(replace(plan, best=-1)) is None, "nothing has been chosen"


def test_rank_correlation_is_over_what_has_been_executed(plan):
    # Ranks of the values 1 3 2 4, of the worths 3 1 2 4: rho = 1 - 6 * 8 / (4 * 15).
    assert rank_correlation(plan) == pytest.approx(0.2)
    assert rank_correlation(covered(plan, 3)) == pytest.approx(-1.0)
    assert rank_correlation(covered(plan, 0, 1, 2, 3)) is None
