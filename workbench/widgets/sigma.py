"""Move through the noise levels: what the network sees and says, and how the plans of all seeds fan out."""

import ipywidgets

from workbench.denoising import Question, denoise_events
from workbench.diffusion.samplers import SAMPLERS
from workbench.models.bundle import Bundle
from workbench.planning import run
from workbench.types import Moment
from workbench.views import denoise_html, denoising_as_seen
from workbench.widgets.explore import Explorer


def scrub_sigma(bundle: Bundle, moment: Moment) -> Explorer:
    """The policy's question at `moment`: choose how it is asked; the figure's own slider goes from call to call."""
    last = bundle.spec.sigma_min
    levels = [(f"{last * factor:.3g}", last * factor) for factor in (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2)]

    def draw(calls: int, seeds: int, sigma_min: float, sampler: str) -> str:
        question = Question(calls=calls, seeds=range(seeds), sampler=sampler, sigma_min=sigma_min)
        seen = run(denoise_events(bundle, moment.observation, moment.instruction, question=question))
        return denoise_html(denoising_as_seen(seen, bundle.spec), bundle.spec.action_names)

    return Explorer(
        draw,
        calls=ipywidgets.IntSlider(5, 1, 12, description="calls", continuous_update=False),
        seeds=ipywidgets.IntSlider(6, 1, 12, description="seeds", continuous_update=False),
        sigma_min=ipywidgets.SelectionSlider(options=levels, value=last, description="last σ"),
        sampler=ipywidgets.Dropdown(options=list(SAMPLERS), description="sampler"),
    )
