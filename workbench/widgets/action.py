"""Change what the robot would do, and see what the world model makes of it and what that is worth."""

from collections.abc import Callable

import ipywidgets
import numpy as np

from workbench.models.bundle import Bundle
from workbench.platforms import PlatformSpec
from workbench.policy import ask, predict
from workbench.steps import decode, encode, extract, inject
from workbench.types import Moment
from workbench.views import observation_as_seen
from workbench.views.pictures import what_differs
from workbench.views.sequence import row_html
from workbench.views.tags import tag, text
from workbench.views.words import reading
from workbench.widgets.explore import Explorer

GRIPPER = {"as planned": None, "open": -1.0, "closed": 1.0}
SLIDER = {"min": -1.0, "max": 1.0, "step": 0.1, "continuous_update": False}


def edit_actions(policy: Bundle, planner: Bundle, moment: Moment, *, seed: int = 0) -> Explorer:
    """The policy's own chunk at `moment`, to be pushed along x, y and z; of a robot without a path, one joint.

    Pushes are added to every action of the chunk, in the robot's own units (LIBERO: 1 is full speed; ALOHA: radians).
    """
    spec = policy.spec
    seen = observation_as_seen(moment.observation, spec)
    own = predict(policy, moment.observation, moment.instruction, seed=seed).actions[None]
    present = encode(planner, moment.observation, moment.instruction)
    before = seen.images[spec.primary]
    controls, push = _straight(spec) if spec.path else _one_joint(spec)

    def imagine(actions: np.ndarray) -> tuple[np.ndarray, float]:
        told = inject(present, planner.stats, actions=actions)
        future = ask(planner, told, "world_model", seed=seed, calls=spec.calls)
        valued = ask(planner, future, planner.question("v"), seed=seed, calls=spec.calls)
        picture = decode(planner.tokenizer, future)[spec.primary][0]
        return picture, float(extract(valued, planner.stats).value[0])

    own_picture, own_value = imagine(own)

    def draw(gripper: str = "as planned", **pushes: float) -> str:
        actions = own + push(**pushes)
        if GRIPPER[gripper] is not None:
            actions[..., spec.gripper] = -GRIPPER[gripper] * spec.gripper_opens_at
        picture, value = imagine(actions)
        differs = what_differs([own_picture, picture], ["#0072B2", "#D55E00"])[1]
        pictures = {"now": before, "imagined, as planned": own_picture, "imagined, edited": picture, "differs": differs}
        words = f"as planned: value {reading(own_value, spec.gamma)}; edited: value {reading(value, spec.gamma)}"
        return row_html(pictures, width=170) + tag("p", text(words))

    if spec.gripper is not None:
        controls["gripper"] = ipywidgets.Dropdown(options=list(GRIPPER), description="gripper")
    return Explorer(draw, **controls)


Pushes = tuple[dict[str, ipywidgets.Widget], Callable[..., np.ndarray]]
"""Controls by name, and what their values add to every action."""


def _straight(spec: PlatformSpec) -> Pushes:
    controls = {axis: ipywidgets.FloatSlider(0.0, description=f"push {axis}", **SLIDER) for axis in "xyz"}
    return controls, lambda x, y, z: np.eye(3, spec.action_dim).T @ [x, y, z]


def _one_joint(spec: PlatformSpec) -> Pushes:
    names = spec.action_names or [f"action {i}" for i in range(spec.action_dim)]
    joint = ipywidgets.Dropdown(options=[(name, i) for i, name in enumerate(names)], description="joint")
    controls = {"push": ipywidgets.FloatSlider(0.0, description="push", **SLIDER), "joint": joint}
    return controls, lambda push, joint: push * np.eye(spec.action_dim)[joint]
