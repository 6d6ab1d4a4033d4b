"""Is recorded data fit for training? A report on every bad episode, never a stop at the first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workbench.data.readers import Source, places, read, sources


@dataclass(frozen=True)
class Checked:
    """What was found in one episode, or in a file that could not be read."""

    address: str
    steps: int
    success: bool
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What a folder holds, and what is wrong with it."""

    episodes: int
    successes: int
    steps: int
    bad: tuple[Checked, ...]

    def __str__(self) -> str:
        lines = [f"{self.episodes} episodes, {self.successes} successful, {self.steps} steps, {len(self.bad)} bad"]
        lines += [f"{checked.address}: {'; '.join(checked.problems)}" for checked in self.bad]
        return "\n".join(lines)


def check(path: str | Path) -> Report:
    """Check every episode of a file or folder, every picture included."""
    return summarise(check_episodes(path))


def summarise(found: Iterator[Checked]) -> Report:
    """Add up what `check_episodes` yields."""
    checked = list(found)
    return Report(
        episodes=len(checked),
        successes=sum(episode.success for episode in checked),
        steps=sum(episode.steps for episode in checked),
        bad=tuple(episode for episode in checked if episode.problems),
    )


def check_episodes(path: str | Path) -> Iterator[Checked]:
    """Check one episode after the other, in the order of `readers.find`; a caller counts progress."""
    for file in places(path):
        try:
            found = sources(file)
        except ValueError as error:
            yield Checked(address=str(file), steps=0, success=False, problems=(str(error),))
            continue
        for source in found:
            yield Checked(source.address, source.length, source.success, tuple(_problems(source)))


def _problems(source: Source) -> Iterator[str]:
    try:
        episode = read(source)
    except ValueError as error:
        yield str(error).removeprefix(f"{source.address}: ")
        return
    if not episode.instruction.strip():
        yield "it has no instruction"
    if len(episode) == 0:
        yield "it has no steps"
    for name, values in (("actions", episode.actions), ("proprio", episode.proprio)):
        steps = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(steps):
            yield f"{name} are not finite at {len(steps)} steps, first at step {steps[0]}"
    missing = set(source.form.cameras) - set(episode.images) - {"secondary"}
    if missing:
        yield f"it has no pictures of {', '.join(sorted(missing))}"
    for camera, pictures in episode.images.items():
        yield from picture_problems(camera, pictures)


def picture_problems(camera: str, pictures: Sequence) -> Iterator[str]:
    """What is wrong with the pictures of one camera; every one of them is decoded."""
    try:
        shapes = {picture.shape for picture in pictures}
    except ValueError as error:
        yield f"pictures of {camera} cannot be decoded: {error}"
        return
    if len(shapes) > 1 or any(len(shape) != 3 or shape[2] != 3 for shape in shapes):
        yield f"pictures of {camera} have shapes {sorted(shapes)}, expected one shape (height, width, 3)"
