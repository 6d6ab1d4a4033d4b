"""What long work reports while it runs. Every long function is a generator of these and returns its result.

Counting `Called` and `Stepped` is progress; closing the generator is cancelling. An event is small and
holds finished numpy data only, so that it can be shown, queued to another thread or dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.types import Candidate, Episode, Observation, Outcome, Plan


@dataclass(frozen=True, eq=False)
class Called:
    """One batched network call has been made."""

    phase: str
    """"propose", "imagine" or "value"."""
    done: int
    """Sequential calls made so far in the whole plan."""
    total: int


@dataclass(frozen=True, eq=False)
class Proposed:
    """Candidates have actions and a path; nothing is imagined yet."""

    candidates: Sequence[Candidate]
    """All; where one is proposed first, that one, and then all."""


@dataclass(frozen=True, eq=False)
class Imagined:
    """All candidates have their imagined pictures, one a future sample."""

    candidates: Sequence[Candidate]


@dataclass(frozen=True, eq=False)
class Valued:
    """One more round of value samples; `values` is NaN where none is drawn yet, ranks are provisional."""

    candidates: Sequence[Candidate]
    round: int
    rounds: int


@dataclass(frozen=True, eq=False)
class Decided:
    """A closed loop has chosen its next chunk."""

    step: int
    """Control step of the episode at which it was chosen."""
    plan: Plan


@dataclass(frozen=True, eq=False)
class Stepped:
    """One control step of the simulator."""

    step: int
    action: Sequence[float]
    observation: Observation | None
    """None where nobody asked for pictures."""
    success: bool


@dataclass(frozen=True, eq=False)
class ChunkExecuted:
    """A candidate's chunk has been executed for real; the continuation has not."""

    index: int
    after_chunk: Observation
    frames: Mapping[str, object]


@dataclass(frozen=True, eq=False)
class Executed:
    """A candidate has been continued to its end, once more if it had been before."""

    index: int
    outcome: Outcome
    """Its truth, of all continuations so far."""


@dataclass(frozen=True, eq=False)
class EpisodeEnded:
    """A closed-loop episode is over."""

    success: bool
    steps: int
    episode: Episode | None = None
