"""Pictures on their way to a browser: encoded, compared, laid out as a film strip.

Everything here takes upright RGB in uint8 and returns such pictures, numbers or WebP data URIs.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image as Pillow

from workbench.views.colours import heat, rgb

ERROR_SCALE = 0.3
"""Mean absolute difference over the channels, as a share of 255, at which the error map is brightest."""


def data_uri(image: UInt8[np.ndarray, "h w 3"], *, quality: int = 88) -> str:
    """`image` as a WebP data URI. At 96 px about 2 KB and 1 ms."""
    buffer = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(image)).save(buffer, "WEBP", quality=quality, method=1)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def psnr(a: UInt8[np.ndarray, "h w 3"], b: UInt8[np.ndarray, "height width 3"]) -> float:
    """Peak signal-to-noise ratio in dB, infinite for equal pictures. Raises ValueError if sizes differ."""
    if a.shape != b.shape:
        raise ValueError(f"pictures must have the same size to be compared; got {a.shape} and {b.shape}")
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def fit(image: UInt8[np.ndarray, "h w 3"], like: UInt8[np.ndarray, "height width 3"]) -> np.ndarray:
    """`image` resized to the size of `like`, if it has another one."""
    if image.shape == like.shape:
        return image
    size = (like.shape[1], like.shape[0])
    return np.array(Pillow.fromarray(image).resize(size, Pillow.Resampling.BICUBIC))


def distance(a: Float[np.ndarray, "h w 3"], b: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    """Mean absolute difference over the channels of two pictures in [0, 255], as a share of 255."""
    return np.abs(a - b).mean(-1) / 255


def error_map(imagined: UInt8[np.ndarray, "h w 3"], real: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Where the imagined picture is wrong, dark to bright, on one scale for all pictures (`ERROR_SCALE`)."""
    return heat(distance(imagined.astype(float), real.astype(float)) / ERROR_SCALE)


def what_differs(
    images: Sequence[UInt8[np.ndarray, "h w 3"]], colours: Sequence[str]
) -> list[UInt8[np.ndarray, "h w 3"]]:
    """Each picture greyed, with what sets it apart from the mean of all painted in its own colour.

    One scale for all of them: the 99.5th percentile of every difference, at least 4 % of the range, so that
    candidates that look alike stay grey.
    """
    stack = np.stack(images).astype(float)
    differences = np.stack([distance(image, stack.mean(0)) for image in stack])
    scale = max(float(np.percentile(differences, 99.5)), 0.04)
    painted = []
    for image, difference, hex_colour in zip(stack, differences, colours, strict=True):
        grey = np.repeat(image.mean(-1, keepdims=True), 3, axis=-1) * 0.45 + 70
        alpha = np.clip(difference / scale, 0, 1)[..., None] ** 0.7
        painted.append((grey * (1 - alpha) + rgb(hex_colour) * alpha).round().astype(np.uint8))
    return painted


@dataclass(frozen=True)
class Film:
    """Frames laid out in one picture, row by row, for a player that shows one tile at a time."""

    uri: str
    frames: int
    columns: int
    width: int
    height: int

    @property
    def rows(self) -> int:
        return -(-self.frames // self.columns)


def film(video: UInt8[np.ndarray, "f h w 3"], *, most: int = 80) -> Film:
    """Lay at most `most` evenly spaced frames of `video` out in a grid, the first and the last among them.

    Raises ValueError for a video without frames.
    """
    if len(video) == 0:
        raise ValueError("a film needs at least one frame; got a video of none")
    chosen = video[np.linspace(0, len(video) - 1, min(most, len(video))).round().astype(int)]
    count, height, width, _ = chosen.shape
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    sheet = np.zeros((rows * columns, height, width, 3), np.uint8)
    sheet[:count] = chosen
    tiles = sheet.reshape(rows, columns, height, width, 3)
    sheet = tiles.swapaxes(1, 2).reshape(rows * height, columns * width, 3)
    return Film(data_uri(sheet, quality=80), count, columns, width, height)
