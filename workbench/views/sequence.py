"""A latent sequence as a row of frames, and questions as rows of known and unknown frames.

For one sequence as it stands; the same at every network call is `strip.py`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from workbench.layout import LatentLayout
from workbench.types import Image
from workbench.views.pictures import data_uri
from workbench.views.plot import styled
from workbench.views.tags import tag, text

KINDS = {
    "blank": "nothing: black",
    "proprio": "numbers: the robot's state",
    "camera": "a picture",
    "actions": "numbers: the action chunk",
    "future_proprio": "numbers: its state after the chunk",
    "future_camera": "a picture after the chunk",
    "value": "one number",
}
"""What the frames of each kind hold, in words."""

LEAST = 72
"""Side in pixels below which a picture is magnified dot by dot, so that a latent's elements stay visible."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One latent frame to be shown."""

    name: str
    picture: Image | None = None
    known: bool | None = None
    """None where nothing is asked yet."""
    caption: str = ""


def sequence_html(cells: Sequence[Cell], *, chosen: int | None = None) -> str:
    """The frames side by side; `chosen` is outlined. Known frames have a green edge, the others a dashed one."""
    return styled(tag("div", *(_cell(i, cell, i == chosen) for i, cell in enumerate(cells)), class_="wb sequence"))


def _cell(index: int, cell: Cell, chosen: bool) -> str:
    state = {None: "", True: " known", False: " unknown"}[cell.known]
    word = {None: "", True: "known", False: "sampled"}[cell.known]
    picture = tag("div", class_="nothing")
    if cell.picture is not None:
        picture = tag("img", src=data_uri(magnified(cell.picture), quality=92), alt=text(cell.name))
    words = tag("p", text(cell.caption)) if cell.caption else ""
    title = tag("h4", tag("small", str(index)), text(cell.name))
    mark = tag("small", word, class_="state") if word else ""
    return tag("section", title, picture, mark, words, class_=f"cell{state}{' chosen' if chosen else ''}")


def magnified(image: Image) -> UInt8[np.ndarray, "height width 3"]:
    """A small picture with every dot as a square, as large as `LEAST`; others as they are."""
    times = -(-LEAST // image.shape[0])
    return image if times == 1 else image.repeat(times, 0).repeat(times, 1)


def layouts_html(layouts: Mapping[str, LatentLayout]) -> str:
    """Which frame holds what, one row a robot."""
    rows = []
    for name, layout in layouts.items():
        cells = [
            tag("td", tag("small", str(i)), text(frame.name), class_=frame.kind, title=KINDS[frame.kind])
            for i, frame in enumerate(layout.frames)
        ]
        rows.append(tag("tr", tag("th", text(name)), *cells))
    legend = [tag("span", tag("i", class_=kind), words) for kind, words in KINDS.items()]
    return styled(tag("figure", tag("table", *rows), tag("figcaption", *legend), class_="wb masks"))


def masks_html(layout: LatentLayout, questions: Mapping[str, Sequence[bool]]) -> str:
    """Which frames are given and which are asked for, one row a question."""
    head = tag("tr", tag("th", ""), *(tag("th", text(frame.name)) for frame in layout.frames))
    rows = [
        tag(
            "tr",
            tag("th", text(name)),
            *(tag("td", "given" if known else "?", class_="given" if known else "asked") for known in flags),
        )
        for name, flags in questions.items()
    ]
    return styled(tag("figure", tag("table", head, *rows), class_="wb masks"))


def row_html(pictures: Mapping[str, Image], *, width: int = 200) -> str:
    """Pictures side by side, each `width` pixels wide, with their names under them; small ones dot by dot."""
    figures = [
        tag(
            "figure",
            tag("img", src=data_uri(magnified(image), quality=92), alt=text(name), style=f"width:{width}px"),
            tag("figcaption", text(name)),
        )
        for name, image in pictures.items()
    ]
    return styled(tag("div", *figures, class_="wb picture-row"))


def false_colours(frame: np.ndarray, *, scale: float = 2.0) -> Image:
    """A latent frame (c, h, w) as a picture: its first three channels as red, green and blue.

    Black is -`scale` standard deviations, full +`scale`. Not what the frame means, but where it differs.
    """
    three = np.resize(frame, (3, *frame.shape[1:])) if len(frame) < 3 else frame[:3]
    return (np.clip(0.5 + np.moveaxis(three, 0, -1) / (2 * scale), 0, 1) * 255).round().astype(np.uint8)
