"""Which latent frame holds what. The only file that knows an index.

A query is a short "video" of latent frames (METHOD.md 1.1): blank, current proprio, current cameras,
action chunk, future proprio, future cameras, value. Policy, world model and value function are the same
network asked with different frames known (METHOD.md 3.1).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Kind = Literal["blank", "proprio", "camera", "actions", "future_proprio", "future_camera", "value"]
Mode = Literal["policy", "world_model", "v", "v_full", "q"]

MODES: dict[Mode, str] = {
    "policy": "p(a, s', V | s): the current state is known",
    "world_model": "p(s', V | s, a): the current state and the actions are known",
    "v": "V(s'): only the future state is known",
    "v_full": "V(s, a, s'): everything but the value is known",
    "q": "Q(s, a): like the world model, but only the value is wanted",
}


@dataclass(frozen=True)
class Frame:
    """One latent frame: what it holds and, for a picture, which camera's."""

    kind: Kind
    camera: str | None = None

    @property
    def name(self) -> str:
        """Readable name, such as `future wrist` or `actions`."""
        if self.camera is None:
            return self.kind.replace("_", " ")
        return self.camera if self.kind == "camera" else f"future {self.camera}"


@dataclass(frozen=True)
class LatentLayout:
    """The frames of one platform's latent sequence and their size."""

    cameras: tuple[str, ...]
    """In frame order; the platform decides it (LIBERO: wrist before primary)."""
    chunk_size: int
    action_dim: int
    proprio_dim: int
    channels: int = 16
    height: int = 28
    width: int = 28

    @cached_property
    def frames(self) -> tuple[Frame, ...]:
        """All latent frames in order (METHOD.md 1.1)."""
        now = tuple(Frame("camera", camera) for camera in self.cameras)
        future = tuple(Frame("future_camera", camera) for camera in self.cameras)
        return (
            Frame("blank"),
            Frame("proprio"),
            *now,
            Frame("actions"),
            Frame("future_proprio"),
            *future,
            Frame("value"),
        )

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(c, t, h, w) of one sequence."""
        return self.channels, len(self), self.height, self.width

    def index(self, kind: Kind, camera: str | None = None) -> int:
        """Position of one frame; raises ValueError if there is none."""
        return self.frames.index(Frame(kind, camera))

    def indices(self, *kinds: Kind) -> tuple[int, ...]:
        """Positions of all frames of these kinds, in order."""
        return tuple(i for i, frame in enumerate(self.frames) if frame.kind in kinds)

    def known(self, mode: Mode) -> tuple[bool, ...]:
        """Which frames are given when the network is asked in `mode` (METHOD.md 3.1)."""
        return self._flags(_KNOWN[mode])

    def wanted(self, mode: Mode) -> tuple[bool, ...]:
        """Which frames a training sample of `mode` is scored on (METHOD.md 3.1, 5.2)."""
        if mode in ("v", "q"):
            return self._flags(("value",))
        return tuple(not known for known in self.known(mode))

    def _flags(self, kinds: tuple[Kind, ...]) -> tuple[bool, ...]:
        return tuple(frame.kind in kinds for frame in self.frames)

    @property
    def current(self) -> tuple[int, ...]:
        """The current state's frames: proprio, then cameras."""
        return self.indices("proprio", "camera")

    @property
    def future(self) -> tuple[int, ...]:
        """The future state's frames, in the order of `current`."""
        return self.indices("future_proprio", "future_camera")

    @property
    def non_pictures(self) -> tuple[int, ...]:
        """Frames whose placeholder is put back before pictures are decoded (METHOD.md 6.4)."""
        return self.indices("blank", "proprio", "actions", "future_proprio")


_CURRENT: tuple[Kind, ...] = ("blank", "proprio", "camera")
_FUTURE: tuple[Kind, ...] = ("future_proprio", "future_camera")
_KNOWN: dict[Mode, tuple[Kind, ...]] = {
    "policy": _CURRENT,
    "world_model": (*_CURRENT, "actions"),
    "v": ("blank", *_FUTURE),
    "v_full": (*_CURRENT, "actions", *_FUTURE),
    "q": (*_CURRENT, "actions"),
}
