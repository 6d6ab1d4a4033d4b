"""Episodes for tests: small, every one different, with pictures in which each step can be told from the next."""

import numpy as np

from workbench.platforms import PLATFORMS
from workbench.types import Episode


def recorded(
    length: int = 6, *, platform: str = "libero", seed: int = 0, size: int = 16, step: int = 7, **changes
) -> Episode:
    """An episode of a platform's cameras and dimensions; grey level `step` x step, other for every camera and seed."""
    generator, spec = np.random.default_rng(seed), PLATFORMS[platform]
    t = np.arange(length)
    images = {camera: list(_grey(20 * i + 3 * seed + step * t, size)) for i, camera in enumerate(spec.cameras)}
    values = {
        "instruction": "put the red cube on the plate",
        "images": images,
        "actions": generator.uniform(-1, 1, (length, spec.action_dim)),
        "proprio": _proprio(generator, length, spec.proprio_dim),
        "success": True,
    }
    return Episode(**(values | changes))


def _grey(levels: np.ndarray, size: int) -> np.ndarray:
    return np.broadcast_to((30 + levels % 200).astype(np.uint8)[:, None, None, None], (len(levels), size, size, 3))


def _proprio(generator: np.random.Generator, length: int, dims: int) -> np.ndarray:
    """A gripper that moves slowly; the last four of nine dimensions are a quaternion."""
    values = generator.uniform(-1, 1, dims) + 0.02 * generator.normal(size=(length, dims)).cumsum(0)
    if dims == 9:
        values[:, 5:] /= np.linalg.norm(values[:, 5:], axis=1, keepdims=True)
    return values
