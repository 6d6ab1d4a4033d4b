"""Training state of one or many processes: each writes its part, and any number of processes can go on from it.

`STATE/part-R-of-N.safetensors` holds slices of every trained weight and of its moments, `state.json` the iteration.
The folder is replaced when all parts are written: a kill or a full disk leaves the last one whole. All processes must
see the same folder.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from workbench import files
from workbench.training.parallel import Place, local, part_of

MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def save(folder: Path, net: nn.Module, optimizer: torch.optim.Optimizer, iteration: int, here: Place) -> None:
    """Write the state after `iteration` iterations."""
    mine = _part(folder, here.rank)
    if here.rank:
        files.save_safetensors(mine, dict(_tensors(net, optimizer)))
    here.barrier()
    if here.rank == 0:
        with files.atomic_folder(folder) as target:
            files.save_safetensors(target / _name(0, here.size), dict(_tensors(net, optimizer)))
            for rank in range(1, here.size):
                _part(folder, rank).replace(target / _name(rank, here.size))
            files.write_json(target / "state.json", {"iteration": iteration, "processes": here.size})
    here.barrier()


def load(folder: Path, net: nn.Module, optimizer: torch.optim.Optimizer, here: Place) -> int:
    """Fill in what `save` wrote, also with another number of processes; returns the iteration to go on with, or 0.

    Raises ValueError if it is of another network.
    """
    if here.rank == 0:
        files.recover_folder(folder)
    here.barrier()
    if not (folder / "state.json").is_file():
        return 0
    about = files.read_json(folder / "state.json")
    count = int(about["processes"])
    parts = [files.load_safetensors(folder / _name(rank, count)) for rank in range(count)]
    trained = dict(_trained(net))
    missing = [name for name in trained if f"weight/{name}" not in parts[0]]
    if missing or len(parts[0]) != len(trained) * (1 + len(MOMENTS)):
        raise ValueError(f"{folder} holds the state of another network ({missing[:1]}): choose another folder")
    for name, parameter in trained.items():
        with torch.no_grad():
            local(parameter).copy_(part_of(_joined(parts, f"weight/{name}", parameter), parameter, here))
        moments = {key: _joined(parts, f"{key}/{name}", parameter) for key in MOMENTS}
        optimizer.state[parameter] = {
            "step": moments["step"].clone(),
            **{key: _like(part_of(moments[key], parameter, here), parameter) for key in MOMENTS[:2]},
        }
    return int(about["iteration"])


def _like(part: Tensor, parameter: Tensor) -> Tensor:
    moment = torch.zeros_like(parameter)
    local(moment).copy_(part)
    return moment


def _trained(net: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return ((name, parameter) for name, parameter in net.named_parameters() if parameter.requires_grad)


def _tensors(net: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in _trained(net):
        yield f"weight/{name}", local(parameter.detach())
        for key, value in optimizer.state[parameter].items():
            yield f"{key}/{name}", local(value)


def _joined(parts: list[Mapping[str, Tensor]], name: str, like: Tensor) -> Tensor:
    """The whole tensor: of slices, or any of the copies where every process held all of it."""
    pieces = [part[name] for part in parts]
    return pieces[0] if pieces[0].ndim == 0 or pieces[0].shape == like.shape else torch.cat(pieces)


def _name(rank: int, size: int) -> str:
    return f"part-{rank:05d}-of-{size:05d}.safetensors"


def _part(folder: Path, rank: int) -> Path:
    return folder.with_name(f".{folder.name}.part-{rank:05d}")
