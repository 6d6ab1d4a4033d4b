"""A scripted expert for the simulated ALOHA: two arms hand the cube over, told by joint targets alone.

It knows where the cube is. Where the grippers should go is a handful of poses an arm; inverse kinematics on the
scene's own model turns each into joint angles once, and in between joints move smoothly. A seed decides on small
differences of place and pace, so that no two demonstrations are alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from workbench.envs.aloha import START, AlohaEnv

OPEN, SHUT = 1.0, 0.0
MEETING = np.array([0.0, 0.5, 0.25])
"""Where the cube is handed over, metres: in the middle, well above the table."""
TILT = np.deg2rad(60)
"""The right gripper comes from above at this angle to the table, so that the left one finds room below it."""
JITTER = 0.003
"""Standard deviation of every place, metres."""
PACE = 0.08
"""Standard deviation of an episode's pace: some are slower, some quicker."""


@dataclass(frozen=True, eq=False)
class Pose:
    """Where one gripper should be at a step, and how wide open."""

    step: float
    place: Float[np.ndarray, "3"]
    turn: Float[np.ndarray, "3 3"]
    opening: float


def expert(env: AlohaEnv, *, seed: int) -> Iterator[Float[np.ndarray, "14"]]:
    """Joint targets from the present state to the end of the hand-over, and then the last of them for ever."""
    random = np.random.default_rng(seed)
    cube = env.data.qpos[16:19].copy()
    pace = np.clip(1 + PACE * random.standard_normal(), 0.85, 1.2)
    left = _Arm(env, "left", START[:7], _jittered(_giving_way(), random, pace))
    right = _Arm(env, "right", START[7:], _jittered(_fetching(cube), random, pace))
    step = 0
    while True:
        step += 1
        yield np.concatenate([left.at(step), right.at(step)])


def _fetching(cube: Float[np.ndarray, "3"]) -> list[Pose]:
    """The right arm: above the cube, down, grasp, to the meeting, let go, away."""
    above, aside = np.array([0, 0, 0.10]), np.array([0.10, 0, 0.03])
    turn = _facing(np.array([-np.cos(TILT), 0, -np.sin(TILT)]), np.array([0, -1.0, 0]))
    return [
        Pose(28, cube + above, turn, OPEN),
        Pose(42, cube, turn, OPEN),
        Pose(52, cube, turn, SHUT),
        Pose(78, MEETING, turn, SHUT),
        Pose(112, MEETING, turn, SHUT),
        Pose(120, MEETING, turn, OPEN),
        Pose(140, MEETING + aside, turn, OPEN),
    ]


def _giving_way() -> list[Pose]:
    """The left arm: beside the meeting with its fingers above one another, in, grasp, back with the cube."""
    turn = _facing(np.array([1.0, 0, 0]), np.array([0, 0, 1.0]))
    beside = MEETING - [0.13, 0, 0]
    return [
        Pose(50, beside, turn, OPEN),
        Pose(80, beside, turn, OPEN),
        Pose(98, MEETING, turn, OPEN),
        Pose(110, MEETING, turn, SHUT),
        Pose(122, MEETING, turn, SHUT),
        Pose(142, beside, turn, SHUT),
    ]


def _facing(ahead: Float[np.ndarray, "3"], across: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """The gripper's axes as columns: where it points, along which its fingers open, and the third."""
    return np.stack([ahead, across, np.cross(ahead, across)], axis=1)


def _jittered(poses: list[Pose], random: np.random.Generator, pace: float) -> list[Pose]:
    off = JITTER * random.standard_normal(3)  # the same all along: a grasp that moves is none
    return [Pose(pose.step * pace, pose.place + off, pose.turn, pose.opening) for pose in poses]


class _Arm:
    """One arm's joint targets at every step: smooth between its poses."""

    def __init__(self, env: AlohaEnv, side: str, start: Float[np.ndarray, "7"], poses: list[Pose]) -> None:
        self._steps, self._joints = [0.0], [start]
        for pose in poses:
            angles = solve(env, side, pose.place, pose.turn, start=self._joints[-1][:6])
            self._steps.append(pose.step)
            self._joints.append(np.append(angles, pose.opening))

    def at(self, step: float) -> Float[np.ndarray, "7"]:
        """Targets of six joints and the gripper."""
        after = int(np.searchsorted(self._steps, step))
        if after == len(self._steps):
            return self._joints[-1]
        before = after - 1
        share = (step - self._steps[before]) / (self._steps[after] - self._steps[before])
        share = share * share * (3 - 2 * share)
        return self._joints[before] + share * (self._joints[after] - self._joints[before])


def solve(
    env: AlohaEnv,
    side: str,
    place: Float[np.ndarray, "3"],
    turn: Float[np.ndarray, "3 3"],
    *,
    start: Float[np.ndarray, "6"],
) -> Float[np.ndarray, "6"]:
    """Joint angles, near `start`, that bring the gripper of an arm to a place (metres) and a direction.

    Damped least squares on a copy of the state. ValueError if it cannot be reached within 5 mm.
    """
    import mujoco

    model, data = env.model, mujoco.MjData(env.model)
    data.qpos[:] = env.data.qpos
    first = 0 if side == "left" else 8
    mine, site = slice(first, first + 6), model.site(f"cali_{side}_site1").id
    bounds = model.jnt_range[mine].T
    data.qpos[mine] = start
    linear, angular = np.zeros((3, model.nv)), np.zeros((3, model.nv))
    for _ in range(200):
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        now = data.site_xmat[site].reshape(3, 3)
        error = np.concatenate([place - data.site_xpos[site], 0.3 * _rotation(turn @ now.T)])
        if np.abs(error).max() < 1e-4:
            break
        mujoco.mj_jacSite(model, data, linear, angular, site)
        jacobian = np.concatenate([linear[:, mine], 0.3 * angular[:, mine]])
        change = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + 1e-4 * np.eye(6), error)
        data.qpos[mine] = np.clip(data.qpos[mine] + np.clip(change, -0.2, 0.2), *bounds)
    if np.abs(error[:3]).max() > 0.005:
        raise ValueError(f"the {side} arm cannot reach {np.round(place, 3)}: off by {np.abs(error[:3]).max():.3f} m")
    return data.qpos[mine].copy()


def _rotation(matrix: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3"]:
    """Axis times angle of a rotation matrix, in radians."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(matrix).as_rotvec()
