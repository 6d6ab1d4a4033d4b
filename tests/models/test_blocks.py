"""Every shortcut of the fast forward pass gives what diffusers' own gives, and forgets when it must."""

from dataclasses import replace

import pytest
import torch

from workbench.models.bundle import tiny
from workbench.models.denoiser import Denoiser
from workbench.models.shortcuts import NONE, Shortcuts
from workbench.platforms import PLATFORMS


def pair() -> tuple[Denoiser, Denoiser]:
    fast = tiny(PLATFORMS["libero"]).denoiser
    plain = Denoiser(fast.net, fast.precondition, text_positions=fast.text_positions, shortcuts=NONE)
    return fast, plain


def question(denoiser: Denoiser, batch: int = 3, tokens: int = 5) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = (batch, 16, 9, 8, 8)
    known = torch.rand(batch, 9, generator=generator) < 0.5
    return {
        "x": torch.randn(shape, generator=generator) * 40,
        "sigma": torch.tensor([80.0, 20.0, 4.0])[:batch],
        "known": known,
        "given": torch.randn(shape, generator=generator),
        "text": torch.randn(1, tokens, 16, generator=generator),
    }


def ask(denoiser: Denoiser, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    inputs = dict(inputs)
    return denoiser(inputs.pop("x"), inputs.pop("sigma"), **inputs)


@pytest.mark.parametrize("tokens", [1, 5, 16])
def test_equals_diffusers(tokens):
    fast, plain = pair()
    inputs = question(fast, tokens=tokens)
    with torch.no_grad():
        torch.testing.assert_close(ask(fast, inputs), ask(plain, inputs), atol=1e-4, rtol=0)
        torch.testing.assert_close(ask(fast, inputs), ask(plain, inputs), atol=1e-4, rtol=0)  # now from memory


@pytest.mark.parametrize("unknown", [[8], [4, 5, 6, 7], list(range(9))])
def test_leaving_out_what_nobody_asked_for_changes_nothing(unknown):
    fast, plain = pair()
    inputs = question(fast)
    inputs["known"][:] = True
    inputs["known"][:, unknown] = False
    with torch.no_grad():
        torch.testing.assert_close(ask(fast, inputs), ask(plain, inputs), atol=1e-4, rtol=0)


@pytest.mark.parametrize("off", ["modulation", "text", "last_block"])
def test_each_saving_alone_can_be_switched_off(off):
    fast, plain = pair()
    some = Denoiser(
        fast.net, fast.precondition, text_positions=fast.text_positions, shortcuts=replace(Shortcuts(), **{off: False})
    )
    inputs = question(fast)
    with torch.no_grad():
        torch.testing.assert_close(ask(some, inputs), ask(plain, inputs), atol=1e-4, rtol=1e-5)


def test_gradients_equal_diffusers():
    fast, plain = pair()
    inputs = question(fast)
    grads = []
    for denoiser in (fast, plain):
        denoiser.zero_grad()
        ask(denoiser, inputs).square().mean().backward()
        grads.append({name: p.grad.clone() for name, p in denoiser.net.named_parameters() if p.grad is not None})
    assert grads[0].keys() == grads[1].keys()
    for name, grad in grads[0].items():
        scale = grads[1][name].abs().max().clamp_min(1e-6)
        torch.testing.assert_close(grad / scale, grads[1][name] / scale, atol=1e-3, rtol=0)


@pytest.mark.parametrize("change", ["step", "load", "dtype"])
def test_a_change_of_the_weights_is_noticed(change):
    fast, plain = pair()
    inputs = question(fast)
    with torch.no_grad():
        before = ask(fast, inputs)
        if change == "step":
            for parameter in fast.net.parameters():
                parameter.mul_(1.1)
        elif change == "load":
            fast.load_state_dict(tiny(PLATFORMS["libero"], seed=1).denoiser.state_dict())
        else:
            fast.double().float()
            fast.net.transformer_blocks[0].norm1.linear_2.weight.mul_(2)
            fast.net.proj_out.weight.mul_(1)
        after = ask(fast, inputs)
        assert not torch.allclose(before, after)
        torch.testing.assert_close(after, ask(plain, inputs), atol=1e-4, rtol=0)


def test_another_text_in_the_same_place_is_noticed():
    fast, plain = pair()
    inputs = question(fast)
    with torch.no_grad():
        ask(fast, inputs)
        inputs["text"].mul_(-1)
        torch.testing.assert_close(ask(fast, inputs), ask(plain, inputs), atol=1e-4, rtol=0)


def test_too_long_a_text_is_a_plain_error():
    fast, _ = pair()
    with torch.no_grad(), pytest.raises(ValueError, match="at most 16"):
        ask(fast, question(fast, tokens=17))


@pytest.mark.heavy
def test_memory_is_bounded():
    from workbench.models.blocks import MAX_KEPT

    fast, _ = pair()
    inputs = question(fast, batch=1)
    with torch.no_grad():
        for level in range(MAX_KEPT + 10):
            ask(fast, inputs | {"sigma": torch.tensor([1.0 + level])})
    assert len(fast._fast._modulations._values) <= MAX_KEPT
