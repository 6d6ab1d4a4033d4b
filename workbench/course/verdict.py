"""What a student is told: HTML for a notebook, plain text for everything else. Nothing but text is ever run."""

import re
from dataclasses import dataclass

from workbench.views.page import static
from workbench.views.tags import tag, text

STARS = 3


@dataclass(frozen=True)
class Verdict:
    """How an answer was judged, with the hint and the solution folded away."""

    title: str
    difficulty: int
    right: bool
    said: str
    """What is wrong in one sentence; empty if the answer is right or not there yet."""
    hint: str
    solution: str

    @property
    def sentence(self) -> str:
        """The judgement in words."""
        return "Right." if self.right else self.said or "No answer yet: replace the dots."

    def __str__(self) -> str:
        return f"{self.title} {stars(self.difficulty)}: {self.sentence}"

    def _repr_html_(self) -> str:
        state = "right" if self.right else "wrong" if self.said else "open"
        sentence = tag("p", tag("b", text(self.title)), f" {stars(self.difficulty)} ", marked(self.sentence))
        solution = tag("pre", text(self.solution.strip()))
        return box(state, sentence, fold("Hint", tag("p", marked(self.hint))), fold("Solution", solution))


def stars(difficulty: int) -> str:
    """Difficulty 2 is two full stars and an empty one."""
    return "★" * difficulty + "☆" * (STARS - difficulty)


def marked(words: str) -> str:
    """Plain text as HTML; what stands between backticks is code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", text(words))


def fold(title: str, body: str) -> str:
    """Hidden until somebody opens it; needs no script."""
    return tag("details", tag("summary", title), body)


def box(state: str, *parts: str) -> str:
    """A note in a notebook's output, with its own small style sheet. `state` colours it."""
    return tag("div", f"<style>{static('course.css')}</style>", *parts, class_=f"wb-note {state}")
