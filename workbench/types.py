"""The nouns that every part of the workbench shares: numpy arrays in physical units, no torch.

Axis letters used in the shapes here and everywhere else:

    b batch    n candidate   s future sample   v value sample
    t latent frame   f picture of a video   k step of an action chunk   i network call
    c channel   h w height and width   a action dimension   d proprio dimension

Physical units: pictures are upright RGB in uint8, positions metres, angles radians, actions as the
robot takes them, values in [0, 1]. Normalised numbers live in `latents.Latents` only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

Image = UInt8[np.ndarray, "h w 3"]
Video = UInt8[np.ndarray, "f h w 3"]
Actions = Float[np.ndarray, "k a"]

Snapshot = Mapping[str, np.ndarray]
"""Everything that a simulator's next step reads, as named arrays; `Env.snapshot()` makes it."""


@dataclass(frozen=True, eq=False)
class Observation:
    """What the robot sees and feels at one control step."""

    images: Mapping[str, Image]
    """Camera name to upright picture. The platform's `cameras` say which names and in what order."""
    proprio: Float[np.ndarray, " d"]
    """Robot state in the platform's own units (LIBERO: gripper 2, position 3, quaternion 4)."""
    projections: Mapping[str, Float[np.ndarray, "3 4"]] = field(default_factory=dict)
    """Camera name to the matrix from metres (homogeneous) to pixels (right, down) of its picture, where known."""


@dataclass(frozen=True, eq=False)
class Moment:
    """A place to decide from. With a snapshot, every decision can also be tried out."""

    observation: Observation
    instruction: str
    address: str
    """Where it comes from: `suite/task/init@step`, or `FILE#episode@step`."""
    snapshot: Snapshot | None = None


@dataclass(frozen=True, eq=False)
class Prediction:
    """What one run of the model says about one observation."""

    actions: Actions
    future_proprio: Float[np.ndarray, " d"]
    value: float
    """In [0, 1]; predicts gamma ** (steps to success), 0 for failure. Not a probability."""
    images: Mapping[str, Image] = field(default_factory=dict)
    """Imagined pictures at the end of the chunk; empty until somebody decodes them."""


@dataclass(frozen=True)
class Draw:
    """How one continuation of an executed candidate ended; fields as those of `Outcome`."""

    success: bool
    steps: int
    worth: float
    score: float | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What really happened when a candidate was executed, then the policy continued alone.

    One continuation is one draw. Of several, `worth` is the mean, and success, steps, score and frames are those of the
    first; `every` has them all.
    """

    success: bool
    steps: int
    """Control steps from the moment to success, or to the horizon."""
    worth: float
    """Realised discounted return, gamma ** steps or 0: the number that the value predicts. Where success has degrees,
    gamma ** steps times the score.

    It counts from the moment; the value is asked at the chunk's end (METHOD.md 2), so a perfect one reads
    gamma ** -chunk_size times this.
    """
    frames: Mapping[str, Video] = field(default_factory=dict)
    """Camera name to the frames that were rendered on the way (for the video)."""
    after_chunk: Observation | None = None
    """The real observation when the chunk had been executed: the imagined future's counterpart."""
    score: float | None = None
    """How far it got, in [0, 1], where the simulator gives partial scores; None: all or nothing."""
    draws: Sequence[Draw] = ()
    """All continuations in the order of their luck, where there were several; empty: the one that this is."""

    @property
    def every(self) -> Sequence[Draw]:
        """Its continuations, at least one."""
        return self.draws or (Draw(self.success, self.steps, self.worth, self.score),)

    @property
    def successes(self) -> int:
        """How many of its continuations succeeded."""
        return sum(draw.success for draw in self.every)


@dataclass(frozen=True, eq=False)
class Candidate:
    """One plan: what it does, what the model imagines of it, what it is worth. Fills in phase by phase."""

    index: int
    seed: int
    actions: Actions
    path: Float[np.ndarray, "points 3"] | None = None
    """Where the gripper would go, in metres, starting where it is; None if the platform has no path."""
    futures: Mapping[str, UInt8[np.ndarray, "s h w 3"]] = field(default_factory=dict)
    """Camera name to one imagined picture a future sample, at the end of the chunk."""
    values: Float[np.ndarray, "s v"] | None = None
    """Every value sample in [0, 1]; NaN where it has not been drawn yet."""
    value: float | None = None
    """The samples after aggregation, in [0, 1]."""
    rank: int | None = None
    """0 is the best."""
    outcome: Outcome | None = None
    handle: Any = None
    """Opaque: the latents to continue from. Never saved, never looked at by a view."""


@dataclass(frozen=True, eq=False)
class Plan:
    """A decision: all candidates, the chosen one, and what it cost to find it."""

    moment: Moment
    candidates: Sequence[Candidate]
    best: int
    """Index of the chosen candidate."""
    margin: float
    """Share of bootstrap resamplings of the value samples in which the chosen candidate wins."""
    choices: Mapping[str, int]
    """Aggregation rule to the index that it would choose."""
    network_calls: int
    seconds: Mapping[str, float]
    """Phase to wall-clock seconds."""
    config: Mapping[str, Any]
    """The planning settings, as JSON values."""
    checkpoints: Mapping[str, Mapping[str, str]]
    """`policy` and `planner` to name and sha256."""
    gamma: float = 0.99
    """Discount a control step, with which a value reads as steps to success."""

    @property
    def yours(self) -> int | None:
        """Index of the candidate that a person made (`planning.yours`); None if there is none."""
        about = self.config.get("yours")
        index = about.get("index") if isinstance(about, Mapping) else None
        return index if index in [c.index for c in self.candidates] else None


@dataclass(frozen=True, eq=False)
class Denoising:
    """One question to the network as it is answered: what it sees and says at every network call.

    The first seed in full; of the others what they would do and what they are worth.
    """

    mode: str
    """What is asked, a mode of `layout.MODES`."""
    observation: Observation
    frames: Sequence[str]
    """Names of the latent frames, in order."""
    known: Bool[np.ndarray, " t"]
    """Which frames are given: those never change."""
    sigmas: Float[np.ndarray, " i"]
    """Noise level of every call, in standard deviations of the data."""
    seeds: Sequence[int]
    x: Float[np.ndarray, "i c t h w"]
    """What the network sees, in sigma space (data + sigma * noise); known frames as they are given."""
    denoised: Float[np.ndarray, "i c t h w"]
    """What it says is behind the noise; the last call's is the answer."""
    actions: Float[np.ndarray, "n i k a"]
    """The chunk that each seed's answer so far holds, as the robot takes it."""
    paths: Float[np.ndarray, "n i points 3"] | None
    """Where the gripper would go with it, metres; None if the platform has no path."""
    values: Float[np.ndarray, "n i"]
    """The value that each seed's answer so far holds, in [0, 1]."""
    pictures: Mapping[str, UInt8[np.ndarray, "i height width 3"]]
    """Name of a future camera's frame to its decoded picture at every call."""
    gamma: float = 0.99


@dataclass(frozen=True, eq=False)
class Episode:
    """One recorded episode. `images` may be lazy: indexing a camera's sequence reads one picture."""

    instruction: str
    images: Mapping[str, Sequence]  # of Image: but a type checker that looks at items would read files
    actions: Float[np.ndarray, "steps a"]
    proprio: Float[np.ndarray, "steps d"]
    success: bool
    address: str = ""
    score: float | None = None
    """Degree of success in [0, 1] where somebody judged it (ALOHA, METHOD.md 5.5); None: all or nothing."""
    stride: int = 1
    """Control steps from one observation to the next; those in between repeat it. The last step has one of its own."""

    @property
    def reward(self) -> float:
        """What the last step earns, in [0, 1]: the score, or whether it succeeded."""
        return float(self.success) if self.score is None else self.score

    def observed(self, step: int) -> int:
        """The step whose observation is the one at `step`."""
        return step if step == len(self) - 1 else step - step % self.stride

    def __len__(self) -> int:
        return len(self.actions)
