"""Things to move in a notebook: ipywidgets around the views, each with a figure that stays when the kernel is gone.

    explore_strip(bundle, latents)            a latent sequence, frame by frame, channel by channel
    scrub_sigma(bundle, moment)               from noise to answer, with the fan of all seeds' plans
    edit_mask(bundle, latents)                any question: what is known, what is filled in
    edit_actions(policy, planner, moment)     push the plan aside; the imagined future and its value follow
    pick_candidate(plan)                      a plan's candidates and the rules that choose among them
    scrub_episode(episode, spec)              a recorded episode, step by step

`frame_cells` makes a latent sequence into something that `views.sequence.sequence_html` shows.
"""

from workbench.widgets.action import edit_actions
from workbench.widgets.episode import scrub_episode
from workbench.widgets.explore import Explorer
from workbench.widgets.frames import decoded, frame_cells
from workbench.widgets.mask import edit_mask
from workbench.widgets.picker import pick_candidate
from workbench.widgets.sigma import scrub_sigma
from workbench.widgets.strip import explore_strip

__all__ = [
    "Explorer",
    "decoded",
    "edit_actions",
    "edit_mask",
    "explore_strip",
    "frame_cells",
    "pick_candidate",
    "scrub_episode",
    "scrub_sigma",
]
