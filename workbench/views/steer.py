"""You against the model: the offer to make a plan of one's own, on the picture that shows the scene.

A click (or the arrow keys) chooses the place; the height is counted from the gripper's own, since a picture
alone does not say how far away a place is. The element `plan-target` keeps what is chosen.
"""

from workbench.types import Plan
from workbench.views.pictures import data_uri
from workbench.views.reveal import order
from workbench.views.tags import tag

WHERE = "where the gripper should go: click, or arrow keys"
LOWEST, HIGHEST = -25, 15
"""Centimetres from the gripper's present height."""


def steer_html(plan: Plan, *, seen: bool) -> str:
    """The folded offer; empty where the scene's camera has no projection or the robot no path.

    `seen`: whether the pictures of `plan` are as the model sees them; whoever takes the place needs to know.
    """
    observation = plan.moment.observation
    camera = order(observation.images)[0]
    if camera not in observation.projections or any(c.path is None for c in plan.candidates):
        return ""
    picture = tag("img", src=data_uri(observation.images[camera]), alt=f"{camera} camera", draggable="false")
    place = tag("button", picture, type="button", class_="place", aria_label=WHERE)
    knobs = tag(
        "div",
        _slider("height", "height, cm from now", LOWEST, HIGHEST, 0),
        _slider("speed", "speed, % of the full", 10, 100, 100),
        tag("label", tag("span", "when it is there", class_="way"), _radio("close", checked=True), _radio("open")),
        tag("button", "Add my plan", type="button", class_="press", data_steer="yes"),
        class_="knobs",
    )
    target = tag("plan-target", place, knobs, data_seen="yes" if seen else "no")
    words = "Your plan: click where the gripper should go"
    return tag("details", tag("summary", words), target, class_="wb steer")


def _slider(name: str, label: str, low: int, high: int, value: int) -> str:
    box = tag("input", type="range", name=name, min=low, max=high, value=value, aria_label=label)
    return tag("label", tag("span", label, class_="way"), box, tag("output", str(value)))


def _radio(value: str, *, checked: bool = False) -> str:
    return tag("label", tag("input", type="radio", name="gripper", value=value, checked=checked), tag("span", value))
