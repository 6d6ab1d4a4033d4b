"""Random weights of the published shape: the right sizes, made where they are used."""

import numpy as np
import pytest
import torch

from workbench.models import checkpoints, untrained
from workbench.policy import predict
from workbench.types import Observation


@pytest.mark.slow  # the tiny models answer in every other test; this one is 2048 wide
def test_the_one_block_model_answers_a_query():
    bundle = checkpoints.load("random:cosmos-2b-1block", device="cpu", dtype=torch.float32)
    assert bundle.denoiser.net.config.num_layers == 1
    assert bundle.spec.image_size == 224 and bundle.layout.shape == (16, 9, 28, 28)
    small = bundle.at(64)
    images = {camera: np.zeros((64, 64, 3), np.uint8) for camera in small.spec.cameras}
    answer = predict(small, Observation(images, np.zeros(9)), bundle.text.names[0], calls=1)
    assert answer.actions.shape == (16, 7)
    assert np.isfinite(answer.actions).all() and np.abs(answer.actions).max() > 1e-3


def test_the_published_size():
    """1,956,413,440 parameters (METHOD.md 0), and Wan2.1's tokenizer."""
    from diffusers import AutoencoderKLWan, CosmosTransformer3DModel

    with torch.device("meta"):
        net = CosmosTransformer3DModel(**untrained.COSMOS, num_layers=untrained.BLOCKS["cosmos-2b"])
        vae = AutoencoderKLWan()
    assert sum(weight.numel() for weight in net.parameters()) == 1_956_413_440
    assert len(dict(net.named_parameters())) == 567
    assert 126e6 < sum(weight.numel() for weight in vae.parameters()) < 128e6


def test_liberos_forty_instructions():
    assert len(set(untrained.INSTRUCTIONS)) == 40


@pytest.mark.parametrize("name", ["random:cosmos-7b", "random:", "random:cosmos-2b@mars"])
def test_an_unknown_name_lists_the_known(name):
    with pytest.raises(ValueError, match="random:cosmos-2b.*libero"):
        untrained.untrained(name)


@pytest.mark.gpu
def test_the_whole_model_on_a_gpu_takes_its_own_size():
    """Needs a CUDA device with 8 GB."""
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    bundle = untrained.untrained("random:cosmos-2b", device="cuda")
    assert bundle.denoiser.dtype == torch.bfloat16
    weights = sum(
        w.numel() * w.element_size() for part in (bundle.denoiser, bundle.tokenizer) for w in part.parameters()
    )
    assert torch.cuda.max_memory_allocated() - before < 1.15 * weights
