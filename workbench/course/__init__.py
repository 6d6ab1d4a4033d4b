"""The course: exercises that say what is wrong, and predictions that are remembered.

    course.check("tile", answer)          judge an answer to an exercise of a notebook
    score = course.Score()                the predictions of one notebook
    score.reveal("Which won?", guess, 3)  a prediction beside the truth
    course.show(html, ...)                views in a notebook's output
    course.watch(work)                    the result of something long, which says in between what it is at

One file a notebook holds its exercises; which notebook asks them is in `LESSONS`.
"""

from collections.abc import Generator
from typing import Any, TypeVar

from workbench.control import tap
from workbench.course import (
    best_of_n,
    denoise,
    encode_and_inject,
    latent_sequence,
    learn_from_experience,
    policy_world_model_value,
    rollouts_and_statistics,
    the_2b_model,
    tour,
    train_mini,
)
from workbench.course.exercise import Exercise
from workbench.course.score import Score
from workbench.course.verdict import Verdict
from workbench.planning import run
from workbench.views.page import fragment

LESSONS: dict[str, tuple[Exercise, ...]] = {
    "00_tour": tour.EXERCISES,
    "01_latent_sequence": latent_sequence.EXERCISES,
    "02_encode_and_inject": encode_and_inject.EXERCISES,
    "03_denoise": denoise.EXERCISES,
    "04_policy_world_model_value": policy_world_model_value.EXERCISES,
    "05_best_of_n": best_of_n.EXERCISES,
    "06_train_mini": train_mini.EXERCISES,
    "07_learn_from_experience": learn_from_experience.EXERCISES,
    "08_rollouts_and_statistics": rollouts_and_statistics.EXERCISES,
    "09_the_2b_model": the_2b_model.EXERCISES,
}
"""Notebook to its exercises, in order."""

EXERCISES = {exercise.name: exercise for exercises in LESSONS.values() for exercise in exercises}


def check(name: str, answer: Any) -> Verdict:
    """Judge `answer`; `...` or None is no answer yet. ValueError lists the exercises if there is none of that name."""
    if name not in EXERCISES:
        raise ValueError(f"exercise: expected one of {', '.join(EXERCISES)}; got {name!r}")
    return EXERCISES[name].grade(answer)


Result = TypeVar("Result")


def watch(work: Generator[object, None, Result]) -> Result:
    """Exhaust a generator of events, print each, and return its result."""
    return run(tap(work, print))


def show(*views: str) -> None:
    """Display views, one below another, with the style sheet and script that they need."""
    from IPython.display import HTML, display

    display(HTML(fragment("".join(views))))


__all__ = ["EXERCISES", "LESSONS", "Exercise", "Score", "Verdict", "check", "show", "watch"]
