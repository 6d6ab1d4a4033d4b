"""Pure views: numpy and types in, HTML or a plotly figure out. The gallery:

    plan_html(plan)             a whole self-contained page: cards, paths, truth
    cards_html(plan)            candidate cards with headline, modes and paths
    truth_html(plan, index)     imagined beside real for one executed candidate
    offer_html(plan, index)     the offer to execute a candidate
    reveal_picture(plan)        imagined, real and worth of all candidates as one picture to keep;
                                `reveal_frames` the same as a film
    outcomes_html(plan)         believed value against realised worth, all candidates
    orbit_html(plan)            all paths in a figure that a drag turns
    episode_html(state)         a closed loop, live or finished
    episodes_html(states)       several from the same start, side by side
    recording_html(episode)     a recorded episode under one slider; `source_html` the way back to it
    what_if_html(whatif)        a moment as it is and with one thing changed; `shares` in numbers
    dream_html(dream)           chunk after chunk dreamt, beside what really came
    grid_html(grid, cells)      one moment under two settings, cell by cell; `grid_picture` to keep,
                                `reference_of` the cell to compare with
    foresight_html(foreseen)    values against what came true, a figure a question: `calibration_html`,
                                `over_time_html`, `auc_html`, `v_against_q_html`
    copy_html(texts)            buttons that copy a text; `kept_html` for the address of a kept plan
    steer_html(plan)            the offer to make a plan of one's own on the camera picture
    pinned_html(plans, shown)   pinned decisions beside the one on the page, and in which settings they differ
    panel_html(body)            any of these below a line that says how the work stands
    tour(plan)                  one decision in five steps for a newcomer; `skip_html` the way
                                past it, `done_html` the way on
    recent_html(runs)           the plans made last, with links
    gallery_html(moments)       a strip of moments to choose from
    denoise_html(denoising)     one question from noise to answer: strip, fan, curves, schedule under a slider
    strip_html(denoising)       its latent frames at every call; `change` in numbers
    fan_html(denoising)         what every seed would do, on the camera picture; `spread`, `ends` in numbers
    curves_html(denoising)      the same as action curves
    schedule_svg(sigmas)        the noise level of every network call
    paths_figure(plan)          all paths (plotly, 3-D)
    actions_figure(plan)        action curves (plotly)
    values_figure(plan)         all value samples (plotly)

    as_seen(plan, spec)         the same plan with camera pictures as the model sees them;
                                `denoising_as_seen`, `answer_as_seen`

HTML views need the style sheet and script of `page.head_html()` once on the page; `fragment(html)` brings
them along, for a notebook.
"""

from workbench.views.cards import Pictures, cards_html, encode
from workbench.views.copy import copy_html, kept_html
from workbench.views.denoise import denoise_html, schedule_svg
from workbench.views.episode import EpisodeState, episode_html, episodes_html
from workbench.views.fan import curves_html, ends, fan_html, spread
from workbench.views.foresight import auc_html, calibration_html, foresight_html, over_time_html, v_against_q_html
from workbench.views.gallery import gallery_html
from workbench.views.grid import grid_html, grid_picture, reference_of
from workbench.views.page import fragment, head_html, plan_html
from workbench.views.panel import panel_html
from workbench.views.paths import actions_figure, orbit_html, paths_figure
from workbench.views.pinned import pinned_html
from workbench.views.poster import reveal_picture
from workbench.views.recent import recent_html
from workbench.views.recording import OPENINGS, recording_html, source_html
from workbench.views.reel import reveal_frames
from workbench.views.reveal import offer_html, outcomes_html, truth_html
from workbench.views.seen import answer_as_seen, as_seen, denoising_as_seen, observation_as_seen
from workbench.views.steer import steer_html
from workbench.views.strip import change, strip_html
from workbench.views.tour import done_html, skip_html, tour
from workbench.views.values import values_figure
from workbench.views.whatif import dream_html, shares, what_if_html

__all__ = [
    "OPENINGS",
    "EpisodeState",
    "Pictures",
    "actions_figure",
    "answer_as_seen",
    "as_seen",
    "cards_html",
    "change",
    "copy_html",
    "curves_html",
    "denoise_html",
    "denoising_as_seen",
    "done_html",
    "dream_html",
    "encode",
    "ends",
    "episode_html",
    "episodes_html",
    "fan_html",
    "fragment",
    "gallery_html",
    "grid_html",
    "grid_picture",
    "head_html",
    "kept_html",
    "observation_as_seen",
    "offer_html",
    "orbit_html",
    "outcomes_html",
    "panel_html",
    "paths_figure",
    "pinned_html",
    "plan_html",
    "recent_html",
    "recording_html",
    "reference_of",
    "reveal_frames",
    "reveal_picture",
    "schedule_svg",
    "shares",
    "skip_html",
    "source_html",
    "spread",
    "steer_html",
    "strip_html",
    "tour",
    "truth_html",
    "values_figure",
    "what_if_html",
    "auc_html",
    "calibration_html",
    "foresight_html",
    "over_time_html",
    "v_against_q_html",
]
