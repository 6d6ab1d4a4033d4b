"""`workbench bench data`: samples a second and memory, reading two pictures a camera against reading whole episodes.

Upstream holds every demonstration decoded in memory, and of a rollout reads all pictures to use two (METHOD.md 11,
items 16 and 17). Both are run here beside ours, on the same synthetic episodes, each in a process of its own; then
all once more on ten times as many episodes. Memory is the growth of the process's resident set.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from workbench.data import readers, windows
from workbench.data.samples import Samples
from workbench.data.writers import write_rollout
from workbench.meter import Peak
from workbench.types import Episode

CHUNK, GAMMA = 16, 0.99


@dataclass(frozen=True)
class Measured:
    """One way of reading, on so many episodes."""

    way: str
    episodes: int
    rate: float
    """Samples a second."""
    memory: int
    """Bytes by which the process grew."""


def main(options: Sequence[str]) -> int:
    """Print the table; returns an exit code."""
    parser = argparse.ArgumentParser(prog="workbench bench data", description=__doc__)
    parser.add_argument("--episodes", type=int, default=8, help="and ten times as many")
    parser.add_argument("--steps", type=int, default=200, help="an episode")
    parser.add_argument("--size", type=int, default=256, help="of the pictures, in pixels")
    parser.add_argument("--samples", type=int, default=200, help="to read each way")
    parser.add_argument("--pixels", action="store_true", help="pictures as pixels in the files, not as JPEG files")
    given = parser.parse_args(options)
    with tempfile.TemporaryDirectory() as folder:
        files = synthetic(Path(folder), 10 * given.episodes, given.steps, given.size, jpeg=not given.pixels)
        found = [alone(way, files[:count], given.samples) for count in (given.episodes, len(files)) for way in WAYS]
    stored = "pixels" if given.pixels else "JPEG files"
    print(f"{given.steps} steps an episode, two cameras of {given.size} pixels, stored as {stored}\n")
    print(table(found))
    return 0


def table(found: Sequence[Measured]) -> str:
    """A row a measurement, and how ours compares with the others on the same episodes."""
    rows = [f"{'way':28}{'episodes':>9}{'samples/s':>11}{'memory MB':>11}   ours is"]
    ours = {one.episodes: one for one in found if one.way == OURS}
    for one in found:
        mine = ours[one.episodes]
        against = (
            f"{mine.rate / one.rate:.1f} x as fast in {max(mine.memory, 1) / max(one.memory, 1):.3f} of the memory"
        )
        rows.append(
            f"{one.way:28}{one.episodes:9}{one.rate:11.1f}{one.memory / 2**20:11.1f}   {'' if one is mine else against}"
        )
    return "\n".join(rows)


def synthetic(folder: Path, episodes: int, steps: int, size: int, *, jpeg: bool) -> list[Path]:
    """Rollout files whose pictures have something to decode."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 255, (steps, size // 16, size // 16, 3), np.uint8)
    pictures = coarse.repeat(16, axis=1).repeat(16, axis=2)
    numbers = {"actions": random.uniform(-1, 1, (steps, 7)), "proprio": random.uniform(-1, 1, (steps, 9))}
    paths = []
    for number in range(episodes):
        paths.append(folder / f"{number:04d}.hdf5")
        if number:  # the same content under another name costs the readers as much
            paths[-1].write_bytes(paths[0].read_bytes())
        else:
            episode = Episode("go", {"wrist": list(pictures), "primary": list(pictures[::-1])}, **numbers, success=True)
            write_rollout(paths[-1], episode, jpeg=jpeg)
    return paths


def alone(way: str, files: Sequence[Path], count: int) -> Measured:
    """Measure one way in a new process, so that no other's memory is counted."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(measure, (way, list(files), count))


def measure(way: str, files: Sequence[Path], count: int) -> Measured:
    """Read `count` samples at random steps; making ready is in the memory, not in the time."""
    random, peak = np.random.default_rng(1), Peak(_cpu())
    before = peak.read()["host"]
    sample = WAYS[way](files)
    begin = time.perf_counter()
    for _ in range(count):
        sample(random)
    seconds = time.perf_counter() - begin
    return Measured(way, len(files), count / seconds, peak.read()["host"] - before)


def _cpu():
    import torch

    return torch.device("cpu")


Sampling = Callable[[np.random.Generator], object]


def lazily(files: Sequence[Path]) -> Sampling:
    """Ours: the two pictures of each camera that a sample needs."""
    episodes = readers.Episodes([source for file in files for source in readers.sources(file)])
    samples = Samples(episodes, chunk_size=CHUNK, gamma=GAMMA)
    return lambda random: samples.sample(int(random.integers(len(samples))), 0.0)


def whole_episodes(files: Sequence[Path]) -> Sampling:
    """Upstream's rollouts: all stored pictures are read, two of each camera are decoded."""
    sources = [source for file in files for source in readers.sources(file)]

    def sample(random: np.random.Generator) -> object:
        source = sources[int(random.integers(len(sources)))]
        episode, step = source.read(), int(random.integers(source.length))
        with h5py.File(source.path) as file:
            stored = [file[pictures.name][()] for pictures in episode.images.values()]
        return [[_decoded(some[i]) for i in _steps(step, source.length)] for some in stored]

    return sample


def everything(files: Sequence[Path]) -> Sampling:
    """Upstream's demonstrations: all pictures of all episodes, decoded, in memory."""
    episodes = [readers.read(source) for file in files for source in readers.sources(file)]
    held = [{camera: np.stack(list(seen)) for camera, seen in episode.images.items()} for episode in episodes]

    def sample(random: np.random.Generator) -> object:
        images = held[int(random.integers(len(held)))]
        length = len(next(iter(images.values())))
        step = int(random.integers(length))
        return [[some[i].copy() for i in _steps(step, length)] for some in images.values()]

    return sample


def _steps(step: int, length: int) -> tuple[int, int]:
    return step, windows.future_index(step, length, CHUNK)


def _decoded(stored: np.ndarray) -> np.ndarray:
    from workbench.images import decode_jpeg

    return decode_jpeg(stored) if stored.ndim == 1 else stored


OURS = "two pictures a camera (ours)"
WAYS: dict[str, Callable[[Sequence[Path]], Sampling]] = {
    OURS: lazily,
    "whole episodes": whole_episodes,
    "everything in memory": everything,
}
