"""Go through a recorded episode step by step."""

import ipywidgets
import numpy as np

from workbench.platforms import PlatformSpec
from workbench.types import Episode
from workbench.views.plot import plot_html
from workbench.views.sequence import row_html
from workbench.views.tags import tag, text
from workbench.widgets.explore import Explorer


def scrub_episode(episode: Episode, spec: PlatformSpec) -> Explorer:
    """Its pictures at a step, and the actions of the whole episode with the step marked."""
    steps = np.arange(len(episode))
    names = spec.action_names or [f"action {d}" for d in range(spec.action_dim)]
    lines = {name: (steps, episode.actions[:, d]) for d, name in enumerate(names)}
    result = "success" if episode.success else "no success"

    def draw(step: int) -> str:
        pictures = {camera: np.asarray(images[step]) for camera, images in episode.images.items()}
        said = f"{episode.instruction}: step {step} of {len(episode) - 1}, {result}"
        curves = plot_html(lines, x="control step", y="actions, in the robot's units", marks={"now": step})
        return tag("p", text(said)) + row_html(pictures, width=190) + curves

    return Explorer(draw, step=ipywidgets.IntSlider(0, 0, len(episode) - 1, description="step"))
