"""Collecting demonstrations and failures with the scripted experts, in parallel processes.

Demonstrations go to `OUT/success_only/SUITE/TASK_demo.hdf5`, failures to `OUT/all_episodes/SUITE/*.hdf5`.
Every episode is first a file of its own, which appears whole or not at all; a run that is stopped and started
again does only what is missing. An episode depends on its seed alone, and that on (seed, suite, task, kind,
number): the same command makes the same data, whatever the number of processes.
"""

import argparse
import multiprocessing
import os
import threading
import zlib
from collections.abc import Generator, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.connection import wait
from pathlib import Path

import h5py
import numpy as np

from workbench import runtime
from workbench.data import parts, writers
from workbench.envs.suites import suite as find_suite
from workbench.envs.suites import training_seed
from workbench.types import Episode

ATTEMPTS = 50
"""After so many draws without the wanted ending, something is broken."""


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
    seed: int = 0,
    workers: int = 2,
    image_size: int = 128,
) -> Generator[Collected | Joined, None, list[Joined]]:
    """Make `demos` demonstrations and `failures` failed episodes in total, evenly over the suite's tasks.

    Yields an event an episode and one a finished file; returns the latter. What `out` already holds is kept.
    Raises ValueError for an unknown suite or a folder collected with another seed.
    """
    if demos < 0 or failures < 0 or workers < 1:
        given = f"{demos}, {failures} and {workers}"
        raise ValueError(f"expected demos and failures >= 0 and workers >= 1, got {given}")
    if find_suite(suite).official:
        raise ValueError(f"the scripted expert knows libero_mini and libero_mini_hard only, got {suite}")
    plan = Plan(suite, Path(out), seed, image_size)
    plan.check()
    jobs = [job for job in plan.demos(demos) + plan.failures(failures) if not Path(job.path).exists()]
    with single_threaded_children(), pool(workers) as workforce:
        futures = {workforce.submit(run_job, job): job for job in jobs}
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                steps, attempts = future.result()
                yield Collected(futures[future], steps, attempts, done, len(jobs))
        except BrokenProcessPool:
            raise RuntimeError("a collecting process died; run the same command to continue") from None
        finally:
            workforce.shutdown(wait=True, cancel_futures=True)
    joined = []
    for event in plan.join():
        joined.append(event)
        yield event
    return joined


@dataclass(frozen=True)
class Plan:
    """What a collection consists of, and where everything goes."""

    suite: str
    out: Path
    seed: int
    image_size: int

    def demos(self, count: int) -> list[Job]:
        """Demonstrations that are not in their task's file yet."""
        known = {task: self._numbers(task) for task in range(self._tasks)}
        pairs = [(i % self._tasks, i // self._tasks) for i in range(count)]
        missing = [(task, k) for task, k in pairs if k not in known[task]]
        return [self._job(task, "expert", k, self._part(task, k)) for task, k in missing]

    def failures(self, count: int) -> list[Job]:
        """Failed episodes: kinds in turn within each task."""
        from workbench.envs.experts import FAILURES

        jobs = []
        for i in range(count):
            task, k = i % self._tasks, i // self._tasks
            kind = FAILURES[k % len(FAILURES)]
            name = f"{self._name(task)}_{kind}_{self.seed}_{k:04d}.hdf5"
            jobs.append(self._job(task, kind, k, self.out / "all_episodes" / self.suite / name))
        return jobs

    def check(self) -> None:
        """ValueError if the folder's demonstrations were made with another seed or picture size."""
        for task in range(self._tasks):
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
        for task in range(self._tasks):
            files = {int(p.stem.rsplit("_", 1)[1]): p for p in self._part(task, 0).parent.glob("*.part")}
            if files:
                demos = parts.join_parts(
                    self._file(task),
                    files,
                    instruction=find_suite(self.suite).tasks[task],
                    attributes={"seed": self.seed, "image_size": self.image_size, "suite": self.suite},
                )
                for part in files.values():
                    part.unlink()
                yield Joined(str(self._file(task)), demos)

    @property
    def _tasks(self) -> int:
        return len(find_suite(self.suite).tasks)

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


@contextmanager
def single_threaded_children() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in runtime.THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(runtime.THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def pool(workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_die_with_parent)


def _die_with_parent() -> None:
    """End this process when the collecting one is killed; the executor would leave it waiting for ever."""

    def watch() -> None:
        wait([multiprocessing.parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@lru_cache(maxsize=1)
def _env(suite: str, image_size: int):
    from workbench.envs.libero import make_env

    return make_env(suite, image_size=image_size)


def run_job(job: Job) -> tuple[int, int]:
    """Make and write one episode; returns its control steps and how many draws it took."""
    from workbench.envs.experts import FAILURES

    env = _env(job.suite, job.image_size)
    kind = (("expert", *FAILURES)).index(job.kind)
    for attempt in range(ATTEMPTS):
        key = (job.seed, zlib.crc32(job.suite.encode()), job.task, kind, job.number, attempt)
        seed = training_seed(*key)
        episode, arrays = record(env, task=job.task, kind=job.kind, seed=seed)
        if episode.success == (job.kind == "expert"):
            if episode.success:
                parts.write_part(job.path, episode, arrays, seed=seed)
            else:
                writers.write_rollout(job.path, episode, seed=seed, kind=job.kind)
            return len(episode), attempt + 1
    wanted = f"{job.kind} of task {job.task} of {job.suite}"
    raise RuntimeError(f"{wanted} never ended as wanted in {ATTEMPTS} draws")


def record(env, *, task: int, kind: str, seed: int) -> tuple[Episode, dict[str, np.ndarray]]:
    """Let the expert act from a fresh placement; returns the episode and its simulator states.

    After the last action one more picture is kept, with the gripper's last command and no motion as its
    action, so that the state in which the task is solved is seen, too.
    """
    from workbench.envs.experts import expert

    env.reset(task, None, seed)
    observations, actions, states = [], [], []
    for action in expert(env, seed=seed, kind=kind):
        ended = env.success or env.steps >= env.horizon
        observations.append(env.observe())
        states.append(env.sim.get_state().flatten())
        actions.append(np.concatenate([np.zeros(6), actions[-1][6:]]) if ended else action)
        if ended:
            break
        env.step(action)
    episode = Episode(
        instruction=env.instruction,
        images={name: [o.images[name] for o in observations] for name in observations[0].images},
        actions=np.stack(actions),
        proprio=np.stack([o.proprio for o in observations]),
        success=env.success,
        address=f"{env.suite.name}/{task}/seed{seed}",
    )
    arrays = {"states": np.stack(states), "obs/gripper_states": episode.proprio[:, :2]}
    return episode, arrays | {"obs/ee_pos": episode.proprio[:, 2:5]}


def main() -> None:
    """Collect from the command line."""
    from tqdm import tqdm

    parser = argparse.ArgumentParser(description="demonstrations and failures by the scripted experts")
    parser.add_argument("--suite", default="libero_mini")
    parser.add_argument("--demos", type=int, default=50, help="in total, evenly over the tasks")
    parser.add_argument("--failures", type=int, default=0, help="in total, evenly over the tasks")
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--image-size", type=int, default=128)
    options = vars(parser.parse_args())
    with tqdm(unit="episode", smoothing=0.05) as bar:
        for event in collect(options.pop("suite"), **options):
            if isinstance(event, Collected):
                bar.total = event.total
                bar.set_description(f"{event.job.kind} {event.job.number} of task {event.job.task}")
                bar.update()
            else:
                bar.write(f"{event.demos} demonstrations in {event.path}")


if __name__ == "__main__":
    main()
