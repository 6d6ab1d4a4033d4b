"""LeRobot data sets, version 3: tables of numbers, and pictures inside them or as videos beside them.

Read after the published format with pyarrow and PyAV; the library itself is no dependency. `lerobot_out` writes them.
"""

import importlib.util
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench import files
from workbench.data.forms import LEROBOT, LEROBOT_ROLLOUT, Source
from workbench.data.pictures import LazyPictures, VideoPictures
from workbench.images import decode_picture
from workbench.types import Episode, Image

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

INFO = "meta/info.json"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"

PICTURES = "observation.images."
NAMES = {
    "image": "primary",
    "agentview": "primary",
    "agentview_rgb": "primary",
    "cam_high": "primary",
    "top": "primary",
    "image2": "wrist",
    "wrist_image": "wrist",
    "eye_in_hand_rgb": "wrist",
    "cam_left_wrist": "left_wrist",
    "cam_right_wrist": "right_wrist",
}
"""Cameras as published data sets call them, and as we do; others keep their names."""


def is_data_set(folder: Path) -> bool:
    """Whether a folder holds a LeRobot data set."""
    return (folder / INFO).is_file()


def sources(folder: Path) -> Iterator[Source]:
    """The episodes of a data set in their order, without reading their rows; ValueError if it is none."""
    info = _info(folder)
    tables = sorted((folder / "meta/episodes").glob("*/*.parquet"))
    if not tables:
        raise ValueError(f"{folder}: expected episodes in meta/episodes, found none: copy the data set again")
    for path in tables:
        for row in _table(path).to_pylist():
            yield _source(folder, info, row)


@dataclass(frozen=True, kw_only=True)
class LeRobotSource(Source):
    """An episode of a LeRobot data set."""

    index: int
    table: Path
    fps: float
    images: Mapping[str, str] = field(default_factory=dict)
    """Camera to the column of its pictures."""
    videos: Mapping[str, tuple[Path, float]] = field(default_factory=dict)
    """Camera to its video and the second at which the episode begins in it."""

    def read(self) -> Episode:
        """See `Source.read`. ValueError if the table has not the rows that the data set announces."""
        rows = _rows(self.table, self.index, [self.form.actions, self.form.proprio])
        if len(rows) != self.length:
            raise ValueError(f"{self.address}: expected {self.length} rows in {self.table.name}, got {len(rows)}")
        pictures: dict[str, LazyPictures] = {
            camera: TablePictures(self.table, self.index, column, self.length) for camera, column in self.images.items()
        }
        for camera, (path, start) in self.videos.items():
            pictures[camera] = VideoPictures(path, self.length, start=start, fps=self.fps)
        actions, proprio = (_vectors(rows[name], self.address) for name in (self.form.actions, self.form.proprio))
        return Episode(self.instruction, pictures, actions, proprio, self.success, self.address, self.score)


class TablePictures(LazyPictures):
    """Picture files (PNG, JPEG) in a column of a table."""

    def __init__(self, path: Path, episode: int, column: str, length: int):
        self.path, self.episode, self.column, self.length = path, episode, column, length

    def read(self, steps: Iterable[int]) -> Iterator[Image]:
        """See `LazyPictures.read`."""
        steps = list(steps)
        for step, data in zip(steps, self._files(steps), strict=True):
            try:
                yield decode_picture(data)
            except ValueError as error:
                raise ValueError(f"{self.path}, {self.column}, step {step}: {error}") from error

    def stored(self) -> Iterator[bytes]:
        """See `LazyPictures.stored`."""
        return self._files(range(self.length))

    def _files(self, steps: Iterable[int]) -> Iterator[bytes]:
        column = _rows(self.path, self.episode, [self.column])[self.column]
        for step in steps:
            value = column[step].as_py() if step < len(column) else None
            data = value.get("bytes") if isinstance(value, dict) else value
            if not isinstance(data, bytes):
                raise ValueError(
                    f"{self.path}, {self.column}, step {step}: expected the bytes of a picture, found none"
                )
            yield data


def _info(folder: Path) -> dict[str, Any]:
    info = files.read_json(folder / INFO)
    version = info.get("codebase_version") if isinstance(info, dict) else None
    if not isinstance(version, str) or not version.startswith("v3"):
        raise ValueError(f"{folder}: expected a LeRobot data set of version 3, got {version}: convert it with lerobot")
    features = info.get("features")
    missing = [name for name in (LEROBOT.actions, LEROBOT.proprio) if name not in (features or {})]
    if missing or not isinstance(info.get("fps"), int | float) or not info["fps"] > 0:
        raise ValueError(f"{folder}: expected fps and {', '.join(missing) or 'features'} in {INFO}, found none")
    return info


def _source(folder: Path, info: Mapping[str, Any], row: Mapping[str, Any]) -> LeRobotSource:
    try:
        index, tasks = int(row["episode_index"]), row["tasks"]
        table = _path(folder, info.get("data_path") or DATA, row, "data", "")
        cameras = {
            NAMES.get(key.rpartition(".")[2], key.rpartition(".")[2]): (key, feature["dtype"])
            for key, feature in info["features"].items()
            if feature.get("dtype") in ("image", "video")
        }
        videos = {
            camera: (
                _path(folder, info.get("video_path") or VIDEO, row, f"videos/{key}", key),
                float(row[f"videos/{key}/from_timestamp"]),
            )
            for camera, (key, kind) in cameras.items()
            if kind == "video"
        }
        success = _success(row, table, index)
        demonstration = row.get("demonstration")
        return LeRobotSource(
            path=folder,
            group=f"episode_{index}",
            form=LEROBOT if (success if demonstration is None else demonstration) else LEROBOT_ROLLOUT,
            instruction=str(tasks[0]) if tasks else "",
            success=success,
            length=int(row["length"]),
            score=row.get("success_score"),
            index=index,
            table=table,
            fps=float(info["fps"]),
            images={camera: key for camera, (key, kind) in cameras.items() if kind == "image"},
            videos=videos,
        )
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{folder}: an episode in meta/episodes lacks {error}: copy the data set again") from error


def _success(row: Mapping[str, Any], table: Path, index: int) -> bool:
    """Whether any step was a success; a data set that does not say holds demonstrations."""
    told = row.get("stats/next.success/max")
    if told is not None:
        return bool(np.any(told))
    try:
        return bool(np.any(_rows(table, index, ["next.success"])["next.success"].to_pylist()))
    except (KeyError, ValueError):
        return True


def _path(folder: Path, template: str, row: Mapping[str, Any], prefix: str, key: str) -> Path:
    """A file of the data set; ValueError if its name leads out of it."""
    where = {name: int(row[f"{prefix}/{name}"]) for name in ("chunk_index", "file_index")}
    path = Path(template.format(video_key=key, **where))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{folder}: expected names of files inside the data set, got {template!r}")
    return folder / path


def _rows(path: Path, episode: int, columns: Sequence[str]) -> "pa.Table":
    """Some columns of one episode's rows; only the row groups that may hold it are read."""
    need_pyarrow()
    import pyarrow.compute as pc

    with _open(path) as file:
        missing = [name for name in columns if name not in file.schema_arrow.names]
        if missing:
            raise ValueError(f"{path}: expected a column {missing[0]}, it has none")
        place = [file.metadata.schema.column(i).path for i in range(file.metadata.num_columns)].index("episode_index")
        wanted = [g for g in range(file.num_row_groups) if _may_hold(file.metadata.row_group(g).column(place), episode)]
        table = file.read_row_groups(wanted, columns=[*columns, "episode_index"])
        return table.filter(pc.field("episode_index") == episode)


def _may_hold(column: Any, episode: int) -> bool:
    known = column.statistics
    return known is None or not known.has_min_max or known.min <= episode <= known.max


def _table(path: Path) -> "pa.Table":
    with _open(path) as file:
        return file.read()


@contextmanager
def _open(path: Path) -> "Iterator[pq.ParquetFile]":
    """Open a table; whatever is wrong with it becomes one ValueError that names it."""
    need_pyarrow()
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} cannot be read as a table ({reason}): copy it again") from error


def need_pyarrow() -> None:
    """ValueError, saying how to install it, where pyarrow is not."""
    if importlib.util.find_spec("pyarrow") is None:
        raise ValueError("LeRobot data sets need the package pyarrow: pip install -e '.[lerobot]'")


def _vectors(column: "pa.ChunkedArray", address: str) -> np.ndarray:
    rows = column.to_pylist()
    try:
        values = np.array(rows, dtype=np.float32 if "float" in str(column.type) else np.float64)
        if "double" in str(column.type):
            values = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{address}: expected vectors of one length, got others ({error})") from error
    return values[:, None] if values.ndim == 1 else values
