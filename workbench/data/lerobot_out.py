"""Episodes to a LeRobot data set, version 3, one after the other.

What is lossless: all numbers, in the precision that they came in; instructions, success and score; and pictures when
they are kept as images: a JPEG file is stored byte for byte, pixels as PNG. Videos (H.264, 4:2:0) are not.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench import files
from workbench.data.lerobot import DATA, INFO, PICTURES, VIDEO, need_pyarrow
from workbench.data.pictures import LazyPictures
from workbench.images import encode_png
from workbench.types import Episode, Image
from workbench.video import write_video

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = "v3.0"
TASKS, STATS = "meta/tasks.parquet", "meta/stats.json"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
FILES_A_CHUNK = 1000
DATA_BYTES = 100 * 2**20
"""A table that has grown to so many bytes is followed by another one."""
SEEN = 20
"""Pictures an episode that the statistics of its pixels are taken from."""

COUNTERS = {
    "timestamp": {"dtype": "float32", "shape": [1], "names": None},
    "frame_index": {"dtype": "int64", "shape": [1], "names": None},
    "episode_index": {"dtype": "int64", "shape": [1], "names": None},
    "index": {"dtype": "int64", "shape": [1], "names": None},
    "task_index": {"dtype": "int64", "shape": [1], "names": None},
}


def write(
    folder: str | Path,
    episodes: Iterable[tuple[Episode, bool]],
    *,
    fps: float,
    robot: str,
    video: bool = False,
) -> int:
    """Write episodes, each with whether it is a demonstration, as a data set; returns how many.

    One episode at a time is in memory. `fps`: control steps a second. `video`: pictures as H.264 videos, small and
    not lossless; else as images in the tables. A data set there before is replaced when this one is whole. Raises
    ValueError if the episodes do not have the same cameras and dimensions.
    """
    need_pyarrow()
    with files.explain_full_disk(folder), files.atomic_folder(folder) as target:
        writer = _Writer(target, fps, robot, video)
        try:
            for episode, demonstration in episodes:
                writer.add(episode, demonstration)
        finally:
            writer.close_table()
        if not writer.rows:
            raise ValueError("expected at least one episode to write, got none")
        writer.finish()
    return len(writer.rows)


class _Writer:
    """Adds one episode after the other to a new data set."""

    def __init__(self, folder: Path, fps: float, robot: str, video: bool) -> None:
        self.folder, self.fps, self.robot, self.video = folder, fps, robot, video
        self.features: dict[str, dict[str, Any]] = {}
        self.rows: list[dict[str, Any]] = []
        self.tasks: dict[str, int] = {}
        self.total: dict[str, _Spread] = {}
        self.frames = self.files = 0
        self._table: Any = None

    def add(self, episode: Episode, demonstration: bool) -> None:
        if episode.stride > 1:
            raise ValueError(
                f"{episode.address}: expected an observation at every step, this one has one in {episode.stride}: "
                "collect it without --decisions-only"
            )
        features = _features(episode, self.video, self.fps)
        if not self.features:
            self.features = features
        if features != self.features:
            raise ValueError(
                f"{episode.address or len(self.rows)}: expected the cameras, sizes and dimensions of the first "
                "episode, got others: write it into another data set"
            )
        number, steps = len(self.rows), np.arange(len(episode))
        task = self.tasks.setdefault(episode.instruction, len(self.tasks))
        columns: dict[str, Any] = {
            "action": episode.actions,
            "observation.state": episode.proprio,
            "next.success": (steps == len(episode) - 1) & episode.success,
            "timestamp": (steps / self.fps).astype(np.float32),
            "frame_index": steps,
            "episode_index": np.full(len(episode), number),
            "index": self.frames + steps,
            "task_index": np.full(len(episode), task),
        }
        row = {
            "episode_index": number,
            "tasks": [episode.instruction],
            "length": len(episode),
            "dataset_from_index": self.frames,
            "dataset_to_index": self.frames + len(episode),
            "demonstration": demonstration,
            "success_score": episode.score,
        }
        row |= self._write_rows(columns, episode) | self._write_videos(number, episode)
        row |= {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
        self.rows.append(row | self._count(columns, episode))
        self.frames += len(episode)

    def _write_rows(self, columns: dict[str, Any], episode: Episode) -> dict[str, int]:
        """Append a row group, so that one episode can be read alone; returns where it went."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        place = {"chunk_index": self.files // FILES_A_CHUNK, "file_index": self.files % FILES_A_CHUNK}
        arrays = {name: _array(values) for name, values in columns.items()}
        if not self.video:
            for camera, pictures in episode.images.items():
                arrays[PICTURES + camera] = _image_array(pictures)
        path = self.folder / DATA.format(**place)
        if self._table is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            schema = pa.table(arrays).schema
            self._table = pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=False)
        self._table.write_table(pa.table(arrays, schema=self._table.schema))
        if path.stat().st_size >= DATA_BYTES:
            self.close_table()
        return {f"data/{name}": value for name, value in place.items()}

    def close_table(self) -> None:
        """The next episode begins another file."""
        if self._table is not None:
            self._table.close()
            self._table, self.files = None, self.files + 1

    def _write_videos(self, number: int, episode: Episode) -> dict[str, Any]:
        """One video a camera and episode; returns where they are."""
        row: dict[str, Any] = {}
        for camera in episode.images if self.video else ():
            key, place = PICTURES + camera, (number // FILES_A_CHUNK, number % FILES_A_CHUNK)
            path = self.folder / VIDEO.format(video_key=key, chunk_index=place[0], file_index=place[1])
            write_video(path, episode.images[camera], self.fps)
            span = {"from_timestamp": 0.0, "to_timestamp": len(episode) / self.fps}
            where = {"chunk_index": place[0], "file_index": place[1]} | span
            row |= {f"videos/{key}/{name}": value for name, value in where.items()}
        return row

    def _count(self, columns: Mapping[str, Any], episode: Episode) -> dict[str, list[float]]:
        """Statistics of one episode, added to those of all."""
        values = {name: np.asarray(x, np.float64).reshape(len(episode), -1) for name, x in columns.items()}
        for camera, pictures in episode.images.items():
            seen = [pictures[int(i)] for i in np.unique(np.linspace(0, len(episode) - 1, SEEN).astype(int))]
            values[PICTURES + camera] = np.concatenate([picture.reshape(-1, 3) for picture in seen]) / 255
        row = {}
        for name, numbers in values.items():
            spread = _Spread.of(numbers)
            self.total[name] = self.total[name] + spread if name in self.total else spread
            row |= {f"stats/{name}/{key}": value for key, value in spread.as_lists().items()}
        return row

    def finish(self) -> None:
        """Write what describes the whole."""
        import pandas as pd
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.folder / EPISODES.format(chunk_index=0, file_index=0)
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist(self.rows)
        score = table.schema.get_field_index("success_score")
        pq.write_table(table.set_column(score, "success_score", table["success_score"].cast(pa.float64())), path)
        # Readers look a task's words up in the index of the table, not in a column.
        index = pd.Index(list(self.tasks), name="task", dtype=object)
        pd.DataFrame({"task_index": list(self.tasks.values())}, index=index).to_parquet(self.folder / TASKS)
        stats = {name: _shaped(name, spread.as_lists()) for name, spread in self.total.items()}
        files.write_json(self.folder / STATS, stats)
        info = {
            "codebase_version": VERSION,
            "robot_type": self.robot,
            "fps": int(self.fps) if float(self.fps).is_integer() else self.fps,
            "features": self.features,
            "total_episodes": len(self.rows),
            "total_frames": self.frames,
            "total_tasks": len(self.tasks),
            "chunks_size": FILES_A_CHUNK,
            "data_files_size_in_mb": DATA_BYTES // 2**20,
            "video_files_size_in_mb": 200,
            "data_path": DATA,
            "video_path": VIDEO if self.video else None,
            "splits": {"train": f"0:{len(self.rows)}"},
        }
        files.write_json(self.folder / INFO, info)


@dataclass(frozen=True, eq=False)
class _Spread:
    """Minimum, maximum, mean and deviation of some vectors; two add up to those of both."""

    low: np.ndarray
    high: np.ndarray
    total: np.ndarray
    squares: np.ndarray
    count: int

    @classmethod
    def of(cls, values: np.ndarray) -> "_Spread":
        return cls(values.min(0), values.max(0), values.sum(0), (values**2).sum(0), len(values))

    def __add__(self, other: "_Spread") -> "_Spread":
        return _Spread(
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            self.total + other.total,
            self.squares + other.squares,
            self.count + other.count,
        )

    def as_lists(self) -> dict[str, list[float]]:
        mean = self.total / self.count
        deviation = np.sqrt(np.maximum(self.squares / self.count - mean**2, 0))
        named = {"min": self.low, "max": self.high, "mean": mean, "std": deviation, "count": np.array([self.count])}
        return {name: x.tolist() for name, x in named.items()}


def _shaped(name: str, lists: Mapping[str, list[float]]) -> dict[str, list]:
    """Statistics of pictures are one number a channel, as an array (3, 1, 1)."""
    if not name.startswith(PICTURES):
        return dict(lists)
    return {key: values if key == "count" else [[[x]] for x in values] for key, values in lists.items()}


def _features(episode: Episode, video: bool, fps: float) -> dict[str, dict[str, Any]]:
    def vector(values: np.ndarray) -> dict[str, Any]:
        return {"dtype": str(values.dtype), "shape": [values.shape[1]], "names": None}

    features = {
        "action": vector(episode.actions),
        "observation.state": vector(episode.proprio),
        "next.success": {"dtype": "bool", "shape": [1], "names": None},
    }
    for camera, pictures in episode.images.items():
        shape = list(pictures[0].shape)
        feature = {"dtype": "video" if video else "image", "shape": shape, "names": ["height", "width", "channels"]}
        if video:
            feature["info"] = {
                "video.height": shape[0],
                "video.width": shape[1],
                "video.channels": 3,
                "video.codec": "h264",
                "video.pix_fmt": "yuv420p",
                "video.is_depth_map": False,
                "video.fps": fps,
                "has_audio": False,
            }
        features[PICTURES + camera] = feature
    return features | COUNTERS


def _array(values: np.ndarray) -> "pa.Array":
    import pyarrow as pa

    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).ravel()), values.shape[1])


def _image_array(pictures: Sequence[Image]) -> "pa.Array":
    import pyarrow as pa

    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.array([{"bytes": data, "path": None} for data in picture_files(pictures)], kind)


def picture_files(pictures: Sequence[Image]) -> Iterator[bytes]:
    """The file of every picture: as it is stored, or a new PNG of its pixels."""
    stored = pictures.stored() if isinstance(pictures, LazyPictures) else None
    return (encode_png(picture) for picture in pictures) if stored is None else stored
