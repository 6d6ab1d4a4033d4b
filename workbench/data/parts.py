"""Demonstrations that arrive one at a time: each a file of its own, joined into its task's file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from workbench.data.forms import LIBERO
from workbench.data.writers import write_episode
from workbench.files import atomic_path
from workbench.types import Episode


def write_part(path: str | Path, episode: Episode, arrays: Mapping[str, np.ndarray], *, seed: int) -> None:
    """Write one successful episode alone in a file, as the group that `join_parts` collects.

    `arrays` are further per-step arrays by their path below the group, e.g. `states`, `obs/ee_pos`.
    """
    last = np.arange(len(episode)) == len(episode) - 1
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        demo = file.create_group("demo")
        write_episode(demo, episode, LIBERO, jpeg=True)
        for name, array in {"rewards": last, "dones": last}.items():
            demo[name] = array.astype(np.uint8)
        for name, array in arrays.items():
            demo[name] = array
        demo.attrs.update(num_samples=len(episode), seed=seed, address=episode.address)


def join_parts(path: str | Path, parts: Mapping[int, Path], *, instruction: str, attributes: Mapping[str, Any]) -> int:
    """Put `parts` (number to file of `write_part`) into the task's file, beside what it has.

    Returns how many demonstrations it then holds. The parts are left: delete them afterwards, not before.
    """
    path = Path(path)
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        data = file.create_group("data")
        if path.exists():
            with h5py.File(path) as old:
                for name in old["data"]:
                    old.copy(f"data/{name}", data)
        for number, part in sorted(parts.items()):
            if f"demo_{number}" not in data:
                with h5py.File(part) as one:
                    one.copy("demo", data, name=f"demo_{number}")
        data.attrs.update(
            problem_info=json.dumps({"language_instruction": instruction}),
            num_demos=len(data),
            total=sum(int(demo.attrs["num_samples"]) for demo in data.values()),
            **attributes,
        )
        return len(data)
