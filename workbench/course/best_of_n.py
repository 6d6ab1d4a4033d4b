"""Exercises of notebook 05: what a decision costs, how samples become a value, and whether the choice was right."""

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.course.exercise import Exercise, expect, same
from workbench.planning.aggregate import lcb, majority_mean
from workbench.planning.settings import PlanSettings


def _majority(answer: Callable[[np.ndarray], Any]) -> str:
    split = np.array([0.0, 0.01, 0.02, 0.5, 0.6, 0.7])
    doubt = np.array([0.0, 0.01, 0.02, 0.03, 0.6, 0.7])
    low, many = np.array([0.06, 0.1, 0.2, 0.3]), np.full(16, 0.2)
    given = [float(answer(samples)) for samples in (split, doubt, low, many)]
    if same(given, [float(majority_mean(samples)) for samples in (split, doubt, low, many)], 1e-3):
        return ""
    if same(given[0], float(split.mean()), 1e-3):
        return "The failures are in your mean: only the samples that foresee success are averaged."
    if same(given[1], 0.65, 1e-3):
        return "Where most samples foresee failure the value is 0; yours averages the few hopeful ones."
    if same(given[2], 0.0, 1e-3) and same(given[3], 0.2, 1e-3):
        return "Half of the samples, however many there are: with 4 samples that is 2."
    if any(same(given[2], mean, 1e-3) for mean in (0.0, 0.2, 0.25)):
        return "The threshold is 0.05: a sample of 0.1 foresees a late success, not a failure."
    if same(given[0], 0.0, 1e-3):
        return "Exactly half of the samples is enough: at least half, not more than half."
    return f"Of {split} three of six foresee success, mean 0.6; your rule says {given[0]:.3g}."


def _lower(answer: Callable[[np.ndarray], Any]) -> str:
    samples = np.array([0.2, 0.5, 0.6])  # the lowest of them is not the bound
    given, right = float(answer(samples)), float(lcb(samples))
    if same(given, right, 1e-4):
        return ""
    if same(given, float(2 * samples.mean() - right), 1e-4):
        return "Plus makes it an upper bound: doubt should count against a candidate."
    if same(given, float(samples.mean() - samples.std()), 1e-4):
        return "numpy divides by m unless told otherwise; of a sample one divides by m - 1: std(ddof=1)."
    if same(given, float(samples.mean() - samples.std(ddof=1) / 3**0.5), 1e-4):
        return "That is the standard error of the mean; the rule takes off one whole standard deviation."
    return f"Mean less one standard deviation of {samples} is {right:.3f}; yours says {given:.3f}."


def _regret(answer: Callable[[np.ndarray, int], Any]) -> str:
    worths, chosen = np.array([0.3, 0.0, 0.5, 0.4]), 3
    given = float(answer(worths, chosen))
    if same(given, 0.1, 1e-4):
        return "" if float(answer(worths, 2)) == 0 else "Whoever chose the best has nothing to regret: expected 0."
    if same(given, -0.1, 1e-4):
        return "The sign is turned round: regret is never negative."
    if same(given, 0.4, 1e-4):
        return "That is what the choice was worth; regret is what was left lying."
    if same(given, float(worths.mean() - 0.4), 1e-4) or same(given, float(0.4 - worths.mean()), 1e-4):
        return "Compared with the average candidate that is the gain; regret compares with the best one."
    return f"The best was worth 0.5, the chosen 0.4: regret 0.1; yours says {given:.3g}."


def _one_of_n(answer: Callable[[float, int], Any]) -> str:
    given = float(answer(0.3, 8))
    if same(given, 1 - 0.7**8, 1e-4):
        return "" if same(float(answer(0.5, 1)), 0.5, 1e-6) else "With one candidate it should be p itself."
    if same(given, 2.4, 1e-4) or same(given, 1.0, 1e-6):
        return "Probabilities of events that can happen together do not add up: 8 times 0.3 is more than 1."
    if same(given, 0.3**8, 1e-4):
        return "That is the chance that all of them succeed; one is enough."
    if same(given, 0.7**8, 1e-4):
        return "That is the chance that all of them fail: you are one step away."
    return f"With p 0.3 and 8 candidates it is {1 - 0.7**8:.3f}; yours says {given:.3g}."


COST = PlanSettings().network_calls

EXERCISES = (
    Exercise(
        name="cost_of_a_decision",
        title="What a decision costs",
        difficulty=1,
        hint="For one candidate: its own calls, the calls of its futures, and for each future the calls of its values.",
        solution="answer = 8 * (5 + (1 + 3 + 5) + 3 * (1 + 2 + 3 + 4 + 5))",
        mistakes=("answer = 8 * (5 + 3 + 5)", "answer = 8 * (5 + 9 + 15)", "answer = 5 + 9 + 3 * 15"),
        check=expect(
            COST,
            [
                (8 * (5 + 3 + 5), "You counted samples; most samples take several calls."),
                (
                    8 * (5 + 9 + 15),
                    "Every one of the three futures is valued five times: the values' calls count three times.",
                ),
                (5 + 9 + 45, "That is one candidate; there are eight."),
                (
                    8 * (5 + 15 + 75),
                    "The members of an ensemble do not all take five calls: 1, 3, 5 and 1, 2, 3, 4, 5.",
                ),
            ],
            otherwise="8 times (calls of the actions + calls of the futures + 3 times the calls of the values).",
        ),
    ),
    Exercise(
        name="majority_mean",
        title="The majority's mean",
        difficulty=2,
        hint="`good = samples > 0.05`. If at least half are good, the mean of the good ones, else 0.",
        solution="""
def answer(samples):
    good = samples > 0.05
    return samples[good].mean() if good.mean() >= 0.5 else 0.0
""",
        mistakes=(
            "def answer(samples): return samples.mean()",
            "def answer(samples): return samples[samples > 0.05].mean()",
            "def answer(samples): return samples[samples > 0.5].mean() if (samples > 0.5).mean() >= 0.5 else 0.0",
            "def answer(samples): return samples[samples > 0.05].mean() if (samples > 0.05).mean() > 0.5 else 0.0",
            "def answer(samples): return samples[samples > 0.05].mean() if (samples > 0.05).sum() >= 8 else 0.0",
            "def answer(samples): return np.median(samples)",
        ),
        check=_majority,
    ),
    Exercise(
        name="lower_bound",
        title="The careful rule",
        difficulty=1,
        hint="Mean less one standard deviation. Mind numpy's `ddof`.",
        solution="""
def answer(samples):
    return samples.mean() - samples.std(ddof=1)
""",
        mistakes=(
            "def answer(samples): return samples.mean() + samples.std(ddof=1)",
            "def answer(samples): return samples.mean() - samples.std()",
            "def answer(samples): return samples.min()",
            "def answer(samples): return samples.mean() - samples.std(ddof=1) / len(samples) ** 0.5",
        ),
        check=_lower,
    ),
    Exercise(
        name="regret",
        title="Regret",
        difficulty=2,
        hint="What the best of them was worth, less what the chosen one was worth.",
        solution="""
def answer(worths, chosen):
    return worths.max() - worths[chosen]
""",
        mistakes=(
            "def answer(worths, chosen): return worths[chosen] - worths.max()",
            "def answer(worths, chosen): return worths[chosen] - worths.mean()",
            "def answer(worths, chosen): return worths[chosen]",
        ),
        check=_regret,
    ),
    Exercise(
        name="one_of_n",
        title="The ceiling of planning",
        difficulty=3,
        hint="First the chance that every single one of n independent candidates fails.",
        solution="""
def answer(p, n):
    return 1 - (1 - p) ** n
""",
        mistakes=(
            "def answer(p, n): return n * p",
            "def answer(p, n): return p**n",
            "def answer(p, n): return (1 - p) ** n",
        ),
        check=_one_of_n,
    ),
)
