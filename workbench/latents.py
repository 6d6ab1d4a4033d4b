"""The state that passes from step to step: a latent sequence and which of its frames are known."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from workbench.layout import LatentLayout, Mode


@dataclass(frozen=True, eq=False)
class Latents:
    """A batch of latent sequences in normalised units. Nothing in here is ever changed in place."""

    x: Float[Tensor, "b c t h w"]
    """Known frames hold what is given; the others what was last sampled (or the placeholder)."""
    known: Bool[Tensor, "b t"]
    """On the host, whatever the device of `x`: it decides what is computed."""
    layout: LatentLayout
    text: Float[Tensor, "#b l e"]
    """Embedded instruction, its true length only: the denoiser accounts for the zero padding."""
    placeholders: Float[Tensor, "#b c t h w"]
    """The frames before injection, which decoding needs as causal context (METHOD.md 6.4)."""

    def ask(self, mode: Mode) -> "Latents":
        """The same numbers asked another question: only `known` changes."""
        flags = torch.tensor(self.layout.known(mode))
        return replace(self, known=flags.expand(len(self.x), -1))

    def repeat(self, times: int) -> "Latents":
        """Every row `times` times, neighbours together: row r becomes rows r*times to (r+1)*times - 1."""

        def rows(tensor: Tensor) -> Tensor:
            return tensor if len(tensor) == 1 else tensor.repeat_interleave(times, 0)

        return replace(
            self,
            x=self.x.repeat_interleave(times, 0),
            known=self.known.repeat_interleave(times, 0),
            text=rows(self.text) if len(self.x) > 1 else self.text,
            placeholders=rows(self.placeholders) if len(self.x) > 1 else self.placeholders,
        )

    def row(self, start: int, stop: int | None = None) -> "Latents":
        """Rows `start` to `stop` (default: one row) as a batch of their own."""
        part = slice(start, start + 1 if stop is None else stop)
        return replace(
            self,
            x=self.x[part],
            known=self.known[part],
            text=self.text if len(self.text) == 1 else self.text[part],
            placeholders=self.placeholders if len(self.placeholders) == 1 else self.placeholders[part],
        )

    def beside(self, others: "Latents") -> "Latents":
        """These rows and then `others`, of the same observation and instruction."""
        return replace(self, x=torch.cat([self.x, others.x]), known=torch.cat([self.known, others.known]))

    def advance(self, *, upstream_compatible: bool = False) -> "Latents":
        """The imagined future as the new present: future frames move to the current ones (METHOD.md 7).

        `upstream_compatible` leaves the old proprio in its place: upstream overwrites the imagined one.
        """
        pairs = list(zip(self.layout.current, self.layout.future, strict=True))
        x = self.x.clone()
        for current, future in pairs[1:] if upstream_compatible else pairs:
            x[:, :, current] = self.x[:, :, future]
        return replace(self, x=x)

    def __len__(self) -> int:
        return len(self.x)
