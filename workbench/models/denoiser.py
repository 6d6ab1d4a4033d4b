"""The denoiser D(x, sigma): diffusers' `CosmosTransformer3DModel` behind one contract (METHOD.md 3.2, 4).

Known frames enter clean, with time 0, and leave unchanged; the others enter scaled by c_in. The mask is an
extra input channel, followed by an all-zero padding mask. `fps` is never passed: with it, diffusers'
temporal rotary embedding differs from the published model's.

With shortcuts, the same weights run through `blocks.FrameForward`, which computes the same function with less
work; without, through diffusers' own forward pass. Tests hold the two together.

Which frames are known and how noisy a row is are asked for on the host: a query never waits for the device.
"""

from collections.abc import Sequence

import torch
from diffusers import CosmosTransformer3DModel
from jaxtyping import Bool, Float
from torch import Tensor

from workbench.diffusion.precondition import Precondition
from workbench.models.blocks import FrameForward
from workbench.models.forgetful import Forgetful
from workbench.models.shortcuts import ALL, Shortcuts


class Denoiser(Forgetful):
    """(x, sigma) -> denoised, for latent sequences of which some frames are known."""

    def __init__(
        self,
        net: CosmosTransformer3DModel,
        precondition: Precondition,
        *,
        text_positions: int,
        shortcuts: Shortcuts = ALL,
    ) -> None:
        """`text_positions`: length to which instructions are zero-padded (the published model: 512)."""
        super().__init__()
        self.net = net
        self.precondition = precondition
        self.text_positions = text_positions
        self.shortcuts = shortcuts
        self._fast = FrameForward(net, text_positions, shortcuts)
        self.row_bytes: dict[tuple, int] = {}
        """Device memory that a row of each shape takes, as measured (`budget`)."""

    @property
    def dtype(self) -> torch.dtype:
        """What the network computes in; inputs are cast to it, outputs come back in float32."""
        return self.net.proj_out.weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.net.proj_out.weight.device

    def forward(
        self,
        x: Float[Tensor, "b c t h w"],
        sigma: Float[Tensor, " b"],
        *,
        known: Bool[Tensor, "b t"],
        given: Float[Tensor, "b c t h w"],
        text: Float[Tensor, "#b l e"],
    ) -> Float[Tensor, "b c t h w"]:
        """Denoised latents; known frames are those of `given` exactly (METHOD.md 3.2).

        `x` is in sigma space (data + sigma * noise), `sigma` one noise level a row. `sigma` and `known` are best
        left on the host, where they are read.
        """
        form, sigma, known = self.precondition, sigma.cpu(), known.cpu()
        # The published network sees times rounded to its own precision (bf16), METHOD.md 3.2.
        times = torch.where(known, form.c_noise_known, form.c_noise(sigma)[:, None]).to(self.dtype)
        unknown = (~known).any(0).nonzero().flatten().tolist()
        wide = sigma.view(-1, 1, 1, 1, 1).to(x.device, non_blocking=True)
        mask = known[:, None, :, None, None].to(x.device, non_blocking=True)
        scaled = torch.where(mask, given, x * form.c_in(wide))
        output = self.network(scaled, mask, times, text, frames=unknown)
        denoised = form.c_skip(wide) * x + form.c_out(wide) * output
        return torch.where(mask, given, denoised)

    def network(
        self, scaled: Tensor, mask: Tensor, times: Tensor, text: Tensor, *, frames: Sequence[int]
    ) -> Float[Tensor, "b c t h w"]:
        """The raw network output of `frames` in float32; `scaled`, `mask` and `times` as `forward` prepares them."""
        channel = mask.expand(-1, 1, -1, *scaled.shape[-2:]).to(self.dtype)
        # The padding mask is concatenated here: diffusers' own way needs torchvision.
        inputs = torch.cat([scaled.to(self.dtype), channel, torch.zeros_like(channel)], 1)
        text = text.to(self.dtype)
        if self.shortcuts.framewise:
            return self._fast(inputs, times, text, frames=frames).float()
        padded = torch.nn.functional.pad(text, (0, 0, 0, self.text_positions - text.shape[1]))
        return self.net(
            hidden_states=inputs,
            timestep=times[:, None, :, None, None].to(inputs.device),
            encoder_hidden_states=padded.expand(len(inputs), -1, -1),
            fps=None,
            return_dict=False,
        )[0].float()

    def forget(self) -> None:
        """See `Forgetful`."""
        self._fast.clear()
