"""The tokenizer against upstream's numbers, and what its shortcuts rely on: nothing depends on what follows."""

import golden_bundle
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from workbench.models.bundle import tiny
from workbench.platforms import PLATFORMS


def frames_of(video: torch.Tensor) -> list[torch.Tensor]:
    """One picture a latent frame: the first, then the first of every four (golden videos differ within four)."""
    return [video[:, :, 0], *(video[:, :, 1 + 4 * k] for k in range((video.shape[2] - 1) // 4))]


def test_decoding_matches_upstream(golden):
    cases = load_file(golden / "vae/cases.safetensors")
    tokenizer = golden_bundle.tokenizer(golden)
    seen = tokenizer.decode(cases["latents"], range(1, 9))
    pixels = ((seen + 1) * 127.5).clamp(0, 255).to(torch.uint8).transpose(1, 2)
    difference = (pixels.int() - cases["decoded_uint8"].int()).abs()
    assert difference.max() <= 1
    assert (difference > 0).float().mean() < 0.01


@pytest.mark.parametrize("platform", ["libero", "aloha"])
@pytest.mark.parametrize("shortcuts", [True, False])
def test_encoding_matches_upstream(golden, platform, shortcuts):
    """Clean latents of a whole query, cameras copied into their future frames as upstream does."""
    context = load_file(golden / f"sampler/{platform}.safetensors")
    bundle = golden_bundle.bundle(golden, platform, context, shortcuts=shortcuts)
    images = golden_bundle.observation(platform, context).images
    frames = [
        None
        if frame.camera is None
        else torch.from_numpy(images[frame.camera]).permute(2, 0, 1)[None].float() / 127.5 - 1
        for frame in bundle.layout.frames
    ]
    latents = bundle.tokenizer.encode(frames, size=64)
    torch.testing.assert_close(latents, context["clean_latents"], atol=1e-5, rtol=0)


def test_a_prefix_encodes_alike(golden):
    cases = load_file(golden / "vae/cases.safetensors")
    tokenizer = golden_bundle.tokenizer(golden)
    frames = [part.float() / 127.5 - 1 for part in frames_of(cases["video_uint8"])]
    whole = tokenizer.encode(frames, size=48)
    prefix = tokenizer.encode(frames[:4], size=48)
    torch.testing.assert_close(whole[:, :, :4], prefix, atol=1e-6, rtol=0)


@pytest.mark.parametrize("causal", [True, False])
def test_the_kept_black_start_changes_nothing(causal):
    tokenizer = tiny(PLATFORMS["libero"], causal=causal).tokenizer
    picture = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    frames = [None, None, picture, picture.flip(-1), None]
    first = tokenizer.encode(frames, size=64, batch=2)
    again = tokenizer.encode(frames, size=64, batch=2)
    tokenizer.shortcuts = False
    torch.testing.assert_close(first, again, atol=0, rtol=0)
    torch.testing.assert_close(first, tokenizer.encode(frames, size=64, batch=2), atol=1e-6, rtol=0)


def test_loading_other_weights_forgets_the_black_start():
    tokenizer, other = (tiny(PLATFORMS["libero"], seed=seed).tokenizer for seed in (0, 1))
    before = tokenizer.encode([None], size=64)
    tokenizer.load_state_dict(other.state_dict())
    after = tokenizer.encode([None], size=64)
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, other.encode([None], size=64))


def test_independent_frames_do_not_know_each_other():
    tokenizer = tiny(PLATFORMS["libero"], causal=False).tokenizer
    a, b = torch.rand(2, 1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    together = tokenizer.encode([a, b], size=64)
    alone = tokenizer.encode([b], size=64)
    np.testing.assert_allclose(together[:, :, 1], alone[:, :, 0], atol=1e-6)
