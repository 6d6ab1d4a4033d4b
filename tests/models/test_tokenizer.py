"""The tokenizer against upstream's numbers, and what its shortcuts rely on: nothing depends on what follows."""

import copy

import golden_bundle
import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import WanRMS_norm
from safetensors.torch import load_file

from workbench import files
from workbench.models.bundle import tiny
from workbench.models.convert import tokenizer_weights
from workbench.models.shortcuts import NONE
from workbench.models.tokenizer import ChannelNorm
from workbench.platforms import PLATFORMS


def frames_of(video: torch.Tensor, each: int) -> list[torch.Tensor]:
    """One picture a latent frame: the first, then the first of `each` (golden videos differ within those)."""
    return [video[:, :, 0], *video[:, :, 1::each].unbind(2)]


VAE = {"reads": ("vae/config.json", "vae/tokenizer.safetensors")}


@pytest.mark.heavy
@pytest.mark.golden("vae/cases*.safetensors", **VAE)
@pytest.mark.parametrize("shortcuts", [True, False])
def test_decoding_matches_upstream(case, fidelity, shortcuts):
    cases = load_file(case)
    tokenizer = golden_bundle.tokenizer(case.parents[1], shortcuts=shortcuts)
    wanted = range(1, cases["latents"].shape[2])
    seen = tokenizer.decode(cases["latents"], wanted)
    # Held against the reference in float64: float32 kernels of different processors round 1e-5 apart.
    exact = tokenizer.double().decode(cases["latents"].double(), wanted)
    shown = cases["decoded"][:, :, 1 :: tokenizer.pictures_per_frame].clamp(-1, 1)
    fidelity.close("decoded", exact.transpose(1, 2), shown, atol=1e-5)
    pixels = ((seen + 1) * 127.5).clamp(0, 255).to(torch.uint8).transpose(1, 2)
    fidelity.pixels("decoded pictures", pixels, cases["decoded_uint8"])


@pytest.mark.heavy
@pytest.mark.golden("vae/cases*.safetensors", **VAE)
def test_a_video_encodes_as_upstream_does(case, fidelity):
    """The weights and the normalisation, on a video whose pictures all differ; its prefix encodes alike."""
    cases = load_file(case)
    tokenizer = golden_bundle.tokenizer(case.parents[1])
    video = cases["video_uint8"].float() / 127.5 - 1
    with torch.no_grad():
        raw = tokenizer.vae.encode(video).latent_dist.mean
        fidelity.close("encoded", raw, cases["latents_unnormalised"], atol=1e-5)
        fidelity.close("normalised", (raw - tokenizer.mean) / tokenizer.std, cases["latents"], atol=1e-5)
        known = cases["latents_prefix"].shape[2]
        prefix = tokenizer.vae.encode(video[:, :, : 1 + tokenizer.pictures_per_frame * (known - 1)]).latent_dist.mean
    fidelity.close("prefix", (prefix - tokenizer.mean) / tokenizer.std, cases["latents_prefix"], atol=1e-5)


@pytest.mark.heavy
@pytest.mark.golden("sampler/*.json", "!sampler/schedules*", **VAE)
@pytest.mark.parametrize("shortcuts", [True, False])
def test_encoding_matches_upstream(case, fidelity, shortcuts):
    """Clean latents of a whole query, cameras copied into their future frames as upstream does."""
    case = golden_bundle.Case.read(case)
    bundle, images = case.bundle(shortcuts=shortcuts), case.observation.images
    frames = [
        None
        if frame.camera is None
        else torch.from_numpy(images[frame.camera]).permute(2, 0, 1)[None].float() / 127.5 - 1
        for frame in bundle.layout.frames
    ]
    latents = bundle.tokenizer.encode(frames, size=bundle.spec.image_size)
    fidelity.close("clean latents", latents, case.context["clean_latents"], atol=1e-5)


@pytest.mark.golden("vae/*.pt")
def test_the_published_form_holds_the_same_weights(case, fidelity):
    ours = tokenizer_weights(files.load_torch(case))
    expected = tokenizer_weights(load_file(case.with_suffix(".safetensors")))
    fidelity.exact("names of the weights", sorted(ours), sorted(expected))
    fidelity.exact("weights", all(torch.equal(ours[name], expected[name]) for name in expected), True)


@pytest.mark.heavy
@pytest.mark.golden("vae/cases*.safetensors", **VAE)
def test_a_prefix_encodes_alike(case, fidelity):
    cases = load_file(case)
    tokenizer = golden_bundle.tokenizer(case.parents[1])
    frames = [part.float() / 127.5 - 1 for part in frames_of(cases["video_uint8"], tokenizer.pictures_per_frame)]
    whole = tokenizer.encode(frames, size=frames[0].shape[-1])
    prefix = tokenizer.encode(frames[:4], size=frames[0].shape[-1])
    fidelity.close("prefix, one picture a frame", prefix, whole[:, :, :4], atol=1e-6)


@pytest.mark.parametrize("causal", [True, False])
def test_the_kept_black_start_changes_nothing(causal):
    tokenizer = tiny(PLATFORMS["libero"], causal=causal).tokenizer
    picture = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    frames = [None, None, picture, picture.flip(-1), None]
    first = tokenizer.encode(frames, size=64, batch=2)
    again = tokenizer.encode(frames, size=64, batch=2)
    tokenizer.shortcuts = NONE
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


@pytest.mark.heavy
@pytest.mark.parametrize("causal", [True, False])
def test_what_rows_share_is_decoded_once_and_alike(causal):
    bundle = tiny(PLATFORMS["libero"], causal=causal)
    latents = torch.randn(3, 16, 9, 8, 8, generator=torch.Generator().manual_seed(0))
    latents[:, :, :5] = latents[:1, :, :5]
    assert bundle.tokenizer._shared_start(latents) == 5
    ours, plain = (one.tokenizer.decode(latents, [6, 7]) for one in (bundle, bundle.plain()))
    torch.testing.assert_close(ours, plain, atol=1e-5, rtol=0)
    assert bundle.tokenizer._shared_start(latents[:1].expand(3, -1, -1, -1, -1)) == 9


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_quick_norm_is_diffusers_with_its_gradients(dtype):
    quick = WanRMS_norm(6, images=False).to(dtype)
    with torch.no_grad():
        quick.gamma.copy_(torch.linspace(0.5, 2, 6).view_as(quick.gamma))
    slow = copy.deepcopy(quick)
    quick.__class__ = ChannelNorm
    x = torch.randn(2, 6, 1, 3, 4, generator=torch.Generator().manual_seed(0)).to(dtype)
    x[0, :, 0, 0, 0] = 0  # no direction, and no gradient that is no number
    found, gradients = [], []
    for norm in (quick, slow):
        given = x.clone().requires_grad_()
        found.append(norm(given))
        found[-1].float().pow(3).sum().backward()
        gradients.append(torch.cat([given.grad.flatten(), norm.gamma.grad.flatten()]))
    assert found[0].dtype == dtype and found[0].isfinite().all() and gradients[0].isfinite().all()
    torch.testing.assert_close(*found)
    torch.testing.assert_close(*gradients)
