"""Where each candidate would move the gripper: on the camera picture, in a figure that turns, in plotly.

`orbit_html` is an SVG in orthographic projection that already stands as a still figure; the element
`orbit-paths` (static/elements.js) lets a drag turn it, with the same formula as `turn` below. It needs
neither WebGL nor plotly, so it works in a saved page and on any machine.
"""

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from workbench.types import Candidate, Plan
from workbench.views.colours import colour, own
from workbench.views.tags import tag
from workbench.views.words import name

WIDTH, HEIGHT = 300, 250
"""Size of the turning figure, in SVG units."""

AZIMUTH, ELEVATION = math.radians(35), math.radians(28)
"""Where the viewer stands at first: facing the robot, to its left, looking down."""

GRID_STEPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Side of a floor square in metres: the first that needs at most eight squares."""


def project(points: Float[np.ndarray, "n 3"], projection: Float[np.ndarray, "3 4"]) -> Float[np.ndarray, "n 2"]:
    """Metres to pixels (right, down) of the picture that `projection` belongs to; NaN behind the camera."""
    homogeneous = np.c_[points, np.ones(len(points))] @ np.asarray(projection, float).T
    depth = np.where(homogeneous[:, 2:] > 1e-9, homogeneous[:, 2:], np.nan)
    return homogeneous[:, :2] / depth


def unproject(pixel: Sequence[float], projection: Float[np.ndarray, "3 4"], *, height: float) -> Float[np.ndarray, "3"]:
    """The point `height` metres up that appears at `pixel` (right, down): `project` the other way round.

    ValueError where the line of sight does not meet that height before the camera.
    """
    matrix = np.asarray(projection, float)
    rows = matrix[:2] - np.asarray(pixel, float)[:, None] * matrix[2]
    try:
        flat = np.linalg.solve(rows[:, :2], -rows[:, 2] * height - rows[:, 3])
    except np.linalg.LinAlgError:
        flat = np.full(2, np.nan)
    point = np.array([*flat, height])
    if not np.isfinite(project(point[None], matrix)).all():
        raise ValueError(f"expected a place that is {height:.2f} m up, the picture shows none there: go lower")
    return point


def overlay_svg(candidate: Candidate, projection: Float[np.ndarray, "3 4"] | None, *, width: int, height: int) -> str:
    """The path over a picture: a line with a halo, open at the start, filled at the end.

    Empty without a path, without a projection, or if nothing of it is before the camera.
    """
    if projection is None or candidate.path is None or len(candidate.path) == 0:
        return ""
    pixels = project(candidate.path, projection)
    pixels = pixels[np.isfinite(pixels).all(1)]
    if len(pixels) == 0:
        return ""
    points, unit = _points(pixels), width / 100
    (x0, y0), (x1, y1) = pixels[[0, -1]].tolist()
    return tag(
        "svg",
        tag("polyline", class_="halo", points=points, stroke_width=4.6 * unit),
        tag("polyline", class_="line", points=points, stroke_width=2.4 * unit),
        tag("circle", class_="start", cx=x0, cy=y0, r=2.2 * unit, stroke_width=1.4 * unit),
        tag("circle", class_="end", cx=x1, cy=y1, r=3.4 * unit, stroke_width=1.2 * unit),
        class_="overlay",
        viewBox=f"0 0 {width} {height}",
        aria_hidden="true",
    )


def turn(points: Float[np.ndarray, "n 3"], azimuth: float, elevation: float) -> Float[np.ndarray, "n 2"]:
    """Orthographic projection (right, down) for a viewer at `azimuth` and `elevation` (radians)."""
    x, y, z = np.asarray(points, float).T
    towards = x * math.cos(azimuth) + y * math.sin(azimuth)
    right = y * math.cos(azimuth) - x * math.sin(azimuth)
    return np.stack([right, towards * math.sin(elevation) - z * math.cos(elevation)], axis=1)


def orbit_html(plan: Plan) -> str:
    """All paths in one figure that a drag turns: floor, shadows on it, ends numbered as the cards are."""
    drawn = [c for c in plan.candidates if c.path is not None and len(c.path)]
    if not drawn:
        waiting = any(len(c.actions) == 0 for c in plan.candidates)
        note = "paths appear here" if waiting else "this robot has no gripper path: see its action curves"
        return tag("orbit-paths", tag("p", note), class_="orbit empty")
    frame = Frame([c.path for c in drawn])
    order = sorted(drawn, key=lambda c: c.index == plan.best)  # the chosen one is drawn last, on top
    body = [frame.floor(), *(_shadow(frame, c) for c in order)]
    body += [_path(frame, c, chosen=c.index == plan.best) for c in order]
    return orbit(frame, body, label=f"Gripper paths of {len(drawn)} candidates")


def orbit(frame: "Frame", body: Sequence[str], *, label: str) -> str:
    """What was drawn in `frame`, as a figure that a drag turns."""
    box = f"{-WIDTH / 2:g} {-HEIGHT / 2:g} {WIDTH} {HEIGHT}"
    picture = tag("svg", *body, viewBox=box, role="img", aria_label=label)
    note = tag("p", f"drag to turn · squares of {frame.square * 100:g} cm")
    angles = {"data_azimuth": f"{AZIMUTH:.4f}", "data_elevation": f"{ELEVATION:.4f}"}
    return tag("orbit-paths", picture, note, class_="orbit", **angles)


class Frame:
    """Metres to SVG units about the paths' middle, so that turning about the vertical keeps all in sight."""

    def __init__(self, paths: Sequence[np.ndarray]) -> None:
        points = np.concatenate(paths).astype(float)
        low, high = points.min(0), points.max(0)
        self.square = next((s for s in GRID_STEPS if (high - low)[:2].max() / s <= 7), 1.0)
        self.low = np.floor(low[:2] / self.square) * self.square
        self.high = np.ceil(high[:2] / self.square) * self.square
        self.ground = low[2] - 0.15 * self.square
        corners = np.array([[*self.low, self.ground], [*self.high, high[2]]])
        self.middle = corners.mean(0)
        across = np.linalg.norm(corners[1, :2] - corners[0, :2])
        tall = across * math.sin(ELEVATION) + (corners[1, 2] - corners[0, 2]) * math.cos(ELEVATION)
        self.scale = 0.94 * min(WIDTH / max(across, 1e-6), HEIGHT / max(tall, 1e-6))

    def units(self, points: np.ndarray) -> np.ndarray:
        return (np.asarray(points, float) - self.middle) * self.scale

    def line(self, points: np.ndarray, css_class: str) -> str:
        xyz = self.units(points)
        still = _points(turn(xyz, AZIMUTH, ELEVATION))
        return tag("polyline", class_=css_class, points=still, data_xyz=_points(xyz))

    def mark(self, point: np.ndarray, *inside: str) -> str:
        xyz = self.units(point[None])
        x, y = turn(xyz, AZIMUTH, ELEVATION)[0]
        return tag("g", *inside, transform=f"translate({x:.1f} {y:.1f})", data_xyz=_points(xyz))

    def floor(self) -> str:
        xs = np.arange(self.low[0], self.high[0] + self.square / 2, self.square)
        ys = np.arange(self.low[1], self.high[1] + self.square / 2, self.square)
        rows = [[(x, ys[0], self.ground), (x, ys[-1], self.ground)] for x in xs]
        rows += [[(xs[0], y, self.ground), (xs[-1], y, self.ground)] for y in ys]
        return "".join(self.line(np.array(row), "floor") for row in rows)


def _shadow(frame: Frame, candidate: Candidate) -> str:
    flat = candidate.path.astype(float)
    flat[:, 2] = frame.ground
    stem = np.stack([candidate.path[-1], flat[-1]])
    lines = frame.line(flat, "flat") + frame.line(stem, "stem")
    return tag("g", lines, class_="shadow", style=own(candidate.index), data_candidate=candidate.index)


def _path(frame: Frame, candidate: Candidate, *, chosen: bool) -> str:
    return tag(
        "g",
        tag("title", name(candidate.index)),
        frame.line(candidate.path, "halo"),
        frame.line(candidate.path, "line"),
        frame.mark(candidate.path[0], tag("circle", class_="start", r=3.2)),
        frame.mark(
            candidate.path[-1],
            tag("circle", class_="end", r=8),
            tag("text", str(candidate.index + 1), class_="tag", dy="3.6"),
        ),
        class_="path chosen" if chosen else "path",
        style=own(candidate.index),
        data_candidate=candidate.index,
    )


def _points(points: np.ndarray) -> str:
    return " ".join(",".join(f"{v:.1f}" for v in point) for point in points)


def paths_figure(plan: Plan) -> go.Figure:
    """All paths in metres as a plotly figure (needs WebGL to show); the chosen one is thicker."""
    figure = go.Figure()
    for c in plan.candidates:
        if c.path is None or len(c.path) == 0:
            continue
        x, y, z = c.path.T
        line = {"color": colour(c.index), "width": 9 if c.index == plan.best else 4}
        ends = [2] + [0] * (len(x) - 2) + [6]
        figure.add_scatter3d(
            x=x, y=y, z=z, name=name(c.index), mode="lines+markers", line=line,
            marker={"size": ends[-len(x) :], "color": colour(c.index)},
        )  # fmt: skip
    axes = {f"{axis}axis": {"title": f"{axis} (m)"} for axis in "xyz"}
    figure.update_layout(
        scene={**axes, "aspectmode": "data"}, margin={"l": 0, "r": 0, "t": 0, "b": 0}, height=420,
        legend={"orientation": "h"},
    )  # fmt: skip
    return figure


def actions_figure(plan: Plan) -> go.Figure:
    """One panel an action dimension, one curve a candidate, in the units in which the robot takes them."""
    dimensions = max((c.actions.shape[1] for c in plan.candidates if len(c.actions)), default=1)
    columns = min(dimensions, 4)
    rows = -(-dimensions // columns)
    figure = go.Figure().set_subplots(
        rows, columns, shared_xaxes=True, subplot_titles=[f"action {d}" for d in range(dimensions)]
    )
    for c in plan.candidates:
        line = {"color": colour(c.index), "width": 3 if c.index == plan.best else 1.2}
        for d in range(c.actions.shape[1] if len(c.actions) else 0):
            figure.add_scatter(
                x=np.arange(len(c.actions)), y=c.actions[:, d], name=name(c.index), line=line, mode="lines",
                legendgroup=str(c.index), showlegend=d == 0, row=d // columns + 1, col=d % columns + 1,
            )  # fmt: skip
    figure.update_layout(height=150 * rows + 60, margin={"l": 30, "r": 10, "t": 30, "b": 30})
    figure.update_xaxes(title_text="control step", row=rows)
    return figure
