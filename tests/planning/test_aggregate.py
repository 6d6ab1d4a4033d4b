"""From value samples to a number, against upstream's, and how much of a coin toss a choice is."""

import json

import numpy as np
import pytest

from workbench.planning.aggregate import AGGREGATIONS, aggregate, choose, margin


@pytest.mark.golden("values/*.json")
def test_aggregations_are_upstreams(case, fidelity):
    for one in json.loads(case.read_text())["cases"]:
        values = np.array(one["values"], np.float32)
        assert set(one["aggregated"]) == set(AGGREGATIONS)
        for rule, expected in one["aggregated"].items():
            if expected is not None:  # upstream's deviation of one value is not a number
                fidelity.close(rule, aggregate(values, rule), expected, atol=1e-6)


def test_majority_mean_ignores_failures_of_a_majority_of_successes():
    assert float(aggregate(np.array([0.0, 0.4, 0.6]), "majority_mean")) == pytest.approx(0.5)
    assert float(aggregate(np.array([0.0, 0.0, 0.6]), "majority_mean")) == 0.0


def test_one_sample_is_its_own_lower_bound():
    assert float(aggregate(np.array([0.7]), "lcb")) == pytest.approx(0.7)


def test_ties_go_to_the_first():
    assert choose(np.full((4, 3), 0.5)) == dict.fromkeys(AGGREGATIONS, 0)


def test_margin_is_a_share_of_wins():
    clear = np.array([[0.9, 0.91, 0.92], [0.1, 0.11, 0.12]])
    assert margin(clear, "average") == 1.0
    toss = np.tile(np.array([0.2, 0.5, 0.8]), (2, 1))
    assert 0.4 < margin(toss, "average") < 0.6


def test_samples_of_the_same_noise_are_resampled_together():
    """What all have of it does not make a candidate that is always a little better a coin toss."""
    noise = np.random.default_rng(0).normal(0.5, 0.1, 15)
    values = np.stack([noise, noise + 0.03])
    assert margin(values, "average", same_noise=True) == 1.0
    assert margin(values, "average") < 0.9


def test_an_unknown_rule_lists_the_known():
    with pytest.raises(ValueError, match="majority_mean"):
        aggregate(np.ones(3), "median")
