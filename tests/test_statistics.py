"""Intervals against published examples and against simulation."""

import numpy as np
import pytest

from workbench.statistics import (
    auc,
    auc_interval,
    calibration_bins,
    calibration_error,
    episodes_to_halve,
    mcnemar,
    mean_interval,
    paired_difference,
    paired_episodes,
    t_interval,
    wilson,
)


def test_wilson_against_published_limits():
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_wilson_edges():
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(40, 40)
    assert 0.9 < low < 1 and high == pytest.approx(1.0)
    with pytest.raises(ValueError, match="3 of 2"):
        wilson(3, 2)


def test_mcnemar_is_a_fair_coin():
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(10, 1) == pytest.approx(2 * (1 + 11) / 2**11)  # 0.0117, as in the exploratory run
    assert mcnemar(3, 9) == mcnemar(9, 3)


def test_paired_difference_against_a_published_example():
    # Newcombe 1998 (paired): 36 both, 12 and 2 discordant, 0 neither of 50; method 10 gives 0.0569, 0.3404.
    first = [True] * 38 + [False] * 12
    second = [True] * 36 + [False] * 2 + [True] * 12
    result = paired_difference(first, second)
    assert result.difference == pytest.approx(0.2)
    assert (result.gained, result.lost, result.episodes) == (12, 2, 50)
    assert result.interval == pytest.approx((0.0569, 0.3404), abs=5e-5)
    assert result.p_value == pytest.approx(mcnemar(12, 2))


@pytest.mark.heavy
def test_paired_difference_covers_the_truth():
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        luck = generator.random(60)  # shared difficulty makes the two correlated
        noise = 0.1 * generator.standard_normal((2, 60))
        first, second = luck + noise[0] < 0.5, luck + noise[1] < 0.7
        low, high = paired_difference(first, second).interval
        covered += low <= 0.2 <= high
    assert covered / 300 > 0.9


def test_paired_difference_wants_pairs():
    with pytest.raises(ValueError, match="pair them"):
        paired_difference([True], [True, False])


def test_auc_counts_ordered_pairs():
    assert auc([0.1, 0.2, 0.8, 0.9], [False, False, True, True]) == 1.0
    assert auc([0.9, 0.8, 0.2, 0.1], [False, False, True, True]) == 0.0
    assert auc([0.5, 0.5, 0.5], [True, False, False]) == 0.5
    assert auc([0.1, 0.4, 0.35, 0.8], [False, False, True, True]) == 0.75
    assert auc([0.1, 0.2], [True, True]) is None


def test_auc_at_equal_step_ignores_how_late_a_score_is():
    # Scores rise with the step whatever the outcome; at each step the failure scores higher.
    scores, steps = [0.1, 0.2, 0.5, 0.6], [0, 0, 8, 8]
    success = [True, False, True, False]
    assert auc(scores, success, strata=steps) == 0.0
    assert auc(scores, success) == 0.25
    assert auc([0.1, 0.9], [True, False], strata=[0, 8]) is None  # never both at the same step
    assert auc_interval(scores, success, strata=steps, resamplings=50) == (0.0, 0.0)


def test_auc_interval_widens_when_scores_come_in_groups():
    generator = np.random.default_rng(1)
    success = np.repeat(generator.random(30) < 0.5, 10)
    score = np.repeat(generator.standard_normal(30), 10) + success
    groups = np.repeat(np.arange(30), 10)
    alone = auc_interval(score, success, resamplings=400)
    grouped = auc_interval(score, success, groups=groups, resamplings=400)
    assert alone is not None and grouped is not None
    assert alone[0] < auc(score, success) < alone[1]
    assert grouped[1] - grouped[0] > 1.5 * (alone[1] - alone[0])
    assert auc_interval([0.1, 0.2], [True, True]) is None


def test_paired_episodes_grows_as_the_difference_shrinks():
    large = paired_episodes(discordant=0.3, difference=0.2)
    small = paired_episodes(discordant=0.3, difference=0.1)
    assert 3.5 * large < small < 4.5 * large
    with pytest.raises(ValueError, match="cannot exceed"):
        paired_episodes(discordant=0.1, difference=0.2)


def test_calibration_error_is_of_bins_not_of_single_values():
    returns = [0.0, 1.0] * 50
    assert calibration_error([0.5] * 100, returns, bins=10) == pytest.approx(0.0)
    assert calibration_error([0.8] * 100, returns, bins=10) == pytest.approx(0.3)
    values = [0.1] * 50 + [0.9] * 50
    assert calibration_error(values, [0.0] * 50 + [1.0] * 50) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="at least 10"):
        calibration_error([0.1], [0.0])


def test_the_interval_of_a_mean_score_is_wilsons_for_zeros_and_ones_and_covers_partial_scores():
    assert mean_interval([1, 0, 1, 1]) == pytest.approx(wilson(3, 4), abs=1e-9)
    assert mean_interval([]) == (0.0, 1.0) and mean_interval([1.0] * 5) == pytest.approx(wilson(5, 5))
    draws = np.random.default_rng(0).choice([0, 0.25, 0.5, 1], (400, 30), p=[0.1, 0.2, 0.3, 0.4])
    covered = [low <= 0.6 <= high for low, high in map(mean_interval, draws)]
    assert np.mean(covered) > 0.95
    with pytest.raises(ValueError, match="from 0 to 1"):
        mean_interval([0.5, 1.5])


def test_calibration_bins_hold_neighbours_and_equally_many():
    bins = calibration_bins([0.9, 0.1, 0.5, 0.3], 2)
    assert [sorted(part.tolist()) for part in bins] == [[1, 3], [0, 2]]


def test_scores_of_one_group_count_as_one_observation():
    scores, groups = [1.0, 1.0, 0.0, 0.0], [0, 0, 1, 1]
    assert mean_interval(scores, groups=groups) == mean_interval([1.0, 0.0])
    assert mean_interval(scores, groups=range(4)) == mean_interval(scores)


def test_students_interval():
    # Four scores with mean 5 and standard deviation 2: t = 3.1824 with three degrees of freedom.
    low, high = t_interval([3.0, 3.0, 5.0, 9.0])
    spread = np.std([3.0, 3.0, 5.0, 9.0], ddof=1)
    assert (low + high) / 2 == pytest.approx(5) and (high - low) / 2 == pytest.approx(3.18245 * spread / 2, rel=1e-4)
    assert t_interval([1.0]) == (-np.inf, np.inf)


@pytest.mark.parametrize(("successes", "episodes"), [(19, 42), (0, 10), (97, 100), (1, 1)])
def test_so_many_episodes_more_halve_the_interval(successes, episodes):
    def width(n: int) -> float:
        low, high = mean_interval([successes / episodes] * n)
        return high - low

    more = episodes_to_halve(successes, episodes)
    assert width(episodes + more) <= width(episodes) / 2 < width(episodes + more - 1)
    with pytest.raises(ValueError, match="an episode, got 0 of 0"):
        episodes_to_halve(0, 0)
