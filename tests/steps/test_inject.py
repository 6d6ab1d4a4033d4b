"""Tiling and reading back, against upstream's tiles for the three robots (METHOD.md 2)."""

import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from workbench.latents import Latents
from workbench.normalize import Statistics
from workbench.platforms import PLATFORMS
from workbench.steps import extract, inject
from workbench.steps.inject import read, tile


def blank(layout, batch: int) -> Latents:
    x = torch.zeros(batch, *layout.shape)
    return Latents(x, torch.zeros(batch, len(layout), dtype=torch.bool), layout, torch.zeros(1, 1, 1), x)


def unit(spec) -> Statistics:
    """Statistics under which physical and normalised numbers are the same."""
    ones = np.ones(spec.action_dim), np.ones(spec.proprio_dim)
    return Statistics(-ones[0], ones[0], -ones[1], ones[1])


@pytest.mark.parametrize("platform", PLATFORMS)
def test_tiles_are_upstreams(golden, platform):
    """Every element of the action and proprio frames, by the digest of the whole frame."""
    data = load_file(golden / "injection/tiles.safetensors")
    about = json.loads((golden / "injection/tiles.json").read_text())["platforms"][platform]
    layout = PLATFORMS[platform].layout()
    for ours, theirs in (("actions", "action"), ("proprio", "proprio")):
        for row, digest in zip(data[f"{platform}.{ours}"], about[f"{theirs}_tile_sha256_float32"], strict=True):
            frame = tile(row.flatten()[None].float(), layout)[0].numpy().astype("<f4")
            assert hashlib.sha256(frame.tobytes()).hexdigest() == digest


@pytest.mark.parametrize("platform", PLATFORMS)
def test_reading_is_upstreams(golden, platform):
    data = load_file(golden / "injection/tiles.safetensors")
    spec = PLATFORMS[platform]
    latents = blank(spec.layout(), 1)
    latents.x[:, :, latents.layout.index("actions")] = data[f"{platform}.noisy_action_frame"]
    latents.x[:, :, latents.layout.index("value")] = data[f"{platform}.noisy_value_frame"]
    said = extract(latents, unit(spec))
    np.testing.assert_allclose(said.actions, data[f"{platform}.extracted_actions"], atol=1e-6)
    raw = read(latents, "value", 1)
    np.testing.assert_allclose(raw[0], data[f"{platform}.extracted_value"], atol=1e-6)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_is_injected_is_extracted(platform):
    spec = PLATFORMS[platform]
    layout, random = spec.layout(side=8), np.random.default_rng(0)
    actions = random.uniform(-1, 1, (3, spec.chunk_size, spec.action_dim))
    proprio = random.uniform(-1, 1, (3, spec.proprio_dim))
    value = np.array([0.0, 0.3, 1.0])
    latents = inject(blank(layout, 3), unit(spec), actions=actions, future_proprio=proprio, value=value, rounding=None)
    said = extract(latents, unit(spec))
    np.testing.assert_allclose(said.actions, actions, atol=1e-6)
    np.testing.assert_allclose(said.future_proprio, proprio, atol=1e-6)
    np.testing.assert_allclose(said.value, value, atol=1e-6)


def test_inject_changes_only_its_frame_and_no_argument():
    spec = PLATFORMS["libero"]
    latents = blank(spec.layout(side=8), 1)
    after = inject(latents, unit(spec), value=np.array([1.0]))
    changed = (after.x != latents.x).flatten(3).any(-1).any(1)[0]
    assert changed.tolist() == [False] * 8 + [True]
    assert latents.x.abs().sum() == 0


def test_aloha_ignores_the_cut_off_copy():
    """17 complete copies of 700 numbers and 644 elements that belong to none."""
    spec = PLATFORMS["aloha"]
    layout = spec.layout()
    latents = inject(blank(layout, 1), unit(spec), actions=np.full((1, 50, 14), 0.5), rounding=None)
    frame = latents.x[:, :, layout.index("actions")].flatten(1)
    frame[:, 17 * 700 :] = 99.0
    latents.x[:, :, layout.index("actions")] = frame.view(1, 16, 28, 28)
    np.testing.assert_allclose(extract(latents, unit(spec)).actions, 0.5, atol=1e-6)


def test_a_wrong_action_size_is_a_plain_error():
    spec = PLATFORMS["libero"]
    with pytest.raises(ValueError, match="actions"):
        inject(blank(spec.layout(side=8), 1), unit(spec), actions=np.zeros((1, 16, 6)))
