"""Decode: imagined latent frames become pictures. Called only when somebody looks (METHOD.md 6.4)."""

import numpy as np
import torch
from jaxtyping import UInt8

from workbench.latents import Latents
from workbench.layout import Kind
from workbench.models.tokenizer import Tokenizer


def decode(
    tokenizer: Tokenizer, latents: Latents, *, kind: Kind = "future_camera"
) -> dict[str, UInt8[np.ndarray, "b height width 3"]]:
    """The imagined future picture of every camera, uint8 RGB; with the kind "camera" the present one, given back.

    The frames that hold numbers get their placeholders back first: the decoder has never seen a tile.
    """
    layout = latents.layout
    x = latents.x.clone()
    numbers = list(layout.non_pictures)
    x[:, :, numbers] = latents.placeholders[:, :, numbers]
    wanted = layout.indices(kind)
    pictures = tokenizer.decode(x, wanted)
    # Upstream cuts decimals off instead of rounding.
    pixels = ((pictures.float() + 1) * 127.5).clamp(0, 255).to(torch.uint8)
    pixels = pixels.permute(0, 1, 3, 4, 2).cpu().numpy()
    return {layout.frames[index].camera: pixels[:, place] for place, index in enumerate(wanted)}
