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


FINGERS = slice(0, 2)
OPEN = 0.035
"""A finger further out than this many metres is open; at most it is out by 0.04."""


def chunk_to(
    target: Float[np.ndarray, "3"], gripper: float, speed: float, proprio: Float[np.ndarray, " d"]
) -> Float[np.ndarray, "k a"]:
    """A straight way to `target` (metres) without turning the hand, by the same reckoning as `path`.

    `speed` in (0, 1] is the share of a full position action. Until it arrives the gripper stays as it is, then it
    does `gripper` (-1 opens, 1 closes). What is out of reach in one chunk is approached as far as one goes.
    """
    if not 0 < speed <= 1:
        raise ValueError(f"speed: expected more than 0, at most 1, got {speed}")
    way = (np.asarray(target, float) - proprio[POSITION]) / METRES_A_STEP
    steps = max(int(np.ceil(np.abs(way).max() / speed - 1e-9)), 1)
    actions = np.zeros((LIBERO.chunk_size, LIBERO.action_dim))
    actions[:steps, :3] = way / steps
    now = -1.0 if np.abs(proprio[FINGERS]).min() > OPEN else 1.0
    actions[:, LIBERO.gripper] = np.where(np.arange(len(actions)) < steps, now, gripper)
    return actions


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
    action_names=("x", "y", "z", "roll", "pitch", "yaw", "gripper"),
    proprio_names=("finger 1", "finger 2", "x", "y", "z", "turn x", "turn y", "turn z", "turn w"),
    gripper=6,
    path=path,
    chunk_to=chunk_to,
)
