"""Imagined beside real: what one executed candidate turned out to be, and how all of them compare.

Without the script the wipe stands at its middle and the film shows its last frame.
"""

from collections.abc import Callable, Iterable, Sequence
from statistics import stdev

import numpy as np
from jaxtyping import UInt8

from workbench.types import Candidate, Observation, Outcome, Plan
from workbench.views import words
from workbench.views.colours import own
from workbench.views.pictures import Film, data_uri, error_map, film, fit, psnr
from workbench.views.tags import tag, text

Picture = UInt8[np.ndarray, "h w 3"]


def order(cameras: Iterable[str]) -> list[str]:
    """Cameras as people look at them: first the one that shows the scene ("primary")."""
    return sorted(cameras, key=lambda camera: camera != "primary")


def imagined_picture(candidate: Candidate, camera: str) -> Picture | None:
    """The imagined picture that stands for a candidate: its last future sample, the one of most calls."""
    future = candidate.futures.get(camera)
    return None if future is None or len(future) == 0 else future[-1]


def real_picture(candidate: Candidate, camera: str, after: Observation | None = None) -> Picture | None:
    """What that camera really saw when the chunk had been executed, in the imagined picture's size.

    `after` is the observation then, if there is no outcome yet to hold it.
    """
    after = candidate.outcome.after_chunk if candidate.outcome else after
    real, imagined = after.images.get(camera) if after else None, imagined_picture(candidate, camera)
    return real if real is None or imagined is None else fit(real, imagined)


def truth_html(plan: Plan, index: int) -> str:
    """Candidate `index`, executed: each camera's imagined and real picture, error map, PSNR, and the film.

    Raises ValueError if it has not been executed.
    """
    candidate = next((c for c in plan.candidates if c.index == index), None)
    if candidate is None or candidate.outcome is None:
        raise ValueError(f"candidate {words.name(index)} has no outcome: execute it first")
    value = candidate.value
    foreseen = "" if value is None else f"; it believed {words.number(value)}, {words.meaning(plan, value)}"
    sentence = f" {words.result(candidate.outcome)}{foreseen}. {words.draws(candidate.outcome)}."
    ending = "to its end" if not candidate.outcome.draws else "to the end of the first continuation"
    parts = [_camera(plan, candidate, camera) for camera in order(plan.moment.observation.images)]
    parts += [
        tag("section", tag("h4", f"{text(camera)}, {ending}"), film_html(film(frames), label=camera))
        for camera, frames in sorted(candidate.outcome.frames.items(), key=lambda item: item[0] != "primary")
        if len(frames)
    ]
    title = tag("h3", tag("span", words.name(index), class_="name"), yours_html(plan, index), text(sentence))
    return tag("section", title, tag("div", *parts, class_="cameras"), class_="wb truth", style=own(index))


def offer_html(plan: Plan, index: int) -> str:
    """What stands in the truth's place before candidate `index` has been executed: a button that says so
    (`data-execute`)."""
    button = tag("button", "Execute this one", type="button", class_="press", data_execute=index)
    name = tag("span", words.name(index), class_="name") + yours_html(plan, index)
    title = tag("h3", name, " has not been executed. ", button)
    return tag("section", title, class_="wb truth offer", style=own(index))


def yours_html(plan: Plan, index: int) -> str:
    """The mark of the reader's own candidate; empty for the others."""
    return tag("small", "yours", class_="yours") if index == plan.yours else ""


def _camera(plan: Plan, candidate: Candidate, camera: str) -> str:
    now = plan.moment.observation.images[camera]
    imagined, real = imagined_picture(candidate, camera), real_picture(candidate, camera)
    figures, note = [_figure(now, "now")], ""
    if imagined is not None and real is not None:
        figures += [wipe_html(imagined, real), _figure(error_map(imagined, real), "error")]
        note = f"PSNR {psnr(imagined, real):.1f} dB; copying the present gives {psnr(fit(now, real), real):.1f} dB"
    else:
        pictures = {"imagined": imagined, "real": real}
        figures += [_figure(picture, name) for name, picture in pictures.items() if picture is not None]
    title = tag("h4", f"{text(camera)}, after {len(candidate.actions)} steps")
    quality = tag("p", note, class_="quality")
    return tag("section", title, tag("div", *figures, class_="row"), quality)


def _figure(image: Picture, caption: str) -> str:
    return tag("figure", tag("img", src=data_uri(image), alt=caption), tag("figcaption", caption))


def wipe_html(imagined: Picture, real: Picture) -> str:
    """Two pictures, one over the other: left of the handle it is imagined, right of it real."""
    height, width, _ = imagined.shape
    box = tag(
        "picture-wipe",
        tag("img", class_="imagined", src=data_uri(imagined), alt="imagined"),
        tag("img", class_="real", src=data_uri(real), alt="real"),
        tag("input", type="range", min=0, max=100, value=50, aria_label="wipe between imagined and real"),
        class_="wipe-box",
        style=f"aspect-ratio:{width}/{height}",
    )
    return tag("figure", box, tag("figcaption", tag("span", "imagined"), tag("span", "real")))


def film_html(sheet: Film, *, label: str) -> str:
    """A film with a slider and a play button; a still of its last frame without the script."""
    last = sheet.frames - 1
    column, row = last % sheet.columns, last // sheet.columns
    style = (
        f"aspect-ratio:{sheet.width}/{sheet.height};background-image:url({sheet.uri});"
        f"background-size:{100 * sheet.columns}% {100 * sheet.rows}%;background-position:"
        f"{100 * column / max(sheet.columns - 1, 1):.3f}% {100 * row / max(sheet.rows - 1, 1):.3f}%"
    )
    controls = tag(
        "div",
        tag("button", "▶", type="button", aria_label="play or pause"),
        tag("input", type="range", min=0, max=last, value=last, aria_label="frame"),
        class_="controls",
    )
    frame = tag("div", class_="frame", role="img", aria_label=label, style=style)
    shape = {"data_frames": sheet.frames, "data_columns": sheet.columns, "data_rows": sheet.rows}
    return tag("figure", tag("film-player", frame, controls, **shape))


WIDTH, HEIGHT, LEFT, RIGHT, EDGE = 300, 140, 70, 246, 12
"""The slopes' size and the places of their two ends, in SVG units."""


def outcomes_html(plan: Plan) -> str:
    """All executed candidates: what each was believed to be worth (left), what it was worth (right)."""
    executed = [c for c in plan.candidates if c.outcome is not None and c.value is not None]
    if not executed:
        return ""
    reach = {c.index: _spread(c.outcome) for c in executed}
    top = max(0.05, *(max(c.value, reach[c.index][1]) for c in executed))

    def y(value: float) -> float:
        return EDGE + (HEIGHT - 2 * EDGE) * (1 - value / top)

    slopes = []
    for c in sorted(executed, key=lambda c: c.index == plan.best):
        a, b = y(c.value), y(c.outcome.worth)
        slopes.append(
            tag(
                "g",
                tag("line", x1=LEFT, x2=RIGHT, y1=a, y2=b),
                _bar(*map(y, reach[c.index])),
                tag("circle", cx=LEFT, cy=a, r=4),
                tag("circle", cx=RIGHT, cy=b, r=4),
                class_="slope chosen" if c.index == plan.best else "slope",
                style=own(c.index),
                data_candidate=c.index,
            )
        )
    labels = _labels(executed, lambda c: y(c.value), x=LEFT - 8, anchor="end")
    labels += _labels(executed, lambda c: y(c.outcome.worth), x=RIGHT + 8, anchor="start")
    picture = tag("svg", *slopes, *labels, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label="value and worth")
    ends = tag("span", "believed value") + tag("span", "realised worth")
    return tag("figure", picture, tag("figcaption", ends), class_="outcomes")


def _spread(outcome: Outcome) -> tuple[float, float]:
    """One standard deviation of its continuations' worth to both sides of the mean, within [0, 1]."""
    drawn = [draw.worth for draw in outcome.every]
    wide = stdev(drawn) if len(drawn) > 1 else 0.0
    return max(outcome.worth - wide, 0.0), min(outcome.worth + wide, 1.0)


def _bar(low: float, high: float) -> str:
    """The spread at the slopes' right end; nothing where there is none."""
    return "" if low == high else tag("line", class_="spread", x1=RIGHT, x2=RIGHT, y1=low, y2=high)


def _labels(executed: Sequence[Candidate], height: Callable[[Candidate], float], *, x: int, anchor: str) -> list[str]:
    """The candidates' numbers beside their ends; those too close to tell apart share a label."""
    groups: list[list[Candidate]] = []
    for c in sorted(executed, key=height):
        if groups and height(c) - height(groups[-1][0]) < 10:
            groups[-1].append(c)
        else:
            groups.append([c])
    labels = []
    for group in groups:
        middle = float(np.mean([height(c) for c in group])) + 3.5
        labels.append(tag("text", _numbers([c.index + 1 for c in group]), x=x, y=middle, text_anchor=anchor))
    return labels


def _numbers(numbers: Sequence[int]) -> str:
    """Runs of three and more are joined: "1 3-6 8"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return " ".join(f"{run[0]}–{run[-1]}" if len(run) > 2 else " ".join(map(str, run)) for run in runs)
