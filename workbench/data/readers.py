"""Recorded episodes, found and read lazily: HDF5 files in any of `forms.FORMS`, and LeRobot data sets (METHOD 5.5).

Finding reads what is known of every episode, reading one its numbers, and a picture stays in its file until it is
asked for by its index. A file is open only while something is read, so episodes can be handed to other processes.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import h5py
import numpy as np

from workbench.data import lerobot
from workbench.data.forms import FORMS, LIBERO, ROBOCASA, ROLLOUT, Form, Source, instruction_from_name
from workbench.data.pictures import JPEG, LazyPictures, Pictures, VideoPictures, open_file
from workbench.types import Episode

__all__ = ["LIBERO", "ROBOCASA", "ROLLOUT", "Pictures", "instruction_from_name"]

MAX_NUMBERS = 10_000_000
"""Larger arrays of actions or proprio are refused before they are read: a file can claim any size."""

SUFFIXES = (".hdf5", ".h5")
HELD_OUT = "val"
"""Folders of that name hold the episodes that no training sees (METHOD 5.5, ALOHA)."""


def find(path: str | Path, *, training: bool = False) -> list[Source]:
    """Every episode in a file, a LeRobot data set, or all of them below a folder, in the order of their names.

    `training`: without those below a folder `val` in it. Raises FileNotFoundError if there is none, and ValueError
    for a file that cannot be read or has no known form; `check.check` reports all such files instead.
    """
    found = [source for place in places(path, training=training) for source in sources(place)]
    if not found:
        raise FileNotFoundError(f"expected episodes (*.hdf5) in {path}, found none: collect or download some")
    return found


def places(path: str | Path, *, training: bool = False) -> list[Path]:
    """The HDF5 files and LeRobot folders that a path means: itself, or all below it."""
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"expected a file or folder of episodes at {path}, found none: check the path")
    data_sets = [folder for folder in (path, *path.rglob("*")) if lerobot.is_data_set(folder)]
    files = [file for suffix in SUFFIXES for file in path.rglob(f"*{suffix}") if not file.name.startswith(".")]
    found = sorted([*data_sets, *(file for file in files if not set(file.parents) & set(data_sets))])
    return [place for place in found if not (training and HELD_OUT in place.relative_to(path).parts[:-1])]


def sources(path: str | Path) -> list[Source]:
    """The episodes of one file or data set, without reading their arrays."""
    path = Path(path)
    if path.is_dir():
        return list(lerobot.sources(path))
    return [source(path, name) for name in episode_names(path)]


def episode_names(path: Path) -> list[str]:
    """The groups of an HDF5 file that are episodes, `/` where the file is one."""
    with open_file(path) as file:
        if "data" not in file:
            return ["/"]
        if not isinstance(file["data"], h5py.Group) or not len(file["data"]):
            raise ValueError(f"{path}: expected a group data with episodes in it, it holds none: collect it again")
        return [f"data/{name}" for name in sorted(file["data"], key=_natural)]


def source(path: Path, name: str) -> Source:
    """One episode of an HDF5 file. ValueError if it has no known form, no instruction or no clear ending."""
    with open_file(path) as file:
        group = file[name]
        form = _recognise(group, path)
        described = _text(group.attrs.get("task_description"))
        if described is None and form.instruction is None:
            raise ValueError(f"{path}: expected the attribute task_description, found none: it has no instruction")
        success, score = _ending(group, form)
        return HDF5Source(
            path=path,
            group=name,
            form=form,
            instruction=form.instruction(path) if described is None else described,
            success=success,
            length=len(group[form.actions]),
            score=score,
        )


@dataclass(frozen=True, kw_only=True)
class HDF5Source(Source):
    """An episode in an HDF5 file."""

    def read(self) -> Episode:
        """See `Source.read`. ValueError if its parts do not belong together: not as many pictures as actions."""
        form = self.form
        with open_file(self.path) as file:
            group = file[self.group]
            actions = _vectors(group[form.actions])[:, : form.dims[0] if form.dims else None]
            proprio = _vectors(group[form.proprio])
            if len(proprio) != len(actions):
                raise ValueError(f"{self.address}: {len(actions)} actions but {len(proprio)} of {form.proprio}")
            pictures = {
                camera: self._pictures(group, name, len(actions)) for camera, name in _datasets(group, form).items()
            }
            stride = _stride(group)
        return Episode(self.instruction, pictures, actions, proprio, self.success, self.address, self.score, stride)

    def _pictures(self, group: h5py.Group, name: str, length: int) -> LazyPictures:
        dataset = group[name]
        if dataset.shape == ():
            return VideoPictures(beside(self.path, _text(dataset[()]) or ""), length)
        if len(dataset) != length:
            raise ValueError(f"{self.address}: {length} actions but {len(dataset)} of {name}")
        return Pictures(self.path, f"{self.group.rstrip('/')}/{name}", length)


def beside(path: Path, name: str) -> Path:
    """The file that an episode names; ValueError unless it lies in the episode's folder or below."""
    if not name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"{path}: expected the name of a video beside it, got {name!r}: prepare the episode again")
    return path.parent / name


def read(source: Source) -> Episode:
    """The episode: actions and proprio at once, pictures when they are asked for.

    Raises ValueError if its parts do not belong together: not as many pictures or proprio vectors as actions.
    """
    return source.read()


def read_address(address: str) -> Episode:
    """The episode at `FILE#episode` (`demo_3`, or its number in the file), or the first one of `FILE`."""
    whole = Path(address).exists() or "#" not in address
    path, _, name = (address, "", "") if whole else address.rpartition("#")
    found = find(path)
    known = {source.group.rpartition("/")[2] for source in found}
    for number, one in enumerate(found):
        if name in (str(number), one.group.rpartition("/")[2]) or not name:
            return read(one)
    raise KeyError(f"{path} has no episode {name}; it has {', '.join(sorted(known, key=_natural))}")


class Episodes(Sequence[Episode]):
    """Many episodes, each read when it is indexed and forgotten afterwards: memory does not grow with what they hold.

    Two of the same address may be in it. Handing it to another process copies only where the episodes lie.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)

    @property
    def lengths(self) -> list[int]:
        """Steps of every episode, without reading one."""
        return [source.length for source in self.sources]

    def where(self, wanted: Callable[[Source], bool]) -> "Episodes":
        """Those whose source is `wanted`."""
        return Episodes([source for source in self.sources if wanted(source)])

    def __len__(self) -> int:
        return len(self.sources)

    @overload
    def __getitem__(self, index: int) -> Episode: ...
    @overload
    def __getitem__(self, index: slice) -> "Episodes": ...
    def __getitem__(self, index: int | slice) -> "Episode | Episodes":
        return Episodes(self.sources[index]) if isinstance(index, slice) else self.sources[index].read()

    def __iter__(self) -> Iterator[Episode]:
        return (source.read() for source in self.sources)


def _recognise(group: h5py.Group | h5py.Dataset, path: Path) -> Form:
    for form in FORMS if isinstance(group, h5py.Group) else ():
        # The primary camera tells the forms apart.
        primary = [each for name in form.cameras["primary"] for each in (name, name + JPEG)]
        marked = not form.marked or "success" in group.attrs
        if marked and form.actions in group and form.proprio in group and any(name in group for name in primary):
            return form
    known = ", ".join(form.name for form in FORMS)
    raise ValueError(f"{path}: expected episodes of a known form ({known}), {group.name} is none of them")


def _ending(group: h5py.Group, form: Form) -> tuple[bool, float | None]:
    """Success, and the score if somebody gave one."""
    success, score = group.attrs.get("success", form.demonstrations), group.attrs.get("success_score")
    if not (np.isscalar(success) and success in (0, 1)):
        raise ValueError(f"{group.file.filename}: expected the attribute success as true or false, got {success!r}")
    if score is None:
        return bool(success), None
    if not (np.isscalar(score) and not isinstance(score, str | bytes) and 0 <= score <= 1):
        raise ValueError(f"{group.file.filename}: expected a success_score from 0 to 1, got {score!r}")
    return bool(success), float(score)


def _stride(group: h5py.Group) -> int:
    """Steps from one observation to the next; ValueError if the file claims what cannot be."""
    stride = group.attrs.get("stride", 1)
    if not (np.isscalar(stride) and isinstance(stride, int | np.integer) and stride >= 1):
        raise ValueError(f"{group.file.filename}: expected the attribute stride as 1 or more steps, got {stride!r}")
    return int(stride)


def _datasets(group: h5py.Group, form: Form) -> dict[str, str]:
    """Camera to the dataset that this episode really has."""
    found = {}
    for camera, names in form.cameras.items():
        present = [each for name in names for each in (name + JPEG, name) if each in group]
        if present:
            found[camera] = present[0]
    return found


def _vectors(dataset: h5py.Dataset | h5py.Group) -> np.ndarray:
    where = f"{dataset.file.filename}: expected {dataset.name}"
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "fiu":
        raise ValueError(f"{where} as numbers, got {getattr(dataset, 'dtype', 'a group')}")
    if dataset.ndim != 2:
        raise ValueError(f"{where} as (steps, n), got {dataset.shape}")
    if dataset.size > MAX_NUMBERS:
        raise ValueError(f"{where} with at most {MAX_NUMBERS:,} numbers, got {dataset.shape}")
    values = dataset[()]
    return values if np.issubdtype(values.dtype, np.floating) else values.astype(np.float64)


def _text(value: object) -> str | None:
    if value is None:
        return None
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorting key that puts demo_2 before demo_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
