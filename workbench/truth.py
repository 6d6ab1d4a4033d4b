"""What became of a plan: whether the choice was the best one, and whether the values knew the order."""

from workbench.statistics import spearman
from workbench.types import Plan


def regret(plan: Plan) -> float | None:
    """Worth of the best candidate minus the chosen one's, in [0, 1]; None until all have been executed."""
    worth = {c.index: c.outcome.worth for c in plan.candidates if c.outcome is not None}
    known = plan.best in worth and len(worth) == len(plan.candidates)
    return max(worth.values()) - worth[plan.best] if known else None


def rank_correlation(plan: Plan) -> float | None:
    """Spearman's correlation of value and worth over the executed candidates, in [-1, 1].

    None where it means nothing: see `statistics.spearman`.
    """
    both = [(c.value, c.outcome.worth) for c in plan.candidates if c.outcome is not None and c.value is not None]
    return spearman(*zip(*both, strict=True)) if both else None
