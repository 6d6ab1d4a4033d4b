"""Samplers: from noise to a sample, as generators over explicit lists of noise levels.

One list of sigmas a row, one network call a sigma: n calls are n calls (upstream's "2 steps" is one).
A row whose list has ended leaves the batch, so ensembles with different numbers of calls run in lock-step
(METHOD.md 11, item 13). All samplers are deterministic; the state is kept in float64 and the denoiser sees
float32, as upstream does (METHOD.md 6.2).
"""

from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from workbench.diffusion.levels import RHO, SIGMA_MAX, SIGMA_MIN

Denoise = Callable[[Tensor, Tensor, list[int]], Tensor]
"""(x (r ...), sigma (r), rows) -> denoised (r ...), for the rows that are still in the batch."""


class StepTrace(NamedTuple):
    """One network call of the rows that were still running."""

    i: int
    sigma: Float[Tensor, " r"]
    x: Float[Tensor, "r ..."]
    """State that went in, float32."""
    denoised: Float[Tensor, "r ..."]
    rows: list[int]
    """Which rows of the whole batch these are."""


class Past(NamedTuple):
    """The previous call of the same rows, in float64."""

    sigma: Tensor
    x: Tensor
    denoised: Tensor


def karras(points: int, sigma_max: float = SIGMA_MAX, sigma_min: float = SIGMA_MIN) -> list[float]:
    """`points` noise levels from sigma_max down to sigma_min (Karras et al. 2022, eq. 5, rho 7)."""
    if points == 1:
        return [sigma_max]
    ramp = torch.linspace(0, 1, points, dtype=torch.float64)
    high, low = sigma_max ** (1 / RHO), sigma_min ** (1 / RHO)
    return ((high + ramp * (low - high)) ** RHO).tolist()


def schedule(calls: int, *, sampler: str = "ab2", bounds: tuple[float, float] = (SIGMA_MAX, SIGMA_MIN)) -> list[float]:
    """The sigma of every network call, in order; its length is `calls`."""
    if calls < 1:
        raise ValueError(f"calls: expected at least 1 network call, got {calls}")
    if sampler == "heun":
        # Each interval is tried and corrected at its end: that end is visited twice.
        grid = karras(calls // 2 + 1, *bounds)
        return [grid[0], *(sigma for sigma in grid[1:] for _ in range(2))][:calls]
    return karras(calls, *bounds)


def _column(sigma: Tensor, like: Tensor) -> Tensor:
    return sigma.view(-1, *[1] * (like.ndim - 1)).to(like.device, non_blocking=True)


def euler(x: Tensor, sigma: Tensor, following: Tensor, denoised: Tensor, past: Past | None) -> Tensor:
    """First order: straight on (Karras et al. 2022, algorithm 1 without the correction)."""
    return denoised + (following / sigma) * (x - denoised)


def heun(x: Tensor, sigma: Tensor, following: Tensor, denoised: Tensor, past: Past | None) -> Tensor:
    """Second order: every interval is walked twice, the second time with the mean of both slopes."""
    if past is None or bool((following != sigma).any()):
        return euler(x, sigma, following, denoised, past)
    slope = (past.x - past.denoised) / past.sigma + (x - denoised) / sigma
    return past.x + (sigma - past.sigma) * slope / 2


def ab2(x: Tensor, sigma: Tensor, following: Tensor, denoised: Tensor, past: Past | None) -> Tensor:
    """Second-order Adams-Bashforth in log sigma: upstream's solver (METHOD.md 6.2)."""
    if past is None:
        return euler(x, sigma, following, denoised, past)
    h = (sigma / following).log()
    ratio = (past.sigma / sigma).log() / h
    decay = (-h).exp()
    phi = (decay - 1) / h + 1
    return decay * x + (1 - decay) * denoised + (phi / ratio) * (denoised - past.denoised)


SAMPLERS = {"ab2": ab2, "heun": heun, "euler": euler}


def sample(
    denoise: Denoise, x: Float[Tensor, "b ..."], sigmas: Sequence[Sequence[float]], *, sampler: str = "ab2"
) -> Generator[StepTrace, None, Float[Tensor, "b ..."]]:
    """Walk every row down its own list of sigmas; the result of a row is its last call's `denoised`.

    `x` is in sigma space: noise times the first sigma of each row. Yields one `StepTrace` a call.
    """
    update, state, result = SAMPLERS[sampler], x.double(), x.clone()
    rows, past = list(range(len(x))), None
    for i in range(max(len(row) for row in sigmas)):
        keep = [k for k, row in enumerate(rows) if len(sigmas[row]) > i]
        if len(keep) < len(rows):
            rows, state = [rows[k] for k in keep], state[keep]
            past = past and Past(*(tensor[keep] for tensor in past))
        # On the host: whoever denoises reads it there, without waiting for the device.
        level = torch.tensor([sigmas[row][i] for row in rows], dtype=torch.float64)
        seen = state.float()
        denoised = denoise(seen, level.float(), rows)
        yield StepTrace(i, level.float(), seen, denoised, rows)
        result[rows] = denoised.to(result.dtype)
        following = [sigmas[row][min(i + 1, len(sigmas[row]) - 1)] for row in rows]
        target = _column(torch.tensor(following, dtype=torch.float64), state)
        now = Past(_column(level, state), state, denoised.double())
        # A row at the end of its list gets a meaningless update; it leaves the batch before it is used.
        state = update(state, now.sigma, target, now.denoised, past)
        past = now
    return result
