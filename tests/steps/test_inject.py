"""Tiling and reading back, against upstream's tiles for the three robots (METHOD.md 2)."""

import hashlib
import json
from dataclasses import replace

import golden_bundle
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


def tiles(case):
    """Name, tensors, spec, layout and expected numbers of every platform of a file of tiles."""
    tensors, about = load_file(case.with_suffix(".safetensors")), json.loads(case.read_text())
    for name, expected in about["platforms"].items():
        data = {key[len(name) + 1 :]: tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}
        chunk, dim = expected["action_shape"]
        sizes = {"chunk_size": chunk, "action_dim": dim, "proprio_dim": expected["proprio_dim"]}
        spec = replace(PLATFORMS[golden_bundle.platform_of(name)], **sizes)
        layout = replace(spec.layout(about["latent_channels"]), height=about["height"], width=about["width"])
        yield name, data, spec, layout, expected


@pytest.mark.golden("injection/*.json", reads=("injection/*.safetensors",))
def test_tiles_are_upstreams(case, fidelity):
    """Every element of the action and proprio frames, by the digest of the whole frame."""
    for name, data, _, layout, expected in tiles(case):
        fidelity.exact(f"{name} frames", len(layout), expected["frames"])
        for ours, theirs in (("actions", "action"), ("proprio", "proprio")):
            frames = tile(data[ours].flatten(1), layout)
            digests = [hashlib.sha256(frame.numpy().astype("<f4").tobytes()).hexdigest() for frame in frames]
            fidelity.exact(f"{name} {ours}", digests, expected[f"{theirs}_tile_sha256_float32"])
        future = tile(data["future_proprio"], layout).flatten(1)[:, data["pick"].long()]
        fidelity.exact(f"{name} future_proprio", future, data["future_proprio_tile_picked"])


@pytest.mark.golden("injection/*.json")
def test_reading_is_upstreams(case, fidelity):
    for name, data, spec, layout, _ in tiles(case):
        latents = blank(layout, 1)
        latents.x[:, :, layout.index("actions")] = data["noisy_action_frame"]
        latents.x[:, :, layout.index("value")] = data["noisy_value_frame"]
        said = extract(latents, unit(spec))
        fidelity.close(f"{name} actions", said.actions, data["extracted_actions"], atol=1e-6)
        fidelity.close(f"{name} value", read(latents, "value", 1)[0], data["extracted_value"], atol=1e-6)


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
