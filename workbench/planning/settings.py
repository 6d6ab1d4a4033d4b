"""How a plan is made, as numbers. Imports no torch, so that a command line or a view can name and check them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from workbench.diffusion.levels import MAX_SEED, SIGMA_MAX, upstream_calls
from workbench.planning import seeds
from workbench.planning.aggregate import AGGREGATIONS

MAX_CANDIDATES, MAX_MEMBERS, MAX_CALLS, MAX_DEPTH = 64, 32, 50, 8
LOWEST_SIGMA = 0.002
"""What other models of the kind end at."""


@dataclass(frozen=True)
class PlanSettings:
    """How a plan is made; the defaults are the paper's (METHOD.md 7)."""

    candidates: int = 8
    calls: int = 5
    """Network calls of each candidate's actions."""
    sigma_min: float | None = None
    """Last noise level of a candidate's actions (METHOD.md 6.2); None: the checkpoint's. A lower one lets candidates
    differ more, and wants more calls; futures and values keep the checkpoint's."""
    variance_scale: bool = False
    """Upstream's `use_variance_scale`: every candidate has noise levels of its own, the first up to three times higher,
    the last down to a tenth (METHOD.md 6.2)."""
    futures: int = 3
    """Future samples a candidate; member j makes int(linspace(1, future_calls, futures))[j] calls."""
    future_calls: int = 5
    values: int = 5
    """Value samples a future (V) or a candidate (Q)."""
    value_calls: int = 5
    aggregation: str = "majority_mean"
    value: str = "v"
    """"v": V(s') of the imagined futures; "q": Q(s, a) of the actions, which imagines nothing."""
    same_noise: bool = False
    """Every candidate is imagined and valued from the same noise: what is common to all drops out of their comparison.
    Upstream draws for each."""
    depth: int = 1
    """Chunks that are looked ahead: beyond the first, the policy goes on in every imagined future (`search`)."""
    seed: int = 0
    upstream_compatible: bool = False
    """Reproduce upstream's quirks: 2 denoising steps make 1 network call; what is deeper has the present proprio
    and is not discounted."""

    def __post_init__(self) -> None:
        limits = {
            "candidates": MAX_CANDIDATES,
            "futures": MAX_MEMBERS,
            "values": MAX_MEMBERS,
            "calls": MAX_CALLS,
            "future_calls": MAX_CALLS,
            "value_calls": MAX_CALLS,
            "depth": MAX_DEPTH,
        }
        for name, limit in limits.items():
            given = getattr(self, name)
            if not 1 <= given <= limit:
                raise ValueError(f"{name}: expected 1 to {limit}, got {given}")
        if self.sigma_min is not None and not LOWEST_SIGMA <= self.sigma_min < SIGMA_MAX:
            raise ValueError(f"sigma_min: expected {LOWEST_SIGMA} to less than {SIGMA_MAX:g}, got {self.sigma_min}")
        if self.aggregation not in AGGREGATIONS:
            raise ValueError(f"aggregation: expected one of {', '.join(AGGREGATIONS)}; got {self.aggregation!r}")
        if self.value not in ("v", "q"):
            raise ValueError(f"value: expected 'v' or 'q', got {self.value!r}")
        if self.depth > 1 and self.value == "q":
            raise ValueError(f"depth: expected 1 for Q(s, a), which imagines nothing to go on in, got {self.depth}")
        if not 0 <= self.seed < MAX_SEED - MAX_CANDIDATES - MAX_MEMBERS:
            raise ValueError(f"seed: expected 0 to {MAX_SEED - MAX_CANDIDATES - MAX_MEMBERS}, got {self.seed}")

    def member_calls(self, phase: str) -> list[int]:
        """Network calls of each member of an ensemble ("imagine" or "value") or of the proposal."""
        calls, members = (self.future_calls, self.futures) if phase == "imagine" else (self.value_calls, self.values)
        asked = [self.calls] if phase == "propose" else seeds.member_calls(calls, members)
        return [upstream_calls(steps) for steps in asked] if self.upstream_compatible else asked

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases of a plan, in order; Q(s, a) imagines nothing."""
        return ("propose", "imagine", "value") if self.value == "v" else ("propose", "value")

    @property
    def rounds(self) -> int:
        """Network calls that follow one another, whatever the batch."""
        return self.depth * sum(max(self.member_calls(phase)) for phase in self.phases)

    @property
    def network_calls(self) -> int:
        """Network calls in all, counted a row: 61 a candidate in the paper's setting."""
        act, imagine, value = (sum(self.member_calls(phase)) for phase in ("propose", "imagine", "value"))
        if self.value == "q":
            return self.candidates * (act + value)
        once, deeper = imagine + self.futures * value, self.futures * act
        return self.candidates * (act + once + (self.depth - 1) * (deeper + once))


def completed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as numbers, of a version that may have had fewer: what it had not was as by default."""
    return {**asdict(PlanSettings()), **settings}
