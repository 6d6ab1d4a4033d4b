"""An exercise as data plus a function: what is asked is in the notebook, here is how an answer is judged.

A check returns nothing for a right answer, and otherwise one plain sentence about what is wrong with it. Solution and
mistakes are a few lines of Python that set `answer`, as a student would type them; tests run all of them through the
check, so that no usual wrong answer passes and none is turned away without a reason.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.course.verdict import Verdict

Check = Callable[[Any], str]
"""An answer to what is wrong with it; the empty string if it is right."""


@dataclass(frozen=True)
class Exercise:
    """One exercise of a notebook."""

    name: str
    title: str
    difficulty: int
    """1 to 3 stars."""
    hint: str
    solution: str
    """Python that sets `answer`."""
    mistakes: Sequence[str]
    """Plausible wrong answers, in the same form: the check must turn each of them away."""
    check: Check

    def grade(self, answer: Any) -> Verdict:
        """Judge an answer; an answer that cannot even be looked at is a wrong one, not an error."""
        right, said = False, ""
        if answer is not None and answer is not ...:
            said = self._wrong(answer)
            right = not said
        return Verdict(self.title, self.difficulty, right, said, self.hint, self.solution)

    def _wrong(self, answer: Any) -> str:
        wanted = re.search(r"(?m)^def answer\(.*?\)", self.solution)
        if wanted and not callable(answer):
            return f"Expected a function, `{wanted[0]}`, that returns the result; got {type(answer).__name__}."
        if callable(answer) and not wanted:
            return "Expected a value, not a function: set `answer = ...` to what comes out."
        try:
            return self.check(_watched(answer) if wanted else answer)
        except _Stumbled as error:
            return str(error)
        except Exception as error:  # whatever a student has typed
            return f"Checking your answer raised {type(error).__name__}: {error}"


class _Stumbled(Exception):
    """A student's function did not come to a result; the message says how."""


def _watched(function: Callable[..., Any]) -> Callable[..., Any]:
    """The student's function; where it fails, the message says what it was given."""

    def call(*given: Any) -> Any:
        try:
            result = function(*given)
        except Exception as error:
            inputs = ", ".join(f"an array {one.shape}" if isinstance(one, np.ndarray) else str(one) for one in given)
            raise _Stumbled(f"Called with ({inputs}), your function raised {type(error).__name__}: {error}") from error
        if result is None:
            raise _Stumbled("Your function returns nothing: its last line should be `return` and the result.")
        return result

    return call


def expect(right: Any, usual: Sequence[tuple[Any, str]] = (), *, otherwise: str, within: float = 1e-6) -> Check:
    """A check of a plain value: `usual` pairs wrong values with what is wrong with them.

    Numbers may differ by `within` times the right one; anything else must be equal.
    """

    def check(answer: Any) -> str:
        if same(answer, right, within):
            return ""
        return next((why for wrong, why in usual if same(answer, wrong, within)), otherwise)

    return check


def same(answer: Any, wanted: Any, within: float = 1e-6) -> bool:
    """Whether two answers are the same: numbers and arrays up to `within` (relative), the rest exactly."""
    if isinstance(wanted, set):
        return isinstance(answer, set | frozenset | list | tuple | range) and set(answer) == wanted
    try:
        given, goal = np.asarray(answer, float), np.asarray(wanted, float)
    except (TypeError, ValueError):
        return bool(answer == wanted)
    return given.shape == goal.shape and bool(np.allclose(given, goal, rtol=within, atol=within))


def shaped(answer: Any, shape: tuple[int, ...]) -> str:
    """What is wrong with the shape of a returned array; the empty string if nothing is."""
    got = np.shape(answer)
    return "" if got == shape else f"Your function returned shape {got}; expected {shape}."
