"""H.264 videos that every browser plays, with the ffmpeg that came as a wheel: nothing to install."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import imageio_ffmpeg
import mediapy
import numpy as np
from jaxtyping import UInt8

from workbench import files


def write_video(path: str | Path, frames: Iterable[UInt8[np.ndarray, "h w 3"]], fps: float) -> None:
    """Write upright RGB `frames`, all of one size, as an H.264 video at `fps` frames a second. Atomic.

    `frames` may be a generator: one picture at a time is in memory. An odd height or width is padded by
    one pixel, because browsers play only 4:2:0 video, which halves both. ValueError if there is no frame.
    """
    path, frames = Path(path), iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"expected at least one frame for {path.name}, got none")
    first = _even(first)
    mediapy.set_ffmpeg(imageio_ffmpeg.get_ffmpeg_exe())
    # The container is named because the temporary file has no suffix; the index goes first, for streaming.
    options = {"codec": "h264", "crf": 18, "ffmpeg_args": ["-f", "mp4", "-movflags", "+faststart"]}
    with (
        files.atomic_path(path) as temporary,
        mediapy.VideoWriter(temporary, first.shape[:2], fps=fps, **options) as video,
    ):
        for frame in chain([first], frames):
            video.add_image(_even(frame))


def _even(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
