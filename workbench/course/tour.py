"""Exercises of notebook 00: a question is what is given, a choice is the best mean, and whether values know."""

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.course.exercise import Exercise, expect, same


def _choice(answer: Callable[[np.ndarray], Any]) -> str:
    samples = np.array([[0.5, 0.5, 0.5], [0.9, 0.1, 0.2], [0.6, 0.7, 0.65]])
    given = answer(samples)
    if np.ndim(given) != 0:
        return "Return one number, the index of the chosen candidate; yours returns several."
    if same(given, 2):
        return (
            ""
            if same(answer(samples[::-1]), 0)
            else "Give the candidates in another order, too: the index moves along."
        )
    if same(given, samples.mean(1).max(), 1e-4):
        return "That is the value of the best candidate; asked is which one it is: its index."
    if same(given, 1):
        return "You took the one with the single highest sample, the lucky one: compare the means of the rows."
    if same(given, 3):
        return "Nearly: Python counts from 0, so the third row has the index 2."
    return f"Of means 0.5, 0.4 and 0.65 the third is the highest, index 2; yours says {given}."


def _order(answer: Callable[[np.ndarray, np.ndarray], Any]) -> str:
    values, won = np.array([0.9, 0.2, 0.6, 0.4]), np.array([True, True, False, False])
    given = float(answer(values, won))
    if same(given, 0.5, 1e-6):
        right = same(
            float(answer(np.array([0.9, 0.7, 0.8, 0.1, 0.2]), np.array([True, True, False, False, False]))), 5 / 6
        )
        return "" if right else "With two successes and three failures there are six pairs: divide by their number."
    if same(given, 2.0):
        return "That counts the pairs that are in order; asked is their share of all pairs."
    if same(given, 2 / 6, 1e-4) or same(given, 2 / 12, 1e-4) or same(given, 2 / 16, 1e-4):
        return "Pair every success with every failure, two times two here: two successes are no pair."
    return (
        f"Pairs (0.9, 0.6) and (0.9, 0.4) are in order, (0.2, 0.6) and (0.2, 0.4) are not: 0.5; yours says {given:.3g}."
    )


EXERCISES = (
    Exercise(
        name="given_to_the_world_model",
        title="What a world model is given",
        difficulty=1,
        hint="What the policy is given, and one frame more: what the robot does.",
        solution="answer = {0, 1, 2, 3, 4}",
        mistakes=(
            "answer = {0, 1, 2, 3}",
            "answer = {4}",
            "answer = {1, 2, 3, 4}",
            "answer = {0, 1, 2, 3, 4, 5, 6, 7}",
        ),
        check=expect(
            {0, 1, 2, 3, 4},
            [
                ({0, 1, 2, 3}, "That is what the policy is given; a world model is also told the actions."),
                ({4}, "The actions are given, and so is the present that they start from."),
                ({1, 2, 3, 4}, "The blank frame is always known, too: it carries no information."),
                (
                    {0, 1, 2, 3, 4, 5, 6, 7},
                    "The future is what it is asked for: frames 5, 6 and 7 have to be denoised.",
                ),
            ],
            otherwise="A set of indices: the blank frame, the present (proprio and cameras) and the actions.",
        ),
    ),
    Exercise(
        name="choose_by_the_mean",
        title="The choice, by hand",
        difficulty=1,
        hint="`samples.mean(axis=1)` is one mean a candidate; `argmax` says where the highest is.",
        solution="""
def answer(samples):
    return samples.mean(axis=1).argmax()
""",
        mistakes=(
            "def answer(samples): return samples.max(axis=1).argmax()",
            "def answer(samples): return samples.mean(axis=1).max()",
            "def answer(samples): return samples.mean(axis=1).argmax() + 1",
            "def answer(samples): return samples.mean(axis=1)",
        ),
        check=_choice,
    ),
    Exercise(
        name="values_in_order",
        title="Do the values know?",
        difficulty=2,
        hint="`values[won][:, None] > values[~won]` compares every success with every failure.",
        solution="""
def answer(values, won):
    return (values[won][:, None] > values[~won]).mean()
""",
        mistakes=(
            "def answer(values, won): return (values[won][:, None] > values[~won]).sum()",
            "def answer(values, won): return (values[:, None] > values)[won][:, ~won].sum() / len(values) ** 2",
            "def answer(values, won): return float(values[won].mean() > values[~won].mean())",
        ),
        check=_order,
    ),
)
