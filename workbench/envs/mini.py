"""`libero_mini` in LIBERO's own machinery: arena, objects, problem class, benchmark entries.

Importing this file imports LIBERO and registers everything that its BDDL files name. Nothing here is
downloaded: arena and objects are MJCF primitives in `assets/libero_mini`. `workbench.runtime.configure()`
must have run before.
"""

import numpy as np
from libero.libero.envs import OffScreenRenderEnv  # noqa: F401  (registers LIBERO's own problems first)
from libero.libero.envs.base_object import register_object
from libero.libero.envs.bddl_base_domain import TASK_MAPPING, BDDLBaseDomain, register_problem
from libero.libero.envs.regions import REGION_SAMPLERS, TableRegionSampler
from robosuite.models.arenas import Arena
from robosuite.models.objects import MujocoXMLObject
from robosuite.models.tasks import ManipulationTask

from workbench.runtime import assets

# Close enough that a cube is 10 pixels wide at 64 px: position, target and field of view in degrees.
CAMERA_POSITION = np.array([0.52, 0.0, 0.45])
CAMERA_TARGET = np.array([-0.015, 0.0, 0.07])
CAMERA_FOVY = 36.0


def look_at(position: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Quaternion (w, x, y, z) of a MuJoCo camera at `position` that looks at `target`, world z up."""
    backward = (position - target) / np.linalg.norm(position - target)
    right = np.cross([0.0, 0.0, 1.0], backward)
    right /= np.linalg.norm(right)
    frame = np.stack([right, np.cross(backward, right), backward], axis=1)
    w = np.sqrt(1 + np.trace(frame)) / 2
    x, y, z = frame[2, 1] - frame[1, 2], frame[0, 2] - frame[2, 0], frame[1, 0] - frame[0, 1]
    return np.array([w, x / (4 * w), y / (4 * w), z / (4 * w)])


class MiniArena(Arena):
    """A plain lit floor. LIBERO's own arena insists on textures from files that are a download."""

    def __init__(self):
        super().__init__(str(assets() / "libero_mini" / "arena.xml"))
        self.floor_body = self.worldbody.find("./body[@name='floor']")


class MiniObject(MujocoXMLObject):
    """An object of `assets/libero_mini/objects`, with what LIBERO's problem classes ask of one."""

    category_name: str
    rotation = (0.0, 0.0)
    rotation_axis = "z"

    def __init__(self, name: str, joints: list[dict] | None = None):
        self.object_properties = {"vis_site_names": {}}
        path = assets() / "libero_mini" / "objects" / f"{self.category_name}.xml"
        super().__init__(str(path), name=name, joints=joints, obj_type="all", duplicate_collision_geoms=False)


class MiniCube(MiniObject):
    """A cube that can be picked up."""

    def __init__(self, name: str):
        super().__init__(name, joints=[{"type": "free", "damping": "0.0005"}])


@register_object
class RedCube(MiniCube):
    category_name = "red_cube"


@register_object
class BlueCube(MiniCube):
    category_name = "blue_cube"


@register_object
class SmallPlate(MiniObject):
    category_name = "small_plate"


@register_object
class SquareBin(MiniObject):
    category_name = "square_bin"


class CentreRegionSampler(TableRegionSampler):
    """LIBERO's sampler with BDDL ranges read as ranges of the object's centre, placed without a drop."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, ensure_object_boundary_in_range=False, z_offset=0.001, **kwargs)


class Libero_Mini_Manipulation(TASK_MAPPING["libero_floor_manipulation"]):
    """LIBERO's floor problem with our arena and camera; predicates, sampling and success are LIBERO's."""

    def _load_model(self):
        # BDDLBaseDomain._load_model, except for the arena, which it hard-codes.
        super(BDDLBaseDomain, self)._load_model()
        self.workspace_offset = (0.0, 0.0, 0.0)
        self.robots[0].robot_model.set_base_xpos(self.robots[0].robot_model.base_xpos_offset["empty"])
        arena = MiniArena()
        arena.set_origin([0, 0, 0])
        self._setup_camera(arena)
        self._load_fixtures_in_arena(arena)
        self._load_objects_in_arena(arena)
        self._load_sites_in_arena(arena)
        self._generate_object_state_wrapper()
        self._setup_placement_initializer(arena)
        self.objects = list(self.objects_dict.values())
        self.fixtures = list(self.fixtures_dict.values())
        self.model = ManipulationTask(
            mujoco_arena=arena,
            mujoco_robots=[robot.robot_model for robot in self.robots],
            mujoco_objects=self.objects + self.fixtures,
        )

    def _setup_camera(self, mujoco_arena):
        quat = look_at(CAMERA_POSITION, CAMERA_TARGET)
        mujoco_arena.set_camera("agentview", CAMERA_POSITION, quat, {"fovy": str(CAMERA_FOVY)})


register_problem(Libero_Mini_Manipulation)  # no decorator: it returns nothing
REGION_SAMPLERS["libero_mini_manipulation"] = {"floor": CentreRegionSampler}
