"""Rollouts of a checkpoint as training data: what the policy itself does, mistakes included (METHOD.md 5.5).

Fresh placements and seeds that evaluation never uses. One file an episode, in several processes; what a
folder already holds is kept, so a stopped run continues.
"""

import zlib
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count, islice
from pathlib import Path

from workbench.cluster import expect_file
from workbench.data import writers
from workbench.envs.suites import suite as find_suite
from workbench.envs.suites import training_seed
from workbench.spread import spread


@dataclass(frozen=True)
class Rollout:
    """One episode to roll out, and where it is written."""

    checkpoint: str
    suite: str
    task: int
    number: int
    seed: int
    sigma_min: float | None
    decisions_only: bool
    path: str


@dataclass(frozen=True)
class RolledOut:
    """One more rollout is on disk."""

    job: Rollout
    success: bool
    steps: int
    done: int
    total: int


def collect_rollouts(
    checkpoint: str,
    suite: str,
    *,
    episodes: int,
    out: str | Path,
    tasks: Sequence[int] | None = None,
    seed: int = 0,
    sigma_min: float | None = None,
    decisions_only: bool = False,
    workers: int | None = 2,
    ray: str | None = None,
) -> Generator[RolledOut, None, list[RolledOut]]:
    """Roll out `checkpoint` alone for `episodes` in total, evenly over `tasks`, or all of the suite's.

    `sigma_min`: last noise level of its actions (default: its own); at a low one it strays more, which is what a
    planning model has to know about. The placements are the same ones. `decisions_only` renders only what decisions
    see and how it ends, all that a closed loop asks a planning model about: `Episode.stride` says so. Writes
    `OUT/all_episodes/SUITE/rollout_*.hdf5`. `ray` is the address of a cluster whose machines
    share `out`. Raises ValueError for an unknown suite or checkpoint.
    """
    from workbench.models import checkpoints

    digest = checkpoints.read_config(checkpoints.resolve(checkpoint))["files"]["denoiser.safetensors"][:8]
    known = find_suite(suite)
    folder, chosen = Path(out) / "all_episodes" / known.name, known.choose(tasks)
    strays = "" if sigma_min is None else f"_sigma{sigma_min:g}"
    jobs = [
        Rollout(
            str(checkpoints.resolve(checkpoint)), suite, number % len(known.tasks), number, seed, sigma_min,
            decisions_only, str(folder / f"rollout_{digest}_seed{seed}{strays}_{number:05d}.hdf5"),
        )
        for number in islice((number for number in count() if number % len(known.tasks) in chosen), episodes)
    ]  # fmt: skip
    jobs = [job for job in jobs if not Path(job.path).exists()]
    rolled_out = []
    with closing(spread(run_job, jobs, workers=workers, ray=ray)) as finished:
        for done, (job, (success, steps)) in enumerate(finished, 1):
            expect_file(job.path)
            rolled_out.append(RolledOut(job, success, steps, done, len(jobs)))
            yield rolled_out[-1]
    return rolled_out


def run_job(job: Rollout) -> tuple[bool, int]:
    """Roll out and write one episode; returns success and control steps."""
    from workbench.control import alone
    from workbench.planning import run
    from workbench.rollout import Start, run_episode

    policy, env = _parts(job.checkpoint, job.suite)
    if job.sigma_min is not None:
        policy = replace(policy, spec=replace(policy.spec, sigma_min=job.sigma_min))
    start = training_seed(job.seed, zlib.crc32(job.suite.encode()), job.task, 1_000_000 + job.number)
    begin = Start(job.task, None, seed=start % 2**31, reset_seed=start)
    decide, kept = alone(policy, calls=policy.spec.calls), {"record": True, "decisions_only": job.decisions_only}
    ended = run(run_episode(env, policy.spec, decide, begin, **kept))
    writers.write_rollout(job.path, ended.episode, seed=start, kind="policy")
    return ended.success, ended.steps


@lru_cache(maxsize=1)
def _parts(checkpoint: str, suite: str):
    from workbench.envs.process import ProcessEnv
    from workbench.models import checkpoints

    policy = checkpoints.load(checkpoint)
    return policy, ProcessEnv(suite, image_size=policy.spec.render_size)
