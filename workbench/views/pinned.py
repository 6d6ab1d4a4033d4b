"""Pinned decisions beside the one on the page: what each chose, what it is worth, and in which settings it differs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workbench.types import Candidate, Plan
from workbench.views import words
from workbench.views.colours import own
from workbench.views.paths import overlay_svg
from workbench.views.pictures import data_uri
from workbench.views.reveal import imagined_picture, order
from workbench.views.tags import tag, text
from workbench.views.values import axis_top, samples_svg


def pinned_html(pinned: Mapping[str, Plan], shown: Plan, *, current: str | None = None) -> str:
    """One strip a decision, by the name of its run; empty without any.

    All share one axis of values, with `shown`, the plan on the page; `current` is the name of its run, if it has one.
    """
    if not pinned:
        return ""
    top = axis_top([c for plan in (*pinned.values(), shown) for c in plan.candidates])
    strips = [_strip(name, plan, shown, top, name == current) for name, plan in pinned.items()]
    return tag("section", *strips, class_="wb pinned", aria_label="pinned runs")


def differences(plan: Plan, shown: Plan) -> dict[str, tuple[Any, Any]]:
    """What `plan` was asked differently from `shown`: name to both values. Only what is known of both counts."""
    asked, here = _asked(plan), _asked(shown)
    both = [name for name in asked if name in here]
    return {name: (asked[name], here[name]) for name in both if asked[name] != here[name]}


def _asked(plan: Plan) -> dict[str, Any]:
    settings = {name.replace("_", " "): value for name, value in plan.config.items() if name != "yours"}
    roles = {role: about["name"] for role, about in plan.checkpoints.items() if "name" in about}
    before = {"depth": 1, "same noise": False}  # plans of before had no other
    return {"moment": plan.moment.address, **before, **settings, **roles}


def differing(plan: Plan, shown: Plan) -> str:
    """The same as a sentence: "only the seed differs: 0, here 1"."""
    found = differences(plan, shown)
    elsewhere = found.pop("moment", None) is not None
    pairs = {name: tuple(map(_value, pair)) for name, pair in found.items()}
    also = ["from another moment"] if elsewhere else []
    if (plan.yours is None) != (shown.yours is None):
        also.append("with a plan of your own" if shown.yours is None else "without a plan of your own")
    if len(pairs) == 1 and not also:
        ((name, (there, here)),) = pairs.items()
        return f"only the {name} differs: {there}, here {here}"
    listed = ", ".join(f"{name} {there} (here {here})" for name, (there, here) in pairs.items())
    said = [f"differs in {listed}" if pairs else "the same settings", *also]
    return ", ".join(said)


def _value(value: Any) -> str:
    return "the checkpoint's own" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _strip(name: str, plan: Plan, shown: Plan, top: float, current: bool) -> str:
    chosen = next(c for c in plan.candidates if c.index == plan.best)
    said = "on the page now: the next plan stands beside it" if current else differing(plan, shown)
    links = [
        tag(
            "a", "open", href=f"?run={name}", target="_blank", data_keeps_presenting=True, title="in a page of its own"
        ),
        tag("button", "unpin", type="button", data_unpin=name),
    ]
    title = [
        tag("span", words.name(chosen.index), class_="name"),
        tag("output", _worth(chosen)),
        samples_svg(chosen, top=top),
        *links,
    ]
    about = tag("p", text(words.headline(plan)), class_="said", title=words.headline(plan))
    differs = tag("p", text(said), class_="differs", title=said)
    lines = tag("div", tag("h3", *title), about, differs)
    return tag("article", _picture(plan, chosen), lines, style=own(chosen.index), data_run=name)


def _worth(chosen: Candidate) -> str:
    """The value, and the standard deviation of its samples where there are several."""
    if chosen.value is None:
        return "–"
    drawn: Sequence[float] = words.samples(chosen)
    spread = tag("small", f" ± {words.number(float(np.std(drawn)))}") if len(drawn) > 1 else ""
    return words.number(chosen.value) + spread


def _picture(plan: Plan, chosen: Candidate) -> str:
    """What the winner imagines of the scene, with its path; the present where it imagines nothing."""
    seen = plan.moment.observation
    camera = order(seen.images)[0]
    image = imagined_picture(chosen, camera)
    height, width, _ = seen.images[camera].shape
    path = overlay_svg(chosen, seen.projections.get(camera), width=width, height=height)
    alt = f"what {words.name(chosen.index)} imagines" if image is not None else "the present"
    img = tag("img", src=data_uri(seen.images[camera] if image is None else image), alt=alt, draggable="false")
    return tag("div", img, path, class_="stack", style=f"aspect-ratio:{width}/{height}")
