"""Episodes to HDF5 files in the published forms, demonstrations and rollouts, that the readers and upstream read.

A file is written under a temporary name and renamed, so one that exists is whole. Rollouts are one file an
episode: collecting continues after a stop with those that are missing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from workbench.data.forms import ALOHA, LIBERO, ROLLOUT, Form
from workbench.data.pictures import JPEG, LazyPictures
from workbench.files import atomic_path
from workbench.images import decode_picture, encode_jpeg
from workbench.types import Episode, Image
from workbench.video import write_video

JPEG_START = b"\xff\xd8\xff"


def write_demonstrations(path: str | Path, episodes: Iterable[Episode], *, jpeg: bool = True) -> None:
    """Successful episodes of one task; name the file with `demonstration_name`: LIBERO's readers need it."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        for number, episode in enumerate(episodes):
            if not episode.success:
                raise ValueError(f"expected demonstrations, {episode.address or number} failed: write a rollout")
            group = file.create_group(f"data/demo_{number}")
            group.attrs["num_samples"] = len(episode)
            write_episode(group, episode, LIBERO, jpeg=jpeg)


def write_rollout(path: str | Path, episode: Episode, *, jpeg: bool = True, **attributes: str | int) -> None:
    """One episode, successful or not; `attributes` (seed, kind, ...) say where it comes from.

    With ALOHA's cameras it is written in ALOHA's form, whose pictures are videos, whatever `jpeg` says.
    """
    if set(episode.images) - set(ROLLOUT.cameras) and set(episode.images) <= set(ALOHA.cameras):
        write_aloha(path, replace(episode, score=episode.reward), **attributes)
        return
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        write_episode(file, episode, ROLLOUT, jpeg=jpeg)
        file.attrs.update(attributes)


def write_aloha(
    path: str | Path,
    episode: Episode,
    arrays: Mapping[str, np.ndarray] | None = None,
    *,
    fps: float = 25.0,
    **attributes: str | int,
) -> None:
    """One ALOHA episode: numbers in `path`, pictures as an H.264 video a camera beside it (METHOD 5.5).

    `arrays`: further ones by their path, e.g. `relative_action`. A failed or judged episode becomes a rollout;
    `attributes` say where it comes from. The videos are written first, so that an episode whose file exists is whole;
    pictures are not lossless.
    """
    path = Path(path)
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        for camera, pictures in episode.images.items():
            name = ALOHA.cameras[camera][-1]
            video = f"{path.stem}_{name.rpartition('/')[2]}.mp4"
            write_video(path.with_name(video), pictures, fps)
            file[name] = video.encode()
        for name, array in {ALOHA.actions: episode.actions, ALOHA.proprio: episode.proprio, **(arrays or {})}.items():
            file[name] = array
        if episode.score is not None or not episode.success:
            _describe(file, episode)
        file.attrs.update(attributes)


def demonstration_name(instruction: str) -> str:
    """The file name from which the readers get the instruction back; ValueError for what cannot be one."""
    if not re.fullmatch(r"[^./\\\x00-\x1f][^/\\\x00-\x1f]{0,199}", instruction):
        raise ValueError(
            "instruction: expected up to 200 characters without slashes and line ends, as a file is named after it; "
            f"got {instruction[:80]!r}"
        )
    return f"{instruction.replace(' ', '_')}_demo.hdf5"


def write_episode(group: h5py.Group, episode: Episode, form: Form, *, jpeg: bool) -> None:
    """Pictures, actions and proprio of one episode, under the names that `form` has for them."""
    unknown = sorted(set(episode.images) - set(form.cameras))
    if unknown:
        raise ValueError(f"{form.name}: expected the cameras {', '.join(form.cameras)}, got {', '.join(unknown)}")
    _describe(group, episode)
    group[form.actions] = episode.actions
    group[form.proprio] = episode.proprio
    for camera, pictures in episode.images.items():
        (name, *_) = form.cameras[camera]
        if jpeg:
            stored = group.create_dataset(name + JPEG, (len(pictures),), dtype=h5py.vlen_dtype(np.uint8))
            for step, data in enumerate(jpeg_files(pictures)):
                stored[step] = np.frombuffer(data, np.uint8)
        else:
            group[name] = np.stack(list(pictures))


def _describe(group: h5py.Group, episode: Episode) -> None:
    group.attrs["success"] = bool(episode.success)
    group.attrs["task_description"] = episode.instruction
    if episode.stride > 1:
        group.attrs["stride"] = episode.stride
    if episode.score is not None:
        group.attrs["success_score"] = episode.score


def jpeg_files(pictures: Sequence[Image]) -> Iterator[bytes]:
    """The JPEG file of every picture; one that is stored already stays as it is, to the last byte."""
    stored = pictures.stored() if isinstance(pictures, LazyPictures) else None
    if stored is None:
        yield from map(encode_jpeg, pictures)
        return
    for data in stored:
        yield data if data.startswith(JPEG_START) else encode_jpeg(decode_picture(data))
