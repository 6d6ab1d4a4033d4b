"""A robot platform is data: cameras, sizes, preprocessing, discount. No `if platform ==` anywhere."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from workbench.layout import LatentLayout

PathOf = Callable[[np.ndarray, np.ndarray], Float[np.ndarray, "points 3"]]
ChunkTo = Callable[[np.ndarray, float, float, np.ndarray], Float[np.ndarray, "k a"]]


@dataclass(frozen=True)
class PlatformSpec:
    """Everything that differs between robots (METHOD.md 1, 2, 6.5)."""

    name: str
    cameras: tuple[str, ...]
    """In the order of their latent frames."""
    primary: str
    """The camera that shows the whole scene; paths are drawn on it."""
    chunk_size: int
    execute_steps: int
    """Actions of a chunk that are executed before the next decision."""
    action_dim: int
    proprio_dim: int
    gamma: float
    """Discount a control step; the value predicts gamma ** (steps to success)."""
    calls: int
    """Network calls of a policy query in the paper."""
    sigma_max: float = 80.0
    """Noise level at which a query starts (METHOD.md 6.2)."""
    sigma_min: float = 4.0
    """Noise level of its last network call. A number is written many times into its frame, so what is left of the
    noise in it is sigma / sqrt(times); smaller latents want smaller levels."""
    image_size: int = 224
    """Side of the picture that the tokenizer sees."""
    render_size: int = 256
    """Side at which a simulator renders for this platform."""
    jpeg: bool = True
    """Whether pictures go through a JPEG round trip first, as the training data did."""
    center_crop: bool = True
    """Whether the middle 90 % of the area is cut out, as training augmentation did at random."""
    control_hz: float = 20.0
    absolute: bool = False
    """Whether an action is where the proprio's numbers of the same places should be (joint targets), not a motion."""
    action_names: tuple[str, ...] = ()
    """What the numbers of an action are called, where they are shown; empty: they are numbered."""
    proprio_names: tuple[str, ...] = ()
    """What the numbers of the robot's state are called, where they are shown; empty: they are numbered."""
    gripper: int | None = None
    """Index of the gripper in an action; a negative action opens it where `gripper_opens_at` is -1."""
    gripper_opens_at: float = -1.0
    path: PathOf | None = None
    """(actions (k, a), proprio (d)) -> where the gripper goes, metres; None: views show joint curves."""
    chunk_to: ChunkTo | None = None
    """(target (3), gripper, speed, proprio (d)) -> actions (k, a) that lead there, speed in (0, 1], or None."""

    @property
    def sigmas(self) -> tuple[float, float]:
        """First and last noise level of a query."""
        return self.sigma_max, self.sigma_min

    def layout(self, channels: int = 16, side: int | None = None) -> LatentLayout:
        """The latent sequence of this platform; `side` is the latents' height and width (image_size / 8)."""
        side = side or self.image_size // 8
        return LatentLayout(
            cameras=self.cameras,
            chunk_size=self.chunk_size,
            action_dim=self.action_dim,
            proprio_dim=self.proprio_dim,
            channels=channels,
            height=side,
            width=side,
        )
