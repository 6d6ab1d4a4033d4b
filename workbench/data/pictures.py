"""The pictures of one camera of one episode, lazily: each is read and decoded when it is asked for.

Wherever they lie (pixels or JPEG files in an HDF5 dataset, a video, a column of a table), they are a sequence that
reads from its file only what is indexed. A file is open only while something is read, so that a sequence can be
handed to other processes.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from workbench.images import MAX_PIXELS, decode_jpeg
from workbench.types import Image

if TYPE_CHECKING:
    from av.container import InputContainer

JPEG = "_jpeg"
"""Datasets with this ending hold one JPEG file a picture; without it, pixels."""

NEAR = 16
"""Frames of a video up to which reading on costs less than looking for a key frame."""


class LazyPictures(Sequence):  # of Image: but a type checker that looks at items would read files
    """The pictures of one camera, upright RGB, read when they are asked for."""

    length: int

    @abstractmethod
    def read(self, steps: Iterable[int]) -> Iterator[Image]:
        """The pictures of some steps (from 0), with their file opened once. ValueError, naming it, if one is broken."""

    def stored(self) -> Iterator[bytes] | None:
        """The picture file (JPEG, PNG) of every step, for whoever copies them; None if they are not kept so."""
        return None

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(index, slice):
            return list(self.read(range(*index.indices(self.length))))
        if not -self.length <= index < self.length:
            raise IndexError(f"expected a picture from 0 to {self.length - 1}, got {index}")
        return next(iter(self.read([index % self.length])))

    def __iter__(self) -> Iterator[np.ndarray]:
        """All in order; the file is opened once instead of once a picture."""
        return self.read(range(self.length))


class Pictures(LazyPictures):
    """Pixels, or one JPEG file a picture, in a dataset of an HDF5 file."""

    def __init__(self, path: Path, name: str, length: int):
        self.path, self.name, self.length = path, name, length

    def read(self, steps: Iterable[int]) -> Iterator[Image]:
        """See `LazyPictures.read`."""
        with open_file(self.path) as file:
            dataset = file[self.name]
            for step in steps:
                yield self._decode(dataset, step)

    def stored(self) -> Iterator[bytes] | None:
        """See `LazyPictures.stored`."""
        return self._files() if self.name.endswith(JPEG) else None

    def _files(self) -> Iterator[bytes]:
        with open_file(self.path) as file:
            for step in range(self.length):
                yield bytes(np.asarray(file[self.name][step], np.uint8))

    def _decode(self, dataset: h5py.Dataset, step: int) -> np.ndarray:
        try:
            if self.name.endswith(JPEG):
                return decode_jpeg(dataset[step])
            if np.prod(dataset.shape[1:], dtype=float) > 3 * MAX_PIXELS:
                raise ValueError(f"pictures of shape {dataset.shape[1:]}, at most {MAX_PIXELS:,} pixels are read")
            return dataset[step]
        except (ValueError, TypeError, OSError) as error:
            raise ValueError(f"{self.path}, {self.name}, step {step}: {error}") from error


class VideoPictures(LazyPictures):
    """The frames of a video file, or of a stretch of one.

    A frame is found by its time: from the key frame before it the decoder reads on, nothing else is decoded.
    `start`: seconds at which the stretch begins, None for the video's first frame; `fps`: None for the video's own.
    """

    def __init__(self, path: Path, length: int, *, start: float | None = None, fps: float | None = None):
        self.path, self.length, self.start, self.fps = path, length, start, fps

    def read(self, steps: Iterable[int]) -> Iterator[Image]:
        """See `LazyPictures.read`."""
        with open_video(self.path) as video:
            stream = video.streams.video[0]
            fps = float(self.fps or stream.average_rate or 0)
            if fps <= 0:
                raise ValueError(f"{self.path}: expected a video with a frame rate, this one names none")
            start = float((stream.start_time or 0) * stream.time_base) if self.start is None else self.start
            frames, at = iter(()), None
            for step in steps:
                if at is None or not 0 < step - at <= NEAR:
                    video.seek(max(0, int((start + (step - 0.5) / fps) / stream.time_base)), stream=stream)
                    frames = video.decode(stream)
                yield self._frame(frames, start + (step - 0.5) / fps, step)
                at = step

    def _frame(self, frames: Iterator[Any], earliest: float, step: int) -> np.ndarray:
        for frame in frames:
            if frame.time is not None and frame.time >= earliest:
                return frame.to_ndarray(format="rgb24")
        raise ValueError(f"{self.path}: expected {self.length} frames, it ends before step {step}: copy it again")


def frames_in(path: Path) -> int:
    """How many frames a video file says that it has; those that lie in it are not counted."""
    with open_video(path) as video:
        return video.streams.video[0].frames


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


@contextmanager
def open_video(path: Path) -> Iterator["InputContainer"]:
    """Open a video for reading; whatever is wrong with it becomes one ValueError that names it."""
    try:
        import av
    except ImportError as error:
        raise ValueError(f"{path.name} is a video: expected the package av: pip install -e '.[lerobot]'") from error
    try:
        with av.open(str(path)) as video:
            if not video.streams.video:
                raise ValueError(f"{path}: expected a video, it holds no pictures")
            stream = video.streams.video[0]
            if stream.width * stream.height > MAX_PIXELS:
                size = f"{stream.width} x {stream.height}"
                raise ValueError(f"{path}: expected at most {MAX_PIXELS:,} pixels a frame, got {size}")
            yield video
    except FileNotFoundError as error:
        raise ValueError(f"expected a video at {path}, found none: copy the videos along with their episode") from error
    except (av.error.FFmpegError, OSError) as error:
        raise ValueError(f"{path} cannot be read as a video ({error}): copy it again") from error
