"""How a network becomes a denoiser D(x, sigma): the four coefficients of Karras et al. 2022, table 1.

`RECTIFIED_FLOW` is what the published Cosmos Policy uses (METHOD.md 0, 3.2): with t = sigma / (1 + sigma)
the training loss is exactly the velocity error. `EDM` is the classic form, for comparison.
sigma_data is 1 in both.
"""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

Coefficient = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Precondition:
    """denoised = c_skip x + c_out net(c_in x, c_noise); every coefficient is a function of sigma (b)."""

    name: str
    c_skip: Coefficient
    c_out: Coefficient
    c_in: Coefficient
    c_noise: Coefficient
    c_noise_known: float
    """Time input of the frames that are given (they carry no noise)."""
    weight: Coefficient
    """Loss weight per sample, so that the network's own output error has weight one."""


def _t(sigma: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
    return sigma / (1 + sigma)


RECTIFIED_FLOW = Precondition(
    name="rectified_flow",
    c_skip=lambda sigma: 1 - _t(sigma),
    c_out=lambda sigma: -_t(sigma),
    c_in=lambda sigma: 1 - _t(sigma),
    c_noise=_t,
    c_noise_known=0.0,
    weight=lambda sigma: (1 + sigma) ** 2 / sigma**2,
)

EDM = Precondition(
    name="edm",
    c_skip=lambda sigma: 1 / (1 + sigma**2),
    c_out=lambda sigma: sigma / (1 + sigma**2).sqrt(),
    c_in=lambda sigma: 1 / (1 + sigma**2).sqrt(),
    c_noise=lambda sigma: sigma.log() / 4,
    # ln(0.002) / 4: the smallest noise that EDM ever sees stands for "no noise".
    c_noise_known=-1.5537,
    weight=lambda sigma: (1 + sigma**2) / sigma**2,
)

PRECONDITIONS = {form.name: form for form in (RECTIFIED_FLOW, EDM)}
