"""Text and pictures drawn onto one picture: for what is saved as PNG or burnt into a film."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from workbench.types import Candidate, Outcome
from workbench.views import words
from workbench.views.colours import colour, reads_on

INK, SOFT, FAINT, PAPER = "#1b1f27", "#5b6472", "#d9dde3", "#ffffff"
GOOD, BAD = "#006b4a", "#a3380a"
"""The style sheet's light colours: what is sent around is looked at on paper, too."""

FACES = {"regular": "DejaVuSans.ttf", "bold": "DejaVuSans-Bold.ttf", "mono": "DejaVuSansMono.ttf"}

Place = tuple[float, float]


@cache
def font(size: int, face: str = "regular") -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font of `FACES`, which come with matplotlib; without that Pillow's own, which knows fewer letters."""
    try:
        from matplotlib import get_data_path

        return ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / FACES[face]), size)
    except (ImportError, OSError):
        return ImageFont.load_default(size)


class Sheet:
    """A white picture to write on; sizes and places are pixels, right and down."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Pillow.new("RGB", (width, height), PAPER)
        self.draw = ImageDraw.Draw(self.image)

    def copy(self) -> "Sheet":
        """The same again, to be written on in another way."""
        other = Sheet(1, 1)
        other.image = self.image.copy()
        other.draw = ImageDraw.Draw(other.image)
        return other

    def pixels(self) -> UInt8[np.ndarray, "h w 3"]:
        """What has been drawn."""
        return np.array(self.image)

    def write(
        self,
        at: Place,
        said: str,
        size: int,
        *,
        fill: str = INK,
        face: str = "regular",
        anchor: str = "ls",
        width: float | None = None,
    ) -> float:
        """One line from its baseline (Pillow's anchors), shortened to `width`; returns where it ends."""
        shown = said if width is None else shorten(said, size, width, face=face)
        self.draw.text(at, shown, font=font(size, face), fill=fill, anchor=anchor)
        return self.draw.textbbox(at, shown, font=font(size, face), anchor=anchor)[2]

    def paste(self, picture: UInt8[np.ndarray, "h w 3"], at: Place, side: int) -> None:
        """A picture as a square of `side` pixels, its corner `at`."""
        scaled = Pillow.fromarray(np.ascontiguousarray(picture)).resize((side, side), Pillow.Resampling.BICUBIC)
        self.image.paste(scaled, (int(at[0]), int(at[1])))

    def box(self, at: Place, size: Place, **looks: object) -> None:
        """A box of that width and height with round corners."""
        (x, y), (width, height) = at, size
        self.draw.rounded_rectangle((x, y, x + width, y + height), **{"radius": 6, **looks})

    def chip(self, at: Place, index: int, size: int) -> float:
        """The candidate's number on its colour, on the baseline `at`; returns where it ends."""
        x, y = at
        label, pad = words.name(index), round(0.35 * size)
        end = x + font(size, "bold").getlength(label) + 2 * pad
        self.box((x, y - 1.05 * size), (end - x, 1.4 * size), radius=round(0.28 * size), fill=colour(index))
        self.write((x + pad, y), label, size, fill=reads_on(colour(index)), face="bold")
        return end

    def outcome(self, at: Place, width: float, height: float, outcome: Outcome) -> None:
        """What really happened, as a bar, parted where its continuations ended in both ways."""
        good = width * outcome.successes / len(outcome.every)
        self.box(at, (width, height), fill=GOOD if good else BAD, radius=round(height / 6))
        if 0 < good < width:
            self.box((at[0] + good, at[1]), (width - good, height), fill=BAD, radius=round(height / 6))
        size, middle = round(0.58 * height), at[1] + 0.7 * height
        what, draws = words.truth(outcome)
        self.write((at[0] + 0.4 * height, middle), what, size, fill=PAPER, face="bold")
        self.write((at[0] + width - 0.4 * height, middle), draws, round(0.8 * size), fill=PAPER, anchor="rs")

    def path(self, candidate: Candidate, at: Place, zoom: float, pixels: Float[np.ndarray, "n 2"], wide: int) -> None:
        """A candidate's path over a picture that was pasted `at`, `zoom` times as large."""
        points = [tuple(np.asarray(at) + zoom * pixel) for pixel in pixels[np.isfinite(pixels).all(1)]]
        if len(points) < 2:
            return
        for colour_, thick in ((PAPER, 2 * wide), (colour(candidate.index), wide)):
            self.draw.line(points, fill=colour_, width=thick, joint="curve")
        x, y = points[-1]
        self.draw.circle((x, y), 1.6 * wide, fill=colour(candidate.index), outline=PAPER)


def shorten(said: str, size: int, width: float, *, face: str = "regular") -> str:
    """`said` if it fits, else as much of it as does, and an ellipsis."""
    letters = font(size, face)
    if letters.getlength(said) <= width:
        return said
    kept = said[: int(width)]  # no letter is narrower than a pixel
    while kept and letters.getlength(kept + "…") > width:
        kept = kept[:-1]
    return kept + "…"


def wrap(said: str, size: int, width: float, *, face: str = "regular", most: int = 4) -> Sequence[str]:
    """`said` in at most `most` lines of `width`, broken between words; the last one is shortened."""
    letters, lines = font(size, face), [""]
    for word in said.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and letters.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return [shorten(line, size, width, face=face) for line in lines if line]
