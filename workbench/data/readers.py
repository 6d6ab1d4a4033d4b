"""Recorded episodes in HDF5 files: the forms that are known, and lazy `Episode`s from them (METHOD 5.5).

Each form is data: which dataset holds which camera, the actions, the proprio. Another form of file is another
entry in `FORMS`. Pictures stay in the file until one is asked for by its index; a file is open only
while something is read, so episodes can be handed to other processes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from workbench.images import decode_jpeg
from workbench.types import Episode, Image

JPEG = "_jpeg"
"""Datasets with this ending hold one JPEG file a picture; without it, pixels."""


@dataclass(frozen=True)
class Form:
    """Where one form of file keeps an episode; names are relative to the episode's group."""

    name: str
    cameras: Mapping[str, str]
    """Our camera name to the dataset; the last one may be absent where a form serves several robots."""
    actions: str
    proprio: str
    demonstrations: bool
    """Whether a file holds many episodes under `data/`, all successful, or one that is a rollout."""
    action_dim: int | None = None
    """Only so many dimensions of an action are used; None: all."""


LIBERO = Form(
    name="LIBERO demonstrations",
    cameras={"wrist": "obs/eye_in_hand_rgb", "primary": "obs/agentview_rgb"},
    actions="actions",
    proprio="robot_states",
    demonstrations=True,
)
ROBOCASA = Form(
    name="RoboCasa demonstrations",
    cameras={
        "wrist": "obs/robot0_eye_in_hand_rgb",
        "primary": "obs/robot0_agentview_left_rgb",
        "secondary": "obs/robot0_agentview_right_rgb",
    },
    actions="actions",
    proprio="robot_states",
    demonstrations=True,
    action_dim=7,
)
ROLLOUT = Form(
    name="rollout",
    cameras={"wrist": "wrist_images", "primary": "primary_images", "secondary": "secondary_images"},
    actions="actions",
    proprio="proprio",
    demonstrations=False,
)
FORMS = (LIBERO, ROBOCASA, ROLLOUT)


@dataclass(frozen=True)
class Source:
    """Where one episode lies, and what is known of it before its arrays are read."""

    path: Path
    group: str
    """Its group in the file: `data/demo_3`, or `/` where the file is one episode."""
    form: Form
    instruction: str
    success: bool
    length: int

    @property
    def address(self) -> str:
        """`FILE#episode`, as moments name it; `read_address` takes it."""
        return f"{self.path}#{self.group.rpartition('/')[2] or 0}"


def find(path: str | Path) -> list[Source]:
    """Every episode in a file, or in all HDF5 files below a folder, in the order of their names.

    Raises FileNotFoundError if there is none, and ValueError for a file that cannot be read or has no known
    form; `check.check` reports all such files instead.
    """
    found = [source for file in hdf5_files(path) for source in sources(file)]
    if not found:
        raise FileNotFoundError(f"expected episodes (*.hdf5) in {path}, found none: collect or download some")
    return found


def hdf5_files(path: str | Path) -> list[Path]:
    """The HDF5 files that a path means: itself, or all below it."""
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"expected a file or folder of episodes at {path}, found none: check the path")
    return sorted(p for p in path.rglob("*.hdf5") if not p.name.startswith("."))


def sources(path: str | Path) -> list[Source]:
    """The episodes of one file, without reading their arrays."""
    path = Path(path)
    with open_file(path) as file:
        names = sorted(file["data"], key=_natural) if "data" in file else []
        groups = [f"data/{name}" for name in names] or ["/"]
        return [_source(path, file, group) for group in groups]


def read(source: Source) -> Episode:
    """The episode: actions and proprio at once, pictures when they are asked for.

    Raises ValueError if its parts do not belong together: not as many pictures or proprio vectors as actions.
    """
    form = source.form
    with open_file(source.path) as file:
        group = file[source.group]
        actions = _vectors(group[form.actions])[:, : form.action_dim]
        proprio = _vectors(group[form.proprio])
        datasets = _datasets(group, form)
        for name in (form.proprio, *datasets.values()):
            if len(group[name]) != len(actions):
                raise ValueError(f"{source.address}: {len(actions)} actions but {len(group[name])} of {name}")
        pictures = {
            camera: Pictures(source.path, f"{source.group.rstrip('/')}/{name}", len(actions))
            for camera, name in datasets.items()
        }
    return Episode(
        instruction=source.instruction,
        images=pictures,
        actions=actions,
        proprio=proprio,
        success=source.success,
        address=source.address,
    )


def read_address(address: str) -> Episode:
    """The episode at `FILE#episode` (`demo_3`, or its number in the file), or the first one of `FILE`."""
    whole = Path(address).exists() or "#" not in address
    path, _, name = (address, "", "") if whole else address.rpartition("#")
    found = find(path)
    known = {source.group.rpartition("/")[2] for source in found}
    for number, source in enumerate(found):
        if name in (str(number), source.group.rpartition("/")[2]) or not name:
            return read(source)
    raise KeyError(f"{path} has no episode {name}; it has {', '.join(sorted(known, key=_natural))}")


class Pictures(Sequence[Image]):
    """The pictures of one camera, upright RGB; each is read and decoded when it is asked for."""

    def __init__(self, path: Path, name: str, length: int):
        self.path, self.name, self.length = path, name, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self.length))]
        if not -self.length <= index < self.length:
            raise IndexError(f"expected a picture from 0 to {self.length - 1}, got {index}")
        with open_file(self.path) as file:
            return self._decode(file[self.name], index % self.length)

    def __iter__(self) -> Iterator[np.ndarray]:
        """All in order; the file is opened once instead of once a picture."""
        with open_file(self.path) as file:
            dataset = file[self.name]
            for step in range(self.length):
                yield self._decode(dataset, step)

    def _decode(self, dataset: h5py.Dataset, step: int) -> np.ndarray:
        try:
            return decode_jpeg(dataset[step]) if self.name.endswith(JPEG) else dataset[step]
        except ValueError as error:
            raise ValueError(f"{self.path}, {self.name}, step {step}: {error}") from error


def instruction_from_name(path: Path) -> str:
    """LIBERO's rule: the words of the file's name, from behind the last one with SCENE in it."""
    words = path.stem.removesuffix("_demo").split("_")
    scenes = [i for i, word in enumerate(words) if "SCENE" in word]
    return " ".join(words[scenes[-1] + 1 :] if scenes else words)


@contextmanager
def open_file(path: Path) -> Iterator[h5py.File]:
    """Open for reading; whatever is wrong with the file becomes one ValueError that names it."""
    try:
        with h5py.File(path, "r") as file:
            yield file
    except FileNotFoundError:
        raise
    except (OSError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path} cannot be read as HDF5 episodes ({error}): copy or collect it again") from error


def _source(path: Path, file: h5py.File, name: str) -> Source:
    group = file[name]
    form = _recognise(group, path)
    described = group.attrs.get("task_description")
    if described is None and not form.demonstrations:
        raise ValueError(f"{path}: expected the attribute task_description, found none: it has no instruction")
    return Source(
        path=path,
        group=name,
        form=form,
        instruction=str(described) if described is not None else instruction_from_name(path),
        success=bool(group.attrs.get("success", form.demonstrations)),
        length=len(group[form.actions]),
    )


def _recognise(group: h5py.Group, path: Path) -> Form:
    for form in FORMS:
        # The primary camera tells the forms apart.
        primary = form.cameras["primary"]
        if form.actions in group and form.proprio in group and (primary in group or primary + JPEG in group):
            return form
    known = ", ".join(form.name for form in FORMS)
    raise ValueError(f"{path}: expected episodes of a known form ({known}), {group.name} is none of them")


def _datasets(group: h5py.Group, form: Form) -> dict[str, str]:
    """Camera to the dataset that this episode really has, compressed or not."""
    found = {}
    for camera, name in form.cameras.items():
        present = [candidate for candidate in (name + JPEG, name) if candidate in group]
        if present:
            found[camera] = present[0]
    return found


def _vectors(dataset: h5py.Dataset) -> np.ndarray:
    values = dataset[()]
    if values.ndim != 2:
        raise ValueError(f"{dataset.file.filename}: expected {dataset.name} as (steps, n), got {values.shape}")
    return values if np.issubdtype(values.dtype, np.floating) else values.astype(np.float64)


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorting key that puts demo_2 before demo_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
