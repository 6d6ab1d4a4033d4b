"""Pictures survive the journey, and their comparisons measure what they say."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from workbench.views import colours, pictures


def decode(uri: str) -> np.ndarray:
    assert uri.startswith("data:image/webp;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGB"))


def test_a_picture_arrives_as_it_was(plan):
    image = plan.moment.observation.images["primary"]
    uri = pictures.data_uri(image)
    assert len(uri) < 8_000
    assert pictures.psnr(decode(uri), image) > 30


def test_psnr_is_twenty_log_ten_of_range_over_error():
    a = np.full((8, 8, 3), 100, np.uint8)
    assert pictures.psnr(a, a + 10) == pytest.approx(20 * np.log10(25.5))
    assert pictures.psnr(a, a) == float("inf")
    with pytest.raises(ValueError, match="same size"):
        pictures.psnr(a, a[:4])


def test_the_error_map_is_dark_where_right_and_bright_where_wrong():
    imagined = np.zeros((8, 8, 3), np.uint8)
    real = imagined.copy()
    real[2, 3] = 255
    shown = pictures.error_map(imagined, real).astype(int).sum(-1)
    assert (shown == shown[0, 0]).sum() == 63
    assert shown[2, 3] == shown.max() > 3 * shown[0, 0]


def test_what_differs_paints_only_what_differs():
    base = np.full((8, 8, 3), 120, np.uint8)
    other = base.copy()
    other[0, 0] = 255
    red = "#ff0000"
    first, second, third = pictures.what_differs([base, base, other], [red] * 3)
    assert np.array_equal(third[0, 0], [255, 0, 0])
    assert np.ptp(first[5, 5]) == 0  # grey
    assert np.array_equal(first, second)
    alike = pictures.what_differs([base, base], [red] * 2)
    assert np.ptp(alike[0], axis=-1).max() == 0


def test_a_film_holds_first_and_last_frame_in_a_grid():
    video = np.stack([np.full((10, 12, 3), 2 * i, np.uint8) for i in range(100)])
    sheet = pictures.film(video, most=20)
    assert (sheet.frames, sheet.columns, sheet.rows, sheet.width, sheet.height) == (20, 5, 4, 12, 10)
    grid = decode(sheet.uri).astype(int)
    assert grid.shape == (40, 60, 3)
    assert abs(grid[5, 6, 0] - 0) <= 3
    assert abs(grid[35, 54, 0] - 198) <= 3
    assert pictures.film(video[:1]).frames == 1
    with pytest.raises(ValueError, match="at least one frame"):
        pictures.film(video[:0])


def _lab(rgb: np.ndarray) -> np.ndarray:
    """sRGB in [0, 1] to CIELAB (D65)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ matrix.T / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


# Machado, Oliveira and Fernandes 2009, full severity.
BLINDNESS = {
    "normal": np.eye(3),
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
}


@pytest.mark.parametrize("kind", BLINDNESS)
def test_the_colours_can_be_told_apart(kind):
    rgb = np.stack([colours.rgb(c) for c in colours.PALETTE]) / 255
    seen = _lab(np.clip(rgb @ np.array(BLINDNESS[kind]).T, 0, 1))
    distances = np.linalg.norm(seen[:, None] - seen[None], axis=-1)[np.triu_indices(len(rgb), 1)]
    assert distances.min() > 14
    page = _lab(np.array([[1, 1, 1], [0.09, 0.11, 0.14]]))
    assert np.linalg.norm(seen[:, None] - page[None], axis=-1).min() > 20


def test_text_on_a_colour_reads():
    for index in range(9):
        style = colours.own(index)
        assert colours.colour(index) in style
        assert ("#fff" in style) != ("#14171c" in style)
