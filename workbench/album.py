"""The pictures and arrays of a saved plan: written compactly, read with suspicion.

Pictures are WebP files under `pictures/`, a film is one sheet of frames, arrays are one safetensors file.
What is read may come from anywhere: files are looked for inside the folder only, sizes are bounded before
anything is unpacked. Errors are ValueErrors with a short reason; the caller knows what the folder should be.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from jaxtyping import UInt8
from PIL import Image as Pillow
from safetensors.numpy import load_file, save_file

from workbench import files
from workbench.types import Image, Observation, Video

ARRAYS = "arrays.safetensors"
MAX_FILE_BYTES = 64 * 2**20
MAX_PIXELS = 2**28
"""Of all pictures of one folder together, unpacked: 0.8 GB."""


class Writer:
    """Puts pictures and arrays into a folder and says what a JSON file should remember of them."""

    def __init__(self, folder: Path, *, quality: int | None = None) -> None:
        """`quality` None stores pictures without loss, 1 to 100 as lossy WebP."""
        self.folder, self.quality = folder, quality
        self.arrays: dict[str, np.ndarray] = {}
        self.pixels = MAX_PIXELS
        (folder / "pictures").mkdir()

    def picture(self, name: str, image: Image, *, exact: bool = False) -> str:
        """Write one picture, without loss if `exact`; its path in the folder."""
        path = f"pictures/{name}.webp"
        self.pixels -= image.shape[0] * image.shape[1]
        if self.pixels < 0:
            raise ValueError(f"more than {MAX_PIXELS:,} pixels in one folder")
        lossy = self.quality is not None and not exact
        options = {"quality": self.quality} if lossy else {"lossless": True, "quality": 60}
        Pillow.fromarray(np.ascontiguousarray(image)).save(self.folder / path, "WEBP", method=4, **options)
        return path

    def film(self, name: str, frames: Video) -> dict[str, Any]:
        """Write frames as one sheet, row by row: smaller and quicker than a file a frame.

        Of a film that would take more than half of the room that is left, every second frame is left out, or more.
        """
        most = max(1, self.pixels // 2 // (frames.shape[1] * frames.shape[2]) * 3 // 4)  # a sheet has empty places
        frames = frames[:: -(-len(frames) // most)]
        count, height, width, _ = frames.shape
        columns = math.ceil(math.sqrt(count))
        rows = math.ceil(count / columns)
        sheet = np.zeros((rows * columns, height, width, 3), np.uint8)
        sheet[:count] = frames
        sheet = sheet.reshape(rows, columns, height, width, 3).swapaxes(1, 2)
        path = self.picture(name, sheet.reshape(rows * height, columns * width, 3))
        return {"file": path, "count": count, "height": height, "width": width}

    def array(self, name: str, array: np.ndarray) -> str:
        """Keep an array for `close`; its name."""
        self.arrays[name] = np.array(array, order="C")
        return name

    def observation(self, name: str, seen: Observation, *, exact: bool = False) -> dict[str, Any]:
        """Write an observation's pictures and keep its arrays."""
        images = seen.images.items()
        return {
            "images": {camera: self.picture(f"{name}_{camera}", image, exact=exact) for camera, image in images},
            "proprio": self.array(f"{name}/proprio", seen.proprio),
            "projections": {
                camera: self.array(f"{name}/projections/{camera}", matrix)
                for camera, matrix in seen.projections.items()
            },
        }

    def close(self) -> None:
        """Write the arrays."""
        save_file(self.arrays, self.folder / ARRAYS)


class Reader:
    """Gets pictures and arrays out of a folder that nobody vouches for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.pixels = MAX_PIXELS
        path = self._path(ARRAYS)
        files.check_size(path, MAX_FILE_BYTES)
        try:
            self.arrays = load_file(path)
        except safetensors.SafetensorError as error:
            raise ValueError(f"{ARRAYS} is damaged: {error}") from error

    def _path(self, name: str) -> Path:
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder):
            raise ValueError(f"it names a file outside its folder: {name!r}")
        return path

    def picture(self, name: str) -> Image:
        """Read one picture, as RGB."""
        path = self._path(name)
        files.check_size(path, MAX_FILE_BYTES)
        try:
            with Pillow.open(path, formats=["WEBP", "PNG", "JPEG"]) as picture:
                self.pixels -= picture.width * picture.height
                if self.pixels < 0:
                    raise ValueError(f"more than {MAX_PIXELS:,} pixels in one folder")
                return np.array(picture.convert("RGB"))
        except (OSError, SyntaxError, Pillow.DecompressionBombError) as error:
            raise ValueError(f"{name} is no readable picture: {error}") from error

    def pictures(self, names: list[str]) -> UInt8[np.ndarray, "s h w 3"]:
        """Read pictures of one size."""
        return np.stack([self.picture(name) for name in names])

    def film(self, record: Mapping[str, Any]) -> Video:
        """Read the frames of a sheet."""
        sheet = self.picture(record["file"])
        count, height, width = (int(record[key]) for key in ("count", "height", "width"))
        if min(count, height, width) < 1 or sheet.shape[0] % height or sheet.shape[1] % width:
            raise ValueError(f"{record['file']} is no sheet of frames of {height} x {width}")
        rows, columns = sheet.shape[0] // height, sheet.shape[1] // width
        if count > rows * columns:
            raise ValueError(f"{record['file']} holds {rows * columns} frames, expected {count}")
        frames = sheet.reshape(rows, height, columns, width, 3).swapaxes(1, 2)
        return frames.reshape(-1, height, width, 3)[:count]

    def observation(self, record: Mapping[str, Any]) -> Observation:
        """Read an observation."""
        images = {camera: self.picture(name) for camera, name in record["images"].items()}
        proprio = self._array(record["proprio"], 1)
        matrices = record["projections"].items()
        return Observation(images, proprio, {camera: self._array(name, 2) for camera, name in matrices})

    def _array(self, name: str, dimensions: int) -> np.ndarray:
        array = self.arrays[name]
        if array.ndim != dimensions or array.dtype.kind != "f":
            raise ValueError(f"expected {dimensions}-dimensional numbers as {name}, got {array.dtype} {array.shape}")
        return array
