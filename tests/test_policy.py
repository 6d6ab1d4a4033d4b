"""The steps in order, against upstream's numbers: parallel prediction and the autoregressive chain."""

from dataclasses import replace
from functools import reduce

import golden_bundle
import numpy as np
import pytest
import torch

from workbench.control import alone, tap
from workbench.diffusion import noise
from workbench.diffusion.levels import upstream_calls
from workbench.diffusion.samplers import schedule
from workbench.latents import Latents
from workbench.models.bundle import tiny
from workbench.normalize import normalize_proprio
from workbench.planning import run
from workbench.planning.seeds import member_calls
from workbench.platforms import PLATFORMS
from workbench.policy import ask, predict
from workbench.steps import decode, denoise, encode, extract, trace
from workbench.types import Moment, Observation

STAGES = {
    "action": ("policy", None),
    "world_model": ("world_model", "action"),
    "value_vs_prime": ("v", "world_model"),
    "value_base": ("v_full", "world_model"),
    "q_value": ("q", "action"),
    "value_vs_prime_from_action_sample": ("v", "action"),
}
"""Upstream's stages: in which mode of ours, and which stage's sample they continue."""
SAMPLER = ("sampler/*.json", "!sampler/schedules*")
READS = (*golden_bundle.WEIGHTS, "sampler/*.safetensors")


@pytest.fixture(scope="module")
def small():
    """Random weights and a moment for what is no comparison."""
    bundle = tiny(PLATFORMS["libero"])
    images = {camera: np.full((64, 64, 3), 90, np.uint8) for camera in ("wrist", "primary")}
    return bundle, Observation(images, np.zeros(9)), "put the red cube on the plate"


@pytest.mark.heavy
@pytest.mark.golden(*SAMPLER, reads=READS)
def test_injected_proprio_is_upstreams(case, fidelity):
    case = golden_bundle.Case.read(case)
    bundle = case.bundle()
    latents = case.query(bundle)
    frame = latents.x[0, :, latents.layout.index("proprio")].flatten()
    expected = case.context["proprio_injected"][0]
    fidelity.exact("injected proprio", frame[: len(expected)], expected)
    normalised = normalize_proprio(case.observation.proprio, bundle.stats)
    fidelity.close("normalised proprio", normalised, case.context["proprio_normalised"], atol=1e-12)


@pytest.mark.heavy
@pytest.mark.golden(*SAMPLER, reads=READS)
@pytest.mark.parametrize("shortcuts", [True, False])
def test_parallel_prediction_is_upstreams(case, fidelity, shortcuts):
    case = golden_bundle.Case.read(case)
    bundle = case.bundle(shortcuts=shortcuts)
    query, samples = case.query(bundle).ask("policy"), {}
    for name in [key for key in case.about if key.startswith("policy.n")]:
        about = case.about[name]
        calls = upstream_calls(about["requested_steps"])
        fidelity.exact("network calls", calls, about["network_calls"])
        fidelity.exact("known frames", query.known[0].int().tolist(), about["condition_mask"])
        start = noise.draw([about["seed"]], bundle.layout)
        samples[name] = denoise(bundle.denoiser, query, start, sigmas=schedule(calls))
    compare(fidelity, case, bundle, samples, pictures=shortcuts)


def compare(fidelity, case, bundle, samples, *, pictures: bool = True) -> None:
    """Latents of every stage, and whatever else the file has of it: actions, value and, if asked for, pictures."""
    data = case.data
    for stage, sample in samples.items():
        about, said = case.about.get(stage, {}), extract(sample, bundle.stats)
        fidelity.close(f"{stage} latents", sample.x, data[f"{stage}.latents"], atol=1e-4)
        if f"{stage}.actions" in data:
            fidelity.close(f"{stage} actions", said.actions[0], data[f"{stage}.actions"], atol=1e-4)
        if "value" in about:
            fidelity.close(f"{stage} value", said.value[0], about["value"], atol=1e-4)
            raw = sample.x[0, :, bundle.layout.index("value")].mean()
            fidelity.close(f"{stage} value frame", raw, about["value_raw_mean"], atol=1e-4)
    shown = [stage for stage in samples if pictures and f"{stage}.future_image" in data]
    if shown:  # decoded together: they share their present
        seen = decode(bundle.tokenizer, reduce(Latents.beside, [samples[stage] for stage in shown]))
        for row, stage in enumerate(shown):
            for camera, expected in case.pictures(stage).items():
                fidelity.pixels(f"{stage} pictures", seen[camera][row], expected)


@pytest.mark.heavy
@pytest.mark.golden(*SAMPLER, reads=READS)
def test_every_network_call_is_upstreams(case, fidelity):
    case = golden_bundle.Case.read(case)
    bundle, data = case.bundle(), case.data
    latents = case.query(bundle).ask("policy")
    start = noise.draw([case.about["seed_base"]], bundle.layout)
    sigmas = schedule(len(data["trajectory5.sigmas"]))
    steps = list(trace(bundle.denoiser, latents, start, sigmas=sigmas))
    unknown = ~latents.known[0]
    for i, step in enumerate(steps):
        fidelity.relative("sigma of each call", step.sigma[0], data["trajectory5.sigmas"][i], rtol=1e-6)
        x = data["trajectory5.x"][i][:, unknown]
        fidelity.close("state before each call", step.x[0][:, unknown], x, atol=1e-3)
        fidelity.close("denoised by each call", step.denoised[0], data["trajectory5.denoised"][i], atol=1e-4)


@pytest.mark.heavy
@pytest.mark.golden("modes/*.json", reads=("modes/*.safetensors",))
def test_the_autoregressive_chain_is_upstreams(case, fidelity):
    case = golden_bundle.Case.read(case)
    bundle, samples = case.bundle(), {}
    for stage, (mode, before) in STAGES.items():
        about = case.about[stage]
        latents = samples[before] if before else case.query(bundle)
        fidelity.exact(f"{stage} known frames", latents.ask(mode).known[0].int().tolist(), about["condition_mask"])
        samples[stage] = ask(bundle, latents, mode, seed=about["seed"], calls=about["network_calls"])
    compare(fidelity, case, bundle, samples)


@pytest.mark.heavy
@pytest.mark.golden("modes/*.json")
def test_an_ensemble_of_futures_is_upstreams(case, fidelity):
    """All members at once, each with its own number of calls; the mean picture, and the last one."""
    case = golden_bundle.Case.read(case)
    bundle, members = case.bundle(), case.about["world_model_ensemble.average"]
    action = case.data["action.latents"]
    latents = replace(case.query(bundle), x=action).ask("world_model").repeat(len(members))
    start = noise.draw([one["seed"] for one in members], bundle.layout)
    calls = member_calls(members[-1]["requested_steps"], len(members))
    fidelity.exact("calls of the ensemble", calls, [one["network_calls"] for one in members])
    sample = denoise(bundle.denoiser, latents, start, sigmas=[schedule(count) for count in calls])
    for i in range(len(members)):
        fidelity.close("ensemble latents", sample.x[i], case.data[f"world_model_ensemble.{i}.latents"][0], atol=1e-4)
    seen = decode(bundle.tokenizer, sample)
    for camera, expected in case.pictures("world_model_ensemble.average").items():
        mean = seen[camera].mean(0).round().astype(np.uint8)
        fidelity.pixels("ensemble mean picture", mean, expected)
    for camera, expected in case.pictures("world_model_ensemble.last").items():
        fidelity.pixels("ensemble last picture", seen[camera][-1], expected)


@pytest.mark.heavy
@pytest.mark.golden("modes/*.json")
@pytest.mark.defect(
    "At depth 2 the imagined proprio is overwritten with the present one",
    "7",
    "`Latents.advance` keeps what was imagined; `upstream_compatible=True` keeps the present proprio, as published",
)
def test_the_second_depth_starts_from_the_imagined_proprio(case, fidelity):
    case = golden_bundle.Case.read(case)
    bundle, about = case.bundle(), case.about["depth2_action"]
    future = replace(case.query(bundle), x=case.data["world_model.latents"])
    there = future.advance(upstream_compatible=True)
    again = ask(bundle, there, "policy", seed=about["seed"], calls=about["network_calls"])
    fidelity.close("action at depth 2", again.x, case.data["depth2_action.latents"], atol=1e-4)
    layout, ours = bundle.layout, future.advance()
    imagined = future.x[:, :, layout.index("future_proprio")]
    fidelity.exact("imagined proprio", ours.x[:, :, layout.index("proprio")], imagined)
    assert (there.x[:, :, layout.index("proprio")] - imagined).abs().max() > 0.01


def test_known_frames_leave_unchanged(small):
    bundle, observation, instruction = small
    latents = encode(bundle, observation, instruction).ask("policy")
    sample = denoise(bundle.denoiser, latents, noise.draw([0], bundle.layout), sigmas=schedule(3))
    known = latents.known[0]
    torch.testing.assert_close(sample.x[:, :, known], latents.x[:, :, known], atol=0, rtol=0)


def test_a_missing_camera_is_a_plain_error(small):
    bundle, observation, instruction = small
    images = {"wrist": observation.images["wrist"]}
    with pytest.raises(ValueError, match="missing primary"):
        encode(bundle, Observation(images, observation.proprio), instruction)


def test_cancelling_leaves_the_model_usable(small):
    bundle, observation, instruction = small
    first = predict(bundle, observation, instruction, calls=1)
    query = encode(bundle, observation, instruction)
    steps = trace(bundle.denoiser, query, noise.draw([0], bundle.layout), sigmas=schedule(3))
    next(steps)
    steps.close()
    again = predict(bundle, observation, instruction, calls=1)
    np.testing.assert_array_equal(first.actions, again.actions)
    assert torch.is_grad_enabled()
    assert run(iter_return(7)) == 7


def iter_return(value):
    yield
    return value


def test_the_policy_alone_tells_its_calls_and_may_end_lower():
    bundle = tiny(PLATFORMS["libero"])
    images = {camera: np.full((64, 64, 3), 90, np.uint8) for camera in bundle.spec.cameras}
    moment = Moment(Observation(images, np.zeros(9)), "put the red cube on the plate", "here")

    def told(**settings) -> tuple[list[tuple[int, int]], np.ndarray]:
        events, work = [], alone(bundle, calls=3, **settings)(moment, 7)
        plan = run(tap(work, events.append))
        return [(event.done, event.total) for event in events], plan.candidates[0].actions

    calls, actions = told()
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert np.array_equal(actions, predict(bundle, moment.observation, moment.instruction, seed=7, calls=3).actions)
    assert not np.array_equal(told(sigma_min=0.3)[1], actions)
