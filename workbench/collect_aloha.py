"""Collecting demonstrations of the simulated ALOHA, in ALOHA's HDF5 form (METHOD.md 5.5).

An episode is one file of numbers and one video a camera, `OUT/INSTRUCTION/train/episode_0000.hdf5`; the folder's name
is where the readers find the instruction. A file appears when its episode is whole; a run that is stopped and started
again does only what is missing, and an episode depends on its seed alone.
"""

import zlib
from collections.abc import Generator, Sequence
from functools import lru_cache
from itertools import cycle
from pathlib import Path

import numpy as np

from workbench.collect import ATTEMPTS, USUAL_SIZE, Collected, Job, Joined, of_size, run_jobs
from workbench.data import writers
from workbench.envs.aloha import AlohaEnv, assets, make_env
from workbench.envs.aloha_expert import expert
from workbench.envs.suites import suite as find_suite
from workbench.envs.suites import training_seed
from workbench.types import Episode

HZ = 25.0


def collect(
    suite: str,
    *,
    demos: int,
    failures: int = 0,
    out: str | Path,
    tasks: Sequence[int] | None = None,
    seed: int = 0,
    workers: int | None = 2,
    ray: str | None = None,
    image_size: int = USUAL_SIZE,
) -> Generator[Collected | Joined, None, list[Joined]]:
    """Make `demos` demonstrations in total, evenly over `tasks` (default: all); what `out` holds already is kept.

    Yields an event an episode and one a folder; returns the latter. Raises ValueError for what this expert cannot do,
    ModuleNotFoundError without gym-aloha.
    """
    if find_suite(suite).factory != f"{make_env.__module__}:{make_env.__name__}":
        raise ValueError(f"--suite: there is no scripted expert for {suite}: roll out a policy with --checkpoint")
    if failures:
        raise ValueError(f"--failures: the expert of {suite} makes demonstrations only, got {failures}")
    assets()
    names, chosen = find_suite(suite).files, find_suite(suite).choose(tasks)
    folders = {task: Path(out) / names[task] / "train" for task in chosen}
    jobs = []
    for i, task in zip(range(demos), cycle(chosen), strict=False):
        number = i // len(chosen)
        path = folders[task] / f"episode_{seed}_{number:04d}{of_size(image_size)}.hdf5"
        jobs.append(Job(suite, task, "expert", number, seed, str(path), image_size))
    yield from run_jobs([job for job in jobs if not Path(job.path).exists()], run_job, workers=workers, ray=ray)
    joined = [Joined(str(folder), len(list(folder.glob("*.hdf5")))) for folder in folders.values()]
    yield from joined
    return joined


@lru_cache(maxsize=1)
def _env(suite: str, image_size: int) -> AlohaEnv:
    return make_env(suite, image_size=image_size)


def run_job(job: Job) -> tuple[int, int]:
    """Make and write one episode; returns its control steps and how many draws it took."""
    env = _env(job.suite, job.image_size)
    for attempt in range(ATTEMPTS):
        seed = training_seed(job.seed, zlib.crc32(job.suite.encode()), job.task, job.number, attempt)
        episode = record(env, task=job.task, seed=seed)
        if episode.success:
            writers.write_aloha(job.path, episode, fps=HZ)
            return len(episode), attempt + 1
    raise RuntimeError(f"the expert never solved task {job.task} of {job.suite} in {ATTEMPTS} draws")


def record(env: AlohaEnv, *, task: int, seed: int) -> Episode:
    """Let the expert act from a fresh placement. The last picture shows the end, beside the last target again."""
    env.reset(task, None, seed)
    seen, actions = [], []
    for action in expert(env, seed=seed):
        ended = bool(actions) and (env.success or len(actions) >= env.horizon)
        seen.append(env.observe())
        actions.append(actions[-1] if ended else action)
        if ended:
            break
        env.step(action)
    return Episode(
        instruction=env.instruction,
        images={camera: [one.images[camera] for one in seen] for camera in seen[0].images},
        actions=np.stack(actions),
        proprio=np.stack([one.proprio for one in seen]),
        success=env.success,
        address=f"{env.suite.name}/{task}/seed{seed}",
    )
