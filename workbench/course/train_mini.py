"""Exercises of notebook 06: noise levels, mixtures, the weight of an error, what a value is trained towards."""

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.course.exercise import Exercise, expect, shaped
from workbench.data.windows import future_index, returns


def _weight(answer: Callable[[np.ndarray], Any]) -> str:
    sigma = np.array([0.5, 1.0, 4.0, 80.0])
    given = answer(sigma)
    if wrong := shaped(given, sigma.shape):
        return wrong
    given, t = np.asarray(given, float), sigma / (1 + sigma)
    if np.allclose(given, 1 / t**2):
        return ""
    if np.allclose(given, t**2):
        return "Turned over: the error of the data is t times the error of the velocity, so it is divided by t squared."
    if np.allclose(given, 1 / t):
        return "The error is squared, so what it is divided by is squared, too."
    if np.allclose(given, 1 / sigma**2):
        return "Those are the weights of a network that predicts the noise; here it predicts noise - data."
    if np.allclose(given, 1.0):
        return "Equal weights let the high noise levels rule: nobody can know the data there, and the error is large."
    return f"At sigma = 1 (t = 0.5) the weight is 4; yours is {given[1]:.4g}."


def _target(answer: Callable[[int, int, int, float], float]) -> str:
    def given(step: int) -> float:
        return float(answer(70, step, 8, 0.98))

    def right(step: int) -> float:
        return 2 * float(returns(70, True, 0.98)[future_index(step, 70, 8)]) - 1

    if np.isclose(given(20), right(20)) and np.isclose(given(65), right(65)):
        return ""
    if np.isclose(given(20), right(20)):
        return "Right in the middle of the episode. Near its end the future step is the last one: it cannot lie beyond."
    if np.isclose(given(20), (right(20) + 1) / 2):
        return "That is the value in [0, 1]; in the latent frame it lies in [-1, 1]."
    if np.isclose(given(20), 2 * 0.98**49 - 1):
        return "That is the return of the present step; the value belongs to the future, a chunk later."
    if np.isclose(given(20), 2 * 0.98**28 - 1):
        return "That counts the steps from the beginning; what counts are the steps that are left."
    if np.isclose(given(20), 2 * 0.98**42 - 1):
        return "One step too many: steps count from 0, so the last one of 70 is step 69."
    return f"At step 20 of 70 it should be {right(20):.4f}; yours is {given(20):.4f}."


EXERCISES = (
    Exercise(
        name="median_level",
        title="The middle noise level",
        difficulty=1,
        hint="exp of a normal number with mean ln 4 has the median 4. Then comes the square root of the frames.",
        solution="answer = 4 * 9**0.5",
        mistakes=("answer = 4", "answer = 4 * 9", "answer = math.log(4) * 3"),
        check=expect(
            12,
            [
                (4, "That is before the factor: nine frames multiply every level by the square root of 9."),
                (36, "The factor is the square root of the number of frames, not the number itself."),
                (np.log(4) * 3, "ln 4 is the mean of the logarithm; the level itself is exp of that."),
                (4 * np.exp(1.2**2 / 2) * 3, "That is the mean of the log-normal; the median is exp(mean of the log)."),
            ],
            otherwise="The median before the factor is 4; multiply by the square root of 9.",
            within=1e-3,
        ),
    ),
    Exercise(
        name="value_share",
        title="How many value samples?",
        difficulty=1,
        hint="0.9 of the samples are rollouts. Half of those are asked as a world model.",
        solution="answer = 0.9 * 0.5",
        mistakes=("answer = 0.9", "answer = 0.5", "answer = 0.1 * 0.5"),
        check=expect(
            0.45,
            [
                (0.9, "Those are all rollout samples; half of them train the world model."),
                (0.5, "Half of the rollout samples, and those are 0.9 of all."),
                (0.05, "That is half of the demonstrations; they are policy samples, always."),
                (45, "A share between 0 and 1 is wanted, not per cent."),
            ],
            otherwise="Rollouts are 0.9 of the samples, and the coin gives half of them to the value.",
        ),
    ),
    Exercise(
        name="loss_weight",
        title="The weight of an error",
        difficulty=2,
        hint="D differs from the data by t times what the velocity differs by. Both errors are squared.",
        solution="""
def answer(sigma):
    return ((1 + sigma) / sigma) ** 2
""",
        mistakes=(
            "def answer(sigma): return (sigma / (1 + sigma)) ** 2",
            "def answer(sigma): return (1 + sigma) / sigma",
            "def answer(sigma): return 1 / sigma**2",
            "def answer(sigma): return np.ones_like(sigma)",
        ),
        check=_weight,
    ),
    Exercise(
        name="weighs_less",
        title="One frame of nine",
        difficulty=2,
        hint="Both means divide by all nine frames; count the frames that add something.",
        solution="answer = 1 / 5",
        mistakes=("answer = 1", "answer = 1 / 9", "answer = 1 / 4"),
        check=expect(
            0.2,
            [
                (1, "It would be so if the mean were taken over the scored frames; it is taken over all nine."),
                (1 / 9, "Nine frames, but a policy sample is not scored on all of them: four are given."),
                (0.25, "Count again: actions, future proprio, two future pictures and the value."),
                (5, "Turned over: the value sample weighs less."),
            ],
            otherwise="A value sample has one frame that adds something, a policy sample has five.",
        ),
    ),
    Exercise(
        name="future_value",
        title="What the value is trained towards",
        difficulty=3,
        hint="The future step is min(step + chunk, length - 1). From there, length - 1 - future steps are left.",
        solution="""
def answer(length, step, chunk, gamma):
    future = min(step + chunk, length - 1)
    return 2 * gamma ** (length - 1 - future) - 1
""",
        mistakes=(
            "def answer(length, step, chunk, gamma): return 2 * gamma ** (length - 1 - step) - 1",
            "def answer(length, step, chunk, gamma): return 2 * gamma ** (length - 1 - step - chunk) - 1",
            "def answer(length, step, chunk, gamma): return gamma ** (length - 1 - min(step + chunk, length - 1))",
            "def answer(length, step, chunk, gamma): return 2 * gamma ** min(step + chunk, length - 1) - 1",
        ),
        check=_target,
    ),
)
