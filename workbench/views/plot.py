"""A few lines in one pair of axes, as a figure that needs no script: for notebooks and their saved pages."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Num

from workbench.views.colours import colour
from workbench.views.page import static
from workbench.views.tags import tag, text

WIDTH, HEIGHT, LEFT, RIGHT, TOP, FOOT = 560, 230, 52, 14, 10, 36
"""Size and margins, in SVG units."""

Line = tuple[Sequence[float] | Num[np.ndarray, " n"], Sequence[float] | Num[np.ndarray, " n"]]
"""Equally many xs and ys."""


def plot_html(
    lines: Mapping[str, Line],
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
    kept = {name: _finite(line, log) for name, line in lines.items()}
    xs, ys = (np.concatenate([line[axis] for line in kept.values()] or [np.empty(0)]) for axis in (0, 1))
    if len(xs) == 0:
        raise ValueError("plot: expected at least one point to draw, got none")
    across = _Axis(np.r_[xs, list((marks or {}).values())], "x" in log, LEFT, WIDTH - RIGHT)
    up = _Axis(ys, "y" in log, HEIGHT - FOOT, TOP)
    parts = _grid(across, up)
    parts += [_line(across, up, *line, colour(i), dots) for i, line in enumerate(kept.values())]
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


def _finite(line: Line, log: str) -> tuple[np.ndarray, np.ndarray]:
    xs, ys = (np.asarray(values, float) for values in line)
    good = np.isfinite(xs) & np.isfinite(ys)
    good &= (xs > 0) | ("x" not in log)
    good &= (ys > 0) | ("y" not in log)
    return xs[good], ys[good]


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


def _line(across: _Axis, up: _Axis, xs: np.ndarray, ys: np.ndarray, paint: str, dots: bool) -> str:
    points = np.stack([across(xs), up(ys)], 1)
    path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
    few = dots or len(points) <= 20
    circles = [tag("circle", cx=px, cy=py, r=3.0, fill=paint) for px, py in points.tolist()] if few else []
    line = "" if dots else tag("polyline", points=path, stroke=paint)
    return tag("g", line, *circles)


def _legend(lines: Mapping[str, Line]) -> str:
    if list(lines) == [""]:
        return ""
    names = [tag("span", tag("i", style=f"background:{colour(i)}"), text(name)) for i, name in enumerate(lines)]
    return tag("figcaption", *names)
