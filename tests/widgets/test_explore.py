"""Widgets without a browser: moving a control draws another figure, and a still one is always there."""

from dataclasses import replace

import ipywidgets
import numpy as np
import pytest

from workbench import moments, widgets
from workbench.models.bundle import tiny
from workbench.platforms import PLATFORMS
from workbench.types import Observation
from workbench.widgets.explore import STILL, Controls, Explorer


def moved(explorer: Explorer, name: str, value: object) -> bool:
    """Whether the figure differs after control `name` has been set."""
    before = explorer.html
    explorer.controls[name].value = value
    return explorer.html != before


def test_a_change_draws_again_and_a_wrong_value_is_a_sentence():
    def draw(n):
        if n == 3:
            raise ValueError("three is too <many>")
        return f"<b>{n}</b>"

    explorer = Explorer(draw, n=ipywidgets.IntSlider(1, 0, 5))
    assert explorer.html == "<b>1</b>"
    assert moved(explorer, "n", 2) and explorer.html == "<b>2</b>"
    assert moved(explorer, "n", 3) and explorer.html == "<p>three is too &lt;many&gt;</p>"


def test_controls_leave_a_sentence_where_no_widget_can_live():
    shown = Controls([ipywidgets.IntSlider()])._repr_mimebundle_()
    assert STILL in shown["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in shown


def test_strip_shows_another_frame_and_channel(bundle, latents):
    explorer = widgets.explore_strip(bundle, latents)
    assert explorer.html.count("chosen") >= 1
    assert moved(explorer, "channel", 3) and "channel 3" in explorer.html
    assert moved(explorer, "frame", bundle.layout.index("value")) and "(value)" in explorer.html


@pytest.mark.heavy
def test_sigma_asks_anew(bundle, moment):
    explorer = widgets.scrub_sigma(bundle, moment)
    assert moved(explorer, "calls", 2) and 'data-calls="2"' in explorer.html
    assert moved(explorer, "calls", 4) and moved(explorer, "sampler", "heun")
    assert moved(explorer, "sigma_min", explorer.controls["sigma_min"].options[0][1])


def test_a_mask_changes_what_is_sampled_and_everything_known_is_refused(bundle, latents):
    explorer = widgets.edit_mask(bundle, latents)
    assert explorer.html.count(" unknown") == 5, "the policy's question: actions, future state, value"
    everything = tuple(explorer.controls["known"].options)
    assert moved(explorer, "known", everything[:-1]) and explorer.html.count(" unknown") == 1
    assert moved(explorer, "known", everything) and "leave out a frame" in explorer.html


@pytest.mark.heavy
def test_pushed_actions_are_imagined_again(bundle, moment):
    explorer = widgets.edit_actions(bundle, bundle, moment)
    assert moved(explorer, "x", 0.5)
    assert moved(explorer, "gripper", "open")


def test_a_robot_without_a_path_is_pushed_joint_by_joint(moment):
    spec = replace(PLATFORMS["aloha"], calls=1)
    picture = moment.observation.images["primary"]
    seen = Observation(dict.fromkeys(spec.cameras, picture), np.zeros(spec.proprio_dim))
    arms = tiny(spec, causal=False)
    explorer = widgets.edit_actions(arms, arms, replace(moment, observation=seen))
    assert list(explorer.controls) == ["push", "joint"], "no x, y, z and no single gripper"
    assert [name for name, _ in explorer.controls["joint"].options] == list(spec.action_names)
    assert moved(explorer, "push", 0.5) and moved(explorer, "joint", 8)


@pytest.mark.skipif(not moments.available(), reason="no moments are shipped")
def test_another_candidate_and_another_rule():
    plan = moments.load(moments.available()[0]).plan
    explorer = widgets.pick_candidate(plan)
    other = next(c.index for c in plan.candidates if c.index != plan.best)
    assert moved(explorer, "candidate", other)
    assert moved(explorer, "rule", "success_vote") and "success vote" in explorer.html


def test_an_episode_is_gone_through(bundle, episode):
    explorer = widgets.scrub_episode(episode, bundle.spec)
    assert moved(explorer, "step", 4) and "step 4 of 4" in explorer.html


def test_a_frame_of_numbers_is_shown_as_its_tile_and_a_camera_decoded(bundle, latents):
    cells = widgets.frame_cells(bundle, latents, known=latents.known[0].tolist())
    layout = bundle.layout
    assert [cell.name for cell in cells] == [frame.name for frame in layout.frames]
    size = bundle.spec.image_size
    assert cells[layout.index("camera", "primary")].picture.shape == (size, size, 3)
    assert cells[layout.index("proprio")].picture.shape == (layout.height, layout.width, 3)
    assert [cell.known for cell in cells] == list(layout.known("policy"))
