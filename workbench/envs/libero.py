"""LIBERO as an `Env`: the official suites and our `libero_mini` and `libero_mini_hard`, one class.

`step` runs LIBERO's own environment with its cameras off; `observe` renders, and only what is asked for.
A snapshot is MuJoCo's whole integration state together with what robosuite keeps beside it (the gripper's
ramp, the controller's goals), so that a restored simulator continues as the original would have.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from workbench import files, runtime
from workbench.envs import snapshots
from workbench.envs.cameras import projection
from workbench.envs.suites import Suite, libero_assets, suite
from workbench.types import Image, Observation, Snapshot

CAMERAS = {"wrist": "robot0_eye_in_hand", "primary": "agentview"}
"""The platform's camera names to LIBERO's."""

WAIT = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0])
"""LIBERO's action for standing still with the gripper open."""
WAIT_STEPS = 10
"""Objects fall into place during these (METHOD section 8)."""


def make_env(suite_name: str, *, image_size: int = 256) -> "LiberoEnv":
    """An environment for the suite of that name, rendering square pictures of `image_size` pixels.

    Raises ValueError for an unknown suite, FileNotFoundError if an official suite's assets are not here.
    """
    return LiberoEnv(suite(suite_name), image_size=image_size)


class LiberoEnv:
    """One LIBERO suite as an `Env`; the task is chosen at `reset`."""

    def __init__(self, suite: Suite, *, image_size: int = 256):
        runtime.configure()
        self.suite = suite
        self.image_size = image_size
        self.horizon = suite.horizon
        self.steps = 0
        self.task = 0
        self._success = False
        self._random_state = np.random.RandomState(0).get_state()
        self._env = None
        self._switch(0)

    @property
    def instruction(self) -> str:
        """What the present task asks for, in the benchmark's words."""
        return self.suite.tasks[self.task]

    @property
    def success(self) -> bool:
        """Whether LIBERO's predicates hold in the present state."""
        return self._success

    @property
    def sim(self):
        """robosuite's `MjSim`: for experts and tests, which know where everything is."""
        return self._env.sim

    def reset(self, task: int | str, init: int | np.ndarray | None, seed: int) -> None:
        """Start `task` from the fixed initial state `init`, from a state (n,), or from one drawn with `seed`.

        Then ten waiting steps let everything settle (METHOD section 8). The fixed states are for evaluation.
        """
        task = self.suite.index(task)
        state = init_state(self.suite, task, init) if isinstance(init, int | np.integer) else init
        drawn = self.draw(task, seed)
        if state is not None:
            if np.shape(state) != drawn.shape:
                raise ValueError(f"expected an initial state of shape {drawn.shape}, got {np.shape(state)}")
            self._env.set_init_state(state)
        for _ in range(WAIT_STEPS):
            self._advance(WAIT)
        self.steps = 0

    def draw(self, task: int, seed: int) -> Float[np.ndarray, " n"]:
        """Place everything anew, without settling; returns MuJoCo's time, positions and velocities."""
        self._switch(task)
        with self._randomness(np.random.RandomState(seed).get_state()):
            self._env.reset()
        # A soft reset leaves this behind: the gripper would start where the last episode's command ended.
        self._robot.gripper.current_action = np.zeros(self._robot.gripper.dof)
        return self.sim.get_state().flatten()

    def step(self, action: Float[np.ndarray, " a"]) -> bool:
        """Take one OSC_POSE action: position and rotation deltas in [-1, 1], gripper -1 open to 1 closed."""
        action = np.asarray(action, dtype=np.float64)
        if action.shape != (7,) or not np.isfinite(action).all():
            raise ValueError(f"expected 7 finite numbers as action, got shape {action.shape}: {action}")
        self._advance(action)
        self.steps += 1
        return self._success

    def observe(self, cameras: Sequence[str] | None = None) -> Observation:
        """Proprio (gripper 2, position 3 in metres, quaternion 4), upright pictures of `cameras`, their projections."""
        names = CAMERAS if cameras is None else cameras
        if unknown := [name for name in names if name not in CAMERAS]:
            raise ValueError(f"unknown camera {unknown[0]!r}; known cameras: {', '.join(CAMERAS)}")
        images = {name: self.render(CAMERAS[name]) for name in names}
        projections = {name: projection(self.sim, CAMERAS[name], self.image_size) for name in names}
        return Observation(images, self._proprio.copy(), projections)

    def render(self, camera: str, *, size: int | None = None) -> Image:
        """A square picture of one of LIBERO's cameras, also those that no policy sees."""
        size = self.image_size if size is None else size
        self.sim._render_context_offscreen.gl_ctx.make_current()
        snapshots.update_positions(self.sim)
        return np.ascontiguousarray(np.flipud(self.sim.render(camera_name=camera, width=size, height=size)))

    def snapshot(self) -> Snapshot:
        """Everything that the next step reads, and what `observe` and `success` report now."""
        own = {
            "suite": np.frombuffer(self.suite.name.encode(), np.uint8).copy(),
            "task": np.array(self.task),
            "steps": np.array(self.steps),
            "success": np.array(self._success),
            "proprio": self._proprio.copy(),
        }
        return own | snapshots.capture(self._env.env, self._random_state)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to `snapshot`. ValueError if it is another suite's or not complete."""
        name = bytes(np.asarray(snapshot.get("suite", ()), np.uint8)).decode(errors="replace")
        if name != self.suite.name:
            raise ValueError(f"expected a snapshot of suite {self.suite.name}, got one of {name!r}")
        if missing := {"task", "steps", "success", "proprio"} - snapshot.keys():
            raise ValueError(f"expected a whole snapshot, this one lacks {', '.join(sorted(missing))}")
        self._switch(self.suite.index(int(snapshot["task"])))
        self._random_state = snapshots.reinstate(self._env.env, snapshot)
        self.steps = int(snapshot["steps"])
        self._success = bool(snapshot["success"])
        self._proprio = np.array(snapshot["proprio"], dtype=np.float64)

    def objects(self) -> dict[str, Float[np.ndarray, "3"]]:
        """Where every object with a free joint is: name to metres."""
        return {name: self.sim.data.get_joint_qpos(joint)[:3].copy() for name, joint in self._free_joints().items()}

    def move(self, name: str, by: Float[np.ndarray, "3"]) -> None:
        """Put an object `by` metres beside where it is, at rest. ValueError lists the known ones."""
        joints, by = self._free_joints(), np.asarray(by, dtype=np.float64)
        if name not in joints:
            raise ValueError(f"object: expected one of {', '.join(joints) or '(none can be moved)'}; got {name!r}")
        if by.shape != (3,) or not np.isfinite(by).all():
            raise ValueError(f"expected three finite numbers of metres, got {by}")
        pose = self.sim.data.get_joint_qpos(joints[name]).copy()
        pose[:3] += by
        self.sim.data.set_joint_qpos(joints[name], pose)
        self.sim.data.set_joint_qvel(joints[name], np.zeros(6))
        self.sim.forward()
        self._success = bool(self._env.env._check_success())

    def _free_joints(self) -> dict[str, str]:
        model = self.sim.model
        joints = {name: body.joints[0] for name, body in self._env.env.objects_dict.items() if body.joints}
        return {name: joint for name, joint in joints.items() if model.jnt_type[model.joint_name2id(joint)] == 0}

    def close(self) -> None:
        """Release the renderer. Idempotent."""
        if self._env is not None:
            self._env.close()
            self._env = None

    @property
    def _robot(self):
        return self._env.env.robots[0]

    def _advance(self, action: np.ndarray) -> None:
        _, _, success, _ = self._env.step(action)
        self._success = bool(success)  # LIBERO's is numpy's
        self._proprio = self._read_proprio()

    def _read_proprio(self) -> np.ndarray:
        # As LIBERO's own observables have it: MuJoCo's positions of the last substep, not one later.
        robot, data = self._robot, self.sim.data
        w, x, y, z = data.get_body_xquat(robot.robot_model.eef_name)
        gripper = data.qpos[robot._ref_gripper_joint_pos_indexes]
        return np.concatenate([gripper, data.site_xpos[robot.eef_site_id], [x, y, z, w]])

    def _switch(self, task: int) -> None:
        """Make `task` the present one; a new simulator is built only if its scene is another one."""
        if self._env is not None and task == self.task:
            return
        problem = _parse(str(self.suite.bddl(task)))
        if self._env is not None and _scene(problem) == _scene(self._env.env.parsed_problem):
            self._env.env.parsed_problem = problem
            self._env.env.obj_of_interest = problem["obj_of_interest"]
        else:
            self.close()
            with self._randomness(self._random_state):
                self._env = _build(self.suite, task)
            self._proprio = self._read_proprio()
        self.task = task

    @contextmanager
    def _randomness(self, state: tuple) -> Iterator[None]:
        """robosuite draws from numpy's global generator: lend it ours, and put the caller's back."""
        outside = np.random.get_state()  # noqa: NPY002 (robosuite's generator)
        np.random.set_state(state)  # noqa: NPY002
        try:
            yield
        finally:
            self._random_state = np.random.get_state()  # noqa: NPY002
            np.random.set_state(outside)  # noqa: NPY002


def _build(suite: Suite, task: int):
    folder = libero_assets() if suite.official else runtime.assets() / "libero_mini"
    import libero.libero

    libero.libero._assets_path_cache = str(folder)  # or a download would start
    from workbench.envs.mini import OffScreenRenderEnv

    env = OffScreenRenderEnv(
        bddl_file_name=str(suite.bddl(task)), use_camera_obs=False, hard_reset=False, ignore_done=True
    )
    env.env.visualize(dict.fromkeys(env.env._visualizations, False))  # as a reset does
    env.env._observables.clear()  # 25 times a control step they would compute what `observe` reads directly
    return env


@lru_cache(maxsize=256)
def _parse(bddl: str) -> dict:
    from libero.libero.envs.bddl_utils import robosuite_parse_problem

    return robosuite_parse_problem(bddl)


def _scene(problem: dict) -> tuple:
    return tuple(repr(problem[key]) for key in ("fixtures", "objects", "regions", "initial_state"))


def init_state(suite: Suite, task: int, index: int) -> Float[np.ndarray, " n"]:
    """The fixed initial state `index` of a task: MuJoCo's time, positions and velocities."""
    states = init_states(suite.name, task)
    if not 0 <= index < len(states):
        raise ValueError(f"expected an initial state from 0 to {len(states) - 1}, got {index}")
    return states[index]


@lru_cache(maxsize=64)
def init_states(suite_name: str, task: int) -> Float[np.ndarray, "states n"]:
    """All fixed initial states of a task (50). They are for evaluation only."""
    here = suite(suite_name)
    if here.official:
        states = files.load_torch(here.init_folder / f"{here.files[task]}.pruned_init")
    else:
        tensors = files.load_safetensors(here.init_folder / f"{suite_name}.safetensors")
        states = tensors[here.files[task]].numpy()
    states = np.array(states, dtype=np.float64)
    states.setflags(write=False)  # shared by all who ask
    return states
