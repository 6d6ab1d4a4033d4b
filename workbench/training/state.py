"""Training state on disk: safetensors and JSON, written whole or not at all, enough to go on bit for bit.

Every iteration draws its batch and noise from a generator seeded with (seed, iteration, worker), so the
position in the data and all random states are one number: the iteration.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from workbench import files


def generator(seed: int, iteration: int, worker: int = 0) -> torch.Generator:
    """The randomness of one iteration of one worker."""
    return torch.Generator().manual_seed((seed * 1_000_003 + iteration) * 64 + worker)


def save_state(
    folder: Path, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer, iteration: int
) -> None:
    """Write weights (also averaged ones: give them as a module), optimiser moments and the iteration."""
    tensors = {
        f"{name}/{key}": tensor.contiguous()
        for name, module in modules.items()
        for key, tensor in module.state_dict().items()
    }
    for index, moments in optimizer.state_dict()["state"].items():
        for key, value in moments.items():
            tensors[f"optimizer/{index}/{key}"] = torch.as_tensor(value).contiguous()
    with files.atomic_folder(folder) as target:
        files.save_safetensors(target / "state.safetensors", tensors)
        files.write_json(target / "state.json", {"iteration": iteration})


def load_state(folder: Path, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer) -> int:
    """Fill in what `save_state` wrote; returns the iteration to go on with (0 if there is nothing).

    A save that was interrupted is recovered before, by one process alone (`files.recover_folder`).
    """
    if not (folder / "state.json").is_file():
        return 0
    tensors = files.load_safetensors(folder / "state.safetensors")
    for name, module in modules.items():
        module.load_state_dict(_part(tensors, name))
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in _part(tensors, "optimizer").items():
        index, moment = key.split("/")
        state.setdefault(int(index), {})[moment] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(files.read_json(folder / "state.json")["iteration"])


def _part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}/"): tensor for key, tensor in tensors.items() if key.startswith(f"{name}/")}
