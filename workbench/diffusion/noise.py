"""Noise is data: what a sample starts from, and the noise levels that training sees.

Starting noise comes from a seed alone, one row a seed, so that a row is the same in any batch and on any
device (METHOD.md 6.1). Training levels follow METHOD.md 5.1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.diffusion.levels import MAX_SEED
from workbench.layout import LatentLayout


def draw(seeds: Sequence[int], layout: LatentLayout) -> Float[Tensor, "b c t h w"]:
    """Standard normal noise, one row a seed, float32 on the CPU. Seeds are in [0, 2**32)."""
    rows = []
    for seed in seeds:
        if not 0 <= seed <= MAX_SEED:
            raise ValueError(f"seed: expected 0 to {MAX_SEED}, got {seed}")
        # The legacy generator is upstream's; its stream is frozen by numpy's compatibility policy.
        row = np.random.RandomState(seed).standard_normal((1, *layout.shape))
        rows.append(torch.from_numpy(row.astype(np.float32)))
    return torch.cat(rows)


def variance_scale(seed: int) -> tuple[float, float]:
    """Upstream's `use_variance_scale`: factors on sigma_max, U(1, 3), and sigma_min, U(0.1, 1) (METHOD.md 6.2)."""
    generator = torch.Generator().manual_seed(seed)
    high, low = torch.rand(1, generator=generator).item(), torch.rand(1, generator=generator).item()
    return 1 + 2 * high, 0.1 + 0.9 * low


@dataclass(frozen=True)
class SigmaDistribution:
    """Training noise levels: log-normal with a uniform share, times sqrt(frames) (METHOD.md 5.1)."""

    log_mean: float = math.log(4.0)
    log_std: float = 1.2
    uniform_share: float = 0.3
    uniform_low: float = 1.0
    uniform_high: float = 85.0
    scale_by_frames: bool = True
    """Multiply by sqrt(number of latent frames): 3 for LIBERO."""

    def scaled(self, factor: float) -> "SigmaDistribution":
        """The same shape at other levels."""
        return replace(
            self,
            log_mean=self.log_mean + math.log(factor),
            uniform_low=self.uniform_low * factor,
            uniform_high=self.uniform_high * factor,
        )

    def sample(self, count: int, frames: int, *, generator: torch.Generator) -> Float[Tensor, " b"]:
        """`count` noise levels for sequences of `frames` latent frames."""
        normal = torch.randn(count, generator=generator)
        uniform = torch.rand(count, generator=generator)
        choice = torch.rand(count, generator=generator)
        log_normal = (self.log_mean + self.log_std * normal).exp()
        flat = self.uniform_low + (self.uniform_high - self.uniform_low) * uniform
        sigma = torch.where(choice < self.uniform_share, flat, log_normal)
        return sigma * math.sqrt(frames) if self.scale_by_frames else sigma
