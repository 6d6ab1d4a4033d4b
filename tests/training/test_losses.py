"""The loss against upstream's, per frame and in all, for every combination of flags (METHOD.md 5.1, 5.2)."""

import json

import golden_bundle
import pytest
import torch
from safetensors.torch import load_file

from workbench.layout import Mode
from workbench.platforms import PLATFORMS
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


@pytest.mark.parametrize("platform", ["libero", "aloha"])
def test_losses_are_upstreams(golden, platform):
    about = json.loads((golden / "training/losses.json").read_text())
    data = {k.removeprefix(f"{platform}."): v for k, v in load_file(golden / "training/cases.safetensors").items()}
    denoiser = golden_bundle.denoiser(golden)
    x0 = data["default.injected_x0"]
    layout = PLATFORMS[platform].layout(side=8)
    for name, case in about["platforms"][platform]["cases"].items():
        flags = about["flags"][name]
        assert set(flags) <= KNOWN_FLAGS
        if name == "no_value_for_policy":
            continue  # upstream's flag does nothing alone; ours does what it says (tested below)
        modes, count = modes_of(case, flags), len(case["modes"])
        settings = LossSettings(
            frame_weights={"actions": flags.get("action_loss_multiplier", 1)},
            auxiliary=not flags.get("mask_loss_for_action_future_state_prediction"),
            joint_value=not flags.get("mask_value_prediction_loss_for_policy_prediction"),
        )
        with torch.no_grad():
            total, frames = denoising_loss(
                denoiser,
                x0[:count],
                data["text"][:count],
                modes=modes,
                layout=layout,
                sigma=data["sigma"][:count].flatten(),
                noise=data["epsilon"][:count],
                settings=settings,
            )
        assert [list(map(int, layout.known(mode))) for mode in modes] == case["condition_masks"], name
        assert total.item() == pytest.approx(case["loss"], rel=1e-5), name
        expected = torch.tensor(case["unmasked_per_frame_loss"])
        scored = torch.tensor(case["per_frame_loss"]) > 0
        torch.testing.assert_close(frames[scored], expected[scored], rtol=1e-5, atol=1e-5)


def test_without_joint_value_a_policy_sample_is_not_scored_on_it():
    from workbench.training.losses import frame_weights

    layout = PLATFORMS["libero"].layout()
    weights = frame_weights(layout, "policy", LossSettings(joint_value=False))
    assert weights == [0, 0, 0, 0, 1, 1, 1, 1, 0]
    assert frame_weights(layout, "v", LossSettings(joint_value=False))[-1] == 1
