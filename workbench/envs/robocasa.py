"""RoboCasa's kitchens as an `Env`, by `kitchens`' protocol; it runs under another interpreter than the rest.

RoboCasa needs another robosuite and mujoco than LIBERO. `WORKBENCH_ROBOCASA_PYTHON` names the interpreter of an
environment that has them, and `ProcessEnv` starts it: this file, and all that it imports, asks nothing of that
environment but numpy, tqdm, jaxtyping and robosuite 1.5.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from jaxtyping import Float

from workbench import runtime
from workbench.envs import kitchens, snapshots
from workbench.envs.cameras import projection
from workbench.envs.kitchens import CAMERAS, Kitchen
from workbench.envs.suites import INSTALL_ROBOCASA, Suite, suite
from workbench.types import Image, Observation, Snapshot

ROBOTS = ("PandaMobile", "PandaOmron")
"""The mobile Panda's name, before and from robosuite 1.5's release on."""
MODEL = (*snapshots.FIXTURES, "geom_rgba", "site_rgba")
"""What kitchens write into the model while they run: fixtures' poses; water, flames and lamps."""

Build = Callable[[Kitchen], Any]
"""Makes the robosuite environment of one episode; the caller resets it."""


def make_env(suite_name: str, *, image_size: int = 224, run_seed: int = kitchens.RUN_SEED) -> "RobocasaEnv":
    """RoboCasa's kitchens with square pictures. FileNotFoundError says how RoboCasa is installed where it is not."""
    runtime.configure()
    try:
        importlib.import_module("robosuite")
        importlib.import_module("robocasa")
    except ModuleNotFoundError as error:
        raise FileNotFoundError(f"this interpreter has no {error.name}: {INSTALL_ROBOCASA}") from error
    return RobocasaEnv(suite(suite_name), build, image_size=image_size, run_seed=run_seed)


def build(kitchen: Kitchen) -> Any:
    """RoboCasa's environment of one episode, with the evaluation's settings."""
    return make_robosuite(
        kitchen.name,
        seed=kitchen.seed,
        obj_instance_split=kitchens.OBJECTS,
        layout_and_style_ids=((kitchen.layout, kitchen.style),),
        randomize_cameras=False,
        translucent_robot=False,
    )


def make_robosuite(name: str, **settings: Any) -> Any:
    """A robosuite environment of that name with the mobile Panda and its controller. It renders nothing itself."""
    import robosuite
    from robosuite.controllers import load_composite_controller_config
    from robosuite.robots import ROBOT_CLASS_MAPPING

    robot = next(robot for robot in ROBOTS if robot in ROBOT_CLASS_MAPPING)
    controller = load_composite_controller_config(robot=robot)
    controller["body_parts"]["right"].update(kitchens.CONTROLLER)
    return robosuite.make(
        name,
        robots=robot,
        controller_configs=controller,
        has_renderer=False,
        has_offscreen_renderer=False,
        use_camera_obs=False,
        ignore_done=True,
        control_freq=kitchens.CONTROL_HZ,
        **settings,
    )


class RobocasaEnv:
    """Kitchens as an `Env`: every episode has a simulator of its own, built from task, scene and seed."""

    def __init__(self, suite: Suite, build: Build, *, image_size: int = 224, run_seed: int = kitchens.RUN_SEED):
        runtime.configure()
        self.suite, self.image_size, self.run_seed = suite, image_size, run_seed
        self.steps, self.instruction, self.kitchen = 0, "", Kitchen(0, *kitchens.SCENES[0], seed=0)
        self._build, self._env, self._renderer, self._success = build, None, None, False
        self._proprio = np.zeros(9)

    @property
    def horizon(self) -> int:
        """Control steps after which an episode of the present task counts as failed."""
        return kitchens.HORIZONS[self.kitchen.name]

    @property
    def success(self) -> bool:
        """Whether the task is solved in the present state."""
        return self._success

    def reset(self, task: int | str, init: int | np.ndarray | None, seed: int) -> None:
        """Build the kitchen of episode `init`, or one drawn with `seed`, and wait ten steps (METHOD.md 8)."""
        if isinstance(init, np.ndarray):
            raise ValueError("expected the number of an initial state, got an array: kitchens are built, not set")
        self._enter(kitchens.kitchen(self.suite.index(task), init, seed, run_seed=self.run_seed))
        for _ in range(kitchens.WAIT_STEPS):
            self._advance(np.zeros(7))
        self.steps = 0

    def step(self, action: Float[np.ndarray, " a"]) -> bool:
        """Take one OSC_POSE action of 7 numbers; base and torso stand still."""
        self._advance(action)
        self.steps += 1
        return self._success

    def observe(self, cameras: Sequence[str] | None = None) -> Observation:
        """Proprio (gripper 2, position 3 in metres, quaternion 4), upright pictures of `cameras`, projections."""
        names = CAMERAS if cameras is None else cameras
        if unknown := [name for name in names if name not in CAMERAS]:
            raise ValueError(f"unknown camera {unknown[0]!r}; known cameras: {', '.join(CAMERAS)}")
        sim = self._here.sim
        images = {name: self._render(CAMERAS[name]) for name in names}
        projections = {name: projection(sim, CAMERAS[name], self.image_size) for name in names}
        return Observation(images, self._proprio.copy(), projections)

    def snapshot(self) -> Snapshot:
        """Which kitchen this is, everything that the next step reads, what `observe` and `success` report now."""
        here = self.kitchen
        arrays = {
            "kitchen": np.array([here.task, here.layout, here.style, here.seed]),
            "counters": np.array([self.steps, self._success]),
            "proprio": self._proprio.copy(),
        }
        return arrays | snapshots.state(self._here, MODEL) | snapshots.remember(_memories(self._here))

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to `snapshot`; its kitchen is built again if this is another one. ValueError if it is no such."""
        if missing := {"kitchen", "counters", "proprio"} - snapshot.keys():
            raise ValueError(f"expected a snapshot of {self.suite.name}, this one lacks {', '.join(sorted(missing))}")
        task, layout, style, seed = map(int, snapshot["kitchen"])
        kitchen = Kitchen(self.suite.index(task), layout, style, seed)
        if self._env is None or kitchen != self.kitchen:
            self._enter(kitchen)
        snapshots.set_state(self._env, snapshot, MODEL)
        snapshots.remind(_memories(self._env), snapshot)
        self.steps, self._success = int(snapshot["counters"][0]), bool(snapshot["counters"][1])
        self._proprio = np.array(snapshot["proprio"], dtype=np.float64)

    def close(self) -> None:
        """Release the simulator. Idempotent."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
        if self._env is not None:
            self._env.close()
            self._env = None

    @property
    def _here(self) -> Any:
        if self._env is None:
            raise ValueError("there is no kitchen yet: call reset or restore first")
        return self._env

    def _enter(self, kitchen: Kitchen) -> None:
        """A simulator of its own for every episode, reset once; the instruction is read after that."""
        self.close()
        with _randomness(kitchen.seed):
            self._env = self._build(kitchen)
            self._env.reset()
        self.kitchen, self.instruction = kitchen, str(self._env.get_ep_meta()["lang"])
        self._read()

    def _advance(self, action: np.ndarray) -> None:
        self._here.step(kitchens.full_action(action))
        self._read()

    def _read(self) -> None:
        seen = self._here._get_observations(force_update=True)
        self._proprio = np.concatenate([seen[name] for name in kitchens.PROPRIO])
        self._success = bool(self._here._check_success())

    def _render(self, camera: str) -> Image:
        """An upright picture, of what robosuite shows: no collision shapes.

        MuJoCo's renderer, not robosuite's: that one's is freed whenever Python collects it, and takes the pictures
        of the kitchen after it along.
        """
        import mujoco  # not above: the renderer must be chosen first

        model, data = self._here.sim.model._model, self._here.sim.data._data
        if self._renderer is None:
            self._renderer = mujoco.Renderer(model, self.image_size, self.image_size)
        snapshots.update_positions(self._here.sim)
        shown = mujoco.MjvOption()
        shown.geomgroup[0] = 0
        self._renderer.update_scene(data, camera, shown)
        return self._renderer.render()


def _memories(env: Any) -> Mapping[str, Any]:
    """Objects with numbers that outlive a control step: controllers, grippers, a kitchen's appliances."""
    robot = env.robots[0]
    parts: dict[str, Any] = {"composite": robot.composite_controller}
    for name, controller in robot.composite_controller.part_controllers.items():
        parts[f"controller.{name}"] = controller
        parts |= {f"{one}.{name}": getattr(controller, one, None) for one in ("interpolator_pos", "interpolator_ori")}
    parts |= {f"gripper.{arm}": gripper for arm, gripper in robot.gripper.items()}
    parts |= {f"fixture.{name}": fixture for name, fixture in getattr(env, "fixtures", {}).items()}
    return {name: part for name, part in parts.items() if part is not None}


@contextmanager
def _randomness(seed: int) -> Iterator[None]:
    """numpy's global generator, from which some samplers draw, starts at `seed`; the caller's is put back."""
    outside = np.random.get_state()  # noqa: NPY002 (robosuite's generator)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(outside)  # noqa: NPY002
