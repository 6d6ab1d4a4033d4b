"""Learning-rate schedules: multiplier of the base rate at each iteration."""

import math


def cosine(iteration: int, *, total: int, warmup: int, floor: float = 0.02) -> float:
    """Linear warm-up, then half a cosine down to `floor`."""
    if iteration < warmup:
        return (iteration + 1) / warmup
    done = min(1.0, (iteration - warmup) / max(1, total - warmup))
    return floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2


def two_cycles(iteration: int, *, warmup: int, length: int) -> float:
    """The published schedule (METHOD.md 5.4): up to 1, down to 0.3 at `length`, then 0.06 for good."""
    if iteration < warmup:
        return 1e-6 + (1 - 1e-6) * iteration / warmup
    if iteration < length:
        return 1 + (0.3 - 1) * (iteration - warmup) / (length - warmup)
    return 0.06
