"""Counted work against a formula by hand, and what each saving saves."""

from dataclasses import replace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from workbench import work
from workbench.models.bundle import tiny
from workbench.models.shortcuts import NONE, Shortcuts
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.work import Work


@pytest.fixture(scope="module")
def shape():
    return tiny(PLATFORMS["libero"], causal=False).to("meta")


@pytest.fixture(scope="module")
def call(shape):
    return work.network_call(shape, "policy")


def network_flops(bundle, *, tokens: int, asked: int, texts: int) -> int:
    """Operations of one call by hand: `asked` tokens leave the last block, text keys are there already."""
    config = bundle.denoiser.net.config
    width, hidden = config.num_attention_heads * config.attention_head_dim, None
    hidden = int(config.mlp_ratio * width)
    area = config.patch_size[1] * config.patch_size[2]
    flops = 2 * tokens * config.in_channels * area * width  # patches in
    for block in range(config.num_layers):
        here = asked if block == config.num_layers - 1 else tokens
        flops += 2 * width * width * (2 * tokens + 2 * here)  # keys and values of all, queries and output
        flops += 2 * 2 * here * tokens * width  # scores and mixtures
        flops += 2 * 2 * width * width * here + 2 * 2 * here * texts * width  # the text
        flops += 2 * 2 * here * width * hidden
    return flops + 2 * asked * width * config.out_channels * area  # patches out


def test_a_network_call_costs_what_the_formula_says(shape, call):
    tokens_a_frame = 4  # 8 x 8 latents in patches of 4
    expected = network_flops(shape, tokens=9 * tokens_a_frame, asked=5 * tokens_a_frame, texts=16)
    assert call.calls == 1 and call.encoded == call.decoded == 0
    assert call.flops == pytest.approx(expected, rel=0.02)  # and the one null token where the text is padded


@pytest.mark.heavy
def test_counting_does_not_depend_on_the_device(shape):
    """A real run has the operations that were counted on shapes, as torch's own counter has them."""

    def operations(bundle, counter) -> None:
        x, known = torch.zeros(1, *bundle.layout.shape, device=bundle.device), torch.zeros(1, 9, dtype=torch.bool)
        text = torch.zeros(1, 5, 16, device=bundle.device)
        with torch.no_grad(), counter, sdpa_kernel(SDPBackend.MATH):
            bundle.denoiser(x, torch.tensor([80.0]), known=known, given=x, text=text)

    real, shapes, torchs = work._Operations(), work._Operations(), FlopCounterMode(display=False)
    operations(tiny(PLATFORMS["libero"]), real)
    operations(tiny(PLATFORMS["libero"]).to("meta"), shapes)
    operations(tiny(PLATFORMS["libero"]).to("meta"), torchs)
    assert real.count == shapes.count == torchs.get_total_flops() > 0


@pytest.mark.heavy
def test_what_is_encoded_and_decoded():
    shape = tiny(PLATFORMS["libero"]).to("meta")  # a causal tokenizer: only behind one can a sequence end early
    assert work.encoding(shape, decodable=False).encoded == 2  # the two cameras, behind the black start
    assert work.encoding(shape, decodable=True).encoded == 4
    assert work.encoding(shape.plain(), decodable=False).encoded == 9
    assert work.decoding(shape, 1).decoded == 8
    assert work.decoding(shape, 24).decoded == 6 + 24 * 2  # the present once, two pictures a future
    assert work.decoding(shape.plain(), 1).decoded == 9


@pytest.mark.heavy
@pytest.mark.parametrize("off", ["modulation", "text", "last_block"])
def test_every_saving_saves(shape, call, off):
    without = shape.with_shortcuts(replace(Shortcuts(), **{off: False}))
    assert work.network_call(without, "policy").flops > call.flops


@pytest.mark.heavy
def test_a_decision_by_phase():
    settings = PlanSettings()
    shape = tiny(PLATFORMS["libero"], causal=False).to("meta")
    ours, plain = work.decision(shape, settings), work.decision(shape.with_shortcuts(NONE), settings, batched=False)
    assert {phase: one.calls for phase, one in ours.items()} == {phase: one.calls for phase, one in plain.items()}
    assert work.total(ours.values()).calls == settings.network_calls
    assert plain["encode"].encoded == 8 * 9 and ours["encode"].encoded == 2  # no black frame twice
    assert plain["decode"].decoded == 24 * 9 and ours["decode"].decoded == 24 * 2
    assert "imagine" not in work.decision(shape, replace(settings, value="q"))
    assert ours.items() - work.decision(shape, settings, pictures=False).items() == {("decode", ours["decode"])}


@pytest.mark.heavy
def test_a_deeper_decision():
    settings = PlanSettings(candidates=2, calls=2, futures=2, values=1, depth=3)
    counted = work.decision(tiny(PLATFORMS["libero"], causal=False).to("meta"), settings)
    assert work.total(counted.values()).calls == settings.network_calls
    assert counted["decode"].decoded == 2 * 2 * 2, "two pictures of each future, of the first chunk's only"


def test_works_add_and_multiply():
    assert 3 * Work(1.0, 1, 2, 0) + Work(0.5) == Work(3.5, 3, 6, 0)
    assert work.with_calls({"encode": Work(1.0), "denoise": Work(2.0, 1)}, 5)["denoise"] == Work(10.0, 5)


def test_only_shapes_are_counted():
    with pytest.raises(ValueError, match="meta device"):
        work.network_call(tiny(PLATFORMS["libero"]), "policy")
