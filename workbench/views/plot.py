"""A few lines in one pair of axes, as a figure that needs no script: for notebooks and their saved pages."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Num

from workbench.views.colours import colour
from workbench.views.page import static
from workbench.views.tags import tag, text

WIDTH, HEIGHT, LEFT, RIGHT, TOP, FOOT = 560, 230, 52, 14, 10, 36
"""Size and margins, in SVG units."""

Numbers = Sequence[float] | Num[np.ndarray, " n"]
Line = tuple[Numbers, Numbers]
"""Equally many xs and ys."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A line that says more of itself."""

    xs: Numbers
    ys: Numbers
    low: Numbers | None = None
    high: Numbers | None = None
    """Ends of each y's interval, where there is one: drawn as a bar; one that is not finite is left out."""
    paint: int | None = None
    """Number of its colour; None: its place among the lines."""
    dots: bool = False
    """Points without lines between them."""
    dashed: bool = False
    """What it is compared with: dashed, in the text's colour, without points."""


def plot_html(
    lines: Mapping[str, Line | Curve],
    *,
    x: str,
    y: str,
    log: str = "",
    marks: Mapping[str, float] | None = None,
    dots: bool = False,
) -> str:
    """Named lines with their axes' names; `log` holds "x", "y" or both. `marks` are named vertical lines.

    `dots` draws points without lines between them. What is not finite, or not positive on a log axis, is left out.
    ValueError if nothing is left.
    """
    kept = {name: _finite(line, log, dots) for name, line in lines.items()}
    xs = np.concatenate([line.xs for line in kept.values()] or [np.empty(0)])
    ys = np.concatenate([part for line in kept.values() for part in _heights(line)] or [np.empty(0)])
    if len(xs) == 0:
        raise ValueError("plot: expected at least one point to draw, got none")
    across = _Axis(np.r_[xs, list((marks or {}).values())], "x" in log, LEFT, WIDTH - RIGHT)
    up = _Axis(ys, "y" in log, HEIGHT - FOOT, TOP)
    parts = _grid(across, up)
    parts += [_line(across, up, line, _paint(line, i)) for i, line in enumerate(kept.values())]
    parts += _marks(across, marks or {})  # their names are read above the lines
    parts.append(tag("text", text(x), x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 4, text_anchor="middle", class_="axis"))
    picture = tag("svg", *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=f"{y} against {x}")
    return styled(tag("figure", tag("p", text(y), class_="axis"), picture, _legend(kept), class_="wb plot"))


ROW, NAMES = 26, 250
"""Height of a row and width of the names' column, in SVG units."""


Intervals = Mapping[str, tuple[float, float, float]]
"""Names to (low, number, high)."""

ALONE = """
svg { background: #fff; font-family: system-ui, sans-serif; }
text { fill: #555b66; font-size: 11px; }
.axis { fill: #14171c; font-size: 12px; }
.grid { stroke: #dfe2e7; }
polyline { fill: none; stroke-width: 2; }
"""
"""The look of a picture that stands in a file of its own, where no style sheet is."""


def intervals_html(rows: Intervals, *, x: str) -> str:
    """Named numbers with their intervals, one below another."""
    return styled(tag("figure", _intervals(rows, x), class_="wb plot"))


def intervals_svg(rows: Intervals, *, x: str) -> str:
    """The same as a file's content: an SVG that brings its look."""
    return _intervals(rows, x, tag("style", ALONE), xmlns="http://www.w3.org/2000/svg")


def _intervals(rows: Intervals, x: str, *first: str, **attributes: str) -> str:
    if not rows:
        raise ValueError("intervals: expected at least one row to draw, got none")
    across = _Axis(np.array(list(rows.values())).ravel(), False, NAMES, WIDTH - RIGHT)
    foot = ROW * len(rows) + 4
    parts = list(first)
    for tick in across.ticks:
        at = float(across([tick])[0])
        parts.append(tag("line", class_="grid", x1=at, x2=at, y1=0, y2=foot))
        parts.append(tag("text", f"{tick:.6g}", x=at, y=foot + 13, text_anchor="middle"))
    for i, (name, numbers) in enumerate(rows.items()):
        (low, middle, high), y = across(numbers).tolist(), ROW * (i + 0.5)
        parts.append(tag("text", text(name), x=NAMES - 10, y=y + 4, text_anchor="end"))
        parts.append(tag("polyline", points=f"{low:.1f},{y:.1f} {high:.1f},{y:.1f}", stroke=colour(i)))
        parts.append(tag("circle", cx=middle, cy=y, r=4.5, fill=colour(i)))
    middle_of_axis = (NAMES + WIDTH - RIGHT) / 2
    parts.append(tag("text", text(x), x=middle_of_axis, y=foot + 30, text_anchor="middle", class_="axis"))
    return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {foot + FOOT}", role="img", aria_label=x, **attributes)


def styled(html: str) -> str:
    """`html` with the course's style sheet."""
    return html + f"<style>{static('course.css')}</style>"


def place_of(xs: Sequence[float] | Num[np.ndarray, " n"], at: Sequence[float]) -> list[float]:
    """Where the numbers `at` lie across a plot whose lines span `xs` on a linear axis, in its SVG units."""
    return _Axis(np.asarray(xs, float), False, LEFT, WIDTH - RIGHT)(at).tolist()


def _finite(line: Line | Curve, log: str, dots: bool) -> Curve:
    """What can be drawn of a line, as arrays."""
    curve = line if isinstance(line, Curve) else Curve(*line, dots=dots)
    ends = (curve.ys if end is None else end for end in (curve.low, curve.high))
    xs, ys, low, high = (np.asarray(numbers, float) for numbers in (curve.xs, curve.ys, *ends))
    good = np.isfinite(xs) & np.isfinite(ys)
    good &= (xs > 0) | ("x" not in log)
    good &= (ys > 0) | ("y" not in log)
    whole = np.isfinite(low) & np.isfinite(high) & ((low > 0) | ("y" not in log))
    low, high = np.where(whole, low, ys), np.where(whole, high, ys)
    return replace(curve, xs=xs[good], ys=ys[good], low=low[good], high=high[good])


def _heights(curve: Curve) -> tuple[np.ndarray, ...]:
    return np.asarray(curve.ys), np.asarray(curve.low), np.asarray(curve.high)


def _paint(curve: Curve, place: int) -> str:
    return "var(--soft)" if curve.dashed else colour(place if curve.paint is None else curve.paint)


class _Axis:
    """Numbers to SVG units along one axis, with a little room at both ends, and the numbers to write there."""

    def __init__(self, values: np.ndarray, log: bool, begin: float, end: float) -> None:
        self.log, self.begin, self.end = log, begin, end
        scaled = self._scale(values)
        low, high = float(scaled.min()), float(scaled.max())
        room = 0.04 * (high - low) or 0.5
        self.low, self.high = low - room, high + room
        self.ticks = _decades(self.low, self.high) if log else _even(self.low, self.high)

    def _scale(self, values: np.ndarray) -> np.ndarray:
        return np.log10(values) if self.log else np.asarray(values, float)

    def __call__(self, values: Sequence[float] | np.ndarray) -> np.ndarray:
        share = (self._scale(np.asarray(values, float)) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)


def _even(low: float, high: float) -> list[float]:
    """Round numbers, about five of them."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((m * power for m in (1, 2, 2.5, 5) if m * power >= rough), 10 * power)
    return [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten, with 2 and 5 between them where there are few. `low` and `high` are logarithms."""
    factors = (1, 2, 5) if high - low < 2.5 else (1,)
    powers = range(math.floor(low), math.ceil(high) + 1)
    return [f * 10.0**p for p in powers for f in factors if low <= math.log10(f) + p <= high]


def _grid(across: _Axis, up: _Axis) -> list[str]:
    parts = []
    for tick in across.ticks:
        at = float(across([tick])[0])
        parts.append(tag("line", class_="grid", x1=at, x2=at, y1=TOP, y2=HEIGHT - FOOT))
        parts.append(tag("text", f"{tick:.6g}", x=at, y=HEIGHT - FOOT + 13, text_anchor="middle"))
    for tick in up.ticks:
        at = float(up([tick])[0])
        parts.append(tag("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at))
        parts.append(tag("text", f"{tick:.6g}", x=LEFT - 6, y=at + 4, text_anchor="end"))
    return parts


def _marks(across: _Axis, marks: Mapping[str, float]) -> list[str]:
    parts = []
    for name, value in marks.items():
        at = float(across([value])[0])
        side = {"x": at + 4} if at < 0.75 * WIDTH else {"x": at - 4, "text_anchor": "end"}
        parts.append(tag("line", class_="mark", x1=at, x2=at, y1=TOP, y2=HEIGHT - FOOT))
        parts.append(tag("text", text(name), y=TOP + 11, **side))
    return parts


def _line(across: _Axis, up: _Axis, curve: Curve, paint: str) -> str:
    points = np.stack([across(curve.xs), up(curve.ys)], 1)
    path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
    few = curve.dots or (len(points) <= 20 and not curve.dashed)
    small = {"r": 2.0, "opacity": 0.6} if curve.dots and len(points) > 100 else {"r": 3.0}
    circles = [tag("circle", cx=px, cy=py, fill=paint, **small) for px, py in points.tolist()] if few else []
    ends = zip(points[:, 0].tolist(), up(curve.low).tolist(), up(curve.high).tolist(), strict=True)
    bars = [
        tag("line", class_="interval", x1=px, x2=px, y1=low, y2=high, stroke=paint)
        for px, low, high in ends
        if low > high  # down is more
    ]
    dashes = "5 4" if curve.dashed else None
    line = "" if curve.dots else tag("polyline", points=path, stroke=paint, stroke_dasharray=dashes)
    return tag("g", line, *bars, *circles)


def _legend(lines: Mapping[str, Curve]) -> str:
    if list(lines) == [""]:
        return ""
    names = [
        tag("span", tag("i", style=f"background:{_paint(line, i)}"), text(name))
        for i, (name, line) in enumerate(lines.items())
    ]
    return tag("figcaption", *names)
