"""RoboCasa's evaluation protocol as data (METHOD.md 8): tasks, horizons, scenes, seeds, actions. No simulator."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from workbench.data.presets import ROBOCASA_HORIZONS

HORIZONS = ROBOCASA_HORIZONS
"""The 24 atomic tasks, as RoboCasa names them, and the control steps after which an episode counts as failed."""

SCENES = ((1, 1), (2, 2), (4, 4), (6, 9), (7, 10))
"""(layout, style) of the kitchens of the evaluation."""
EPISODES_A_SCENE = 10
OBJECTS = "B"
"""The split of object instances that no demonstration has seen."""
RUN_SEED = 195
"""The first of the paper's three runs; the others are 196 and 197."""
REST_OF_ACTION = (0.0, 0.0, 0.0, 0.0, -1.0)
"""Base (3), torso (1) and mode (-1: the arm moves) of the 12 numbers that the mobile robot takes."""
WAIT_STEPS = 10
CONTROL_HZ = 20
CAMERAS = {
    "wrist": "robot0_eye_in_hand",
    "primary": "robot0_agentview_left",
    "secondary": "robot0_agentview_right",
}
"""The platform's camera names to RoboCasa's."""
PROPRIO = ("robot0_gripper_qpos", "robot0_eef_pos", "robot0_eef_quat")
"""The observations that make up the proprio: 2, 3 (metres) and 4 numbers."""
CONTROLLER = {
    "type": "OSC_POSE",
    "input_max": 1,
    "input_min": -1,
    "output_max": [0.05] * 3 + [0.5] * 3,
    "output_min": [-0.05] * 3 + [-0.5] * 3,
    "kp": 150,
    "impedance_mode": "fixed",
    "input_type": "delta",
    "ramp_ratio": 0.2,
}
"""What the arm's controller must be: metres and radians a control step at a full action."""


@dataclass(frozen=True)
class Kitchen:
    """Everything that an episode's simulator is built from."""

    task: int
    layout: int
    style: int
    seed: int

    @property
    def name(self) -> str:
        """The task, in RoboCasa's word."""
        return tuple(HORIZONS)[self.task]


def kitchen(task: int, init: int | None, seed: int, *, run_seed: int = RUN_SEED) -> Kitchen:
    """Episode `init` (0 to 49) of a task, the same in every evaluation; with None, a kitchen drawn with `seed`."""
    if init is None:
        return Kitchen(task, *SCENES[seed % len(SCENES)], seed=seed)
    if not 0 <= init < EPISODES_A_SCENE * len(SCENES):
        raise ValueError(f"expected an initial state from 0 to {EPISODES_A_SCENE * len(SCENES) - 1}, got {init}")
    return Kitchen(task, *SCENES[init // EPISODES_A_SCENE], seed=run_seed * init * 256)


def full_action(action: Float[np.ndarray, " a"]) -> Float[np.ndarray, "12"]:
    """What the mobile robot takes, of the policy's position, rotation and gripper: base and torso stand still."""
    action = np.asarray(action, dtype=np.float64)
    if action.shape != (7,) or not np.isfinite(action).all():
        raise ValueError(f"expected 7 finite numbers as action, got shape {action.shape}: {action}")
    return np.concatenate([action, REST_OF_ACTION])
