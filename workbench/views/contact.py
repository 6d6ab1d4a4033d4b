"""A contact sheet: some decisions, drawn at random, not chosen; of each what was, what was imagined, what came."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from workbench import files

Picture = UInt8[np.ndarray, "h w 3"]
Row = Mapping[str, tuple[Picture, Picture, Picture]]
"""A camera to its pictures: now, imagined, real."""

COLUMNS = ("now", "imagined", "real")
GAP, HEAD = 4, 14
"""Pixels between pictures, and of the line that names the columns."""


class ContactSheet:
    """Keeps `count` of all the rows it is offered, every one with the same chance."""

    def __init__(self, cameras: Sequence[str], *, count: int = 12, seed: int = 0) -> None:
        self.cameras, self.count = tuple(cameras), count
        self.rows: list[Row] = []
        self._offered, self._random = 0, np.random.default_rng(seed)

    def offer(self, row: Row) -> None:
        """One more row, of which only the sheet knows whether it stays (reservoir sampling)."""
        self._offered += 1
        if len(self.rows) < self.count:
            self.rows.append(row)
        elif (place := int(self._random.integers(self._offered))) < self.count:
            self.rows[place] = row

    def picture(self, *, across: int = 3) -> UInt8[np.ndarray, "height width 3"]:
        """The sheet, `across` rows beside each other: every camera below the other, named columns."""
        if not self.rows:
            raise ValueError("contact sheet: expected at least one row, got none")
        blocks = [self._block(row) for row in self.rows]
        blank = np.full_like(blocks[0], 255)
        blocks += [blank] * (-len(blocks) % across)
        lines = [np.concatenate(blocks[i : i + across], 1) for i in range(0, len(blocks), across)]
        return np.concatenate(lines)

    def save(self, path: str | Path) -> None:
        """Write it as WebP."""
        kept = io.BytesIO()
        Image.fromarray(self.picture()).save(kept, "webp", quality=85)
        files.write_bytes(Path(path), kept.getvalue())

    def _block(self, row: Row) -> np.ndarray:
        parts = [_beside(row[camera]) for camera in self.cameras]
        block = np.concatenate([np.full((HEAD, parts[0].shape[1], 3), 255, np.uint8), *parts])
        drawing = Image.fromarray(block)
        width = parts[0].shape[1] // len(COLUMNS)
        for i, name in enumerate(COLUMNS):
            ImageDraw.Draw(drawing).text((i * width, 1), name, fill=(60, 60, 60))
        return np.pad(np.asarray(drawing), ((0, 2 * GAP), (0, 3 * GAP), (0, 0)), constant_values=255)


def _beside(pictures: Sequence[Picture]) -> UInt8[np.ndarray, "height width 3"]:
    return np.concatenate([np.pad(one, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for one in pictures], 1)
