"""The training loss (METHOD.md 5.1, 5.2): one noise level a sample, weighted error of the unknown frames.

With the published preconditioning it equals the velocity error ||v - (noise - data)||^2, times 10. The mean
always counts all frames, so a value sample, scored on one frame, weighs less than a policy sample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from workbench.layout import Kind, LatentLayout, Mode
from workbench.models.denoiser import Denoiser

SCALE = 10.0


@dataclass(frozen=True)
class LossSettings:
    """Which frames count, and how much."""

    frame_weights: Mapping[Kind, float] = field(default_factory=dict)
    """Multiplier of a kind of frame; upstream's `action_loss_multiplier` is {"actions": m}."""
    auxiliary: bool = True
    """False: a policy sample is scored on its actions alone, a world-model sample on the future state."""
    joint_value: bool = True
    """False: policy and world-model samples are not scored on the value."""
    upstream_compatible: bool = False
    """Reproduce upstream's flaw that `joint_value=False` alone has no effect (METHOD.md 5.2). Together with
    the masks of V(s') or Q(s, a) it has one there too; then leave this off."""

    @property
    def scores_joint_value(self) -> bool:
        """Whether policy and world-model samples are scored on the value."""
        other = not self.auxiliary or any(weight != 1 for weight in self.frame_weights.values())
        return self.joint_value or (self.upstream_compatible and not other)


def frame_weights(layout: LatentLayout, mode: Mode, settings: LossSettings) -> list[float]:
    """Weight of every frame in the loss of one sample of `mode`."""
    weights = []
    for frame, wanted in zip(layout.frames, layout.wanted(mode), strict=True):
        counts = wanted and _counts(frame.kind, mode, settings)
        weights.append(settings.frame_weights.get(frame.kind, 1.0) if counts else 0.0)
    return weights


def _counts(kind: Kind, mode: Mode, settings: LossSettings) -> bool:
    if mode not in ("policy", "world_model"):
        return True
    if not settings.auxiliary:
        return kind == "actions" if mode == "policy" else kind in ("future_proprio", "future_camera")
    return settings.scores_joint_value or kind != "value"


def value_modes(mode: Mode, settings: LossSettings) -> tuple[Mode, ...]:
    """Value questions that a training teaches: that of its value samples, and Q(s, a), where world-model samples,
    which know the same frames, are scored on the value, too."""
    joint: tuple[Mode, ...] = ("q",) if settings.auxiliary and settings.scores_joint_value else ()
    return tuple(dict.fromkeys((mode, *joint)))


def known_frames(layout: LatentLayout, modes: Sequence[Mode]) -> Bool[Tensor, "b t"]:
    """Known frames of a batch in which every sample has its own mode."""
    return torch.tensor([layout.known(mode) for mode in modes])


def denoising_loss(
    denoiser: Denoiser,
    x0: Float[Tensor, "b c t h w"],
    text: Float[Tensor, "#b l e"],
    *,
    modes: Sequence[Mode],
    layout: LatentLayout,
    sigma: Float[Tensor, " b"],
    noise: Float[Tensor, "b c t h w"],
    settings: LossSettings,
) -> tuple[Float[Tensor, ""], Float[Tensor, "b t"]]:
    """Loss, and the unweighted loss of every frame (mean over its elements; 0 where it is known).

    `x0` holds the data with everything injected; `noise` is standard normal.
    """
    known = known_frames(layout, modes).to(x0.device)
    x = x0 + sigma.view(-1, 1, 1, 1, 1) * noise
    denoised = denoiser(x, sigma, known=known, given=x0, text=text)
    error = (denoised.float() - x0).square().mean((1, 3, 4))
    frames = denoiser.precondition.weight(sigma)[:, None] * error
    weights = torch.tensor([frame_weights(layout, mode, settings) for mode in modes], device=x0.device)
    return SCALE * (frames * weights).mean(), frames
