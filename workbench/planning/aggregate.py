"""From many value samples of one candidate to the number that it is ranked by (METHOD.md 7)."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

SUCCESS = np.float32(0.05)
"""A value sample above this foresees success (upstream's threshold; compared in float32, as upstream does)."""

Scores = Float[np.ndarray, "..."] | np.floating
"""One number a set of samples; a plain one where there is one set."""


def average(values: Float[np.ndarray, "... m"]) -> Scores:
    """Mean of all samples."""
    return values.mean(-1)


def lcb(values: Float[np.ndarray, "... m"]) -> Scores:
    """Lower confidence bound: mean minus one (unbiased) standard deviation; of one sample, the sample."""
    if values.shape[-1] == 1:
        return values[..., 0]
    return values.mean(-1) - values.std(-1, ddof=1)


def success_vote(values: Float[np.ndarray, "... m"]) -> Scores:
    """Share of samples that foresee success."""
    return (values > SUCCESS).mean(-1)


def majority_mean(values: Float[np.ndarray, "... m"]) -> Scores:
    """Mean of the samples that foresee success if at least half do, else 0: the paper's default."""
    good = values > SUCCESS
    mean = (values * good).sum(-1) / good.sum(-1).clip(1)
    return np.where(good.mean(-1) >= 0.5, mean, 0.0)


AGGREGATIONS = {
    "majority_mean": majority_mean,
    "average": average,
    "lcb": lcb,
    "success_vote": success_vote,
}


def aggregate(values: Float[np.ndarray, "... m"], rule: str) -> Float[np.ndarray, " ..."]:
    """Value in [0, 1] of each set of samples, which are in [0, 1], under the named rule."""
    if rule not in AGGREGATIONS:
        raise ValueError(f"aggregation: expected one of {', '.join(AGGREGATIONS)}; got {rule!r}")
    return np.asarray(np.clip(AGGREGATIONS[rule](np.asarray(values, np.float32)), 0, 1))


def choose(values: Float[np.ndarray, "n m"]) -> Mapping[str, int]:
    """Which candidate every rule would take; ties go to the lowest index, as upstream's do."""
    return {rule: int(aggregate(values, rule).argmax()) for rule in AGGREGATIONS}


def margin(values: Float[np.ndarray, "n m"], rule: str, *, same_noise: bool = False, draws: int = 1000) -> float:
    """Share of bootstrap resamplings of the samples in which the chosen candidate wins; ties share.

    Says how much of a coin toss the choice is, given this many samples. With one sample a candidate
    there is nothing to resample and the answer is 1. `same_noise`: sample k of all candidates comes from the same
    noise, so that they are resampled together.
    """
    best = int(aggregate(values, rule).argmax())
    candidates, samples = values.shape
    picks = np.random.default_rng(0).integers(samples, size=(draws, 1 if same_noise else candidates, samples))
    picks = np.broadcast_to(picks, (draws, candidates, samples))
    scores = aggregate(np.take_along_axis(values[None], picks, 2), rule)
    winners = scores == scores.max(1, keepdims=True)
    return float((winners[:, best] / winners.sum(1)).mean())
