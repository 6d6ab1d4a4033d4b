"""What a model is shown of an episode's first observation, step by step, as one labelled picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from workbench.types import Image
from workbench.views.drawing import BAD, FAINT, GOOD, INK, SOFT, Sheet, wrap

EDGE, GAP = 28, 14
"""Pixels around everything, and between pictures."""
SIDE = 224
HEAD, UNDER, LINE = 92, 54, 24
"""Heights of the title, of what stands under a picture, and of a line of text."""
NAME, SCALE = 130, 360
"""Widths of a number's name and of the range that it is shown in."""


@dataclass(frozen=True, eq=False)
class Preflight:
    """What was found before an evaluation."""

    title: str
    stages: Mapping[str, Mapping[str, np.ndarray]]
    """Camera to what was done to its picture, in order, to what it looked like then. The last is what the tokenizer
    gives back of the one before."""
    psnr: Mapping[str, float]
    """Camera to how like these two are, decibels."""
    proprio: Float[np.ndarray, " d"]
    low: Float[np.ndarray, " d"]
    """The least that the demonstrations had."""
    high: Float[np.ndarray, " d"]
    names: Sequence[str]
    """Of the numbers of `proprio`."""
    warnings: Sequence[str]
    """One line each; none: nothing speaks against the evaluation."""

    @property
    def outside(self) -> list[int]:
        """Places in `proprio` of what is outside the demonstrations' range."""
        return [int(i) for i in np.flatnonzero((self.proprio < self.low) | (self.proprio > self.high))]


def preflight_picture(found: Preflight) -> UInt8[np.ndarray, "height width 3"]:
    """A row a camera, a column a step; below the robot's state in the demonstrations' range, and the warnings."""
    columns = max(len(made) for made in found.stages.values())
    width = max(2 * EDGE + columns * (SIDE + GAP) - GAP, 900)
    room = width - 2 * EDGE
    said = [line for warning in found.warnings for line in wrap(warning, 16, room, most=2)]
    rows = len(found.stages) * (SIDE + UNDER)
    sheet = Sheet(width, HEAD + rows + (len(found.proprio) + len(said) + 3) * LINE + EDGE)
    sheet.write((EDGE, 46), found.title, 24, face="bold", width=room)
    sheet.write((EDGE, 72), "What the model is shown of the first observation, upright; levels 0 to 255", 16, fill=SOFT)
    for row, (camera, made) in enumerate(found.stages.items()):
        top = HEAD + row * (SIDE + UNDER)
        for column, (name, picture) in enumerate(made.items()):
            last = column == len(made) - 1
            note = f"{found.psnr[camera]:.1f} dB like the one before" if last else _facts(picture)
            at = EDGE + column * (SIDE + GAP), top
            _shot(sheet, at, picture, name if column else f"{camera}: {name}", note)
    y = _numbers(sheet, found, HEAD + rows + LINE)
    for line in said:
        sheet.write((EDGE, y), line, 16, fill=BAD)
        y += LINE
    if not said:
        sheet.write((EDGE, y), "Nothing speaks against the evaluation", 16, fill=GOOD)
    return sheet.pixels()


def _shot(sheet: Sheet, at: tuple[int, int], picture: Image, name: str, note: str) -> None:
    (x, y), (height, width) = at, picture.shape[:2]
    sheet.paste(picture if height == width else _square(picture), at, SIDE)
    sheet.write((x, y + SIDE + 18), name, 15, face="bold", width=SIDE)
    sheet.write((x, y + SIDE + 36), note, 13, fill=SOFT, width=SIDE)


def _square(picture: Image) -> Image:
    """The whole picture in the middle of a grey square."""
    height, width = picture.shape[:2]
    square = np.full((max(height, width),) * 2 + (3,), 217, np.uint8)
    top, left = (max(height, width) - height) // 2, (max(height, width) - width) // 2
    square[top : top + height, left : left + width] = picture
    return square


def _facts(picture: Image) -> str:
    height, width = picture.shape[:2]
    return f"{width} x {height}, {picture.min()} to {picture.max()}, mean {picture.mean():.0f}"


def _numbers(sheet: Sheet, found: Preflight, y: int) -> int:
    """Every number as a dot on the range that the demonstrations had; returns where the next line goes."""
    sheet.write((EDGE, y), "The robot's state, in the range that the demonstrations had", 15, face="bold")
    left = EDGE + NAME + 110
    for i, name in enumerate(found.names):
        y += LINE
        colour = BAD if i in found.outside else INK
        sheet.write((EDGE, y), name, 14, width=NAME)
        sheet.write((left - 20, y), f"{found.proprio[i]:.4f}", 14, fill=colour, face="mono", anchor="rs")
        sheet.box((left, y - 9), (SCALE, 8), radius=4, fill=FAINT)
        share = (found.proprio[i] - found.low[i]) / max(found.high[i] - found.low[i], 1e-9)
        sheet.draw.circle((left + SCALE * float(np.clip(share, -0.02, 1.02)), y - 5), 6, fill=colour)
        note = f"{found.low[i]:.4f} to {found.high[i]:.4f}" + (", outside" if i in found.outside else "")
        sheet.write((left + SCALE + 20, y), note, 14, fill=BAD if i in found.outside else SOFT)
    return y + LINE + 8
