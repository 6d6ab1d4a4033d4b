"""Latent frames as something to look at: pictures decoded, numbers as the tile that they are."""

from collections.abc import Sequence

import numpy as np
import torch

from workbench.latents import Latents
from workbench.models.bundle import Bundle
from workbench.steps import extract
from workbench.types import Image
from workbench.views.sequence import Cell, false_colours
from workbench.views.words import number


def frame_cells(bundle: Bundle, latents: Latents, *, known: Sequence[bool] | None = None) -> list[Cell]:
    """One cell a frame of the first row of `latents`: cameras decoded, the rest in false colours.

    `known`: which frames to mark as given (None marks nothing).
    """
    layout = latents.layout
    pictures = decoded(bundle, latents)
    said = extract(latents.row(0), bundle.stats)
    words = {
        "actions": f"first: {np.array2string(said.actions[0, 0, :3], precision=2)} ...",
        "value": f"value {number(float(said.value[0]))}",
    }
    return [
        Cell(
            frame.name,
            pictures.get(i, false_colours(latents.x[0, :, i].float().cpu().numpy())),
            None if known is None else bool(known[i]),
            words.get(frame.kind, ""),
        )
        for i, frame in enumerate(layout.frames)
    ]


def decoded(bundle: Bundle, latents: Latents) -> dict[int, Image]:
    """The picture behind every camera's frame of the first row, now and future, by frame number."""
    layout = latents.layout
    wanted = layout.indices("camera", "future_camera")
    x = latents.x[:1].clone()
    numbers = list(layout.non_pictures)
    x[:, :, numbers] = latents.placeholders[:1, :, numbers]  # the decoder has never seen a tile (METHOD.md 6.4)
    pictures = bundle.tokenizer.decode(x, wanted)[0]
    pixels = ((pictures.float() + 1) * 127.5).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return dict(zip(wanted, pixels, strict=True))
