"""Recorded episodes to look at and to decide from: what lies in some folders, one file that somebody brings, a moment
of an episode, and what a model says along it.

A recorded moment has no simulator behind it: it can be asked about and planned from, not executed.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Float, UInt8

from workbench import runtime
from workbench.data import readers
from workbench.data.check import check_episodes
from workbench.data.forms import Source
from workbench.data.pictures import open_file
from workbench.platforms import PlatformSpec
from workbench.types import Episode, Moment, Observation

MOST = 2000
"""Episodes that are listed of one folder."""


def shipped() -> Path:
    """Where the shipped episodes are."""
    return runtime.assets() / "episodes"


def listed(folders: Sequence[str | Path]) -> dict[str, Source]:
    """Every episode in `folders` by name (`FOLDER/FILE#episode`), at most `MOST` a folder.

    What cannot be read is left out: `workbench data check` says why. FileNotFoundError for a folder that is not there.
    """
    found = {}
    for folder in map(Path, folders):
        some = _readable(folder)
        for _, source in zip(range(MOST), some, strict=False):
            found[_name(source, folder, found)] = source
    return found


def _name(source: Source, folder: Path, taken: Mapping[str, Source]) -> str:
    """`FOLDER/FILE#episode`, with as much of the way to the folder as tells it from those of another one."""
    path, base = Path(os.path.abspath(source.path)), Path(os.path.abspath(folder)).parent
    episode = source.group.rpartition("/")[2] or 0
    while (name := f"{path.relative_to(base)}#{episode}") in taken and base != base.parent:
        base = base.parent
    return name


def _readable(folder: Path) -> Iterator[Source]:
    for place in readers.places(folder):
        try:
            yield from readers.sources(place)
        except Exception:  # whatever lies in a folder must not keep the rest from being listed
            continue


def brought(path: str | Path) -> list[Source]:
    """The episodes of one HDF5 file from anywhere, every picture checked.

    ValueError, in one line and without the file's place, for whatever is wrong with it.
    """
    path = Path(path)
    if path.suffix.lower() not in readers.SUFFIXES:
        raise ValueError(f"expected a file of episodes ({', '.join(readers.SUFFIXES)}), got {path.name!r}")
    _self_contained(path)
    for checked in check_episodes(path):
        if checked.problems:
            raise ValueError("; ".join(checked.problems).replace(f"{path.parent}/", ""))
    return readers.sources(path)


def _self_contained(path: Path) -> None:
    """ValueError for an HDF5 file that would make its reader open others."""
    with open_file(path) as file:
        groups, seen = [file["/"]], set()
        while groups:
            group = groups.pop()
            if (place := h5py.h5o.get_info(group.id).addr) in seen:  # a group may hold itself
                continue
            seen.add(place)
            for name in group:
                link = group.get(name, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    raise ValueError(f"{path.name}: expected a file without links, {name!r} is one")
                item = group[name]
                if isinstance(item, h5py.Group):
                    groups.append(item)
                elif item.external or item.is_virtual:
                    raise ValueError(f"{path.name}: expected data in the file itself, {name!r} lies in another")


def moment_at(episode: Episode, step: int) -> Moment:
    """What the robot saw and felt at `step`, or when it was last observed before, without a snapshot.

    ValueError for a step that it has not.
    """
    if not 0 <= step < len(episode):
        raise ValueError(f"step: expected 0 to {len(episode) - 1}, got {step}")
    step = episode.observed(step)
    images = {camera: np.asarray(pictures[step]) for camera, pictures in episode.images.items()}
    observation = Observation(images, np.asarray(episode.proprio[step], float))
    return Moment(observation, episode.instruction, f"{Path(episode.address).name}@{step}")


@dataclass(frozen=True, eq=False)
class Recalled:
    """What a model says along an episode, asked every few steps."""

    steps: Sequence[int]
    ahead: int
    """Control steps from there to the moment that it imagines."""
    values: Float[np.ndarray, " n"]
    """In [0, 1]: what the policy's own answer expects of the future that it imagines."""
    images: Mapping[str, UInt8[np.ndarray, "n h w 3"]]
    """Camera to the imagined picture after each of `steps`."""


def fit(episode: Episode, spec: PlatformSpec) -> None:
    """ValueError if the episode is another robot's than a model of `spec` knows."""
    if missing := [camera for camera in spec.cameras if camera not in episode.images]:
        raise ValueError(f"the model expects pictures of {', '.join(spec.cameras)}; there are none of {missing[0]}")
    dims = (episode.actions.shape[1], episode.proprio.shape[1])
    if dims != (spec.action_dim, spec.proprio_dim):
        wanted = f"{spec.action_dim} numbers an action and {spec.proprio_dim} of proprio"
        raise ValueError(f"the model expects {wanted}, got {dims[0]} and {dims[1]}: another robot's episode")


def chosen(sources: Mapping[str, Source], *, task: str | None = None, success: bool | None = None) -> dict[str, Source]:
    """Those of one task, of one outcome; None: of any."""
    return {
        name: source
        for name, source in sources.items()
        if task in (None, source.instruction) and success in (None, source.success)
    }
