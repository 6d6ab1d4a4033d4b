"""Collecting demonstrations and failures with the scripted experts, in parallel processes.

Demonstrations go to `OUT/success_only/SUITE/TASK_demo.hdf5`, failures to `OUT/all_episodes/SUITE/*.hdf5`.
Every episode is first a file of its own, which appears whole or not at all; a run that is stopped and started
again does only what is missing. An episode depends on its seed alone, and that on (seed, suite, task, kind,
number): the same command makes the same data, whatever the number of processes.
"""

import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle
from pathlib import Path

import h5py
import numpy as np

from workbench import files
from workbench.cluster import expect_file
from workbench.data import parts, writers
from workbench.envs.experts import FAILURES, expert, failures_of, goal_of, mislead
from workbench.envs.libero import LiberoEnv, make_env
from workbench.envs.suites import libero_assets, training_seed
from workbench.envs.suites import suite as find_suite
from workbench.spread import spread
from workbench.types import Episode

ATTEMPTS = 50
"""After so many draws without the wanted ending, something is broken."""
USUAL_SIZE = 128
"""Pixels of a picture's side."""
MENDED = 0.35
"""Share of demonstrations that begin after a mishap."""


@dataclass(frozen=True)
class Job:
    """One episode to make."""

    suite: str
    task: int
    kind: str
    """"expert", or one of `envs.experts.FAILURES`."""
    number: int
    seed: int
    """The collection's seed."""
    path: str
    image_size: int


@dataclass(frozen=True)
class Collected:
    """An episode has been written."""

    job: Job
    steps: int
    attempts: int
    done: int
    total: int


@dataclass(frozen=True)
class Joined:
    """A task's demonstrations are in their file."""

    path: str
    demos: int


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
    """Make `demos` demonstrations and `failures` failed episodes in total, evenly over `tasks`, or all of the suite's.

    Yields an event an episode and one a finished file; returns the latter. What `out` already holds is kept.
    `ray` is the address of a cluster whose machines share `out` (`spread.spread`).
    Raises ValueError for an unknown suite, a task that no expert can do, or a folder collected with another seed.
    """
    if demos < 0 or failures < 0 or (workers is not None and workers < 1):
        given = f"{demos}, {failures} and {workers}"
        raise ValueError(f"expected demos and failures >= 0 and workers >= 1, got {given}")
    known = find_suite(suite)
    chosen = known.choose(tasks)
    for task in chosen:
        goal_of(known.tasks[task])
    if known.official:
        libero_assets()
    plan = Plan(suite, chosen, Path(out), seed, image_size)
    plan.check()
    # Task by task: where tasks have scenes of their own, another task needs another simulator.
    jobs = sorted(_missing(plan.demos(demos) + plan.failures(failures)), key=lambda job: job.task)
    yield from run_jobs(jobs, run_job, workers=workers, ray=ray)
    joined = []
    for event in plan.join():
        joined.append(event)
        yield event
    return joined


def _missing(jobs: list[Job]) -> list[Job]:
    return [job for job in jobs if not Path(job.path).exists()]


def run_jobs(
    jobs: list[Job], make: Callable[[Job], tuple[int, int]], *, workers: int | None, ray: str | None = None
) -> Generator[Collected, None, None]:
    """Run jobs in parallel with `make` (here, `run_job`), which returns steps and draws."""
    missing = _missing(jobs)
    with closing(spread(make, missing, workers=workers, ray=ray)) as finished:
        for done, (job, (steps, attempts)) in enumerate(finished, start=1 + len(jobs) - len(missing)):
            expect_file(job.path)
            yield Collected(job, steps, attempts, done, len(jobs))


@dataclass(frozen=True)
class Plan:
    """What a collection consists of, and where everything goes."""

    suite: str
    tasks: Sequence[int]
    out: Path
    seed: int
    image_size: int

    def demos(self, count: int) -> list[Job]:
        """Demonstrations that are not in their task's file yet."""
        known = {task: self._numbers(task) for task in self.tasks}
        pairs = [(task, i // len(self.tasks)) for i, task in zip(range(count), cycle(self.tasks), strict=False)]
        missing = [(task, k) for task, k in pairs if k not in known[task]]
        return [self._job(task, "expert", k, self._part(task, k)) for task, k in missing]

    def failures(self, count: int) -> list[Job]:
        """Failed episodes: kinds in turn within each task."""
        jobs = []
        for i, task in zip(range(count), cycle(self.tasks), strict=False):
            kinds, k = failures_of(find_suite(self.suite).tasks[task]), i // len(self.tasks)
            kind = kinds[k % len(kinds)]
            name = f"{self._name(task)}_{kind}_{self.seed}_{k:04d}{of_size(self.image_size)}.hdf5"
            jobs.append(self._job(task, kind, k, self.out / "all_episodes" / self.suite / name))
        return jobs

    def check(self) -> None:
        """ValueError if the folder's demonstrations were made with another seed or picture size."""
        for task in self.tasks:
            if self._file(task).exists():
                with h5py.File(self._file(task)) as file:
                    have = tuple(int(file["data"].attrs[name]) for name in ("seed", "image_size"))
                if have != (self.seed, self.image_size):
                    raise ValueError(
                        f"{self.out} holds demonstrations of seed {have[0]} and size {have[1]}, asked for "
                        f"{self.seed} and {self.image_size}; use the same, or another folder"
                    )

    def join(self) -> Iterator[Joined]:
        """Move finished parts into their tasks' files."""
        for task in self.tasks:
            folder = self._part(task, 0).parent
            found = {int(part.stem.removeprefix("demo_")): part for part in folder.glob("*.part")}
            if found:
                demos = parts.join_parts(
                    self._file(task),
                    found,
                    instruction=find_suite(self.suite).tasks[task],
                    attributes={"seed": self.seed, "image_size": self.image_size, "suite": self.suite},
                )
                files.remove(folder)
                yield Joined(str(self._file(task)), demos)

    def _job(self, task: int, kind: str, number: int, path: Path) -> Job:
        return Job(self.suite, task, kind, number, self.seed, str(path), self.image_size)

    def _name(self, task: int) -> str:
        return find_suite(self.suite).files[task]

    def _file(self, task: int) -> Path:
        return self.out / "success_only" / self.suite / f"{self._name(task)}_demo.hdf5"

    def _part(self, task: int, number: int) -> Path:
        name = f"{self._name(task)}_seed{self.seed}_size{self.image_size}"
        return self.out / "parts" / self.suite / name / f"demo_{number}.part"

    def _numbers(self, task: int) -> set[int]:
        if not self._file(task).exists():
            return set()
        with h5py.File(self._file(task)) as file:
            return {int(name.removeprefix("demo_")) for name in file["data"]}


def of_size(image_size: int) -> str:
    """What an episode's file name says of its pictures, where they are not of the usual size."""
    return "" if image_size == USUAL_SIZE else f"_size{image_size}"


@lru_cache(maxsize=1)
def _env(suite: str, image_size: int) -> LiberoEnv:
    return make_env(suite, image_size=image_size)


def run_job(job: Job) -> tuple[int, int]:
    """Make and write one episode; returns its control steps and how many draws it took."""
    env = _env(job.suite, job.image_size)
    kind = (("expert", *FAILURES)).index(job.kind)
    for attempt in range(ATTEMPTS):
        key = (job.seed, zlib.crc32(job.suite.encode()), job.task, kind, job.number, attempt)
        seed = training_seed(*key)
        take = perform(env, task=job.task, kind=job.kind, seed=seed)
        if take.success != (job.kind == "expert"):
            continue
        episode = filmed(env, take, address=f"{job.suite}/{job.task}/seed{seed}")
        if take.success:
            arrays = {
                "states": take.states,
                "obs/gripper_states": take.proprio[:, :2],
                "obs/ee_pos": take.proprio[:, 2:5],
            }
            parts.write_part(job.path, episode, arrays, seed=seed)
        else:
            writers.write_rollout(job.path, episode, seed=seed, kind=job.kind)
        return len(episode), attempt + 1
    wanted = f"{job.kind} of task {job.task} of {job.suite}"
    raise RuntimeError(f"{wanted} never ended as wanted in {ATTEMPTS} draws")


@dataclass(frozen=True, eq=False)
class Take:
    """One attempt of an expert, a row a control step; nobody has looked at it yet."""

    states: np.ndarray
    """The simulator's time, positions and velocities (steps, n)."""
    proprio: np.ndarray
    actions: np.ndarray
    success: bool


def perform(env: LiberoEnv, *, task: int, kind: str, seed: int) -> Take:
    """Let the expert act from a fresh placement.

    A share of the demonstrations begins after a mishap, which is not recorded. After the last action one more row is
    kept, with the gripper's last command and no motion as its action, so that the state in which the task is solved
    is seen, too.
    """
    env.reset(task, None, seed)
    if kind == "expert" and seed % 1000 < 1000 * MENDED:
        mislead(env, seed=seed)
    states, proprio, actions = [], [], []
    for action in expert(env, seed=seed, kind=kind):
        ended = bool(actions) and (env.success or len(actions) >= env.horizon)
        states.append(env.sim.get_state().flatten())
        proprio.append(env.observe([]).proprio)
        actions.append(np.concatenate([np.zeros(6), actions[-1][6:]]) if ended else action)
        if ended:
            break
        env.step(action)
    return Take(np.stack(states), np.stack(proprio), np.stack(actions), env.success)


def filmed(env: LiberoEnv, take: Take, *, address: str) -> Episode:
    """The pictures of an attempt that is kept: rendering takes longer than acting, and many attempts are not."""
    seen = []
    for state in take.states:
        env.sim.set_state_from_flattened(state)
        seen.append(env.observe().images)
    return Episode(
        instruction=env.instruction,
        images={name: [images[name] for images in seen] for name in seen[0]},
        actions=take.actions,
        proprio=take.proprio,
        success=take.success,
        address=address,
    )
