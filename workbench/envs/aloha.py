"""ALOHA in simulation as an `Env`: two ViperX arms that hand a cube over, gym-aloha's scene at 25 Hz.

MuJoCo steps gym-aloha's own model directly, so that everything that the next step reads is MuJoCo's state and a
snapshot is exact; a test compares it with gym-aloha's environment. Actions and proprio are joint positions: six joints
in radians and the gripper (0 closed, 1 open) of the left arm, then of the right one.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image as Pillow

from workbench import runtime
from workbench.envs.suites import Suite, suite
from workbench.types import Image, Observation, Snapshot

CAMERAS = {"left_wrist": "left_wrist", "right_wrist": "right_wrist", "primary": "top"}
"""The platform's camera names to the scene's."""
START = np.array([0, -0.96, 1.16, 0, -0.3, 0, 0.3387] * 2)
"""Where gym-aloha's episodes begin: both arms up, the grippers nearly closed."""
FINGERS = (0.01844, 0.05800)
"""Position of a left finger, in metres, that counts as closed and as open; the right one mirrors it."""
BOX = np.array([[0.0, 0.4, 0.05], [0.2, 0.6, 0.05]])
"""Least and greatest position of the cube at the start, metres (gym-aloha's)."""
CONTROL_SECONDS = 0.04
SETTLE_STEPS = 10
"""The cube falls on the table during these."""
SHADOWS = 1024
"""Side of the shadow map, where gym-aloha has 4096: a software renderer takes half the time, and it hardly shows."""
FINER = 2
"""Pictures are rendered at this multiple of their side and made smaller: edges as smooth as with four samples a pixel,
which take a software renderer up to 1.5 times as long, because what costs is the arms' many small faces."""
INSTALL = "pip install -c constraints.txt gym-aloha==0.1.5 dm-control==1.0.28"
CUBE = "red_cube"
CUBE_PLACE, CUBE_MOTION = slice(16, 19), slice(16, 22)
"""The cube in MuJoCo's positions and in its velocities, behind 16 joints."""
STAGES = 4
"""gym-aloha's: touched by the right gripper, lifted, touched by the left one, off the table in the left one."""


def make_env(suite_name: str, *, image_size: int = 256) -> "AlohaEnv":
    """The simulated ALOHA, with square pictures of `image_size` pixels. ModuleNotFoundError without gym-aloha."""
    return AlohaEnv(suite(suite_name), image_size=image_size)


def assets() -> Path:
    """Folder of gym-aloha's scene, found without importing it. ModuleNotFoundError says how to install it."""
    spec = importlib.util.find_spec("gym_aloha")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"aloha_sim needs gym-aloha; install it with: {INSTALL}")
    return Path(next(iter(spec.submodule_search_locations))) / "assets"


class AlohaEnv:
    """Transfer-cube as an `Env`: the right arm takes the cube, the left one takes it over."""

    def __init__(self, suite: Suite, *, image_size: int = 256):
        runtime.configure()
        import mujoco  # not above: the renderer must be chosen first

        self._mujoco = mujoco
        self.suite, self.image_size, self.horizon = suite, image_size, suite.horizon
        self.task, self.steps, self.stage = 0, 0, 0
        self.model = mujoco.MjModel.from_xml_path(str(assets() / "bimanual_viperx_transfer_cube.xml"))
        self.model.vis.quality.shadowsize = SHADOWS
        self.model.vis.quality.offsamples = 0  # see FINER
        self.data = mujoco.MjData(self.model)
        self._substeps = round(CONTROL_SECONDS / self.model.opt.timestep)
        self._renderer = None
        self.reset(0, 0, 0)

    @property
    def instruction(self) -> str:
        """What the task asks for."""
        return self.suite.tasks[self.task]

    @property
    def success(self) -> bool:
        """Whether the left gripper holds the cube above the table now."""
        return self._reached() == STAGES

    @property
    def score(self) -> float:
        """The furthest stage so far as a share of all, in [0, 1]: ALOHA's partial scores."""
        return self.stage / STAGES

    def reset(self, task: int | str, init: int | np.ndarray | None, seed: int) -> None:
        """Start from the fixed initial state `init`, from a pose of the cube (7,), or from one drawn with `seed`.

        The fixed states are those of gym-aloha's seeds 0 to 49.
        """
        self.task = self.suite.index(task)
        box = init if isinstance(init, np.ndarray) else box_pose(seed if init is None else int(init))
        if np.shape(box) != (7,) or not np.isfinite(box).all():
            raise ValueError(f"expected a pose of the cube, 7 numbers, got shape {np.shape(box)}")
        self._mujoco.mj_resetData(self.model, self.data)
        self.data.ctrl[:] = self.data.qpos[:16] = controls(START)
        self.data.qpos[16:] = box
        self._mujoco.mj_forward(self.model, self.data)
        for _ in range(SETTLE_STEPS):
            self._advance(START)
        self.steps, self.stage = 0, self._reached()

    def step(self, action: Float[np.ndarray, " a"]) -> bool:
        """Take one absolute target of 14 joint positions, radians and gripper openings (0 closed, 1 open)."""
        action = np.asarray(action, dtype=np.float64)
        if action.shape != (14,) or not np.isfinite(action).all():
            raise ValueError(f"expected 14 finite numbers as action, got shape {action.shape}: {action}")
        self._advance(action)
        self.steps += 1
        self.stage = max(self.stage, self._reached())
        return self.success

    def observe(self, cameras: Sequence[str] | None = None) -> Observation:
        """Joint positions (14) as proprio, and square pictures of `cameras`."""
        names = CAMERAS if cameras is None else cameras
        if unknown := [name for name in names if name not in CAMERAS]:
            raise ValueError(f"unknown camera {unknown[0]!r}; known cameras: {', '.join(CAMERAS)}")
        return Observation({name: self._render(CAMERAS[name]) for name in names}, joints(self.data.qpos))

    def snapshot(self) -> Snapshot:
        """MuJoCo's whole integration state, controls and warm start included, and our counters."""
        everything = self._mujoco.mjtState.mjSTATE_INTEGRATION
        physics = np.empty(self._mujoco.mj_stateSize(self.model, everything))
        self._mujoco.mj_getState(self.model, self.data, physics, everything)
        return {"aloha": physics, "counters": np.array([self.task, self.steps, self.stage])}

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to `snapshot`. ValueError if it is another simulator's."""
        everything = self._mujoco.mjtState.mjSTATE_INTEGRATION
        size = self._mujoco.mj_stateSize(self.model, everything)
        physics = np.asarray(snapshot.get("aloha", ()), np.float64)
        if physics.shape != (size,) or np.shape(snapshot.get("counters")) != (3,):
            raise ValueError(f"expected a snapshot of {self.suite.name}, {size} numbers; got {physics.size}")
        self._mujoco.mj_setState(self.model, self.data, physics, everything)
        self._mujoco.mj_step1(self.model, self.data)  # contacts; the warm start stays as it is
        self.task, self.steps, self.stage = map(int, snapshot["counters"])

    def objects(self) -> dict[str, Float[np.ndarray, "3"]]:
        """Where the cube is, metres."""
        return {CUBE: self.data.qpos[CUBE_PLACE].copy()}

    def move(self, name: str, by: Float[np.ndarray, "3"]) -> None:
        """Put the cube `by` metres beside where it is, at rest. ValueError for another name."""
        if name != CUBE:
            raise ValueError(f"object: expected {CUBE}; got {name!r}")
        if np.shape(by) != (3,) or not np.isfinite(by).all():
            raise ValueError(f"expected three finite numbers of metres, got {by}")
        self.data.qpos[CUBE_PLACE] += by
        self.data.qvel[CUBE_MOTION] = 0
        self._mujoco.mj_forward(self.model, self.data)

    def close(self) -> None:
        """Release the renderer. Idempotent."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _advance(self, action: np.ndarray) -> None:
        self.data.ctrl[:] = controls(action)
        self._mujoco.mj_step(self.model, self.data, self._substeps)
        self._mujoco.mj_step1(self.model, self.data)  # positions and contacts of the state reached

    def _reached(self) -> int:
        """gym-aloha's reward of the present state, 0 to 4."""
        geom = lambda name: self.model.geom(name).id  # noqa: E731
        box = geom("red_box")
        pairs = {frozenset(pair) for pair in self.data.contact.geom[: self.data.ncon].tolist()}
        right = frozenset((box, geom("vx300s_right/10_right_gripper_finger"))) in pairs
        left = frozenset((box, geom("vx300s_left/10_left_gripper_finger"))) in pairs
        lifted = frozenset((box, geom("table"))) not in pairs
        return (3 + lifted) if left else (1 + lifted) if right else 0

    def _render(self, camera: str) -> Image:
        """A picture 4 to 3 like the robot's cameras', squashed to a square as its pictures are (METHOD.md 1.2)."""
        height = FINER * self.image_size
        width = round(height * 4 / 3)
        if self._renderer is None:
            self.model.vis.global_.offwidth = max(width, self.model.vis.global_.offwidth)
            self.model.vis.global_.offheight = max(height, self.model.vis.global_.offheight)
            self._renderer = self._mujoco.Renderer(self.model, height, width)
        self._renderer.update_scene(self.data, camera)
        picture = Pillow.fromarray(self._renderer.render())
        return np.asarray(picture.resize((self.image_size, self.image_size), Pillow.Resampling.BICUBIC))


def box_pose(seed: int) -> Float[np.ndarray, "7"]:
    """Pose of the cube, position in metres and quaternion, as gym-aloha draws it from a seed."""
    return np.concatenate([np.random.RandomState(seed).uniform(*BOX), [1, 0, 0, 0]])


def controls(action: Float[np.ndarray, "14"]) -> Float[np.ndarray, "16"]:
    """What the actuators are told: six joints and two fingers an arm."""
    closed, opened = FINGERS
    arms = []
    for arm in (action[:7], action[7:]):
        finger = closed + arm[6] * (opened - closed)
        arms.append(np.append(arm[:6], [finger, -finger]))
    return np.concatenate(arms)


def joints(qpos: Float[np.ndarray, " n"]) -> Float[np.ndarray, "14"]:
    """The proprio of MuJoCo's positions: the inverse of `controls`."""
    closed, opened = FINGERS
    arms = [np.append(qpos[i : i + 6], (qpos[i + 6] - closed) / (opened - closed)) for i in (0, 8)]
    return np.concatenate(arms)
