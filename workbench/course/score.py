"""Predict before the reveal, and keep the score: whoever has committed to an answer looks more closely."""

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any

from workbench.course.exercise import same
from workbench.course.verdict import box
from workbench.views.tags import tag, text


@dataclass
class Score:
    """The predictions of one notebook. Asking the same question again replaces the earlier answer."""

    came_true: dict[str, bool] = field(default_factory=dict)

    def reveal(self, question: str, guess: Any, truth: Any, *, within: float = 0.0, about: float = 0.0) -> "Reveal":
        """Compare `guess` with `truth`, which the reveal has just shown; None is no prediction and does not count.

        Numbers may differ by `within` times the truth, or by `about`; sets must be equal.
        """
        self.came_true.pop(question, None)
        if guess is not None and guess is not ...:
            self.came_true[question] = same(guess, truth, within) or near(guess, truth, about)
        return Reveal(question, guess, truth, self.came_true.get(question), self.summary)

    @property
    def summary(self) -> str:
        """So far, in words."""
        if not self.came_true:
            return "No predictions so far."
        made = len(self.came_true)
        return f"{sum(self.came_true.values())} of {made} prediction{'s' if made > 1 else ''} came true so far."

    def _repr_html_(self) -> str:
        return box("open", tag("p", text(self.summary)))


@dataclass(frozen=True)
class Reveal:
    """One prediction beside what was so."""

    question: str
    guess: Any
    truth: Any
    came_true: bool | None
    """None if nothing was predicted."""
    summary: str

    @property
    def sentence(self) -> str:
        """What was so, and what had been said."""
        so = f"{self.question} {shown(self.truth)}."
        if self.came_true is None:
            return f"{so} You made no prediction: the next time, write one before you look."
        return f"{so} You said {shown(self.guess)}{': right.' if self.came_true else '.'}"

    def __str__(self) -> str:
        return f"{self.sentence} {self.summary}"

    def _repr_html_(self) -> str:
        state = {None: "open", True: "right", False: "wrong"}[self.came_true]
        return box(state, tag("p", text(self.sentence)), tag("p", tag("small", text(self.summary))))


def near(guess: Any, truth: Any, about: float) -> bool:
    """Whether two numbers differ by no more than `about`."""
    return isinstance(guess, int | float) and isinstance(truth, int | float) and abs(guess - truth) <= about


def shown(answer: Any) -> str:
    """An answer as people write it."""
    if isinstance(answer, Set | list | tuple):
        return ", ".join(shown(one) for one in sorted(answer, key=str)) or "none"
    return f"{answer:.3g}" if isinstance(answer, float) else str(answer)
