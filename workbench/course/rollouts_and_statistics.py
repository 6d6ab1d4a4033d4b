"""Exercises of notebook 08: what a number of episodes can tell."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import binom

from workbench.course.exercise import Exercise, expect, same
from workbench.statistics import mcnemar, wilson

Z = 1.959964


def _wald(successes: int, episodes: int) -> np.ndarray:
    """The interval that many textbooks begin with, and that fails near 0 and 1."""
    rate = successes / episodes
    reach = Z * np.sqrt(rate * (1 - rate) / episodes)
    return np.array([rate - reach, rate + reach])


def _wilson(answer: Callable[[int, int], Sequence[float]]) -> str:
    given = np.asarray(answer(9, 10), float)
    if given.shape != (2,):
        return f"Expected two numbers, the lower and the upper end; got {given}."
    right = np.array(wilson(9, 10))
    if same(given, right, 2e-3) and same(answer(0, 5), wilson(0, 5), 2e-3):
        return ""
    if same(given, _wald(9, 10), 2e-3) or same(given, np.clip(_wald(9, 10), 0, 1), 2e-3):
        return "That is rate ± z · standard error: at 9 of 10 it reaches beyond 1, at 10 of 10 it claims to be certain."
    if same(given, right[::-1], 2e-3):
        return "Turned round: the lower end comes first."
    if same(given, np.mean(right) + (right - np.mean(right)) / Z, 2e-3):
        return "You left out z in the half width: that is an interval of 68 %, not 95 %."
    return f"9 of 10 should give {right.round(3)}; yours gives {given.round(3)}."


def _pairs(answer: Callable[[np.ndarray, np.ndarray], Sequence[int]]) -> str:
    first = np.array([True, True, False, False, True, False, True])
    second = np.array([True, False, True, True, True, True, True])
    said = answer(first, second)
    if np.shape(said) != (2,):
        return f"Expected two numbers, gained and lost; got {said}."
    given = tuple(int(number) for number in said)
    if given == (3, 1):
        return ""
    if given == (1, 3):
        return "Turned round: gained are the episodes that only the second one solves."
    if given == (6, 4):
        return "Those are the successes of both; the pairs that agree say nothing about the difference."
    if given == (2, 0):
        return "The difference of the successes is only gained less lost: the two numbers are wanted."
    return f"Of these seven pairs the second one gains 3 and loses 1; yours says {given}."


def _mcnemar(answer: Callable[[int, int], float]) -> str:
    given, right = float(answer(3, 1)), mcnemar(3, 1)
    if same(given, right, 1e-3) and same(float(answer(8, 1)), mcnemar(8, 1), 1e-3):
        even = float(answer(2, 2))
        return "" if same(even, 1.0) else f"A probability ends at 1: for 2 gained and 2 lost yours says {even:.3g}."
    if same(given, right / 2, 1e-3):
        return "That is one side; losing 3 and gaining 1 would have been as surprising: both sides count."
    if same(given, float(binom.pmf(3, 4, 0.5)), 1e-3) or same(given, float(2 * binom.pmf(3, 4, 0.5)), 1e-3):
        return "That is the chance of exactly this split; *at least* so uneven is asked for: add the more uneven ones."
    if given > 1:
        return "A probability ends at 1; where both are equal, every split is at least so uneven."
    return f"For 3 gained and 1 lost it should be {right:.3f}; yours says {given:.3g}."


EXERCISES = (
    Exercise(
        name="episodes_needed",
        title="How many episodes?",
        difficulty=1,
        hint="1.96 times the standard error, sqrt(0.25 / n), shall be 0.05. Solve for n.",
        solution="answer = 0.25 * (1.96 / 0.05) ** 2",
        mistakes=("answer = 20", "answer = 0.25 * (1.96 / 0.025) ** 2", "answer = 0.25 / 0.05**2"),
        check=expect(
            384,
            [
                (
                    20,
                    "That is 1 / 0.05; the error goes down with the root of the number of episodes.",
                ),
                (1537, "That is for ± 2.5 points: half of the width counts."),
                (100, "You left out the 1.96: ± one standard error is an interval of 68 % only."),
                (96, "That is for ± 10 points."),
            ],
            otherwise="Solve 1.96 · sqrt(0.25 / n) = 0.05 for n.",
            within=0.01,
        ),
    ),
    Exercise(
        name="wilson_interval",
        title="Wilson's interval",
        difficulty=2,
        hint="Put z = 1.96 into the formula above, line by line: the middle first, then the half width.",
        solution="""
def answer(successes, episodes):
    z, rate = 1.96, successes / episodes
    middle = (rate + z**2 / (2 * episodes)) / (1 + z**2 / episodes)
    reach = z / (1 + z**2 / episodes) * np.sqrt(rate * (1 - rate) / episodes + z**2 / (4 * episodes**2))
    return middle - reach, middle + reach
""",
        mistakes=(
            """
def answer(successes, episodes):
    rate = successes / episodes
    reach = 1.96 * np.sqrt(rate * (1 - rate) / episodes)
    return rate - reach, rate + reach
""",
            """
def answer(successes, episodes):
    z, rate = 1.96, successes / episodes
    middle = (rate + z**2 / (2 * episodes)) / (1 + z**2 / episodes)
    reach = 1 / (1 + z**2 / episodes) * np.sqrt(rate * (1 - rate) / episodes + z**2 / (4 * episodes**2))
    return middle - reach, middle + reach
""",
            "def answer(successes, episodes): return successes / episodes, 1.0",
        ),
        check=_wilson,
    ),
    Exercise(
        name="gained_and_lost",
        title="Gained and lost",
        difficulty=1,
        hint="`second & ~first` are the episodes that only the second one solves.",
        solution="""
def answer(first, second):
    return (second & ~first).sum(), (first & ~second).sum()
""",
        mistakes=(
            "def answer(first, second): return (first & ~second).sum(), (second & ~first).sum()",
            "def answer(first, second): return second.sum(), first.sum()",
            "def answer(first, second): return (first != second).sum()",
            "def answer(first, second): return max(second.sum() - first.sum(), 0), max(first.sum() - second.sum(), 0)",
        ),
        check=_pairs,
    ),
    Exercise(
        name="coin_toss",
        title="More than a coin toss?",
        difficulty=3,
        hint="`binom.cdf(min(gained, lost), gained + lost, 0.5)` is one side. Twice that, but at most 1.",
        solution="""
def answer(gained, lost):
    return min(1.0, 2 * binom.cdf(min(gained, lost), gained + lost, 0.5))
""",
        mistakes=(
            "def answer(gained, lost): return binom.cdf(min(gained, lost), gained + lost, 0.5)",
            "def answer(gained, lost): return binom.pmf(gained, gained + lost, 0.5)",
            "def answer(gained, lost): return 1 - gained / (gained + lost)",
            "def answer(gained, lost): return 2 * binom.cdf(min(gained, lost), gained + lost, 0.5)",
        ),
        check=_mcnemar,
    ),
)
