"""Denoise: fill in the frames that are not known. Policy, world model and value are this, with other masks."""

from collections.abc import Generator, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from workbench.diffusion.samplers import StepTrace, sample
from workbench.latents import Latents
from workbench.models import budget
from workbench.models.denoiser import Denoiser


def trace(
    denoiser: Denoiser,
    latents: Latents,
    noise: Float[Tensor, "b c t h w"],
    *,
    sigmas: Sequence[float] | Sequence[Sequence[float]],
    sampler: str = "ab2",
    rows_at_once: int | None = None,
) -> Generator[StepTrace, None, Latents]:
    """Denoise step by step; returns the latents with the unknown frames filled in.

    `noise` is standard normal, one row a row of `latents` (which may have a single row: it serves all).
    `sigmas` is one list of noise levels, or one a row; their length is the number of network calls.
    `rows_at_once`: rows that go through the network together (default: what the device is best at); more are
    split, which bounds memory and changes nothing.
    """
    if len(latents) == 1 < len(noise):
        latents = latents.repeat(len(noise))
    if len(latents) != len(noise):
        raise ValueError(f"noise: expected {len(latents)} rows, one a row of latents, got {len(noise)}")
    each = [sigmas] * len(noise) if isinstance(sigmas[0], int | float) else sigmas
    rows_at_once = rows_at_once or budget.rows_at_once(denoiser, tuple(latents.x.shape[1:]))
    first = torch.tensor([row[0] for row in each], dtype=torch.float32).view(-1, 1, 1, 1, 1)

    def network(x: Tensor, sigma: Tensor, rows: list[int]) -> Tensor:
        parts = [slice(start, start + rows_at_once) for start in range(0, len(rows), rows_at_once)]
        with torch.no_grad():
            return torch.cat([_call(denoiser, latents, x[part], sigma[part], rows[part]) for part in parts])

    start = (noise * first).to(denoiser.device)
    result = yield from sample(network, start, each, sampler=sampler)
    return replace(latents, x=result)


def denoise(denoiser: Denoiser, latents: Latents, noise: Tensor, **settings) -> Latents:
    """`trace` without looking: the same settings, only the result."""
    steps = trace(denoiser, latents, noise, **settings)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def _call(denoiser: Denoiser, latents: Latents, x: Tensor, sigma: Tensor, rows: list[int]) -> Tensor:
    text = latents.text if len(latents.text) == 1 else latents.text[rows]
    return denoiser(x, sigma, known=latents.known[rows], given=latents.x[rows], text=text)
