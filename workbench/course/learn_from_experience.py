"""Exercises of notebook 07: labels of rollouts, calibration, and how often a failure is seen."""

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.course.exercise import Exercise, expect, same, shaped
from workbench.data.windows import returns
from workbench.statistics import calibration_error


def _labels(answer: Callable[[int, bool, float], Any]) -> str:
    right, failed = returns(5, True, 0.9), np.zeros(5)
    given = answer(5, True, 0.9)
    if wrong := shaped(given, (5,)):
        return wrong
    given, lost = np.asarray(given, float), np.asarray(answer(5, False, 0.9), float)
    if np.allclose(given, right[::-1]):
        return "Turned round in time: success is nearest at the last step, so the last label is 1."
    if np.allclose(given, 0.9 * right):
        return "One step too many: at the last step the task is solved, nothing is left to wait for."
    if np.allclose(given, 1.0):
        return "Without discount every step of a success is worth 1, and faster plans are worth no more than slow ones."
    if np.allclose(given, 2 * right - 1):
        return "In [-1, 1] they are in the latent frame only; here they are wanted in [0, 1]."
    if not np.allclose(given, right):
        return f"A success of 5 steps at gamma = 0.9 should be {right.round(3)}; yours is {given.round(3)}."
    if lost.shape == failed.shape and np.allclose(lost, failed):
        return ""
    return "Right for a success; a failure never succeeds, so it is worth 0 at every step."


def _calibration(answer: Callable[..., float]) -> str:
    random = np.random.default_rng(0)
    values = random.random(100) ** 2
    truth = (random.random(100) < 0.25 + 0.4 * values).astype(float)  # low values are too low, high ones too high
    given, right = float(answer(values, truth, 5)), calibration_error(values, truth, bins=5)
    parts = np.array_split(np.argsort(values), 5)
    signed = float(np.mean([values[part].mean() - truth[part].mean() for part in parts]))
    unsorted = [abs(v.mean() - t.mean()) for v, t in zip(np.split(values, 5), np.split(truth, 5), strict=True)]
    wide = [np.flatnonzero((5 * values).astype(int) == bin) for bin in range(5)]
    equally_wide = sum(len(part) * abs(values[part].mean() - truth[part].mean()) for part in wide) / len(values)
    if same(given, right, 1e-6):
        return ""
    if same(given, np.abs(values - truth).mean(), 1e-6):
        return "That is the error one by one; an honest 0.5 is wrong each time, yet calibrated. Average in bins first."
    if same(given, signed, 1e-6):
        return "Too hopeful and too gloomy bins cancel in yours: take the distance in every bin."
    if same(given, float(np.mean(unsorted)), 1e-6):
        return "Sort by value before you cut into bins: a bin holds what was promised alike."
    if same(given, equally_wide, 1e-6):
        return "Your bins are equally wide; cut the sorted questions into bins of equally many."
    return f"For the example it should be {right:.4f}; yours is {given:.4f}."


def _factor(answer: Callable[[np.ndarray, np.ndarray], float]) -> str:
    values, truth = np.array([0.2, 0.5, 0.8, 0.9]), np.array([0.0, 0.3, 0.7, 0.4])
    given, right = float(answer(values, truth)), float(values @ truth / (values @ values))
    if same(given, right, 1e-6):
        return ""
    if same(given, truth.mean() / values.mean(), 1e-6):
        return "That makes the means equal; the smallest squared error is another factor."
    if same(given, values @ truth / (truth @ truth), 1e-6):
        return "Turned round: that predicts values from returns."
    if same(given, float(np.polyfit(values, truth, 1)[0]), 1e-6):
        return "That is the slope of a line with an offset; here a value of 0 shall stay 0."
    if same(given, float(np.corrcoef(values, truth)[0, 1]), 1e-6):
        return "A correlation does not know units; it is no factor."
    return f"For the example it should be {right:.4f}; yours is {given:.4f}."


EXERCISES = (
    Exercise(
        name="label_returns",
        title="Label a rollout",
        difficulty=1,
        hint="At the last step nothing is left to wait for: gamma to the power 0. Failures are 0 throughout.",
        solution="""
def answer(length, success, gamma):
    return success * gamma ** np.arange(length - 1, -1, -1)
""",
        mistakes=(
            "def answer(length, success, gamma): return success * gamma ** np.arange(length)",
            "def answer(length, success, gamma): return success * gamma ** np.arange(length, 0, -1)",
            "def answer(length, success, gamma): return np.full(length, float(success))",
            "def answer(length, success, gamma): return 2 * (success * gamma ** np.arange(length - 1, -1, -1)) - 1",
            "def answer(length, success, gamma): return gamma ** np.arange(length - 1, -1, -1)",
        ),
        check=_labels,
    ),
    Exercise(
        name="calibration",
        title="The calibration error",
        difficulty=2,
        hint="`np.array_split(np.argsort(values), bins)` are the bins, as numbers of decisions.",
        solution="""
def answer(values, returns, bins):
    parts = np.array_split(np.argsort(values), bins)
    return sum(len(part) * abs(values[part].mean() - returns[part].mean()) for part in parts) / len(values)
""",
        mistakes=(
            "def answer(values, returns, bins): return np.abs(values - returns).mean()",
            """
def answer(values, returns, bins):
    parts = np.array_split(np.argsort(values), bins)
    return np.mean([values[part].mean() - returns[part].mean() for part in parts])
""",
            """
def answer(values, returns, bins):
    pairs = zip(np.array_split(values, bins), np.array_split(returns, bins), strict=True)
    return np.mean([abs(v.mean() - r.mean()) for v, r in pairs])
""",
            """
def answer(values, returns, bins):
    which = np.digitize(values, np.linspace(0, 1, bins + 1)[1:-1])
    parts = [which == bin for bin in range(bins)]
    return sum(part.sum() * abs(values[part].mean() - returns[part].mean()) for part in parts) / len(values)
""",
        ),
        check=_calibration,
    ),
    Exercise(
        name="best_factor",
        title="One factor",
        difficulty=2,
        hint="Set the derivative of the sum of (returns - factor · values) squared to 0 and solve for the factor.",
        solution="""
def answer(values, returns):
    return (values * returns).sum() / (values**2).sum()
""",
        mistakes=(
            "def answer(values, returns): return returns.mean() / values.mean()",
            "def answer(values, returns): return (values * returns).sum() / (returns**2).sum()",
            "def answer(values, returns): return np.polyfit(values, returns, 1)[0]",
        ),
        check=_factor,
    ),
    Exercise(
        name="seen_again",
        title="How often is a failure seen?",
        difficulty=3,
        hint="Demonstrations are 0.1 of the epoch, so the epoch has 80000 items; 0.45 of them are failures.",
        solution="answer = 0.45 * 8000 / 0.1 / 500",
        mistakes=("answer = 12", "answer = 1", "answer = 4.5", "answer = 8000 / 500"),
        check=expect(
            72,
            [
                (12, "That is how much more often than a success; a success is seen several times, too."),
                (1, "Small parts are cycled until they have their share: nothing of the larger ones is left out."),
                (4.5, "That is the ratio of the shares; the numbers of steps differ, too."),
                (16, "With equal shares it would be so; failures have 0.45, demonstrations 0.1."),
                (6, "That is how often a successful step is seen."),
            ],
            otherwise="Count the failed items of an epoch of which 8000 demonstration steps are 0.1; divide by 500.",
            within=1e-3,
        ),
    ),
)
