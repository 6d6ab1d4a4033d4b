"""A denoise from noise to answer under one slider: strip, fan, curves, schedule.

`denoise_html` is what notebook and app show; its parts stand alone as still figures of the last call. The
slider is the element `call-scrubber` (static/elements.js) and asks nobody: everything is on the page already.
"""

import math
from collections.abc import Sequence

from workbench.layout import MODES
from workbench.types import Denoising
from workbench.views.fan import curves_html, fan_html
from workbench.views.strip import at_call, calls_style, strip_html
from workbench.views.tags import tag, text
from workbench.views.words import expectation, number

WIDTH, HEIGHT, LEFT, FOOT, EDGE = 300, 150, 34, 24, 12
"""Size and margins of the noise schedule, in SVG units."""


def denoise_html(denoising: Denoising, names: Sequence[str] = ()) -> str:
    """The whole of it: a slider over the network calls, and all that changes with it; `names`: of its actions."""
    calls = len(denoising.sigmas)
    below = tag("div", curves_html(denoising, names), schedule_svg(denoising.sigmas.tolist()), class_="below")
    left = tag("div", strip_html(denoising), below, class_="left")
    return tag(
        "call-scrubber",
        tag("header", _controls(calls), tag("div", at_call(_sentences(denoising), "p"), class_="headline")),
        tag("div", left, fan_html(denoising), class_="columns"),
        class_="wb denoise",
        style=calls_style(calls),
        data_calls=calls,
    )


def _controls(calls: int) -> str:
    play = tag("button", "▶", type="button", aria_label="play all calls")
    last = calls - 1
    slider = tag("input", type="range", min=0, max=last, value=last, step=1, aria_label="network call")
    return tag("div", play, slider, class_="controls")


def _sentences(denoising: Denoising) -> list[str]:
    """What is going on at each call, with the value so far."""
    calls, asked = len(denoising.sigmas), text(MODES[denoising.mode])
    said = []
    for i, (sigma, value) in enumerate(zip(denoising.sigmas.tolist(), denoising.values[0].tolist(), strict=True)):
        meaning = f"value {number(value)}: {expectation(value, denoising.gamma)}"
        said.append(f"Call {i + 1} of {calls} at noise level σ = {level(sigma)} · {text(meaning)}{tag('small', asked)}")
    return said


def level(sigma: float) -> str:
    """A noise level with three digits that count: "80", "24.1", "0.0342"."""
    return f"{sigma:.3g}"


def schedule_svg(sigmas: Sequence[float]) -> str:
    """The noise level of every network call, on a logarithmic axis, in standard deviations of the data."""
    levels = [float(sigma) for sigma in sigmas]
    high, low = math.log(max(levels) * 1.15), math.log(min(levels) / 1.15)
    right, floor = WIDTH - EDGE, HEIGHT - FOOT

    def x(i: int) -> float:
        return LEFT + 14 + (right - LEFT - 28) * (i / max(len(levels) - 1, 1) if len(levels) > 1 else 0.5)

    def y(sigma: float) -> float:
        return EDGE + (floor - EDGE) * (high - math.log(sigma)) / (high - low)

    between = [mark for mark in (0.01, 0.1, 1, 10, 100) if 1.5 * min(levels) < mark < max(levels) / 1.5]
    marks = [*between, max(levels), min(levels)]
    parts = [tag("line", class_="axis", x1=LEFT, x2=right, y1=y(mark), y2=y(mark)) for mark in marks]
    parts += [tag("text", level(mark), class_="scale", x=LEFT - 4, y=y(mark) + 3, text_anchor="end") for mark in marks]
    every = -(-len(levels) // 10)
    parts += [
        tag("text", str(i + 1), class_="scale", x=x(i), y=floor + 11, text_anchor="middle")
        for i in range(0, len(levels), every)
    ]
    points = " ".join(f"{x(i):.1f},{y(sigma):.1f}" for i, sigma in enumerate(levels))
    parts.append(tag("polyline", class_="trace", points=points))
    parts += [_dot(x(i), y(sigma), i, sigma, i == len(levels) - 1) for i, sigma in enumerate(levels)]
    middle = (LEFT + right) / 2
    parts.append(tag("text", "network call", class_="scale", x=middle, y=HEIGHT - 3, text_anchor="middle"))
    box = {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img", "aria_label": f"noise levels of {len(levels)} calls"}
    title = tag("figcaption", tag("span", "noise level σ"), tag("span", "in standard deviations of the data"))
    return tag("figure", title, tag("svg", *parts, **box), class_="wb schedule", style=calls_style(len(levels)))


def _dot(x: float, y: float, i: int, sigma: float, last: bool) -> str:
    title = tag("title", f"call {i + 1}: {level(sigma)}")
    return tag("circle", title, cx=x, cy=y, r=4, data_call=i, class_="on" if last else None)
