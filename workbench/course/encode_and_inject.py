"""Exercises of notebook 02: the tokenizer's time, normalisation, what a value means, what precision survives."""

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.course.exercise import Exercise, expect, shaped


def _normalise(answer: Callable[[np.ndarray, np.ndarray, np.ndarray], Any]) -> str:
    low, high = np.array([-0.1, 0.0, 2.0]), np.array([0.3, 1.0, 6.0])
    x = np.array([[-0.1, 0.5, 6.0], [0.1, 1.5, 3.0]])
    right = np.array([[-1.0, 0.0, 1.0], [0.0, 2.0, -0.5]])
    given = answer(x, low, high)
    if wrong := shaped(given, right.shape):
        return wrong
    given = np.asarray(given, float)
    if np.allclose(given, right):
        return ""
    if np.allclose(given, (right + 1) / 2):
        return "That maps the range to 0 ... 1; the latents' range is -1 ... 1."
    if np.allclose(given, right.clip(-1, 1)):
        return "Nothing is clipped: a number beyond what the demonstrations had lands beyond 1, and can be read back."
    if np.allclose(given, -right):
        return "The sign is turned round: the minimum belongs at -1."
    return f"low should become -1, high 1 and their middle 0; yours gives {given[0].round(2)} for low, middle, high."


def _changes(answer: Any) -> str:
    right, given = set(range(3, 9)), {answer} if isinstance(answer, int) else set(answer)
    if given == right:
        return ""
    if given == {3}:
        return "So it is with the mini's tokenizer, which takes each picture by itself; this one looks back."
    if given == {0, 1, 2, 3}:
        return "The wrong way round: it looks back, so what comes later changes."
    if before := sorted(given & {0, 1, 2}, key=str):
        return f"Frame {before[0]} comes before the change: a causal tokenizer has not seen it yet."
    if 3 not in given:
        return "Frame 3 holds the changed picture itself."
    if missing := sorted(right - given):
        return f"Frame {missing[0]} comes later: it looks back on all frames before it, frame 3 among them."
    return "There are nine frames, counted from 0: the last one is frame 8."


EXERCISES = (
    Exercise(
        name="pictures_of_a_video",
        title="Pictures of a video",
        difficulty=1,
        hint="The first latent frame stands for one picture, each of the others for four.",
        solution="answer = 1 + 4 * (11 - 1)",
        mistakes=("answer = 44", "answer = 11", "answer = 40"),
        check=expect(
            41,
            [
                (44, "The first latent frame stands for one picture only: that is why frame 0 is blank."),
                (40, "You left out the picture of the first latent frame."),
                (11, "That is the number of latent frames; from the second on each stands for four pictures."),
                (33, "That is LIBERO's video, with 9 latent frames."),
            ],
            otherwise="One picture for the first latent frame, four for each of the others.",
        ),
    ),
    Exercise(
        name="who_changes",
        title="Who changes?",
        difficulty=2,
        hint="A causal tokenizer looks back, never ahead.",
        solution="answer = {3, 4, 5, 6, 7, 8}",
        mistakes=(
            "answer = {3}",
            "answer = {4, 5, 6, 7, 8}",
            "answer = set(range(9))",
            "answer = {0, 1, 2, 3}",
            "answer = {3, 4}",
            "answer = 3",
        ),
        check=_changes,
    ),
    Exercise(
        name="normalise",
        title="From metres to -1 ... 1",
        difficulty=1,
        hint="First to 0 ... 1: subtract low, divide by the span. Then stretch and shift.",
        solution="""
def answer(x, low, high):
    return 2 * (x - low) / (high - low) - 1
""",
        mistakes=(
            "def answer(x, low, high): return (x - low) / (high - low)",
            "def answer(x, low, high): return np.clip(2 * (x - low) / (high - low) - 1, -1, 1)",
            "def answer(x, low, high): return (x - x.mean(0)) / x.std(0)",
        ),
        check=_normalise,
    ),
    Exercise(
        name="value_target",
        title="What the value should say",
        difficulty=2,
        hint="The value belongs to the future state: the one at step 20 + 8. How many steps are left from there?",
        solution="answer = 0.98 ** (59 - (20 + 8))",
        mistakes=("answer = 0.98 ** (59 - 20)", "answer = 2 * 0.98 ** 31 - 1", "answer = 1.0"),
        check=expect(
            0.98**31,
            [
                (
                    0.98**39,
                    "That counts from the decision; the value is asked about the state after the chunk, 8 steps on.",
                ),
                (2 * 0.98**31 - 1, "That is the number in the latent; as a value it is in 0 ... 1."),
                (1.0, "1 is the value of the successful state itself; this state is some steps before it."),
                (0.98**32, "One too many: from step 28 to step 59 it is 31 steps."),
            ],
            otherwise="gamma to the power of the steps that are left after the chunk.",
            within=1e-4,
        ),
    ),
    Exercise(
        name="what_rounding_costs",
        title="What rounding costs",
        difficulty=3,
        hint="In 0.5 ... 1 neighbours are 1/256 apart; rounding is off by at most half of that. 2 units are 400 mm.",
        solution="answer = 400 / 2 * (1 / 256) / 2  # millimetres",
        mistakes=("answer = 400 / 2 / 256", "answer = 400 / 256 / 2", "answer = 0.000390625"),
        check=expect(
            400 / 1024,
            [
                (
                    400 / 512,
                    "A factor of two: either you took the whole gap (rounding is off by half) or 400 mm for one unit.",
                ),
                (400 / 256, "A factor of four: half of the gap is the error, and 400 mm are two units."),
                (0.0004 / 1.024, "That is in metres; the question asks for millimetres."),
            ],
            otherwise="Half the gap between neighbours, times the millimetres of one unit.",
            within=0.02,
        ),
    ),
)
