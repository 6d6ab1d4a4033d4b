"""Which seed each sample has. The only place that says so (METHOD.md 6.1, 7).

Within a plan the seeds are upstream's: candidate i has seed + i, its future sample j that plus j, and value
sample k that plus k, whatever the future; with the same noise for all, j and k are added to seed + N. Across
an episode every decision has a seed of its own, derived from the episode's, so that a policy that is stuck is not
asked the same question again.
"""

import hashlib

from workbench.diffusion.levels import MAX_SEED


def candidate_seeds(seed: int, candidates: int) -> list[int]:
    """One seed a candidate."""
    return [seed + i for i in range(candidates)]


def ensemble_seeds(candidates: list[int], *, same_noise: bool) -> list[int]:
    """The seed that the ensembles of each candidate start at: its own; or one for all, from which none was proposed."""
    return [candidates[-1] + 1] * len(candidates) if same_noise else candidates


def member_seeds(start: int, members: int) -> list[int]:
    """Seeds of an ensemble's members, of futures and of values alike."""
    return [start + j for j in range(members)]


def member_calls(calls: int, members: int) -> list[int]:
    """Network calls of each member: int(linspace(1, calls, members)), so 5 and 3 give 1, 3, 5."""
    if members == 1:
        return [1]
    return [int(1 + j * (calls - 1) / (members - 1)) for j in range(members)]


def episode_seed(seed: int, task: int, k: int) -> int:
    """The policy's seed in episode `k` of a task: the same whatever the planner."""
    return _derive("episode", seed, task, k)


def decision_seed(episode_seed: int, step: int) -> int:
    """The seed of the plan made at control step `step` of an episode."""
    return _derive("decision", episode_seed, step)


def continuation_seed(seed: int, repetition: int) -> int:
    """The episode seed with which the policy goes on after a candidate; the same for all candidates."""
    return _derive("continuation", seed, repetition)


def _derive(*parts: str | int) -> int:
    """A seed below 2**31 (there is room above it for candidates and members), far from its neighbours'."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4]) % (MAX_SEED // 2)
