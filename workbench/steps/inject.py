"""Inject and extract: where physical units become latent frames and back (METHOD.md 2).

A vector is flattened, repeated until it fills its frame, and cut off; reading it back averages the complete
copies. A value fills its frame with one number. The statistics are the checkpoint's, always.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from einops import rearrange, reduce, repeat
from jaxtyping import Float
from torch import Tensor

from workbench.latents import Latents
from workbench.layout import Kind, LatentLayout
from workbench.normalize import (
    Statistics,
    normalize_actions,
    normalize_proprio,
    unnormalize_actions,
    unnormalize_proprio,
)


@dataclass(frozen=True, eq=False)
class Extracted:
    """What a latent sequence says, in physical units. No decoder is needed for it."""

    actions: Float[np.ndarray, "b k a"]
    future_proprio: Float[np.ndarray, "b d"]
    value: Float[np.ndarray, " b"]
    """In [0, 1]."""


def inject(
    latents: Latents,
    stats: Statistics,
    *,
    proprio: Float[np.ndarray, "b d"] | None = None,
    actions: Float[np.ndarray, "b k a"] | None = None,
    future_proprio: Float[np.ndarray, "b d"] | None = None,
    value: Float[np.ndarray, " b"] | None = None,
    rounding: torch.dtype | None = torch.bfloat16,
) -> Latents:
    """Write physical numbers into their frames; what is None stays as it is.

    `rounding`: the published model was trained and is asked with numbers rounded to bfloat16 (METHOD.md 2).
    """
    vectors: dict[Kind, np.ndarray | None] = {
        "proprio": None if proprio is None else normalize_proprio(proprio, stats),
        "actions": None if actions is None else normalize_actions(actions, stats),
        "future_proprio": None if future_proprio is None else normalize_proprio(future_proprio, stats),
        "value": None if value is None else 2 * np.asarray(value, np.float64)[:, None] - 1,
    }
    x = latents.x.clone()
    for kind, vector in vectors.items():
        if vector is not None:
            numbers = torch.from_numpy(vector).to(x.device)
            numbers = numbers.to(rounding).float() if rounding else numbers.float()
            x[:, :, latents.layout.index(kind)] = tile(numbers.flatten(1), latents.layout)
    return replace(latents, x=x)


def extract(latents: Latents, stats: Statistics) -> Extracted:
    """Read actions, future proprio and value of every row."""
    layout = latents.layout
    actions = read(latents, "actions", layout.chunk_size * layout.action_dim)
    actions = rearrange(actions, "b (k a) -> b k a", a=layout.action_dim)
    future = read(latents, "future_proprio", layout.proprio_dim)
    raw = reduce(latents.x[:, :, layout.index("value")].float(), "b c h w -> b", "mean")
    return Extracted(
        actions=unnormalize_actions(actions.cpu().numpy(), stats),
        future_proprio=unnormalize_proprio(future.cpu().numpy(), stats),
        value=((raw.double().cpu().numpy() + 1) / 2).clip(0, 1),
    )


def tile(vectors: Float[Tensor, "b n"], layout: LatentLayout) -> Float[Tensor, "b c h w"]:
    """Fill a frame with copies of each vector; element (c, h, w) is vector[(c H W + h W + w) mod n]."""
    elements = layout.channels * layout.height * layout.width
    n = vectors.shape[1]
    if n > elements:
        raise ValueError(f"inject: expected at most {elements} numbers for a frame, got {n}")
    filled = repeat(vectors, "b n -> b (copies n)", copies=-(-elements // n))[:, :elements]
    return rearrange(filled, "b (c h w) -> b c h w", c=layout.channels, h=layout.height)


def read(latents: Latents, kind: Kind, n: int) -> Float[Tensor, "b n"]:
    """Mean over the complete copies of an n-vector in a frame, still normalised; a cut-off copy is ignored."""
    flat = rearrange(latents.x[:, :, latents.layout.index(kind)], "b c h w -> b (c h w)").float()
    copies = flat.shape[1] // n
    return reduce(flat[:, : copies * n], "b (copies n) -> b n", "mean", copies=copies)
