"""What each candidate is worth: every sample as a dot, the aggregate as a bar, and a value over time."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from workbench.types import Candidate, Plan
from workbench.views.colours import colour
from workbench.views.tags import tag, text
from workbench.views.words import name, number, samples

WIDTH, HEIGHT, FOOT = 210, 26, 9
"""Size of one card's axis in SVG units; the scale is written in the FOOT."""

TOPS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
"""Where the common axis may end."""


def axis_top(candidates: Sequence[Candidate]) -> float:
    """The end of the axis that all cards share, which starts at 0: no sample or aggregate lies beyond it."""
    return axis_top_of([v for c in candidates for v in (*samples(c), c.value or 0.0)])


def axis_top_of(values: Sequence[float]) -> float:
    """The first of `TOPS` that no value exceeds."""
    return next((top for top in TOPS if top >= max(values, default=0.0)), 1.0)


def samples_svg(candidate: Candidate, *, top: float, best: float | None = None) -> str:
    """One card's axis from 0 to `top`: a bar to the aggregate, a dot a sample, `best` as a line.

    The samples of one future share a row of dots.
    """
    floor = HEIGHT - FOOT
    parts = [tag("line", class_="axis", x1=0, x2=WIDTH, y1=floor, y2=floor)]
    if candidate.value is not None:
        end = _x(candidate.value, top)
        parts.append(tag("rect", class_="bar", width=end, height=floor))
        parts.append(tag("line", class_="aggregate", x1=end, x2=end, y1=0, y2=floor))
    if best is not None:
        parts.append(tag("line", class_="best", x1=_x(best, top), x2=_x(best, top), y1=0, y2=floor))
    parts += _dots(candidate, top)
    drawn = samples(candidate)
    if len(drawn):
        parts.append(tag("text", "0", class_="scale", y=HEIGHT))
        parts.append(tag("text", f"{top:g}", class_="scale", x=WIDTH, y=HEIGHT, text_anchor="end"))
    label = f"{len(drawn)} value samples"
    if len(drawn):
        label += f" from {number(drawn.min())} to {number(drawn.max())}"
    box = f"-3 0 {WIDTH + 6} {HEIGHT}"
    return tag("svg", tag("title", label), *parts, class_="samples", viewBox=box, role="img", aria_label=label)


def _x(value: float, top: float) -> float:
    return WIDTH * min(max(float(value), 0.0), top) / top


def _dots(candidate: Candidate, top: float) -> list[str]:
    if candidate.values is None:
        return []
    step = (HEIGHT - FOOT) / len(candidate.values)
    radius = min(2.6, 0.42 * step + 0.6)
    return [
        tag("circle", cx=_x(value, top), cy=step * (row + 0.5), r=radius)
        for row, line in enumerate(candidate.values)
        for value in line
        if not np.isnan(value)
    ]


def values_figure(plan: Plan) -> go.Figure:
    """All value samples of all candidates on one axis, the aggregates as bars (plotly, for a notebook)."""
    figure = go.Figure()
    for c in plan.candidates:
        drawn, label = samples(c), name(c.index)
        figure.add_bar(x=[c.value], y=[label], orientation="h", marker_color=colour(c.index), opacity=0.35)
        figure.add_scatter(
            x=drawn, y=[label] * len(drawn), mode="markers", marker={"color": colour(c.index), "size": 8}
        )
    figure.update_layout(showlegend=False, height=60 + 34 * len(plan.candidates), bargap=0.35)
    figure.update_layout(margin={"l": 40, "r": 10, "t": 10, "b": 40})
    figure.update_xaxes(title_text="value", range=[0, 1.05 * axis_top(plan.candidates)])
    figure.update_yaxes(autorange="reversed")
    return figure


TRACE_WIDTH, TRACE_HEIGHT, TRACE_LEFT, TRACE_FOOT = 560, 196, 28, 18
"""Size and margins of the value over time, in SVG units."""


def value_trace_svg(
    steps: Sequence[int],
    values: Sequence[Sequence[float]],
    chosen: Sequence[int],
    *,
    horizon: int,
    marks: Sequence[tuple[int, str]] = (),
    top: float | None = None,
) -> str:
    """Value over an episode: one dot a candidate at each decision, a line through the chosen ones.

    `steps` are the control steps of the decisions, `values` all candidates' values there, `chosen` the
    index of the chosen one. `marks` are control steps with what happened there, numbered from 1. `top` is the end
    of the axis, by default the first of `TOPS` that no value exceeds.
    """
    top = axis_top_of([v for row in values for v in row]) if top is None else top
    right, floor = TRACE_WIDTH - 10, TRACE_HEIGHT - TRACE_FOOT

    def x(step: float) -> float:
        return TRACE_LEFT + (right - TRACE_LEFT) * step / max(horizon, 1)

    def y(value: float) -> float:
        return 8 + (floor - 8) * (1 - float(value) / top)

    parts = []
    for value in (0, top / 2, top):
        parts.append(tag("line", class_="axis", x1=TRACE_LEFT, x2=right, y1=y(value), y2=y(value)))
        parts.append(tag("text", f"{value:g}", class_="scale", x=TRACE_LEFT - 4, y=y(value) + 3, text_anchor="end"))
    for step in (0, horizon // 2, horizon):
        parts.append(tag("text", str(step), class_="scale", x=x(step), y=TRACE_HEIGHT - 4, text_anchor="middle"))
    for place, (step, what) in enumerate(marks, 1):
        beside = 9 * sum(other == step for other, _ in marks[: place - 1])  # several at one step
        line = tag("line", x1=x(step), x2=x(step), y1=8, y2=floor)
        label = tag("text", str(place), x=x(step) + 3 + beside, y=15)
        parts.append(tag("g", tag("title", text(what)), line, label, class_="mark"))
    decisions = list(zip(steps, values, chosen, strict=True))
    line = " ".join(f"{x(step):.1f},{y(row[best]):.1f}" for step, row, best in decisions)
    parts.append(tag("polyline", class_="trace", points=line))
    for step, row, best in decisions:
        for index, value in sorted(enumerate(row), key=lambda pair: pair[0] == best):
            size = 5 if index == best else 2.6
            parts.append(tag("circle", cx=x(step), cy=y(value), r=size, fill=colour(index)))
    label = f"Value at {len(decisions)} decisions, control steps 0 to {horizon}"
    box = f"0 0 {TRACE_WIDTH} {TRACE_HEIGHT}"
    return tag("svg", *parts, class_="value-trace", viewBox=box, role="img", aria_label=label)
