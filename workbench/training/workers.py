"""Several processes of one thread each, which on a busy CPU beat one process of several threads.

Every worker runs the same iterations on its share of the batch; gradients are averaged over loopback.
"""

import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn


@dataclass(frozen=True)
class Team:
    """Which of how many workers this process is."""

    rank: int = 0
    size: int = 1

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the workers."""
        if self.size == 1:
            return
        grads = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([grad.flatten() for grad in grads])
        dist.all_reduce(flat)
        for grad, part in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
            grad.copy_(part.view_as(grad) / self.size)

    def barrier(self) -> None:
        """Wait for the others."""
        if self.size > 1:
            dist.barrier()


class Workers:
    """Context: starts the other workers, which run `target(team, *args)`, and joins them as rank 0."""

    def __init__(self, size: int, target: Callable[..., None], *args: Any) -> None:
        self.size, self.target, self.args = size, target, args
        self._processes: list[Any] = []

    def __enter__(self) -> Team:
        if self.size == 1:
            return Team()
        self._meeting = tempfile.TemporaryDirectory()
        address = f"file://{Path(self._meeting.name) / 'meeting'}"
        context = mp.get_context("spawn")
        for rank in range(1, self.size):
            process = context.Process(target=_run, args=(rank, self.size, address, self.target, self.args), daemon=True)
            process.start()
            self._processes.append(process)
        _join(0, self.size, address)
        return Team(0, self.size)

    def __exit__(self, *problem: object) -> None:
        if self.size == 1:
            return
        if problem[0] is not None:
            for process in self._processes:
                process.terminate()
        for process in self._processes:
            process.join(timeout=60)
        dist.destroy_process_group()
        self._meeting.cleanup()


def _join(rank: int, size: int, address: str) -> None:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=size)


def _run(rank: int, size: int, address: str, target: Callable[..., None], args: tuple) -> None:
    _join(rank, size, address)
    target(Team(rank, size), *args)
    dist.destroy_process_group()
