"""What a plan and its outcome say, in plain sentences: readings, reasons, headlines.

Plain text, not HTML: whoever puts it on a page escapes it. People count candidates from 1, so candidate 0
is "#1" in every sentence and picture.
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

import numpy as np
from jaxtyping import Float

from workbench.interventions import Change, Told
from workbench.planning.aggregate import SUCCESS
from workbench.truth import rank_correlation
from workbench.types import Candidate, Outcome, Plan

RULES = {
    "average": "mean",
    "lcb": "lower bound",
    "success_vote": "success vote",
    "majority_mean": "majority mean",
}
"""Aggregation rule to what people call it. `lcb` is the mean less one standard deviation."""

COIN_TOSS = (0.45, 0.6)
"""Whoever wins this share of the bootstrap resamplings is nearly a coin toss; below it, hardly a preference."""


def name(index: int) -> str:
    """What people call candidate `index`."""
    return f"#{index + 1}"


def called(plan: Plan, index: int) -> str:
    """The same within a sentence, where one of the candidates may be the reader's own."""
    return "your plan" if index == plan.yours else name(index)


def ordinal(rank: int) -> str:
    """Rank 0 is "1st"."""
    n = rank + 1
    suffix = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"


def number(value: float) -> str:
    """A value with two decimals, with one digit that counts where that would read 0.00."""
    return f"{value:.2f}" if value == 0 or value >= 0.005 else f"{value:.1g}"


def displacement(x: float, y: float) -> str:
    """Centimetres in the robot's own directions: `x` away from it, `y` to its left."""
    far = f"{abs(x):g} cm {'further away' if x > 0 else 'nearer'}"
    aside = f"{abs(y):g} cm to the robot's {'left' if y > 0 else 'right'}"
    return " and ".join([far] * (x != 0) + [aside] * (y != 0)) or "where it is"


def intervention(change: Change) -> str:
    """What somebody has done to a running episode."""
    if isinstance(change, Told):
        return f"told “{change.instruction}”"
    x, y, _ = (round(100 * metres, 1) for metres in change.by)
    return f"{change.name.replace('_', ' ')} moved {displacement(x, y)}"


def steps_to_success(value: float, gamma: float) -> float:
    """The n of gamma ** n = `value`; infinite at 0. Values are clipped to [0, 1]."""
    clipped = min(max(value, 0.0), 1.0)
    return math.inf if clipped == 0 else abs(math.log(clipped) / math.log(gamma))


def expectation(value: float, gamma: float) -> str:
    """What a value means: how far success is, from the end of the chunk, if it comes at all. Not a probability."""
    steps = steps_to_success(value, gamma)
    if math.isinf(steps):
        return "it does not expect success"
    if steps < 0.5:
        return "it believes that it has succeeded"
    return f"if it succeeds, {round(steps)} {_plural(round(steps), 'step')} after the chunk"


def reading(value: float, gamma: float) -> str:
    """A value with its meaning: "0.27: if it succeeds, 65 steps after the chunk"."""
    return f"{number(value)}: {expectation(value, gamma)}"


def meaning(plan: Plan, value: float) -> str:
    """What an aggregated value of `plan` means under its aggregation rule."""
    if plan.config.get("aggregation") == "success_vote":
        return f"{round(100 * value)} % of its samples foresee success"
    return expectation(value, plan.gamma)


def samples(candidate: Candidate) -> Float[np.ndarray, " n"]:
    """All value samples drawn so far, in one row."""
    if candidate.values is None:
        return np.empty(0)
    values = np.asarray(candidate.values, float).ravel()
    return values[~np.isnan(values)]


def ranked(plan: Plan) -> list[Candidate]:
    """The candidates that have a rank, best first."""
    return sorted((c for c in plan.candidates if c.rank is not None), key=lambda c: c.rank)


def reason(plan: Plan, candidate: Candidate) -> str:
    """One honest line on why `candidate` stands where it stands; empty while it has no rank."""
    order = ranked(plan)
    if candidate.rank is None or candidate.value is None:
        return ""
    if len(plan.candidates) == 1:
        return "the only candidate"
    if candidate.rank == 0:
        return _why_first(plan, candidate, order[1] if len(order) > 1 else candidate)
    return _why_not(plan, candidate, order[0])


def _why_first(plan: Plan, first: Candidate, second: Candidate) -> str:
    drawn = len(samples(first))
    if first.value == second.value:
        tied = sum(c.value == first.value for c in plan.candidates)
        return f"{tied} candidates tie at {number(first.value)}: the lowest number goes first"
    if drawn == 1:
        return f"highest of one sample each, {name(second.index)} next: no telling how sure"
    rule = RULES.get(str(plan.config.get("aggregation")), "value")
    why = f"highest {rule} of {drawn}; "
    if _within_spread(plan, first, second):
        why += f"{name(second.index)} is within the spread"
    else:
        why += f"{name(second.index)} is {number(first.value - second.value)} lower"
    if math.isnan(plan.margin):
        return why
    doubt = _doubt(plan.margin)
    return f"{why}{': ' + doubt if doubt else ''}, it wins {round(100 * plan.margin)} % of resamplings"


def _doubt(margin: float) -> str:
    """Empty for a clear winner, and while the margin is not known (NaN)."""
    low, high = COIN_TOSS
    if margin < low:
        return "hardly a preference"
    return "nearly a coin toss" if margin < high else ""


def _why_not(plan: Plan, candidate: Candidate, first: Candidate) -> str:
    gap, winner = first.value - candidate.value, name(first.index)
    drawn = samples(candidate)
    if gap == 0:
        return f"ties with {winner}, which has the lower number"
    if candidate.value == 0 and len(drawn) > 1:
        return f"{int((drawn <= SUCCESS).sum())} of {len(drawn)} samples foresee failure"
    why = f"{number(gap)} below {winner}"
    if len(drawn) > 1 and _within_spread(plan, first, candidate):
        return why + ", within its spread"
    if len(drawn) > 1 and drawn.max() < samples(first).min():
        return why + ": its best sample is below that one's worst"
    return why


def _within_spread(plan: Plan, first: Candidate, other: Candidate) -> bool:
    """Whether `other` is at most one standard deviation of the first one's samples below it; of samples that share
    their noise, of the distances from one to the other."""
    drawn = samples(first)
    if plan.config.get("same_noise") and len(drawn) == len(samples(other)):
        drawn = drawn - samples(other)
    return len(drawn) > 1 and first.value - other.value <= float(drawn.std(ddof=1))


def headline(plan: Plan) -> str:
    """What was chosen and, as far as outcomes are known, whether it was right."""
    executed = [c for c in plan.candidates if c.outcome is not None]
    chosen = _chosen(plan)
    if chosen is None or chosen.value is None:
        return ""
    if not executed:
        return _prospect(plan, chosen)
    said = _partial_verdict if len(executed) < len(plan.candidates) else _verdict
    words = said(plan, chosen, executed)
    return words if "your plan would" in words else words + _compared(plan, chosen)


def _compared(plan: Plan, chosen: Candidate) -> str:
    """What the reader's own plan would have been, beside the chosen one; empty where nothing can be said."""
    yours = next((c for c in plan.candidates if c.index == plan.yours), None)
    if yours is None or yours is chosen or yours.outcome is None or chosen.outcome is None:
        return ""
    own, truth = yours.outcome, chosen.outcome
    if several(plan):
        more = own.worth - truth.worth
        much = f"{number(abs(more))} {'more' if more > 0 else 'less'}" if more else "as much"
        return f" Your plan would have been worth {much}."
    if not own.success:
        return f" Your plan fails{'' if truth.success else ', too'}."
    if not truth.success:
        return f" Your plan would have succeeded in {own.steps} steps."
    saved = truth.steps - own.steps
    if saved == 0:
        return " Your plan would have been as fast."
    return (
        f" Your plan would have been {abs(saved)} {_plural(abs(saved), 'step')} {'faster' if saved > 0 else 'slower'}."
    )


def _prospect(plan: Plan, chosen: Candidate) -> str:
    doubt = _doubt(plan.margin) if len(samples(chosen)) > 1 else ""
    choice = f"It chooses {called(plan, chosen.index)}" if len(plan.candidates) > 1 else "The only candidate"
    return f"{choice}{', ' + doubt if doubt else ''}. {number(chosen.value)}: {meaning(plan, chosen.value)}."


def _chosen(plan: Plan) -> Candidate | None:
    return next((c for c in plan.candidates if c.index == plan.best), None)


def _partial_verdict(plan: Plan, chosen: Candidate, executed: Sequence[Candidate]) -> str:
    progress = f"{len(executed)} of {len(plan.candidates)} executed."
    if chosen.outcome is None:
        return f"It chose {called(plan, chosen.index)}. {progress}"
    believed = f"it believed {number(chosen.value)}, {meaning(plan, chosen.value)}"
    return f"{_capital(called(plan, chosen.index))} {result(chosen.outcome)}; {believed}. {progress}"


def _verdict(plan: Plan, chosen: Candidate, executed: Sequence[Candidate]) -> str:
    """The headline when the truth of every candidate is known."""
    if several(plan):
        return _verdict_of_means(plan, chosen, executed)
    who, truth = called(plan, chosen.index), chosen.outcome
    best = max(executed, key=lambda c: c.outcome.worth)
    solved = sum(c.outcome.success for c in executed)
    if len(executed) == 1:
        return f"{_capital(who)} {result(truth)}. It had no other candidate."
    if solved == 0:
        return f"It chose {who}; all {len(executed)} fail, {_furthest(plan, chosen, best)}."
    if all(c.outcome.worth == best.outcome.worth for c in executed):
        same = f"all {len(executed)} succeed in {truth.steps} steps"
        return f"It chose {who}; {same}: the choice did not matter."
    tally = f"{solved} of {len(executed)} succeed."
    if truth.worth == best.outcome.worth:
        return f"It was right: {who} {result(truth)}. {tally}"
    if not truth.success:
        better = f"{called(plan, best.index)} would have succeeded in {best.outcome.steps} steps"
        return f"It chose {who}, which fails; {better}. {tally}"
    saved = truth.steps - best.outcome.steps
    faster = f"{saved} {_plural(saved, 'step')} faster"
    return f"It chose {who}; {called(plan, best.index)} would have been {faster}. {tally}"


def _verdict_of_means(plan: Plan, chosen: Candidate, executed: Sequence[Candidate]) -> str:
    """The same where candidates were continued several times: what each was worth in the mean decides."""
    who, mine = called(plan, chosen.index), chosen.outcome
    ordered = sorted(executed, key=lambda c: (-c.outcome.worth, c.index != chosen.index))
    best, draws = ordered[0], [draw for c in executed for draw in c.outcome.every]
    tally = f"{sum(draw.success for draw in draws)} of {len(draws)} continuations succeed."
    if len(executed) == 1:
        return f"{_capital(who)} {result(mine)}. It had no other candidate."
    if best.outcome.worth == ordered[-1].outcome.worth:
        what = "fail in every continuation" if not any(draw.success for draw in draws) else "are worth the same"
        return f"It chose {who}; all {len(executed)} {what}: the choice did not matter."
    if best is chosen:
        second = ordered[1]
        doubt = f"; {called(plan, second.index)} is within the spread" if _within_luck(mine, second.outcome) else ""
        return f"It was right: {who} ({share(mine)}) is worth the most, {number(mine.worth)}{doubt}. {tally}"
    more, other = number(best.outcome.worth - mine.worth), f"{called(plan, best.index)} ({share(best.outcome)})"
    doubt = ", within the spread" if _within_luck(best.outcome, mine) else ""
    return f"It chose {who} ({share(mine)}); {other} would have been worth {more} more{doubt}. {tally}"


def _within_luck(one: Outcome, other: Outcome) -> bool:
    """Whether `one` is worth at most one standard deviation more, continuation by continuation on the same luck."""
    gaps = [a.worth - b.worth for a, b in zip(one.every, other.every, strict=False)]
    return len(gaps) > 1 and fmean(gaps) <= stdev(gaps)


def _furthest(plan: Plan, chosen: Candidate, best: Candidate) -> str:
    """What there was to find where none succeeds: a better partial score, if there are any."""
    if best.outcome.score is None or best.outcome.worth == chosen.outcome.worth:
        return "so there was nothing to find"
    scores = [number(candidate.outcome.score or 0.0) for candidate in (chosen, best)]
    return f"with a score of {scores[0]}; {called(plan, best.index)} would have reached {scores[1]}"


def result(outcome: Outcome) -> str:
    """What happened: "succeeds in 41 steps", "fails (120 steps)", "fails (200 steps, score 0.50)"; where there were
    several continuations "succeeds in 3 of 5 continuations, in 41 to 52 steps"."""
    if outcome.draws:
        return _result_of_several(outcome)
    steps = f"{outcome.steps} {_plural(outcome.steps, 'step')}"
    if outcome.success:
        return f"succeeds in {steps}"
    return f"fails ({steps})" if outcome.score is None else f"fails ({steps}, score {number(outcome.score)})"


def _result_of_several(outcome: Outcome) -> str:
    steps, count = [draw.steps for draw in outcome.every if draw.success], len(outcome.every)
    if not steps:
        scores = [draw.score for draw in outcome.every if draw.score is not None]
        return f"fails in all {count} continuations" + (f" (mean score {number(fmean(scores))})" if scores else "")
    often = f"all {count}" if len(steps) == count else f"{len(steps)} of {count}"
    pace = f"{min(steps)}" if min(steps) == max(steps) else f"{min(steps)} to {max(steps)}"
    return f"succeeds in {often} continuations, in {pace} steps"


def share(outcome: Outcome) -> str:
    """In how many of its continuations it succeeded: "3 of 5"."""
    return f"{outcome.successes} of {len(outcome.every)}"


def worth(outcome: Outcome) -> str:
    """What it was worth: "0.44"; in the mean of several continuations, with their standard deviation: "0.31 ± 0.28"."""
    drawn = [draw.worth for draw in outcome.every]
    return number(outcome.worth) + (f" ± {stdev(drawn):.2f}" if len(drawn) > 1 else "")


def draws(outcome: Outcome) -> str:
    """Every continuation for itself: "1 of 1"; of several "✓ 41, ✗, ✓ 52 steps; worth 0.31 ± 0.28"."""
    if not outcome.draws:
        return "One continuation is one draw: " + share(outcome)
    each = ", ".join(f"✓ {draw.steps}" if draw.success else "✗" for draw in outcome.every)
    return f"{len(outcome.every)} continuations: {each}{' steps' if outcome.successes else ''}; worth {worth(outcome)}"


def several(plan: Plan) -> str:
    """How many continuations the executed candidates have, such as "5" or "1 to 5"; empty where all have one."""
    counts = [len(c.outcome.every) for c in plan.candidates if c.outcome is not None]
    if not counts or max(counts) == 1:
        return ""
    return str(counts[0]) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def truth(outcome: Outcome) -> tuple[str, str]:
    """The same for a small place, and in how many of its continuations: "✓ 41 steps", "1 of 1"; with a partial score
    "score 0.50 · 0 of 1"; of several continuations "✓ 3 of 5", and what it was worth, "0.31 ± 0.28"."""
    if outcome.draws:
        return f"{'✓' if outcome.successes else '✗'} {share(outcome)}", worth(outcome)
    what = f"✓ {outcome.steps} {_plural(outcome.steps, 'step')}" if outcome.success else "✗ fails"
    partial = "" if outcome.success or outcome.score is None else f"score {number(outcome.score)} · "
    return what, f"{partial}{share(outcome)}"


def agreement(plan: Plan) -> str:
    """How far the order of the values is that of the truth, over the executed candidates; empty where that means
    nothing (see `statistics.spearman`)."""
    found = rank_correlation(plan)
    if found is None:
        return ""
    count = sum(c.outcome is not None and c.value is not None for c in plan.candidates)
    mean = f", mean of {several(plan)} continuations" if several(plan) else ""
    return f"rank correlation of value and truth {found:+.2f} (n = {count}{mean})"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else noun + "s"
