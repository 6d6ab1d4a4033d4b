"""What a robosuite environment remembers between two steps, as named arrays.

MuJoCo's integration state holds time, positions, velocities, activations, the solver's warm start, controls
and applied forces, mocap poses. Beside it robosuite keeps: the gripper's ramp (LIBERO's `set_init_state`
forgets it, and a replay drifts by centimetres), the controller's goals and interpolators, its own clock, and
the poses of fixtures, which it writes into the model.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workbench.types import Snapshot

CLOCK = ("timestep", "cur_time", "done")
FIXTURES = ("body_pos", "body_quat")


def capture(env: Any, random_state: tuple) -> dict[str, np.ndarray]:
    """Arrays from which `reinstate` continues exactly; `env` is a robosuite 1.4 environment with one robot."""
    arrays = state(env, FIXTURES) | {"gripper": np.array(env.robots[0].gripper.current_action)}
    arrays |= remember(_memories(env))
    _, keys, position, has_gauss, gauss = random_state
    arrays["random.keys"] = np.array(keys, dtype=np.uint32)
    arrays["random.rest"] = np.array([position, has_gauss, gauss], dtype=np.float64)
    return arrays


def reinstate(env: Any, snapshot: Snapshot) -> tuple:
    """Put `env` where `snapshot` was captured; returns the random state. ValueError if it does not fit."""
    if missing := [name for name in ("gripper", "random.keys", "random.rest") if name not in snapshot]:
        raise ValueError(f"expected a whole snapshot, this one lacks {', '.join(missing)}")
    set_state(env, snapshot, FIXTURES)
    env.robots[0].gripper.current_action = np.array(snapshot["gripper"])
    remind(_memories(env), snapshot)
    env._post_process()
    position, has_gauss, gauss = np.asarray(snapshot["random.rest"], dtype=np.float64)
    return ("MT19937", np.asarray(snapshot["random.keys"], np.uint32), int(position), int(has_gauss), gauss)


def state(env: Any, fields: Sequence[str]) -> dict[str, np.ndarray]:
    """MuJoCo's integration state, robosuite's clock, and those fields of the model that change as it runs."""
    import mujoco  # not above: the renderer must be chosen first (`runtime.configure`)

    model, data = env.sim.model._model, env.sim.data._data
    everything = mujoco.mjtState.mjSTATE_INTEGRATION
    physics = np.empty(mujoco.mj_stateSize(model, everything))
    mujoco.mj_getState(model, data, physics, everything)
    arrays = {"physics": physics} | {f"clock.{name}": np.array(getattr(env, name)) for name in CLOCK}
    return arrays | {f"model.{name}": getattr(model, name).copy() for name in fields}


def set_state(env: Any, snapshot: Snapshot, fields: Sequence[str]) -> None:
    """The inverse of `state`. ValueError if the snapshot does not fit."""
    import mujoco

    model, data = env.sim.model._model, env.sim.data._data
    everything = mujoco.mjtState.mjSTATE_INTEGRATION
    required = ["physics", *(f"clock.{name}" for name in CLOCK), *(f"model.{name}" for name in fields)]
    if missing := [name for name in required if name not in snapshot]:
        raise ValueError(f"expected a whole snapshot, this one lacks {', '.join(missing)}")
    physics = np.asarray(snapshot["physics"], dtype=np.float64)
    if physics.shape != (size := mujoco.mj_stateSize(model, everything),):
        raise ValueError(f"expected a snapshot with {size} physical numbers, got {physics.size}")
    for name in fields:
        getattr(model, name)[:] = snapshot[f"model.{name}"]
    mujoco.mj_setState(model, data, physics, everything)
    mujoco.mj_forward(model, data)
    mujoco.mj_setState(model, data, physics, everything)  # mj_forward may have touched the warm start
    for name in CLOCK:
        setattr(env, name, np.asarray(snapshot[f"clock.{name}"]).item())


def remember(parts: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """All numbers that these objects hold, as `part.attribute`."""
    return {f"{part}.{name}": value for part, x in parts.items() for name, value in _numbers(x).items()}


def remind(parts: Mapping[str, Any], snapshot: Snapshot) -> None:
    """The inverse of `remember`."""
    for part, x in parts.items():
        for name in vars(x):
            if (saved := snapshot.get(f"{part}.{name}")) is not None:
                setattr(x, name, np.array(saved) if np.ndim(saved) else np.asarray(saved).item())


def update_positions(sim: Any) -> None:
    """Let positions follow the last integration, which MuJoCo leaves to the next step: pictures need it."""
    import mujoco

    mujoco.mj_fwdPosition(sim.model._model, sim.data._data)


def _memories(env: Any) -> Mapping[str, Any]:
    """Objects with numbers that outlive a control step."""
    controller = env.robots[0].controller
    parts = {"controller": controller}
    parts |= {name: getattr(controller, name, None) for name in ("interpolator_pos", "interpolator_ori")}
    return {name: part for name, part in parts.items() if part is not None}


def _numbers(x: Any) -> Mapping[str, np.ndarray]:
    kinds = np.ndarray | bool | int | float | np.generic
    return {name: np.array(value) for name, value in vars(x).items() if isinstance(value, kinds)}
