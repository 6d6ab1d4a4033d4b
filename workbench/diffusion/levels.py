"""The published noise levels, seeds and numbers of calls: what can be said without torch (METHOD.md 6)."""

SIGMA_MAX, SIGMA_MIN, RHO = 80.0, 4.0, 7.0

MAX_SEED = 2**32 - 1


def upstream_calls(steps: int) -> int:
    """Network calls that upstream makes when asked for `steps`: 2 are silently 1 (METHOD.md 6.2)."""
    return 1 if steps == 2 else steps
