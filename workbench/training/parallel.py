"""Which of how many processes this is, and one network shared among them (torch's FSDP2).

`torchrun` and `accelerate launch` start the processes and say so in the environment; without them there is one.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor


@dataclass(frozen=True)
class Place:
    """This process among those that train together."""

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")

    def barrier(self) -> None:
        """Wait for the others."""
        if self.size > 1:
            dist.barrier()

    def mean(self, numbers: Mapping[str, float]) -> dict[str, float]:
        """Each number's mean over the processes, which all must ask for the same names."""
        if self.size == 1:
            return dict(numbers)
        values = torch.tensor(list(numbers.values()), dtype=torch.float64, device=self.device)
        dist.all_reduce(values)
        return dict(zip(numbers, (values / self.size).tolist(), strict=True))


@contextmanager
def place() -> Iterator[Place]:
    """This process's place; joins the others, and leaves them at the end."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
    if size == 1:
        yield Place(device=device)
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Place(dist.get_rank(), size, device)
    finally:
        dist.destroy_process_group()


def shard(net: nn.Module, blocks: Iterable[nn.Module], here: Place, *, precision: torch.dtype) -> None:
    """Give every process its part of every weight, gradient and moment; nothing happens where there is one process.

    The weights stay in float32 and are cast to `precision` where they are used; gradients add up in float32.
    """
    if here.size == 1:
        return
    mesh = init_device_mesh(here.device.type, (here.size,))
    policy = MixedPrecisionPolicy(param_dtype=precision, reduce_dtype=torch.float32)
    for block in blocks:
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(net, mesh=mesh, mp_policy=policy)


def accumulate(net: nn.Module, last: bool) -> None:
    """Say whether the next backward pass ends an iteration: only then do the processes exchange gradients."""
    if hasattr(net, "set_requires_gradient_sync"):
        net.set_requires_gradient_sync(last)


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that lies in this process."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor, on the CPU; every process must ask."""
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach().cpu()


def part_of(full: Tensor, like: Tensor, here: Place) -> Tensor:
    """This process's part of a whole tensor, divided as `like` is: in slices of its first dimension."""
    if not isinstance(like, DTensor):
        return full
    parts = full.chunk(here.size)
    return parts[here.rank] if here.rank < len(parts) else full[:0]
