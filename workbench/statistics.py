"""What a number of episodes can tell: intervals for success rates, paired comparisons, and the AUC.

A success rate without its interval says little: 9 of 10 is anything from 60 to 98 %. Two planners run on the
same episodes (same initial states, same seeds) are compared pair by pair, which is far sharper than comparing
two rates. Everything here is pure numpy and scipy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from scipy.stats import binomtest, norm, rankdata, spearmanr
from scipy.stats import t as student

Successes = Sequence[bool] | Bool[np.ndarray, " n"]
Scores = Sequence[float] | Float[np.ndarray, " n"]
Strata = Sequence[float] | Num[np.ndarray, " n"] | None


def wilson(successes: int, episodes: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a success rate (Wilson 1927): right also for few episodes and near 0 or 1.

    No episodes at all tell nothing: (0, 1).
    """
    if not 0 <= successes <= episodes:
        raise ValueError(f"expected 0 <= successes <= episodes, got {successes} of {episodes}: check the counts")
    if episodes == 0:
        return 0.0, 1.0
    interval = binomtest(successes, episodes).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def episodes_to_halve(successes: int, episodes: int) -> int:
    """How many episodes more would halve the Wilson interval, at the same rate.

    Of many about three times as many as there are; of few, and near 0 or 1, other numbers. ValueError of no episodes.
    """
    if not 0 <= successes <= episodes or episodes == 0:
        raise ValueError(f"expected 0 <= successes <= episodes and an episode, got {successes} of {episodes}")

    def width(n: int) -> float:
        low, high = _score_interval(successes / episodes, n, 0.95)
        return high - low

    low, high = episodes, 16 * episodes + 16
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (low, middle) if width(middle) <= width(episodes) / 2 else (middle, high)
    return high - episodes


def mean_interval(scores: Scores, *, groups: Strata = None, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the mean of scores in [0, 1]: Wilson's with the mean as the rate, and equal to it for 0 and 1.

    A number in [0, 1] varies at most as a coin of the same mean does, so that partial scores get an interval that
    is rather too wide. With `groups` (the episode of each score) there are only as many observations as groups.
    No scores at all tell nothing: (0, 1). ValueError for others.
    """
    x = np.asarray(scores, float)
    if x.ndim != 1 or not ((x >= 0) & (x <= 1)).all():
        raise ValueError(f"expected a list of scores from 0 to 1, got {x}: check the scores")
    if len(x) == 0:
        return 0.0, 1.0
    n = len(x) if groups is None else len(np.unique(groups))
    return _score_interval(float(x.mean()), n, confidence)


def _score_interval(mean: float, n: int, confidence: float) -> tuple[float, float]:
    """Wilson's formula for any mean in [0, 1] of `n` observations."""
    z = float(norm.isf((1 - confidence) / 2))
    centre, reach = mean + z * z / (2 * n), z * np.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    low, high = (float(np.clip(end / (1 + z * z / n), 0, 1)) for end in (centre - reach, centre + reach))
    return low, high


def t_interval(scores: Scores, *, confidence: float = 0.95) -> tuple[float, float]:
    """Student's interval of the mean of independent scores; fewer than two tell nothing: (-inf, inf)."""
    x = np.asarray(scores, float)
    if len(x) < 2:
        return -np.inf, np.inf
    reach = float(student.isf((1 - confidence) / 2, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x)))
    return float(x.mean()) - reach, float(x.mean()) + reach


@dataclass(frozen=True)
class PairedDifference:
    """Success rate of the second minus that of the first on the same episodes."""

    difference: float
    """In [-1, 1]."""
    interval: tuple[float, float]
    gained: int
    """Episodes that only the second solved."""
    lost: int
    """Episodes that only the first solved."""
    p_value: float
    """McNemar's exact test: how often chance alone would split the discordant pairs at least so unevenly."""
    episodes: int


def mcnemar(gained: int, lost: int) -> float:
    """Exact two-sided p-value of McNemar's test: by chance alone, a discordant pair is a coin toss."""
    if gained < 0 or lost < 0:
        raise ValueError(f"expected counts of discordant pairs, got {gained} and {lost}: check the counts")
    return 1.0 if gained + lost == 0 else float(binomtest(gained, gained + lost).pvalue)


def paired_difference(first: Successes, second: Successes, *, confidence: float = 0.95) -> PairedDifference:
    """Compare two success lists, episode by episode, with an interval of the difference of the rates.

    Newcombe 1998, "Improved confidence intervals for the difference between binomial proportions based on
    paired data", method 10: the Wilson limits of both rates, combined with the correlation of the pairs.
    """
    a, b = np.asarray(first, bool), np.asarray(second, bool)
    if a.shape != b.shape or a.ndim != 1 or len(a) == 0:
        raise ValueError(f"expected two equally long lists of successes, got {a.shape} and {b.shape}: pair them first")
    n = len(a)
    gained, lost = int((b & ~a).sum()), int((a & ~b).sum())
    rate_a, rate_b = a.mean(), b.mean()
    low_a, high_a = wilson(int(a.sum()), n, confidence=confidence)
    low_b, high_b = wilson(int(b.sum()), n, confidence=confidence)
    phi = _correlation(int((a & b).sum()), gained, lost, n)

    def reach(x: float, y: float) -> float:
        return float(np.sqrt(max(x * x - 2 * phi * x * y + y * y, 0.0)))

    difference = float(rate_b - rate_a)
    low = difference - reach(rate_b - low_b, high_a - rate_a)
    high = difference + reach(high_b - rate_b, rate_a - low_a)
    return PairedDifference(difference, (low, high), gained, lost, mcnemar(gained, lost), n)


def _correlation(both: int, gained: int, lost: int, episodes: int) -> float:
    """Newcombe's phi of the two by two table; a positive one is shrunk by a continuity correction."""
    neither = episodes - both - gained - lost
    margins = (both + gained) * (lost + neither) * (both + lost) * (gained + neither)
    if margins == 0:
        return 0.0
    excess = both * neither - gained * lost
    if excess > 0:
        excess = max(excess - episodes / 2, 0.0)
    return float(excess / np.sqrt(margins))


def paired_episodes(power: float = 0.8, *, discordant: float, difference: float, confidence: float = 0.95) -> int:
    """Episodes that a paired comparison needs to see a true `difference` with probability `power`.

    `discordant` is the share of episodes on which the two disagree (Connor 1987). Both in (0, 1].
    """
    if not 0 < abs(difference) <= discordant <= 1:
        raise ValueError(
            f"expected 0 < difference <= discordant <= 1, got {difference} and {discordant}: "
            "a difference cannot exceed the share of episodes that differ"
        )
    alpha, beta = norm.isf((1 - confidence) / 2), norm.isf(1 - power)
    numerator = alpha * np.sqrt(discordant) + beta * np.sqrt(discordant - difference**2)
    return int(np.ceil((numerator / difference) ** 2))


def calibration_error(values: Scores, returns: Scores, *, bins: int = 10) -> float:
    """Expected calibration error: mean distance of mean value and mean return over bins of equally many values.

    0 is perfect; it says nothing about whether values tell one case from another. ValueError for fewer values
    than bins.
    """
    x, y = np.asarray(values, float), np.asarray(returns, float)
    if x.shape != y.shape or x.ndim != 1 or len(x) < bins:
        raise ValueError(f"expected a return a value and at least {bins} of them, got {x.shape} and {y.shape}")
    parts = calibration_bins(x, bins)
    return float(sum(len(part) * abs(x[part].mean() - y[part].mean()) for part in parts) / len(x))


def calibration_bins(values: Scores, bins: int = 10) -> list[Int[np.ndarray, " m"]]:
    """Places of equally many neighbouring values a bin, from the lowest bin to the highest."""
    return np.array_split(np.argsort(np.asarray(values, float), kind="stable"), bins)


def auc(scores: Scores, successes: Successes, *, strata: Strata = None) -> float | None:
    """Probability that a random success has a higher score than a random failure; ties count half.

    0.5 is chance. With `strata` (the control step of each score, say) only pairs of the same stratum are
    compared: without, late steps of successes would win by being late. None if there is no pair to compare.
    """
    x, y = np.asarray(scores, float), np.asarray(successes, bool)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"expected one success a score, got {y.shape} for {x.shape}: pair them first")
    names = np.zeros(len(x)) if strata is None else np.asarray(strata)
    won, pairs = 0.0, 0
    for name in np.unique(names):
        here = names == name
        positives = int(y[here].sum())
        rank_sum = rankdata(x[here])[y[here]].sum()
        won += rank_sum - positives * (positives + 1) / 2  # Mann-Whitney's U: the pairs that are in order
        pairs += positives * (int(here.sum()) - positives)
    return float(won / pairs) if pairs else None


def auc_interval(
    scores: Scores,
    successes: Successes,
    *,
    strata: Strata = None,
    groups: Strata = None,
    resamplings: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of the AUC.

    `groups` (the episode of each score) are resampled as wholes, because the scores of one episode are not
    independent; without them every score is its own group. None if the AUC itself is.
    """
    x, y = np.asarray(scores, float), np.asarray(successes, bool)
    if auc(x, y, strata=strata) is None:
        return None
    _, group = np.unique(np.arange(len(x)) if groups is None else np.asarray(groups), return_inverse=True)
    won, pairs = _pairs(x, y, np.zeros(len(x)) if strata is None else np.asarray(strata), group)
    drawn = np.random.default_rng(seed).integers(len(won), size=(resamplings, len(won)))
    cells = drawn + len(won) * np.arange(resamplings)[:, None]
    times = np.bincount(cells.ravel(), minlength=cells.size).reshape(cells.shape).astype(float)
    compared = ((times @ pairs) * times).sum(1)
    found = compared > 0  # a resampling without a pair says nothing
    draws = ((times[found] @ won) * times[found]).sum(1) / compared[found]
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def _pairs(
    x: Float[np.ndarray, " n"], y: Bool[np.ndarray, " n"], strata: Num[np.ndarray, " n"], group: Int[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "g g"], Float[np.ndarray, "g g"]]:
    """Of every two groups: how many pairs of the same stratum are in order, and how many pairs there are."""
    won, pairs = np.zeros((2, group.max() + 1, group.max() + 1))
    for name in np.unique(strata):
        good, bad = np.flatnonzero(y & (strata == name)), np.flatnonzero(~y & (strata == name))
        above = np.subtract.outer(x[good], x[bad])
        places = np.ix_(group[good], group[bad])
        np.add.at(won, places, (np.sign(above) + 1) / 2)
        np.add.at(pairs, places, 1.0)
    return won, pairs


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rank correlation of two columns of equal length, in [-1, 1].

    None where it means nothing: fewer than three pairs, or a column whose numbers are all the same.
    """
    if len(first) < 3 or any(len(set(column)) == 1 for column in (first, second)):
        return None
    return float(spearmanr(first, second).statistic)
