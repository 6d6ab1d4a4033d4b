"""Episodes to HDF5 files in LIBERO's form, demonstrations and rollouts, that the readers and upstream read.

A file is written under a temporary name and renamed, so one that exists is whole. Rollouts are one file an
episode: collecting continues after a stop with those that are missing.
"""

from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np

from workbench.data.readers import JPEG, LIBERO, ROLLOUT, Form
from workbench.files import atomic_path
from workbench.images import encode_jpeg
from workbench.types import Episode


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
    """One episode, successful or not; `attributes` (seed, kind, ...) say where it comes from."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        write_episode(file, episode, ROLLOUT, jpeg=jpeg)
        file.attrs.update(attributes)


def demonstration_name(instruction: str) -> str:
    """The file name from which the readers get the instruction back."""
    return f"{instruction.replace(' ', '_')}_demo.hdf5"


def write_episode(group: h5py.Group, episode: Episode, form: Form, *, jpeg: bool) -> None:
    """Pictures, actions and proprio of one episode, under the names that `form` has for them."""
    unknown = sorted(set(episode.images) - set(form.cameras))
    if unknown:
        raise ValueError(f"{form.name}: expected the cameras {', '.join(form.cameras)}, got {', '.join(unknown)}")
    group.attrs["success"] = bool(episode.success)
    group.attrs["task_description"] = episode.instruction
    group[form.actions] = episode.actions
    group[form.proprio] = episode.proprio
    for camera, pictures in episode.images.items():
        if jpeg:
            stored = group.create_dataset(
                form.cameras[camera] + JPEG, (len(pictures),), dtype=h5py.vlen_dtype(np.uint8)
            )
            for i, picture in enumerate(pictures):
                stored[i] = np.frombuffer(encode_jpeg(picture), np.uint8)
        else:
            group[form.cameras[camera]] = np.stack(list(pictures))
