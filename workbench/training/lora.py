"""Low-rank changes (LoRA) around a frozen network, by peft: for one GPU that cannot hold the moments of all weights."""

import importlib.util

import torch
from torch import Tensor, nn

TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2"]
"""The linear layers of every block: of both attentions and the feed-forward part."""


def with_lora(net: nn.Module, rank: int, precision: torch.dtype) -> nn.Module:
    """Freeze the network in `precision` and put changes of `rank` beside its layers, in float32; they begin at zero.

    The network is changed in place: called as before, it says what it said. ValueError where peft is not installed.
    """
    if importlib.util.find_spec("peft") is None:
        raise ValueError("--lora needs the package peft: pip install -c constraints.txt -e '.[lora]'")
    from peft import LoraConfig
    from peft.tuners.lora import LoraModel

    net.to(precision).requires_grad_(False)
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGETS, lora_dropout=0.0)
    model = LoraModel(net, config, "default")
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return model


def merged(model: nn.Module) -> dict[str, Tensor]:
    """The network's weights with the changes added, in float32 on the CPU, under its own names; ends the training."""
    net = model.float().merge_and_unload()
    return {name: weight.detach().cpu() for name, weight in net.state_dict().items()}
