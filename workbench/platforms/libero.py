"""LIBERO: a Franka Panda under operational-space control, one wrist and one third-person camera."""

import numpy as np
from jaxtyping import Float

from workbench.platforms.base import PlatformSpec

POSITION = slice(2, 5)
"""Where the gripper's position, in metres, stands in LIBERO's proprio (gripper 2, position 3, quaternion 4)."""

METRES_A_STEP = 0.0124
"""How far the arm really moves in one control step at a full position action. The controller asks for 0.05 m but
is retargeted every step before it gets there; `workbench bench path` measures the number."""


def path(actions: Float[np.ndarray, "k a"], proprio: Float[np.ndarray, " d"]) -> Float[np.ndarray, "points 3"]:
    """Dead reckoning of the gripper in metres, starting where it is: k + 1 points."""
    steps = np.clip(actions[:, :3], -1, 1) * METRES_A_STEP
    return proprio[POSITION] + np.concatenate([np.zeros((1, 3)), steps.cumsum(0)])


LIBERO = PlatformSpec(
    name="libero",
    cameras=("wrist", "primary"),
    primary="primary",
    chunk_size=16,
    execute_steps=16,
    action_dim=7,
    proprio_dim=9,
    gamma=0.99,
    calls=5,
    gripper=6,
    path=path,
)
