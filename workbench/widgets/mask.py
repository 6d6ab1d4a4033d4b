"""Ask any question: say which frames are known, and the denoiser fills in the others."""

from dataclasses import replace

import ipywidgets
import torch

from workbench.diffusion import noise
from workbench.diffusion.samplers import schedule
from workbench.latents import Latents
from workbench.layout import LatentLayout
from workbench.models.bundle import Bundle
from workbench.steps import denoise
from workbench.views.sequence import sequence_html
from workbench.widgets.explore import Explorer
from workbench.widgets.frames import frame_cells


def edit_mask(bundle: Bundle, latents: Latents) -> Explorer:
    """`latents` holds a whole story (an answered policy question, say); what is not known is dreamt anew."""
    names = [frame.name for frame in latents.layout.frames]

    def draw(known: tuple[str, ...], seed: int) -> str:
        flags = torch.tensor([name in known or name == "blank" for name in names])[None]
        if flags.all():
            raise ValueError("Everything is known: leave out a frame to be filled in.")
        asked = replace(latents.row(0), known=flags)
        start, sigmas = noise.draw([seed], bundle.layout), schedule(bundle.spec.calls, bounds=bundle.spec.sigmas)
        answer = denoise(bundle.denoiser, asked, start, sigmas=sigmas)
        return sequence_html(frame_cells(bundle, answer, known=flags[0].tolist()))

    return Explorer(
        draw,
        known=ipywidgets.SelectMultiple(
            options=names,
            value=_known(latents.layout),
            rows=len(names),
            description="known",
            layout={"width": "240px"},
        ),
        seed=ipywidgets.IntSlider(0, 0, 9, description="seed", continuous_update=False),
    )


def _known(layout: LatentLayout) -> tuple[str, ...]:
    return tuple(frame.name for frame, given in zip(layout.frames, layout.known("policy"), strict=True) if given)
