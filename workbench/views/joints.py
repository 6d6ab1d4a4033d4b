"""What each candidate commands, for a robot without a gripper path: a small panel of curves an action dimension."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from workbench.types import Candidate, Plan
from workbench.views import words
from workbench.views.colours import own
from workbench.views.paths import orbit_html
from workbench.views.tags import tag, text

WIDTH, HEIGHT, EDGE = 138, 30, 3
"""Size of a panel and the room above and below its curves, in SVG units."""


def joints_html(plan: Plan, names: Sequence[str] = ()) -> str:
    """Every candidate's actions over its control steps, in the robot's own units; empty while there are none.

    Two columns, the first half of the dimensions in the left one: two arms stand side by side. `names` are those of
    the dimensions (`PlatformSpec.action_names`); what has none is numbered from 0. The chosen candidate lies on top.
    """
    drawn = [c for c in plan.candidates if len(c.actions)]
    if not drawn:
        return ""
    drawn.sort(key=lambda c: c.index == plan.best)
    dimensions = drawn[0].actions.shape[1]
    names = names if len(names) == dimensions else [f"action {i}" for i in range(dimensions)]
    panels = [_panel(drawn, i, name, plan.best) for i, name in enumerate(names)]
    note = tag("p", f"what each commands over {len(drawn[0].actions)} control steps, in the robot's units")
    rows = f"--rows:{-(-dimensions // 2)}"
    return tag("section", tag("div", *panels, class_="panels", style=rows), note, class_="joints")


def ways_html(plan: Plan, names: Sequence[str] = ()) -> str:
    """What tells the candidates' actions apart: paths in a figure that a drag turns, or curves where there are none."""
    blind = all(c.path is None and len(c.actions) for c in plan.candidates)
    return joints_html(plan, names) if blind else orbit_html(plan)


def _panel(drawn: Sequence[Candidate], dimension: int, name: str, best: int) -> str:
    low = min(float(c.actions[:, dimension].min()) for c in drawn)
    high = max(float(c.actions[:, dimension].max()) for c in drawn)
    lines = [
        tag(
            "polyline",
            tag("title", words.name(c.index)),
            points=_points(c.actions[:, dimension], low, high),
            class_="path chosen" if c.index == best else "path",
            style=own(c.index),
            data_candidate=c.index,
        )
        for c in drawn
    ]
    title = tag("figcaption", text(name), tag("small", f"{low:.2f} to {high:.2f}"))
    box = {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "preserveAspectRatio": "none", "role": "img"}
    return tag("figure", title, tag("svg", *lines, **box, aria_label=f"{name}, {low:.2f} to {high:.2f}"))


def _points(values: Float[np.ndarray, " k"], low: float, high: float) -> str:
    xs = np.linspace(0, WIDTH, len(values))
    ys = EDGE + (HEIGHT - 2 * EDGE) * (1 - (values - low) / max(high - low, 1e-6))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
