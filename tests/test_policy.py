"""The steps in order, against upstream's numbers: parallel prediction and the autoregressive chain."""

import json

import golden_bundle
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from workbench.diffusion import noise
from workbench.diffusion.samplers import schedule, upstream_calls
from workbench.planning import run
from workbench.policy import ask, predict
from workbench.steps import decode, denoise, encode, extract, trace

STAGES = {"value_vs_prime": "v", "value_base": "v_full"}


def load(golden, platform: str, folder: str = "sampler"):
    context = load_file(golden / f"sampler/{platform}.safetensors")
    data = load_file(golden / f"{folder}/{platform}.safetensors")
    return golden_bundle.bundle(golden, platform, context), context, data


def queried(bundle, platform: str, context):
    return encode(bundle, golden_bundle.observation(platform, context), golden_bundle.INSTRUCTION)


@pytest.mark.parametrize("platform", ["libero", "aloha"])
def test_injected_proprio_is_upstreams(golden, platform):
    bundle, context, _ = load(golden, platform)
    latents = queried(bundle, platform, context)
    frame = latents.x[0, :, latents.layout.index("proprio")].flatten()
    expected = context["proprio_injected"][0]
    torch.testing.assert_close(frame[: len(expected)], expected, atol=0, rtol=0)


@pytest.mark.parametrize("platform", ["libero", "aloha"])
def test_parallel_prediction_is_upstreams(golden, platform):
    bundle, context, data = load(golden, platform)
    about = json.loads((golden / f"sampler/{platform}.json").read_text())
    for name in [key for key in about if key.startswith("policy.n")]:
        case = about[name]
        latents = queried(bundle, platform, context).ask("policy")
        calls = upstream_calls(case["requested_steps"])
        start = noise.draw([case["seed"]], bundle.layout)
        sample = denoise(bundle.denoiser, latents, start, sigmas=schedule(calls))
        torch.testing.assert_close(sample.x, data[f"{name}.latents"], atol=1e-4, rtol=0)
        said = extract(sample, bundle.stats)
        np.testing.assert_allclose(said.actions[0], data[f"{name}.actions"], atol=1e-4)
        assert said.value[0] == pytest.approx(case["value"], abs=1e-4)
        assert calls == case["network_calls"]


def test_imagined_pictures_are_upstreams(golden):
    bundle, context, data = load(golden, "libero")
    observation = golden_bundle.observation("libero", context)
    seed = json.loads((golden / "sampler/libero.json").read_text())["policy.n5"]["seed"]
    seen = predict(bundle, observation, golden_bundle.INSTRUCTION, seed=seed, calls=5, pictures=True).images
    for camera, key in {"primary": "future_image", "wrist": "future_wrist_image"}.items():
        difference = np.abs(seen[camera].astype(int) - data[f"policy.n5.{key}"].numpy().astype(int))
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.01


def test_every_network_call_is_upstreams(golden):
    bundle, context, data = load(golden, "libero")
    seed = json.loads((golden / "sampler/libero.json").read_text())["policy.n5"]["seed"]
    latents = queried(bundle, "libero", context).ask("policy")
    steps = list(trace(bundle.denoiser, latents, noise.draw([seed], bundle.layout), sigmas=schedule(5)))
    assert len(steps) == 5
    for step, x, denoised, sigma in zip(
        steps, data["trajectory5.x"], data["trajectory5.denoised"], data["trajectory5.sigmas"], strict=True
    ):
        unknown = ~latents.known[0]
        torch.testing.assert_close(step.sigma[0], sigma)
        torch.testing.assert_close(step.x[0][:, unknown], x[:, unknown], atol=1e-3, rtol=1e-5)
        torch.testing.assert_close(step.denoised[0], denoised, atol=1e-4, rtol=0)


@pytest.mark.parametrize("platform", ["libero", "aloha"])
def test_the_autoregressive_chain_is_upstreams(golden, platform):
    bundle, context, data = load(golden, platform, "modes")
    about = json.loads((golden / f"modes/{platform}.json").read_text())

    def stage(latents, mode: str, name: str):
        sample = ask(bundle, latents, mode, seed=about["seed"], calls=about[name]["network_calls"])
        torch.testing.assert_close(sample.x, data[f"{name}.latents"], atol=1e-4, rtol=0)
        return sample

    action = stage(queried(bundle, platform, context), "policy", "action")
    future = stage(action, "world_model", "world_model")
    for name, mode in STAGES.items():
        sample = stage(future, mode, name)
        assert extract(sample, bundle.stats).value[0] == pytest.approx(about[name]["value"], abs=1e-4)
    stage(action, "q", "q_value")
    stage(action, "v", "value_vs_prime_from_action_sample")
    seen = decode(bundle.tokenizer, future)["primary"][0].astype(int)
    assert np.abs(seen - data["world_model.future_image"].numpy().astype(int)).max() <= 1


@pytest.mark.parametrize("platform", ["libero", "aloha"])
def test_upstreams_second_depth_keeps_the_old_proprio(golden, platform):
    """Upstream puts the original proprio back into the imagined present; with that, the numbers agree."""
    from workbench.steps import inject

    bundle, context, data = load(golden, platform, "modes")
    about = json.loads((golden / f"modes/{platform}.json").read_text())
    seed, calls = about["seed"], {name: about[name].get("network_calls") for name in ("action", "world_model")}
    action = ask(bundle, queried(bundle, platform, context), "policy", seed=seed, calls=calls["action"])
    future = ask(bundle, action, "world_model", seed=seed, calls=calls["world_model"])
    proprio = golden_bundle.observation(platform, context).proprio[None]
    there = inject(future.advance(), bundle.stats, proprio=proprio)
    again = ask(bundle, there, "policy", seed=seed, calls=about["depth2_action"].get("network_calls", 5))
    torch.testing.assert_close(again.x, data["depth2_action.latents"], atol=1e-4, rtol=0)


def test_known_frames_leave_unchanged(golden):
    bundle, context, _ = load(golden, "libero")
    latents = queried(bundle, "libero", context).ask("policy")
    sample = denoise(bundle.denoiser, latents, noise.draw([0], bundle.layout), sigmas=schedule(3))
    known = latents.known[0]
    torch.testing.assert_close(sample.x[:, :, known], latents.x[:, :, known], atol=0, rtol=0)


def test_a_missing_camera_is_a_plain_error(golden):
    bundle, context, _ = load(golden, "libero")
    observation = golden_bundle.observation("libero", context)
    images = {"wrist": observation.images["wrist"]}
    with pytest.raises(ValueError, match="missing primary"):
        encode(bundle, type(observation)(images, observation.proprio), golden_bundle.INSTRUCTION)


def test_cancelling_leaves_the_model_usable(golden):
    bundle, context, _ = load(golden, "libero")
    observation = golden_bundle.observation("libero", context)
    first = predict(bundle, observation, golden_bundle.INSTRUCTION, calls=1)
    steps = trace(
        bundle.denoiser, queried(bundle, "libero", context), noise.draw([0], bundle.layout), sigmas=schedule(3)
    )
    next(steps)
    steps.close()
    again = predict(bundle, observation, golden_bundle.INSTRUCTION, calls=1)
    np.testing.assert_array_equal(first.actions, again.actions)
    assert torch.is_grad_enabled()
    assert run(iter_return(7)) == 7


def iter_return(value):
    yield
    return value
