"""From a camera's picture to the model's, and back (METHOD section 1.2).

The policy must see pictures as its training data was: a JPEG round trip, a fixed size, and the middle of what
random cropping showed in training. Pictures are upright RGB, uint8, height x width x 3.
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image as Pillow
from PIL import ImageEnhance

from workbench.types import Image

JPEG_QUALITY = 95
CROP_AREA = 0.9
MAX_PIXELS = 4096 * 4096
"""Larger JPEG files are refused before they are unpacked."""


def prepare(image: Image, *, size: int, jpeg: bool, center_crop: bool) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """A camera's picture as the model expects it: size x size, squashed if it was not square.

    `jpeg` sends it through a JPEG round trip first, at its own resolution; `center_crop` cuts out the middle
    90 % of the area at the end. What a platform needs, its `PlatformSpec` says.
    """
    return list(stages(image, size=size, jpeg=jpeg, center_crop=center_crop).values())[-1]


def stages(image: Image, *, size: int, jpeg: bool, center_crop: bool) -> dict[str, np.ndarray]:
    """What `prepare` makes of a picture, by what was done to it, in order; the last is what the model gets."""
    seen = {}
    if jpeg:
        seen[f"JPEG, quality {JPEG_QUALITY}"] = image = jpeg_round_trip(image)
    seen["resized"] = image = resize(image, size)
    if center_crop:
        seen[f"middle {CROP_AREA:.0%}"] = center_crop_resize(image)
    return seen


def resize(image: Image, size: int) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """Bicubic resize to size x size; a picture that has that size already is returned as it is."""
    if image.shape[:2] == (size, size):
        return image
    return np.array(Pillow.fromarray(image).resize((size, size), Pillow.Resampling.BICUBIC))


def center_crop_resize(image: UInt8[np.ndarray, "size size 3"]) -> UInt8[np.ndarray, "size size 3"]:
    """Cut out the middle 90 % of the area of a square picture and resize it back (bilinear)."""
    import torch  # its interpolation kernel is the one behind the published pictures: equal to the last bit

    size = image.shape[0]
    side = int(size * math.sqrt(CROP_AREA))
    start = round((size - side) / 2)
    crop = image[start : start + side, start : start + side]
    pixels = torch.from_numpy(crop.transpose(2, 0, 1)[None].astype(np.float32))
    pixels = torch.nn.functional.interpolate(pixels, (size, size), mode="bilinear", antialias=True)
    return pixels[0].round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()


def jpeg_round_trip(image: Image, quality: int = JPEG_QUALITY) -> Image:
    """Encode as JPEG and decode again, as rollouts were stored."""
    return decode_jpeg(encode_jpeg(image, quality))


def encode_jpeg(image: Image, quality: int = JPEG_QUALITY) -> bytes:
    """The bytes of a JPEG file."""
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def encode_png(image: Image) -> bytes:
    """The bytes of a PNG file: nothing is lost."""
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def decode_jpeg(data: bytes | UInt8[np.ndarray, " n"]) -> Image:
    """The picture in the bytes of a JPEG file. ValueError if they are none, or if it is far too large."""
    return _decode(data, "JPEG")


def decode_picture(data: bytes | UInt8[np.ndarray, " n"]) -> Image:
    """The picture in the bytes of a JPEG or PNG file; ValueError as `decode_jpeg`."""
    return _decode(data, "JPEG", "PNG")


def _decode(data: bytes | UInt8[np.ndarray, " n"], *forms: str) -> Image:
    try:
        with Pillow.open(io.BytesIO(bytes(data)), formats=forms) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise ValueError(f"{picture.width} x {picture.height} pixels, at most {MAX_PIXELS:,} are read")
            return np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError, TypeError, Pillow.DecompressionBombError) as error:
        form = " or ".join(forms)
        raise ValueError(f"expected the bytes of a {form} picture, could not decode them: {error}") from error


def to_unit(images: UInt8[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """uint8 levels to float32 in [-1, 1]."""
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1)


def to_uint8(images: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """[-1, 1] to uint8 levels, cut at both ends, fractions dropped (METHOD 1.3: not rounded)."""
    return ((images + 1) * 127.5).clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Augmentation:
    """One random change of view and colour, the same for all pictures of a training sample (METHOD 1.2).

    Draw one with `Augmentation.draw(generator)` and call it on the sample's pictures. Black stays black, so
    the placeholder frames need none of it.
    """

    left: float
    """Where the crop begins, as a share of the room it has: 0 is the left edge, 1 the right one."""
    top: float
    rotation: float
    """Degrees, counter-clockwise; the corners become black."""
    brightness: float
    """Factors: 1 changes nothing."""
    contrast: float
    saturation: float
    hue: float
    """Turn of the colour circle: 1 is a whole one."""
    order: Sequence[int] = (0, 1, 2, 3)
    """In which order the four changes of colour happen."""

    @classmethod
    def draw(cls, generator: np.random.Generator) -> "Augmentation":
        """Ranges of the published configurations ("stronger")."""
        return cls(
            left=generator.uniform(0, 1),
            top=generator.uniform(0, 1),
            rotation=generator.uniform(-5, 5),
            brightness=generator.uniform(0.7, 1.3),
            contrast=generator.uniform(0.6, 1.4),
            saturation=generator.uniform(0.5, 1.5),
            hue=generator.uniform(-0.05, 0.05),
            order=tuple(int(i) for i in generator.permutation(4)),
        )

    def __call__(self, images: UInt8[np.ndarray, "n h w 3"]) -> UInt8[np.ndarray, "n h w 3"]:
        """Change every picture in the same way; sizes stay, and the pictures given are left alone."""
        return np.stack([np.array(self._change(Pillow.fromarray(image))) for image in images])

    def _change(self, picture: Pillow.Image) -> Pillow.Image:
        width, height = picture.size
        share = math.sqrt(CROP_AREA)
        across, down = round(width * share), round(height * share)
        x, y = round(self.left * (width - across)), round(self.top * (height - down))
        box = (x, y, x + across, y + down)
        picture = picture.resize((width, height), Pillow.Resampling.BILINEAR, box=box)
        picture = picture.rotate(self.rotation, Pillow.Resampling.NEAREST)
        colours = (
            lambda p: ImageEnhance.Brightness(p).enhance(self.brightness),
            lambda p: ImageEnhance.Contrast(p).enhance(self.contrast),
            lambda p: ImageEnhance.Color(p).enhance(self.saturation),
            lambda p: _turn_hue(p, self.hue),
        )
        for i in self.order:
            picture = colours[i](picture)
        return picture


def _turn_hue(picture: Pillow.Image, turn: float) -> Pillow.Image:
    hue, saturation, value = picture.convert("HSV").split()
    hue = hue.point([(level + round(turn * 256)) % 256 for level in range(256)])
    return Pillow.merge("HSV", (hue, saturation, value)).convert("RGB")
