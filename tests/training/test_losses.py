"""The loss against upstream's, per frame and in all, for every combination of flags (METHOD.md 5.1, 5.2)."""

import json
from collections.abc import Iterator
from dataclasses import replace

import golden_bundle
import pytest
import torch
from safetensors.torch import load_file

from workbench.layout import LatentLayout, Mode
from workbench.platforms import PLATFORMS
from workbench.steps.inject import tile
from workbench.training.losses import LossSettings, denoising_loss

KNOWN_FLAGS = {
    "mask_current_state_action_for_value_prediction",
    "mask_future_state_for_qvalue_prediction",
    "mask_loss_for_action_future_state_prediction",
    "action_loss_multiplier",
    "mask_value_prediction_loss_for_policy_prediction",
}


def modes_of(case, flags) -> list[Mode]:
    value: Mode = "v_full"
    if flags.get("mask_current_state_action_for_value_prediction"):
        value = "v"
    elif flags.get("mask_future_state_for_qvalue_prediction"):
        value = "q"
    return [value if mode == "value" else mode for mode in case["modes"]]


def settings_of(flags) -> LossSettings:
    """Upstream's flags in our words."""
    assert set(flags) <= KNOWN_FLAGS
    return LossSettings(
        frame_weights={"actions": flags.get("action_loss_multiplier", 1)},
        auxiliary=not flags.get("mask_loss_for_action_future_state_prediction"),
        joint_value=not flags.get("mask_value_prediction_loss_for_policy_prediction"),
        # Alone, upstream's flag does nothing.
        upstream_compatible=list(flags) == ["mask_value_prediction_loss_for_policy_prediction"],
    )


def upstreams(case) -> Iterator[tuple[str, dict[str, torch.Tensor], LatentLayout, dict]]:
    """Name, tensors, layout and expected numbers of every platform of a file of losses."""
    tensors = load_file(case.with_name("cases.safetensors"))
    for platform, about in json.loads(case.read_text())["platforms"].items():
        data = {key[len(platform) + 1 :]: value for key, value in tensors.items() if key.startswith(f"{platform}.")}
        (chunk, dim), proprio = data["actions"].shape[1:], data["proprio"].shape[1]
        spec = PLATFORMS[golden_bundle.platform_of(platform)]
        spec = replace(spec, chunk_size=chunk, action_dim=dim, proprio_dim=proprio)
        yield platform, data, spec.layout(data["latents"].shape[1], side=data["latents"].shape[-1]), about["cases"]


@pytest.mark.golden("training/losses*.json", reads=("training/cases.safetensors",))
def test_losses_are_upstreams(case, fidelity):
    flags, denoiser = json.loads(case.read_text())["flags"], golden_bundle.denoiser(case.parents[1])
    for platform, data, layout, cases in upstreams(case):
        for name, expected in cases.items():
            total, frames = loss(denoiser, data, layout, modes_of(expected, flags[name]), settings_of(flags[name]))
            masks = [list(map(int, layout.known(mode))) for mode in modes_of(expected, flags[name])]
            fidelity.exact(f"{platform} {name} masks", masks, expected["condition_masks"])
            fidelity.relative(f"{platform} {name} total", total, expected["loss"], rtol=1e-5)
            wanted = torch.tensor(expected["unmasked_per_frame_loss"])
            scored = torch.tensor(expected["per_frame_loss"]) > 0
            fidelity.relative(f"{platform} {name} per frame", frames[scored], wanted[scored], rtol=1e-5)


@pytest.mark.golden("training/losses*.json")
def test_injected_training_latents_are_upstreams(case, fidelity):
    for platform, data, layout, _ in upstreams(case):
        x = data["latents"].clone()
        numbers = {kind: data[kind].flatten(1) for kind in ("actions", "proprio", "future_proprio")}
        for kind, vectors in (numbers | {"value": data["value_return"][:, None]}).items():
            x[:, :, layout.index(kind)] = tile(vectors, layout)
        fidelity.exact(f"{platform} injected latents", x, data["default.injected_x0"])


def loss(denoiser, data, layout, modes, settings):
    count = len(modes)
    with torch.no_grad():
        return denoising_loss(
            denoiser,
            data["default.injected_x0"][:count],
            data["text"][:count],
            modes=modes,
            layout=layout,
            sigma=data["sigma"][:count].flatten(),
            noise=data["epsilon"][:count],
            settings=settings,
        )


@pytest.mark.golden("training/losses*.json")
@pytest.mark.defect(
    "A flag that takes the value out of the policy's loss has no effect unless another flag is set",
    "5.2",
    "`LossSettings(joint_value=False)` does what it says",
)
def test_taking_the_value_out_of_the_policys_loss_takes_it_out(case, fidelity):
    denoiser, flags = golden_bundle.denoiser(case.parents[1]), json.loads(case.read_text())["flags"]
    for platform, data, layout, cases in upstreams(case):
        expected = cases["no_value_for_policy"]
        modes, settings = modes_of(expected, {}), settings_of(flags["no_value_for_policy"])
        theirs, _ = loss(denoiser, data, layout, modes, settings)
        ours, frames = loss(denoiser, data, layout, modes, replace(settings, upstream_compatible=False))
        fidelity.relative(f"{platform} as upstream", theirs, expected["loss"], rtol=1e-5)
        value = 10 * frames[:, layout.index("value")].sum() / frames.numel()
        assert value > 0
        fidelity.relative(f"{platform} without the value", ours + value, expected["loss"], rtol=1e-5)


def test_without_joint_value_a_policy_sample_is_not_scored_on_it():
    from workbench.training.losses import frame_weights

    layout = PLATFORMS["libero"].layout()
    weights = frame_weights(layout, "policy", LossSettings(joint_value=False))
    assert weights == [0, 0, 0, 0, 1, 1, 1, 1, 0]
    assert frame_weights(layout, "v", LossSettings(joint_value=False))[-1] == 1
