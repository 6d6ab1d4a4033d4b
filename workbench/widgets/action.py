"""Change what the robot would do, and see what the world model makes of it and what that is worth."""

import ipywidgets
import numpy as np

from workbench.models.bundle import Bundle
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


def edit_actions(policy: Bundle, planner: Bundle, moment: Moment, *, seed: int = 0) -> Explorer:
    """The policy's own chunk at `moment`, to be pushed along x, y and z.

    Pushes are added to every action of the chunk, in the robot's own units (LIBERO: 1 is full speed).
    """
    spec = policy.spec
    seen = observation_as_seen(moment.observation, spec)
    own = predict(policy, moment.observation, moment.instruction, seed=seed).actions[None]
    present = encode(planner, moment.observation, moment.instruction)
    before = seen.images[spec.primary]

    def imagine(actions: np.ndarray) -> tuple[np.ndarray, float]:
        told = inject(present, planner.stats, actions=actions)
        future = ask(planner, told, "world_model", seed=seed, calls=spec.calls)
        valued = ask(planner, future, "v", seed=seed, calls=spec.calls)
        picture = decode(planner.tokenizer, future)[spec.primary][0]
        return picture, float(extract(valued, planner.stats).value[0])

    own_picture, own_value = imagine(own)

    def draw(x: float, y: float, z: float, gripper: str) -> str:
        actions = own.copy()
        actions[0, :, :3] += [x, y, z]
        if GRIPPER[gripper] is not None and spec.gripper is not None:
            actions[..., spec.gripper] = -GRIPPER[gripper] * spec.gripper_opens_at
        picture, value = imagine(actions)
        differs = what_differs([own_picture, picture], ["#0072B2", "#D55E00"])[1]
        pictures = {"now": before, "imagined, as planned": own_picture, "imagined, edited": picture, "differs": differs}
        words = f"as planned: value {reading(own_value, spec.gamma)}; edited: value {reading(value, spec.gamma)}"
        return row_html(pictures, width=170) + tag("p", text(words))

    push = {"min": -1.0, "max": 1.0, "step": 0.1, "continuous_update": False}
    return Explorer(
        draw,
        x=ipywidgets.FloatSlider(0.0, description="push x", **push),
        y=ipywidgets.FloatSlider(0.0, description="push y", **push),
        z=ipywidgets.FloatSlider(0.0, description="push z", **push),
        gripper=ipywidgets.Dropdown(options=list(GRIPPER), description="gripper"),
    )
