"""The contact sheet: drawn at random from all, laid out with names."""

import numpy as np
import pytest
from PIL import Image

from workbench.views.contact import GAP, HEAD, ContactSheet


def row(value: int) -> dict:
    return {camera: tuple(np.full((16, 16, 3), value, np.uint8) for _ in range(3)) for camera in ("wrist", "primary")}


def test_every_row_has_the_same_chance():
    counts = np.zeros(20)
    for seed in range(300):
        sheet = ContactSheet(("wrist", "primary"), count=5, seed=seed)
        for value in range(20):
            sheet.offer(row(value))
        for kept in sheet.rows:
            counts[kept["wrist"][0][0, 0, 0]] += 1
    assert counts.sum() == 1500 and counts.min() > 45 and counts.max() < 110, "75 each in the mean"


def test_pictures_stand_where_their_names_are(tmp_path):
    sheet = ContactSheet(("wrist",), count=4)
    sheet.offer({"wrist": tuple(np.full((16, 16, 3), value, np.uint8) for value in (10, 20, 30))})
    picture = sheet.picture()
    step = 16 + GAP
    assert [picture[HEAD + 8, i * step + 8, 0] for i in range(3)] == [10, 20, 30]
    sheet.save(tmp_path / "sheet.webp")
    assert Image.open(tmp_path / "sheet.webp").size == picture.shape[1::-1]


def test_an_empty_sheet_says_so():
    with pytest.raises(ValueError, match="at least one row"):
        ContactSheet(("wrist",)).picture()
