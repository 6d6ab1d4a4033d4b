"""Noise from seeds, and training noise levels against upstream's distribution (METHOD.md 5.1, 6.1)."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from workbench.diffusion.noise import SigmaDistribution, draw, variance_scale
from workbench.platforms import PLATFORMS


@pytest.mark.parametrize("platform", ["libero", "aloha"])
def test_noise_is_upstreams(golden, platform):
    data = load_file(golden / f"sampler/{platform}.safetensors")
    about = json.loads((golden / f"sampler/{platform}.json").read_text())
    noise = draw([about["seed_base"]], PLATFORMS[platform].layout(side=8))
    torch.testing.assert_close(noise, data["noise.seed_base"], atol=0, rtol=0)


@pytest.mark.parametrize("platform", ["libero", "aloha"])
def test_variance_scale_is_upstreams(golden, platform):
    about = json.loads((golden / f"sampler/{platform}.json").read_text())
    for seed, expected in about["variance_scale_by_seed"].items():
        high, low = variance_scale(int(seed))
        assert high == pytest.approx(expected["sigma_max_scale"], rel=1e-6)
        assert low == pytest.approx(expected["sigma_min_scale"], rel=1e-6)


def test_a_row_is_the_same_in_any_batch():
    layout = PLATFORMS["libero"].layout(side=4)
    torch.testing.assert_close(draw([3, 5, 9], layout)[1:2], draw([5], layout), atol=0, rtol=0)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_out_of_range(seed):
    with pytest.raises(ValueError, match="seed"):
        draw([seed], PLATFORMS["libero"].layout(side=4))


def test_training_levels_follow_upstreams_distribution(golden):
    about = json.loads((golden / "training/sigma_distribution.json").read_text())
    generator = torch.Generator().manual_seed(0)
    sigma = SigmaDistribution(scale_by_frames=False).sample(1_000_000, 9, generator=generator)
    found = np.percentile(sigma, about["percentiles"])
    np.testing.assert_allclose(found, about["base_exact"], rtol=0.02)


@pytest.mark.parametrize("frames", [9, 11])
def test_training_levels_grow_with_the_root_of_the_frames(frames):
    plain, scaled = (
        SigmaDistribution(scale_by_frames=scale).sample(100, frames, generator=torch.Generator().manual_seed(0))
        for scale in (False, True)
    )
    torch.testing.assert_close(scaled, plain * frames**0.5)
