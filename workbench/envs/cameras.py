"""Where a point of the scene appears in a camera's picture."""

import numpy as np
from jaxtyping import Float


def projection(sim, camera: str, size: int) -> Float[np.ndarray, "3 4"]:
    """Matrix from metres (homogeneous) to pixels (right, down) of an upright, square picture of `size` pixels.

    `sim` is robosuite's `MjSim`. MuJoCo's cameras look along their own negative z axis, y up.
    """
    number = sim.model.camera_name2id(camera)
    position = sim.data.cam_xpos[number]
    to_camera = np.diag([1.0, -1.0, -1.0]) @ sim.data.cam_xmat[number].reshape(3, 3).T
    focal = size / 2 / np.tan(np.radians(sim.model.cam_fovy[number]) / 2)
    pixels = np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])
    return pixels @ np.c_[to_camera, -to_camera @ position]
