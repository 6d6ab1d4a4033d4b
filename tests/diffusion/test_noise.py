"""Noise from seeds, and training noise levels against upstream's distribution (METHOD.md 5.1, 6.1)."""

import json

import golden_bundle
import numpy as np
import pytest
import torch

from workbench.diffusion.noise import SigmaDistribution, draw, variance_scale
from workbench.diffusion.precondition import RECTIFIED_FLOW
from workbench.platforms import PLATFORMS


@pytest.mark.golden("sampler/*.json", "!sampler/schedules*")
def test_noise_is_upstreams(case, fidelity):
    case = golden_bundle.Case.read(case)
    expected = case.data["noise.seed_base"]
    layout = case.spec.layout(expected.shape[1], side=expected.shape[-1])
    fidelity.exact("noise", draw([case.about["seed_base"]], layout), expected)


@pytest.mark.golden("sampler/*.json", "!sampler/schedules*")
def test_variance_scale_is_upstreams(case, fidelity):
    for seed, expected in json.loads(case.read_text())["variance_scale_by_seed"].items():
        wanted = [expected["sigma_max_scale"], expected["sigma_min_scale"]]
        fidelity.relative("variance scale", variance_scale(int(seed)), wanted, rtol=1e-6)


def test_a_row_is_the_same_in_any_batch():
    layout = PLATFORMS["libero"].layout(side=4)
    torch.testing.assert_close(draw([3, 5, 9], layout)[1:2], draw([5], layout), atol=0, rtol=0)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_out_of_range(seed):
    with pytest.raises(ValueError, match="seed"):
        draw([seed], PLATFORMS["libero"].layout(side=4))


@pytest.mark.golden("training/sigma_distribution*.json")
def test_training_levels_follow_upstreams_distribution(case, fidelity):
    about = json.loads(case.read_text())
    sigma = SigmaDistribution(scale_by_frames=False).sample(1_000_000, 9, generator=torch.Generator().manual_seed(0))
    low = [percentile <= 5 for percentile in about["percentiles"]]
    factors = {key: about[key]["factor"] for key in about if key.startswith("times_sqrt")}
    for name, factor in ({"base_exact": 1.0} | factors).items():
        expected = np.array(about[name] if name == "base_exact" else about[name]["exact"])
        found = factor * np.percentile(sigma, about["percentiles"])
        ends, middle = np.array(low), ~np.array(low)
        fidelity.relative(f"{name}, percentiles to 5", found[ends], expected[ends], rtol=0.02)
        fidelity.relative(f"{name}, percentiles above 5", found[middle], expected[middle], rtol=0.01)
    for one in about["loss_weight"]:
        found = RECTIFIED_FLOW.weight(torch.tensor(one["sigma"], dtype=torch.float64))
        fidelity.relative("loss weight", found, one["weight"], rtol=1e-6)


@pytest.mark.parametrize("frames", [9, 11])
def test_training_levels_grow_with_the_root_of_the_frames(frames):
    plain, scaled = (
        SigmaDistribution(scale_by_frames=scale).sample(100, frames, generator=torch.Generator().manual_seed(0))
        for scale in (False, True)
    )
    torch.testing.assert_close(scaled, plain * frames**0.5)
