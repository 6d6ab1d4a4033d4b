"""Is recorded data fit for training? A report on every bad episode, never a stop at the first.

Everything is looked at, every picture decoded, one at a time. What is reported is what would break training or
quietly spoil it: damaged files, parts that do not belong together, numbers that no robot makes, cameras that show
nothing, demonstrations that are none.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from workbench.data import lerobot
from workbench.data.forms import Source
from workbench.data.pictures import VideoPictures, frames_in
from workbench.data.readers import episode_names, places, source
from workbench.data.windows import noops
from workbench.types import Episode

T = TypeVar("T")

POSITION, QUATERNION = slice(2, 5), slice(5, 9)
"""Of the proprio of forms with `delta` actions."""
FARTHEST = 0.25
"""Metres that a gripper cannot move in one control step."""
LONGEST = 300
"""Characters of an instruction."""


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
    known: dict[bytes, str] = {}
    for place in places(path):
        found, problem = _survive(lambda place=place: _openers(place))
        if found is None:
            yield Checked(address=str(place), steps=0, success=False, problems=(problem,))
        for address, open_source in found or ():
            yield _check(address, open_source, known)


def _openers(place: Path) -> list[tuple[str, Callable[[], Source]]]:
    """Address and way to open of every episode in a file or data set; a bad one does not hide the others."""
    if place.is_dir():
        return [(each.address, lambda each=each: each) for each in lerobot.sources(place)]
    names = episode_names(place)
    return [(f"{place}#{name.rpartition('/')[2] or 0}", lambda name=name: source(place, name)) for name in names]


def _check(address: str, open_source: Callable[[], Source], known: dict[bytes, str]) -> Checked:
    opened, problem = _survive(open_source)
    if opened is None:
        return Checked(address, 0, False, (problem,))
    problems: list[str] = []
    _, problem = _survive(lambda: problems.extend(_problems(opened, known)))
    found = [*problems, *([problem] if problem else [])]
    return Checked(address, opened.length, opened.success, tuple(each.removeprefix(f"{address}: ") for each in found))


def _survive(work: Callable[[], T]) -> tuple[T | None, str]:
    """The result, or what went wrong: a damaged file can make its reader raise anything, and the next one waits."""
    try:
        return work(), ""
    except Exception as error:
        text = " ".join(str(error).split())
        return None, text if isinstance(error, ValueError) else f"it cannot be read ({type(error).__name__}: {text})"


def _problems(opened: Source, known: dict[bytes, str]) -> Iterator[str]:
    episode = opened.read()
    yield from _words(opened)
    if len(episode) == 0:
        yield "it has no steps"
        return
    yield from _numbers(opened, episode)
    yield from _twice(opened, episode, known)
    missing = set(opened.form.cameras) - set(episode.images) - opened.form.optional
    if missing:
        yield f"it has no pictures of {', '.join(sorted(missing))}"
    for camera, pictures in episode.images.items():
        yield from picture_problems(camera, pictures)


def _words(opened: Source) -> Iterator[str]:
    if not opened.instruction.strip():
        yield "it has no instruction"
    elif len(opened.instruction) > LONGEST or not opened.instruction.isprintable():
        yield f"its instruction is no plain line of at most {LONGEST} characters"
    if opened.form.demonstrations and not opened.success:
        yield "it is a demonstration, and no success"
    if opened.success and opened.score == 0:
        yield "it is a success with a score of 0"


def _numbers(opened: Source, episode: Episode) -> Iterator[str]:
    form = opened.form
    if form.dims and (episode.actions.shape[1], episode.proprio.shape[1]) != form.dims:
        got = f"{episode.actions.shape[1]} and {episode.proprio.shape[1]}"
        yield f"actions and proprio have {got} dimensions, {form.name} have {form.dims[0]} and {form.dims[1]}"
        return
    whole = True
    for name, values in (("actions", episode.actions), ("proprio", episode.proprio)):
        steps = np.flatnonzero(~np.isfinite(values).all(axis=1))
        whole &= not len(steps)
        if len(steps):
            yield f"{name} are not finite at {len(steps)} steps, first at step {steps[0]}"
    if whole:
        yield from _motion(opened, episode)


def _motion(opened: Source, episode: Episode) -> Iterator[str]:
    """What no robot does."""
    if len(episode) > 1 and not np.ptp(episode.proprio, axis=0).any():
        yield "its proprio never changes"
    if not opened.form.delta:
        return
    if opened.form.demonstrations and (largest := np.abs(episode.actions).max()) > 1.001:
        yield f"actions reach {largest:.3g}, expected -1 to 1"
    idle = int(noops(episode.actions).sum())
    if opened.form.demonstrations and 2 * idle > len(episode):
        yield f"{idle} of {len(episode)} steps do nothing: prepare it again"
    jumps = np.linalg.norm(np.diff(episode.proprio[:, POSITION], axis=0), axis=1)
    if len(jumps) and jumps.max() > FARTHEST * episode.stride:
        yield f"the gripper jumps {jumps.max():.2f} m at step {int(jumps.argmax()) + 1}"
    lengths = np.linalg.norm(episode.proprio[:, QUATERNION], axis=1)
    if np.abs(lengths - 1).max() > 0.01:
        yield f"the quaternion has length {lengths[np.abs(lengths - 1).argmax()]:.2f}, expected 1"


def _twice(opened: Source, episode: Episode, known: dict[bytes, str]) -> Iterator[str]:
    """A demonstration may be a rollout, too: what is prepared is both (METHOD 5.5)."""
    numbers = episode.actions.tobytes() + episode.proprio.tobytes()
    digest = hashlib.sha256(bytes([opened.form.demonstrations]) + numbers).digest()
    if digest in known:
        yield f"it is {known[digest]} once more"
    known.setdefault(digest, episode.address)


def picture_problems(camera: str, pictures: Sequence) -> Iterator[str]:
    """What is wrong with the pictures of one camera; every one of them is decoded."""
    if isinstance(pictures, VideoPictures) and 0 != frames_in(pictures.path) < len(pictures):
        yield f"the video of {camera} has {frames_in(pictures.path)} frames, expected {len(pictures)}"
        return
    shapes, kinds, black, changes, before = set(), set(), 0, 0, None
    try:
        for picture in pictures:
            shapes.add(picture.shape)
            kinds.add(str(picture.dtype))
            black += not picture.any()
            changes += before is not None and not np.array_equal(before, picture)
            before = picture
    except ValueError as error:
        yield f"pictures of {camera} cannot be decoded: {error}"
        return
    if len(shapes) > 1 or any(len(shape) != 3 or shape[2] != 3 for shape in shapes):
        yield f"pictures of {camera} have shapes {sorted(shapes)}, expected one shape (height, width, 3)"
    if kinds - {"uint8"}:
        yield f"pictures of {camera} are {', '.join(sorted(kinds))}, expected uint8"
    if black:
        yield f"{black} pictures of {camera} are black"
    elif len(pictures) > 1 and not changes:
        yield f"all pictures of {camera} are the same"
