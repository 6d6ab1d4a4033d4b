"""Names and shapes of upstream's weights: each has its place, or the error names it."""

import pytest
import torch
import upstream_files
from torch import Tensor

from workbench.models import convert


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return upstream_files.state()


def test_the_published_size_is_read_off_the_shapes():
    shapes = upstream_files.shapes(**upstream_files.PUBLISHED)
    assert len(shapes) == 567 and sum(shape.numel() for shape in shapes.values()) == 1_956_413_440
    # METHOD.md 4.3 lists these.
    assert shapes["net.x_embedder.proj.1.weight"] == (2048, 72)
    assert shapes["net.t_embedder.1.linear_2.weight"] == (6144, 2048)
    assert shapes["net.t_embedding_norm.weight"] == (2048,)
    assert shapes["net.blocks.27.adaln_modulation_cross_attn.1.weight"] == (256, 2048)
    assert shapes["net.blocks.0.self_attn.q_norm.weight"] == (128,)
    assert shapes["net.final_layer.adaln_modulation.2.weight"] == (4096, 256)
    weights = convert.denoiser_weights({name: torch.empty(shape, device="meta") for name, shape in shapes.items()})
    config = convert.denoiser_config(weights)
    assert (config["num_layers"], config["num_attention_heads"], config["attention_head_dim"]) == (28, 16, 128)
    assert (config["in_channels"], config["out_channels"], config["patch_size"]) == (18, 16, (1, 2, 2))
    assert (config["mlp_ratio"], config["text_embed_dim"], config["adaln_lora_dim"]) == (4.0, 1024, 256)


@pytest.mark.parametrize("heads, head_dim, blocks, rank, text", [(1, 32, 1, 4, 8), (3, 16, 4, 16, 64)])
def test_other_sizes_are_read_off_too(heads, head_dim, blocks, rank, text):
    state = upstream_files.state(heads=heads, head_dim=head_dim, blocks=blocks, rank=rank, text=text)
    config = convert.denoiser_config(convert.denoiser_weights(state))
    assert config["num_attention_heads"] == heads and config["attention_head_dim"] == head_dim
    assert config["num_layers"] == blocks and config["adaln_lora_dim"] == rank and config["text_embed_dim"] == text


def test_every_name_goes_there_and_back(state):
    names = [name for name in state if not convert.is_dropped(name)]
    weights = convert.denoiser_weights(state)
    assert [convert.upstream_name(name) for name in weights] == names


@pytest.mark.parametrize("wrapper", ["model", "state_dict"])
def test_a_wrapper_makes_no_difference(state, wrapper):
    assert convert.denoiser_weights({wrapper: state}).keys() == convert.denoiser_weights(state).keys()


def test_the_average_of_training_and_others_are_set_aside_by_name(state):
    more = state | {"net_ema.blocks.0.mlp.layer1.weight": torch.zeros(1), "logvar.0.freqs": torch.zeros(1)}
    assert convert.denoiser_weights(more).keys() == convert.denoiser_weights(state).keys()
    assert convert.set_aside(more) == ["net_ema.blocks.0.mlp.layer1.weight", "logvar.0.freqs"]


@pytest.mark.parametrize("content", [{}, {"weight": torch.zeros(1)}, {1: torch.zeros(1)}, [1], torch.zeros(1), "x"])
def test_other_files_are_no_checkpoint(content):
    with pytest.raises(ValueError, match="checkpoint: expected"):
        convert.denoiser_weights(content)


@pytest.mark.parametrize("value", [torch.zeros(64, 128, dtype=torch.int8), "text", None])
def test_weights_of_another_type_are_named(state, value):
    key = "net.blocks.1.mlp.layer1.weight"
    with pytest.raises(ValueError, match="expected net.blocks.1.mlp.layer1.weight in bfloat16"):
        convert.denoiser_weights(state | {key: value})


def test_a_file_that_lacks_what_tells_its_size_says_what(state):
    part = {name: tensor for name, tensor in state.items() if "blocks.0" not in name}
    with pytest.raises(
        ValueError, match=r"4 tensors are missing \(net.blocks.0.self_attn.q_proj.weight.* and 1 more\)"
    ):
        convert.denoiser_config(convert.denoiser_weights(part))


@pytest.mark.parametrize("key", ["net.x_embedder.proj.1.weight", "net.final_layer.linear.weight"])
@pytest.mark.parametrize("shape", [(32, 71), (32, 0), (0, 0), (1,), (), (32, 2, 2)])
def test_shapes_of_another_network_are_refused(state, key, shape):
    with pytest.raises(ValueError, match="shapes are of no Cosmos Policy network"):
        convert.denoiser_config(convert.denoiser_weights(state | {key: torch.zeros(shape)}))


@pytest.mark.parametrize("content", [{}, {"a": torch.zeros(1)}, {"encoder.conv1.weight": torch.zeros(1), "x.y": 1}])
def test_other_files_are_no_tokenizer(content):
    with pytest.raises(ValueError, match="tokenizer: expected"):
        convert.tokenizer_config(convert.tokenizer_weights(content))
