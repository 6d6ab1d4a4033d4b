"""A robot that is none: its joints are where it is told at once, its cameras see noise. To try a server with."""

import numpy as np

from workbench.types import Observation
from workbench.wire import Contract


class Rehearsal:
    """The robot that a contract describes, starting in the middle of the demonstrations' range."""

    def __init__(self, contract: Contract, *, size: tuple[int, int] = (480, 640), seed: int = 0) -> None:
        """`size`: height and width of the pictures."""
        random = np.random.default_rng(seed)
        self._images = {camera: random.integers(0, 256, (*size, 3), np.uint8) for camera in contract.cameras}
        self._middle = (np.array(contract.actions_min) + contract.actions_max) / 2
        self._proprio = contract.proprio_dim
        self.joints = self._middle.copy()
        self.commands: list[np.ndarray] = []
        self.holds = 0

    def observe(self) -> Observation:
        """The same pictures always; the joints, cut or filled up with zeros, as proprio."""
        proprio = np.zeros(self._proprio)
        shared = min(len(proprio), len(self.joints))
        proprio[:shared] = self.joints[:shared]
        return Observation(self._images, proprio)

    def position(self) -> np.ndarray:
        """Where the joints are."""
        return self.joints

    def command(self, action: np.ndarray) -> None:
        """The joints are there."""
        self.joints = np.array(action)
        self.commands.append(self.joints)

    def hold(self) -> None:
        """Nothing moves."""
        self.holds += 1
