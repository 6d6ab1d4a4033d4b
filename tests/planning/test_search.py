"""Looking more than one chunk ahead."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from workbench.bench.planning import largest_difference, serial_plan
from workbench.diffusion import noise
from workbench.diffusion.samplers import schedule
from workbench.models.bundle import tiny
from workbench.planning import run
from workbench.planning.best_of_n import plan_events
from workbench.planning.events import Called, Imagined, Proposed, Valued
from workbench.planning.search import _combined
from workbench.planning.settings import PlanSettings
from workbench.planning.yours import Steer, your_plan_events
from workbench.platforms import PLATFORMS
from workbench.steps import denoise, encode, extract
from workbench.types import Moment, Observation

DEEP = PlanSettings(candidates=2, calls=3, futures=2, future_calls=2, values=2, value_calls=2, depth=2)


@pytest.fixture(scope="module")
def small():
    bundle = tiny(PLATFORMS["libero"], causal=False)
    with torch.no_grad():
        for weights in bundle.denoiser.parameters():
            weights.mul_(2)  # else what it is given hardly matters to it
    images = {camera: np.full((64, 64, 3), 90, np.uint8) for camera in ("wrist", "primary")}
    proprio = np.linspace(0.1, 0.9, 9)
    return bundle, Moment(Observation(images, proprio), "put the red cube on the plate", "test/0/0@0")


@pytest.mark.heavy
@pytest.mark.parametrize("compatible", [False, True])
def test_the_second_chunk_starts_where_the_first_was_imagined_to_lead(small, compatible):
    """By hand: act, imagine, take that for the present, and again; then the value."""
    bundle, moment = small
    settings = replace(DEEP, candidates=1, futures=1, values=1, depth=2, upstream_compatible=compatible)

    def answered(latents, mode, calls):
        sigmas, start = schedule(calls, bounds=bundle.spec.sigmas), noise.draw([0], bundle.layout)
        return denoise(bundle.denoiser, latents.ask(mode), start, sigmas=sigmas)

    latents = encode(bundle, moment.observation, moment.instruction)
    for chunk in range(2):
        if chunk:
            latents = latents.advance(upstream_compatible=compatible)
        latents = answered(answered(latents, "policy", 3), "world_model", 1)
    value = extract(answered(latents, bundle.question("v"), 1), bundle.stats).value[0]
    value *= 1 if compatible else bundle.spec.gamma**bundle.spec.chunk_size  # to the end of the first chunk
    plan = run(plan_events(bundle, None, moment, settings=settings))
    assert plan.candidates[0].values == pytest.approx(value, abs=1e-5)
    shallow = run(plan_events(bundle, None, moment, settings=replace(settings, depth=1)))
    assert abs(shallow.candidates[0].value - value) > 5e-5, "it is another value"
    assert np.array_equal(shallow.candidates[0].actions, plan.candidates[0].actions), "of the same actions"


def test_who_succeeds_sooner_than_the_level_can_say_is_not_worth_less_for_it():
    earlier, deeper = np.array([0.93, 0.90, 0.40, 0.80]), np.array([1.0, 1.0, 0.2, 1.0])
    found = _combined(earlier, 0.85, deeper, [0, 1, 2, 3])
    assert found == pytest.approx([0.93, 0.90, 0.85 * 0.2, 0.85])
    assert _combined(earlier, 0.85, deeper[2:3], [2]) == pytest.approx([0.17]), "of the rows that are finished"
    assert _combined(earlier, 1.0, deeper, [0, 1, 2, 3]) == pytest.approx(deeper), "upstream has them as they are"


@pytest.mark.heavy
def test_all_futures_of_all_candidates_go_on_together_as_if_each_were_alone(small):
    bundle, moment = small
    plan = run(plan_events(bundle, None, moment, settings=DEEP))
    assert plan.candidates[0].values.shape == (2, 2)
    assert largest_difference(plan, serial_plan(bundle.plain(), bundle.plain(), moment, DEEP)) < 1e-4


def test_calls_are_counted_and_progress_reaches_its_end(small):
    bundle, moment = small
    rows = []
    handle = bundle.denoiser.register_forward_pre_hook(lambda module, inputs: rows.append(len(inputs[0])))
    try:
        events = list(plan_events(bundle, None, moment, settings=DEEP))
    finally:
        handle.remove()
    assert sum(rows) == DEEP.network_calls == 2 * ((3 + 3 + 2 * 3) + (2 * 3 + 3 + 2 * 3))
    calls = [event for event in events if isinstance(event, Called)]
    assert [call.done for call in calls] == list(range(1, DEEP.rounds + 1)) and calls[0].total == DEEP.rounds
    kinds = [type(event) for event in events if not isinstance(event, Called)]
    assert kinds == [Proposed, Imagined, Valued, Valued, Valued, Valued], "the pictures are those of the first chunk"


@pytest.mark.heavy
def test_a_plan_of_ones_own_is_looked_at_as_deeply(small):
    bundle, moment = small
    plan = run(plan_events(bundle, None, moment, settings=DEEP))
    events = list(your_plan_events(bundle, None, plan, Steer((0.15, 0.05, 0.95))))
    calls = [event for event in events if isinstance(event, Called)]
    assert [call.done for call in calls] == list(range(1, calls[0].total + 1))
    assert [type(event) for event in events].count(Valued) == 4


def test_what_cannot_be_asked_for():
    for depth in (0, 9):
        with pytest.raises(ValueError, match=f"depth: expected 1 to 8, got {depth}"):
            PlanSettings(depth=depth)
    with pytest.raises(ValueError, match=r"expected 1 for Q\(s, a\)"):
        PlanSettings(depth=2, value="q")
