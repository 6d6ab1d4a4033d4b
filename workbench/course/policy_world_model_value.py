"""Exercises of notebook 04: questions as masks, and what a value means."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from workbench.course.exercise import Check, Exercise, same
from workbench.layout import LatentLayout
from workbench.platforms import PLATFORMS

LIBERO = PLATFORMS["libero"].layout()


def inverse(layout: LatentLayout) -> tuple[bool, ...]:
    """Known frames of "which actions lead from here to there?", a question that the paper does not ask."""
    return tuple(frame.kind not in ("actions", "value") for frame in layout.frames)


INVERSE = inverse(LIBERO)


def _mask(right: tuple[bool, ...], usual: Mapping[tuple[bool, ...], str]) -> Check:
    """A check of a mask: a usual wrong one has its own sentence, any other names the first frame that is wrong."""

    def check(answer: Any) -> str:
        given = tuple(bool(flag) for flag in answer)
        if len(given) != len(right):
            return f"Expected {len(right)} flags, one a latent frame; got {len(given)}."
        if given == right or given in usual:
            return usual.get(given, "")
        index = next(i for i in range(len(right)) if given[i] != right[i])
        return f"Look at frame {index} ({LIBERO.frames[index].name}): should it be known?"

    return check


def _steps(answer: Callable[[float, float], Any]) -> str:
    given = float(answer(0.5, 0.98))
    right = math.log(0.5) / math.log(0.98)
    if same(given, right, 0.02) and same(float(answer(0.27, 0.99)), math.log(0.27) / math.log(0.99), 0.02):
        return ""
    if same(given, -right, 0.02):
        return "The sign is turned round: both logarithms are negative, their quotient is not."
    if same(given, 1 / right, 0.02):
        return "Upside down: log value / log gamma."
    if same(given, 0.5 / 0.02, 0.02):
        return "That treats the discount as a subtraction; it is a factor each step."
    if same(given, math.log(0.5), 0.02):
        return "That is the logarithm of the value only; divide by that of gamma, which is what one step costs."
    return f"Value 0.5 at gamma 0.98 is about {right:.0f} steps; yours says {given:.4g}."


def _perfect(answer: Callable[[float, float, int], Any]) -> str:
    gamma, chunk = 0.98, 8
    worth = gamma**30
    given = float(answer(worth, gamma, chunk))
    if same(given, gamma**38, 1e-3):
        return "Turned round: after the chunk success is nearer, so the value is higher than the worth."
    if same(given, worth, 1e-3):
        return "The worth counts from the moment, the value from the end of the chunk: 8 steps lie between."
    if not same(given, gamma**22, 1e-3):
        return f"30 steps from the moment are 22 from the chunk's end: expected {gamma**22:.3f}, got {given:.3f}."
    if float(answer(0.0, gamma, chunk)) != 0:  # whoever takes a logarithm of it is told what it was called with
        return "A failure is worth 0, and stays so."
    if float(answer(gamma**5, gamma, chunk)) > 1:
        return "Success within the chunk gives more than 1 in your answer; a value ends at 1."
    return ""


EXERCISES = (
    Exercise(
        name="mask_of_the_value",
        title="The mask of V(s')",
        difficulty=1,
        hint="Known is the blank frame and the future state: proprio and two cameras. Nothing of the present.",
        solution="answer = [True, False, False, False, False, True, True, True, False]",
        mistakes=(
            "answer = [True, True, True, True, True, False, False, False, False]",
            "answer = [False, False, False, False, False, True, True, True, False]",
            "answer = [True, True, True, True, True, True, True, True, False]",
            "answer = [True, False, False, False, False, True, True, True, True]",
        ),
        check=_mask(
            LIBERO.known("v"),
            {
                LIBERO.known(
                    "q"
                ): "That is Q(s, a): it values the actions and sees no future. V(s') sees only the future.",
                LIBERO.known(
                    "v_full"
                ): "That shows it the present and the actions too; V(s') has to judge the future alone.",
                (False, *LIBERO.known("v")[1:]): "The blank frame is always known: it carries no information.",
                (*LIBERO.known("v")[:-1], True): "The value is what is asked for: it cannot be known.",
            },
        ),
    ),
    Exercise(
        name="sixth_question",
        title="A sixth question",
        difficulty=2,
        hint="Given: where the robot is and where it shall be. Asked: how to get there. The value is not given either.",
        solution="answer = [True, True, True, True, False, True, True, True, False]",
        mistakes=(
            "answer = [True, True, True, True, True, True, True, True, False]",
            "answer = [True, True, True, True, False, True, True, True, True]",
            "answer = [True, True, True, True, False, False, False, False, False]",
        ),
        check=_mask(
            INVERSE,
            {
                LIBERO.known("v_full"): "The actions are what is asked for: they cannot be known.",
                (*INVERSE[:-1], True): "Nobody has told it the value of that future: leave it to be denoised.",
                LIBERO.known("policy"): "That is the policy: it does not see where the robot shall be.",
            },
        ),
    ),
    Exercise(
        name="steps_from_value",
        title="How far is success?",
        difficulty=2,
        hint="value = gamma ** steps. Take logarithms on both sides.",
        solution="""
def answer(value, gamma):
    return math.log(value) / math.log(gamma)
""",
        mistakes=(
            "def answer(value, gamma): return -math.log(value) / math.log(gamma)",
            "def answer(value, gamma): return (1 - value) / (1 - gamma)",
            "def answer(value, gamma): return math.log(gamma) / math.log(value)",
            "def answer(value, gamma): return math.log(value)",
        ),
        check=_steps,
    ),
    Exercise(
        name="perfect_value",
        title="What a perfect value would say",
        difficulty=3,
        hint="worth = gamma ** n, n steps from the moment; from the chunk's end n - chunk_size. And if n is less?",
        solution="""
def answer(worth, gamma, chunk_size):
    return min(worth / gamma**chunk_size, 1.0)
""",
        mistakes=(
            "def answer(worth, gamma, chunk_size): return worth",
            "def answer(worth, gamma, chunk_size): return worth * gamma**chunk_size",
            "def answer(worth, gamma, chunk_size): return worth / gamma**chunk_size",
        ),
        check=_perfect,
    ),
)
