"""The action fan: what every seed would do, at every network call, on the camera picture and as curves."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from workbench.types import Denoising
from workbench.views.colours import own
from workbench.views.paths import Frame, orbit, project
from workbench.views.pictures import data_uri
from workbench.views.reveal import order
from workbench.views.strip import at_call, calls_style
from workbench.views.tags import tag, text

PANEL, PANEL_HEIGHT = 150, 64
"""Size of one action dimension's curves, in SVG units."""


def ends(denoising: Denoising) -> Float[np.ndarray, "n i"]:
    """Metres between where each seed's path ends at each call and where it ends at the last one."""
    last = denoising.paths[:, :, -1]
    return np.linalg.norm(last - last[:, -1:], axis=-1)


def spread(denoising: Denoising) -> Float[np.ndarray, " i"]:
    """Root mean square distance of the seeds' path ends from their middle, metres, at each call."""
    last = denoising.paths[:, :, -1]
    return np.sqrt(((last - last.mean(0)) ** 2).sum(-1).mean(0))


def fan_html(denoising: Denoising) -> str:
    """The paths of all seeds, enlarged in a figure that a drag turns and over the picture of the scene.

    The shown seed's earlier calls stay faintly behind it. A platform without a gripper path, and a camera
    without a projection, have less to show.
    """
    note = tag("div", at_call(_sentences(denoising), "p"), class_="said")
    style = calls_style(len(denoising.sigmas))
    return tag("div", _enlarged(denoising), note, _on_picture(denoising), class_="wb fan", style=style)


def _enlarged(denoising: Denoising) -> str:
    if denoising.paths is None:
        return ""
    frame = Frame(list(denoising.paths.reshape(-1, *denoising.paths.shape[2:])))
    lines = [_turning(denoising, frame, n, i) for n, i in _drawn(denoising)]
    return orbit(frame, [frame.floor(), *lines], label=f"paths of {len(denoising.seeds)} seeds")


def _turning(denoising: Denoising, frame: Frame, n: int, i: int) -> str:
    path = denoising.paths[n, i]
    parts = [frame.line(path, "halo"), frame.line(path, "line")]
    parts.append(frame.mark(path[-1], tag("circle", class_="end", r=4.5 if n == 0 else 3)))
    return tag("g", *parts, class_=_classes(denoising, n, i), style=own(n), data_call=i, data_seed=n)


def _classes(denoising: Denoising, n: int, i: int) -> str:
    """Other seeds show at their call only; the shown one (0) leaves a trail."""
    return ("only" if n else "trail first") + (" on" if i == len(denoising.sigmas) - 1 else "")


def _sentences(denoising: Denoising) -> list[str]:
    if denoising.paths is None:
        return ["this robot has no gripper path: see the action curves"] * len(denoising.sigmas)
    away, wide = ends(denoising)[0] * 1000, spread(denoising) * 1000
    many = len(denoising.seeds)
    among = [f"; {many} seeds spread {w:.1f} mm" for w in wide] if many > 1 else [""] * len(away)
    return [f"ends {a:.1f} mm from the final end{w}" for a, w in zip(away, among, strict=True)]


def _on_picture(denoising: Denoising) -> str:
    seen = denoising.observation
    names = [camera for camera in order(seen.images) if camera in seen.projections]
    if denoising.paths is None or not names:
        return ""
    image, projection = seen.images[names[0]], seen.projections[names[0]]
    height, width, _ = image.shape
    lines = [_line(denoising, n, i, projection, width) for n, i in _drawn(denoising)]
    box = {"viewBox": f"0 0 {width} {height}", "role": "img", "aria_label": "paths at the present call"}
    svg = tag("svg", *filter(None, lines), **box)
    shape = f"aspect-ratio:{width}/{height}"
    return tag("div", tag("img", src=data_uri(image), alt=text(names[0])), svg, class_="scene", style=shape)


def _drawn(denoising: Denoising) -> list[tuple[int, int]]:
    """Seed and call of every line, the shown seed (0) last and so on top."""
    calls = range(len(denoising.sigmas))
    return [(n, i) for n in range(len(denoising.seeds) - 1, -1, -1) for i in calls]


def _line(denoising: Denoising, n: int, i: int, projection: np.ndarray, width: int) -> str:
    pixels = project(denoising.paths[n, i], projection)
    pixels = pixels[np.isfinite(pixels).all(1)]
    if len(pixels) == 0:
        return ""
    unit, points = width / 100, _points(pixels)
    x, y = pixels[-1].tolist()
    return tag(
        "g",
        tag("polyline", class_="halo", points=points, stroke_width=(3.6 if n == 0 else 2.2) * unit),
        tag("polyline", class_="line", points=points, stroke_width=(1.9 if n == 0 else 1.0) * unit),
        tag("circle", class_="end", cx=x, cy=y, r=(2.6 if n == 0 else 1.5) * unit, stroke_width=0.7 * unit),
        class_=_classes(denoising, n, i),
        style=own(n),
        data_call=i,
        data_seed=n,
    )


def curves_html(denoising: Denoising, names: Sequence[str] = ()) -> str:
    """The chunk over its control steps, one panel an action dimension, all seeds; units are the robot's.

    `names` are those of the dimensions (`PlatformSpec.action_names`); without them they are numbered from 0.
    """
    dimensions = denoising.actions.shape[-1]
    names = names if len(names) == dimensions else [f"action {a}" for a in range(dimensions)]
    panels = [_panel(denoising, a, name) for a, name in enumerate(names)]
    style = calls_style(len(denoising.sigmas))
    return tag("div", *panels, class_="wb curves", style=style)


def _panel(denoising: Denoising, a: int, name: str) -> str:
    actions = denoising.actions[..., a]
    low, high = float(actions.min()), float(actions.max())
    room = max(high - low, 1e-3)
    steps = actions.shape[-1]

    def points(chunk: Float[np.ndarray, " k"]) -> str:
        xs = np.linspace(2, PANEL - 2, steps) if steps > 1 else np.array([PANEL / 2])
        ys = 3 + (PANEL_HEIGHT - 6) * (1 - (chunk - low) / room)
        return _points(np.stack([xs, ys], 1))

    lines = [
        tag("polyline", points=points(actions[n, i]), class_=_classes(denoising, n, i), style=own(n), data_call=i)
        for n, i in _drawn(denoising)
    ]
    title = tag("figcaption", text(name), tag("small", f"{low:.2g} to {high:.2g}"))
    box = {"viewBox": f"0 0 {PANEL} {PANEL_HEIGHT}", "preserveAspectRatio": "none", "role": "img"}
    picture = tag("svg", *lines, **box, aria_label=f"{name} over {steps} control steps")
    return tag("figure", title, picture)


def _points(points: np.ndarray) -> str:
    return " ".join(",".join(f"{v:.1f}" for v in point) for point in points)
