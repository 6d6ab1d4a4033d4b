"""Weights into modules without a second copy: a module is built without memory and takes the tensors as they are."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
NAMED = 3
"""How many keys an error names before it counts the rest."""


def with_weights(
    make: Callable[[], nn.Module], weights: Mapping[str, Tensor], *, what: str, name: Callable[[str], str] = str
) -> nn.Module:
    """The module that `make` builds, in evaluation mode, holding the very tensors of `weights` (their dtype too).

    Raises ValueError, beginning with `what`, unless every tensor has its place and every place its tensor; keys are
    shown as `name` calls them.
    """
    with torch.device("meta"):
        module = make()
    check_weights(weights, module.state_dict(), what=what, name=name)
    module.load_state_dict(dict(weights), assign=True)
    return module.eval()


def check_weights(
    weights: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    *,
    what: str,
    name: Callable[[str], str] = str,
) -> None:
    """Raise ValueError unless both have the same keys and shapes; keys are shown as `name` calls them."""
    missing = [name(key) for key in expected if key not in weights]
    surplus = [name(key) for key in weights if key not in expected]
    if missing or surplus:
        parts = (count(missing, "missing"), count(surplus, "surplus"))
        raise ValueError(f"{what}: {'; '.join(filter(None, parts))}; is it the right file, and whole?")
    for key, tensor in weights.items():
        if not is_real(tensor):
            raise ValueError(f"{what}: expected {name(key)} in bfloat16, float16 or float32, got {tensor.dtype}")
        if tensor.shape != expected[key].shape:
            raise ValueError(
                f"{what}: expected {name(key)} of shape {list(expected[key].shape)}, got {list(tensor.shape)}"
            )


def is_real(tensor: object) -> bool:
    """Whether it is a tensor of real numbers in a precision that a network computes in."""
    return isinstance(tensor, Tensor) and tensor.dtype in DTYPES


def count(keys: list[str], how: str) -> str:
    if not keys:
        return ""
    return f"{len(keys)} tensor{'s are' if len(keys) > 1 else ' is'} {how} ({some(keys)})"


def some(keys: Iterable[str]) -> str:
    keys = list(keys)
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(keys[:NAMED]) + more
