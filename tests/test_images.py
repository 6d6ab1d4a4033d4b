"""Pictures on their way to the model: equal to the reference; what augmentation may change."""

import json

import numpy as np
import pytest
from PIL import Image

from workbench import images
from workbench.images import Augmentation


@pytest.fixture
def picture() -> np.ndarray:
    """A smooth coloured picture, 48 x 64."""
    y, x = np.mgrid[:48, :64]
    return np.stack([4 * x, 5 * y, 255 - 2 * (x + y)], axis=-1).astype(np.uint8)


@pytest.mark.golden("images/*.json", reads=("images/*.png",))
def test_reference_pictures(case, fidelity):
    for one in json.loads(case.read_text())["cases"]:
        given = np.array(Image.open(case.with_name(one["input"])).convert("RGB"))
        if "first" in one:  # ALOHA's robot side squashes to 256 x 256
            given = images.resize(given, 256)
        expected = np.array(Image.open(case.with_name(one["output"])))
        jpeg, crop = one["use_jpeg_compression"], one["trained_with_image_aug"]
        found = images.prepare(given, size=expected.shape[0], jpeg=jpeg, center_crop=crop)
        # Exact with the decoder of the reference; another one may round otherwise.
        fidelity.pixels(one["output"], found, expected, levels=2)


@pytest.mark.parametrize("size", [32, 64, 96, 224])
@pytest.mark.parametrize("jpeg", [True, False])
@pytest.mark.parametrize("center_crop", [True, False])
def test_prepared_pictures_have_the_size(picture, size, jpeg, center_crop):
    before = picture.copy()
    found = images.prepare(picture, size=size, jpeg=jpeg, center_crop=center_crop)
    assert found.shape == (size, size, 3)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(picture, before)


def test_a_picture_of_the_right_size_is_left_alone():
    square = np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(images.prepare(square, size=32, jpeg=False, center_crop=False), square)


def test_the_crop_shows_the_middle():
    square = np.zeros((224, 224, 3), np.uint8)
    square[:6] = square[-6:] = 255  # 212 of 224 pixels stay: exactly this border goes
    assert images.center_crop_resize(square).max() == 0
    square[6] = 255
    assert images.center_crop_resize(square)[0].min() > 0


def test_colours_of_one_level_survive_the_crop():
    for level in (0, 1, 127, 255):
        square = np.full((64, 64, 3), level, np.uint8)
        np.testing.assert_array_equal(images.center_crop_resize(square), square)


def test_jpeg_bytes(picture):
    data = images.encode_jpeg(picture)
    assert data[:2] == b"\xff\xd8"
    decoded = images.decode_jpeg(data)
    np.testing.assert_array_equal(decoded, images.decode_jpeg(np.frombuffer(data, np.uint8)))
    np.testing.assert_array_equal(decoded, images.jpeg_round_trip(picture))
    assert np.abs(decoded.astype(int) - picture).mean() < 3


def test_grey_jpeg_becomes_rgb(tmp_path):
    Image.fromarray(np.full((8, 8), 77, np.uint8)).save(tmp_path / "a.jpg")
    decoded = images.decode_jpeg((tmp_path / "a.jpg").read_bytes())
    assert decoded.shape == (8, 8, 3)
    assert np.abs(decoded.astype(int) - 77).max() <= 1


def test_bytes_that_are_no_jpeg(picture, monkeypatch):
    data = images.encode_jpeg(picture)
    png = b"\x89PNG\r\n\x1a\n" + bytes(20)
    for bad in (b"", b"\xff\xd8", data[:100], data[: len(data) // 2], png):
        with pytest.raises(ValueError, match="expected the bytes of a JPEG picture"):
            images.decode_jpeg(bad)
    monkeypatch.setattr(images, "MAX_PIXELS", 48 * 64 - 1)
    with pytest.raises(ValueError, match="at most"):
        images.decode_jpeg(data)


def test_unit_range():
    levels = np.arange(256, dtype=np.uint8)
    unit = images.to_unit(levels)
    assert unit.dtype == np.float32
    assert unit[0] == -1
    assert unit[255] == 1
    assert abs(unit[127] + 1 / 255) < 1e-6


def test_back_to_levels_drops_fractions_and_cuts_the_ends():
    values = np.array([-2.0, -1.0, 0.0, 0.999, 1.0, 3.0])
    np.testing.assert_array_equal(images.to_uint8(values), [0, 0, 127, 254, 255, 255])


def test_levels_survive_the_round_trip_within_one():
    levels = np.arange(256, dtype=np.uint8)
    back = images.to_uint8(images.to_unit(levels))
    assert np.abs(back.astype(int) - levels).max() <= 1  # float32 may land just below a level


NEUTRAL = {"left": 0.5, "top": 0.5, "rotation": 0, "brightness": 1, "contrast": 1, "saturation": 1, "hue": 0}


def test_black_stays_black_and_pictures_share_the_change(picture):
    generator = np.random.default_rng(0)
    batch = np.stack([picture, np.zeros_like(picture), picture])
    before = batch.copy()
    for _ in range(20):
        changed = Augmentation.draw(generator)(batch)
        assert changed.shape == batch.shape
        assert changed[1].max() == 0
        np.testing.assert_array_equal(changed[0], changed[2])
    np.testing.assert_array_equal(batch, before)


def test_draws_are_reproducible_and_in_range():
    draws = [Augmentation.draw(np.random.default_rng(seed)) for seed in range(200)]
    assert draws[3] == Augmentation.draw(np.random.default_rng(3))
    assert len(set(draws)) == 200
    ranges = {
        "left": (0, 1),
        "top": (0, 1),
        "rotation": (-5, 5),
        "brightness": (0.7, 1.3),
        "contrast": (0.6, 1.4),
        "saturation": (0.5, 1.5),
        "hue": (-0.05, 0.05),
    }
    for name, (low, high) in ranges.items():
        values = np.array([getattr(draw, name) for draw in draws])
        assert low <= values.min() < low + 0.1 * (high - low)
        assert high >= values.max() > high - 0.1 * (high - low)


def test_the_crop_moves_with_its_draw():
    square = np.zeros((100, 100, 3), np.uint8)
    square[:, :4] = 255
    left = Augmentation(**{**NEUTRAL, "left": 0.0})(square[None])[0]
    right = Augmentation(**{**NEUTRAL, "left": 1.0})(square[None])[0]
    assert left[:, 0].min() == 255
    assert right.max() == 0


def test_each_colour_change_does_what_it_says():
    grey, red = np.full((1, 16, 16, 3), 100, np.uint8), np.zeros((1, 16, 16, 3), np.uint8)
    red[..., 0] = 200
    assert (Augmentation(**{**NEUTRAL, "brightness": 1.2})(grey) == 120).all()
    assert (Augmentation(**{**NEUTRAL, "contrast": 1.4})(grey) == 100).all()
    assert (Augmentation(**{**NEUTRAL, "saturation": 0.5})(grey) == 100).all()
    faded = Augmentation(**{**NEUTRAL, "saturation": 0.5})(red)[0, 0, 0]
    assert faded[0] < 200
    assert faded[1] == faded[2] > 0
    turned = Augmentation(**{**NEUTRAL, "hue": 0.05})(red)[0, 0, 0]
    assert turned[1] > 20
    assert turned[2] == 0
    np.testing.assert_array_equal(Augmentation(**NEUTRAL)(red), red)
