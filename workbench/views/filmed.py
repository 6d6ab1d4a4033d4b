"""A frame of an episode's video: what the camera shows, beside it what was imagined when the model decided."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from workbench.types import Image, Plan
from workbench.views import words
from workbench.views.drawing import SOFT, Sheet

SIDE, EDGE, HEAD, FOOT = 320, 12, 34, 30
"""Pixels: a picture, around it, above it, below it."""


@dataclass(frozen=True, eq=False)
class Belief:
    """What the model imagined of the chosen candidate, and of when."""

    picture: Image
    decided: int
    """Control step of the decision."""
    ahead: int
    """Control steps from there to what is imagined: the chunk's length."""
    value: float | None
    """Of the candidate, in [0, 1]."""
    choice: str
    """Which of how many candidates it is; empty of a single one."""


def belief(plan: Plan, camera: str, step: int) -> Belief | None:
    """What a decision at control step `step` imagined for `camera`: its first sample; None without pictures."""
    best = plan.candidates[plan.best]
    if camera not in best.futures:
        return None
    several = len(plan.candidates) > 1
    choice = f"{words.name(best.index)} of {len(plan.candidates)}" if several else ""
    return Belief(best.futures[camera][0], step, len(best.actions), best.value, choice)


def filmed(real: Image, step: int, imagined: Belief) -> UInt8[np.ndarray, "height width 3"]:
    """`real`, as it was after control step `step`, beside what was imagined when the model last decided."""
    sheet, right = Sheet(3 * EDGE + 2 * SIDE, HEAD + SIDE + FOOT), 2 * EDGE + SIDE
    sheet.write((EDGE, 24), "real", 18, face="bold")
    sheet.write((EDGE + SIDE, 24), f"step {step}", 16, fill=SOFT, anchor="rs")
    end = sheet.write((right, 24), f"imagined at +{imagined.ahead} steps", 18, face="bold")
    due = f"step {imagined.decided + imagined.ahead}"
    sheet.write((right + SIDE, 24), due, 16, fill=SOFT, anchor="rs", width=right + SIDE - end - 8)
    sheet.paste(real, (EDGE, HEAD), SIDE)
    sheet.paste(imagined.picture, (right, HEAD), SIDE)
    below = HEAD + SIDE + 21
    sheet.write((EDGE, below), f"+{step - imagined.decided} since the decision", 15, fill=SOFT)
    said = "" if imagined.value is None else f"value {words.number(imagined.value)}"
    sheet.write((right, below), said, 16, face="bold")
    sheet.write((right + SIDE, below), imagined.choice, 15, fill=SOFT, anchor="rs")
    return sheet.pixels()
