"""Readings, reasons and headlines say what the numbers say."""

import math
from dataclasses import replace

import numpy as np
import pytest

from workbench.interventions import Moved, Told
from workbench.truth import regret
from workbench.types import Candidate, Draw, Moment, Observation, Outcome, Plan
from workbench.views import words

GAMMA = 0.98


def plan_of(samples, *, margin=0.9, aggregation="average", best=0, outcomes=None) -> Plan:
    """A plan whose candidates' values are the means of `samples` (candidate by futures x values)."""
    samples = np.asarray(samples, float)
    means = samples.mean((1, 2))
    ranks = np.argsort(np.argsort(-means, kind="stable"))
    outcomes = outcomes or [None] * len(samples)
    candidates = [
        Candidate(i, i, np.zeros((4, 7)), values=s, value=float(m), rank=int(r), outcome=o)
        for i, (s, m, r, o) in enumerate(zip(samples, means, ranks, outcomes, strict=True))
    ]
    moment = Moment(Observation({}, np.zeros(9)), "task", "suite/0/0@0")
    config = {"aggregation": aggregation}
    return Plan(moment, candidates, best, margin, {}, 0, {}, config, {}, GAMMA)


def spread(centre: float, width: float) -> np.ndarray:
    """Fifteen samples as 3 x 5, evenly within `width` of `centre`."""
    return centre + np.linspace(-width, width, 15).reshape(3, 5)


def ends(steps: int | None) -> Outcome:
    return Outcome(False, 120, 0.0) if steps is None else Outcome(True, steps, GAMMA**steps)


def test_reading_is_the_logarithm_to_base_gamma():
    assert words.reading(0.27, 0.98) == "0.27: if it succeeds, 65 steps after the chunk"
    assert words.reading(0.98, 0.98) == "0.98: if it succeeds, 1 step after the chunk"
    assert words.reading(0.0, 0.98) == "0.00: it does not expect success"
    assert words.reading(1.0, 0.98) == "1.00: it believes that it has succeeded"
    assert words.steps_to_success(0.99**30, 0.99) == pytest.approx(30)
    assert math.isinf(words.steps_to_success(-0.1, 0.98))


def test_small_values_do_not_read_as_zero():
    assert words.number(0.0) == "0.00"
    assert words.number(0.002) == "0.002"
    assert words.number(0.05) == "0.05"


@pytest.mark.parametrize(("rank", "text"), [(0, "1st"), (1, "2nd"), (2, "3rd"), (3, "4th"), (10, "11th"), (20, "21st")])
def test_ranks_are_counted_from_first(rank, text):
    assert words.ordinal(rank) == text


def test_a_close_winner_is_called_a_coin_toss():
    plan = plan_of([spread(0.30, 0.1), spread(0.28, 0.1)], margin=0.54)
    assert words.reason(plan, plan.candidates[0]) == (
        "highest mean of 15; #2 is within the spread: nearly a coin toss, it wins 54 % of resamplings"
    )
    assert words.reason(plan, plan.candidates[1]) == "0.02 below #1, within its spread"
    assert words.headline(plan).startswith("It chooses #1, nearly a coin toss. 0.30: if it succeeds, 60")


def test_with_the_same_noise_only_what_tells_two_apart_is_spread():
    """The same 0.02 between two that go up and down together is no spread of theirs."""
    drawn = spread(0.6, 0.1)
    plan = plan_of([drawn, drawn - 0.02], margin=1.0)
    shared = replace(plan, config={**plan.config, "same_noise": True})
    for asked, said in ((plan, "#2 is within the spread"), (shared, "#2 is 0.02 lower")):
        assert said in words.reason(asked, asked.candidates[0])
    assert words.reason(shared, shared.candidates[1]) == "0.02 below #1"


def test_a_clear_winner_is_not():
    plan = plan_of([spread(0.30, 0.02), spread(0.10, 0.02)], margin=1.0)
    assert (
        words.reason(plan, plan.candidates[0]) == "highest mean of 15; #2 is 0.20 lower, it wins 100 % of resamplings"
    )
    assert words.reason(plan, plan.candidates[1]) == "0.20 below #1: its best sample is below that one's worst"


def test_one_sample_says_nothing_about_spread():
    plan = plan_of([[[0.3]], [[0.2]]], margin=1.0)
    assert "no telling how sure" in words.reason(plan, plan.candidates[0])
    assert "%" not in words.reason(plan, plan.candidates[0])


def test_ties_and_foreseen_failures_are_named():
    tied = plan_of([spread(0.2, 0), spread(0.2, 0)], margin=0.5)
    assert words.reason(tied, tied.candidates[0]) == "2 candidates tie at 0.20: the lowest number goes first"
    assert words.reason(tied, tied.candidates[1]) == "ties with #1, which has the lower number"
    plan = plan_of([spread(0.3, 0.05), spread(0.04, 0.03)], aggregation="majority_mean")
    failing = replace(plan.candidates[1], value=0.0)
    assert words.reason(plan, failing) == "10 of 15 samples foresee failure"


def test_unranked_candidates_have_no_reason_and_lone_ones_a_plain_one():
    plan = plan_of([spread(0.3, 0.1)])
    assert words.reason(plan, replace(plan.candidates[0], rank=None)) == ""
    assert words.reason(plan, plan.candidates[0]) == "the only candidate"


def test_a_share_of_votes_is_not_read_as_steps():
    plan = plan_of([[[0.8]]], aggregation="success_vote")
    assert words.meaning(plan, 0.8) == "80 % of its samples foresee success"


@pytest.mark.parametrize(
    ("steps", "headline"),
    [
        ((41, 52, None), "It was right: #1 succeeds in 41 steps. 2 of 3 succeed."),
        ((52, 41, None), "It chose #1; #2 would have been 11 steps faster. 2 of 3 succeed."),
        ((42, 41, None), "It chose #1; #2 would have been 1 step faster. 2 of 3 succeed."),
        ((None, 41, None), "It chose #1, which fails; #2 would have succeeded in 41 steps. 1 of 3 succeed."),
        ((None, None, None), "It chose #1; all 3 fail, so there was nothing to find."),
        ((41, 41, 41), "It chose #1; all 3 succeed in 41 steps: the choice did not matter."),
    ],
)  # fmt: skip
def test_the_headline_of_the_reveal(steps, headline):
    plan = plan_of([spread(0.3, 0.1), spread(0.2, 0.1), spread(0.1, 0.05)], outcomes=[ends(n) for n in steps])
    assert words.headline(plan) == headline


def test_partial_scores_are_said_where_none_succeeds():
    samples = [spread(0.3, 0.1), spread(0.2, 0.1)]
    far, near = (Outcome(False, 200, score * GAMMA**200, score=score) for score in (0.5, 0.25))
    assert words.result(far) == "fails (200 steps, score 0.50)"
    assert words.result(Outcome(True, 120, GAMMA**120, score=1.0)) == "succeeds in 120 steps"
    said = words.headline(plan_of(samples, outcomes=[near, far]))
    assert said == "It chose #1; all 2 fail, with a score of 0.25; #2 would have reached 0.50."
    assert "nothing to find" in words.headline(plan_of(samples, outcomes=[far, far]))


def test_the_headline_before_everything_is_known():
    samples = [spread(0.27, 0.1), spread(0.2, 0.1)]
    one = plan_of(samples, outcomes=[ends(41), None])
    assert words.headline(one) == (
        "#1 succeeds in 41 steps; it believed 0.27, if it succeeds, 65 steps after the chunk. 1 of 2 executed."
    )
    assert words.headline(plan_of(samples, outcomes=[None, ends(41)])) == "It chose #1. 1 of 2 executed."
    assert words.headline(plan_of(samples, best=-1)) == ""
    assert words.headline(plan_of(samples[:1], outcomes=[ends(None)])) == (
        "#1 fails (120 steps). It had no other candidate."
    )


def continued(*steps: int | None) -> Outcome:
    """A candidate's continuations by the steps of their success, None for a failure."""
    draws = [Draw(n is not None, n or 120, GAMMA**n if n else 0.0) for n in steps]
    first = draws[0]
    return Outcome(first.success, first.steps, float(np.mean([d.worth for d in draws])), draws=tuple(draws))


def test_several_continuations_are_a_share_and_a_mean_with_its_spread():
    some = continued(41, None, 52)
    worths = [GAMMA**41, 0.0, GAMMA**52]
    said = f"{np.mean(worths):.2f} ± {np.std(worths, ddof=1):.2f}"
    assert words.truth(some) == ("✓ 2 of 3", said)
    assert words.result(some) == "succeeds in 2 of 3 continuations, in 41 to 52 steps"
    assert words.draws(some) == f"3 continuations: ✓ 41, ✗, ✓ 52 steps; worth {said}"
    assert words.result(continued(None, None)) == "fails in all 2 continuations"
    assert words.truth(continued(None, None))[0] == "✗ 0 of 2"
    assert words.result(continued(41, 41)) == "succeeds in all 2 continuations, in 41 steps"
    far = Outcome(False, 200, 0.1, draws=(Draw(False, 200, 0.1, 0.5), Draw(False, 200, 0.05, 0.25)))
    assert words.result(far) == "fails in all 2 continuations (mean score 0.38)"
    assert words.truth(ends(41)) == ("✓ 41 steps", "1 of 1") and words.draws(ends(41)).endswith("one draw: 1 of 1")


@pytest.mark.parametrize(
    ("first", "second", "headline"),
    [
        ((41, 42, 43), (None, None, 41), "It was right: #1 (3 of 3) is worth the most, 0.43. "
         "4 of 6 continuations succeed."),
        ((41, None, 43), (None, 41, 44), "It was right: #1 (2 of 3) is worth the most, 0.29; #2 is within the spread. "
         "4 of 6 continuations succeed."),
        ((41, None), (42, 43), "It chose #1 (1 of 2); #2 (2 of 2) would have been worth 0.21 more, within the spread. "
         "3 of 4 continuations succeed."),
        ((None, None), (42, 43), "It chose #1 (0 of 2); #2 (2 of 2) would have been worth 0.42 more. "
         "2 of 4 continuations succeed."),
        ((None, None), (None, None), "It chose #1; all 2 fail in every continuation: the choice did not matter."),
    ],
)  # fmt: skip
def test_the_headline_goes_by_the_mean(first, second, headline):
    plan = plan_of([spread(0.3, 0.1), spread(0.2, 0.1)], outcomes=[continued(*first), continued(*second)])
    assert words.headline(plan) == headline
    means = [np.mean([GAMMA**n if n else 0 for n in steps]) for steps in (first, second)]
    assert regret(plan) == pytest.approx(max(means) - means[0])


def test_what_is_said_of_all_where_there_were_several_continuations():
    outcomes = [continued(41, 43), continued(None, 60), continued(None, None)]
    plan = plan_of([spread(0.3, 0.1), spread(0.2, 0.1), spread(0.1, 0.05)], outcomes=outcomes)
    assert words.several(plan) == "2"
    assert words.agreement(plan) == "rank correlation of value and truth +1.00 (n = 3, mean of 2 continuations)"
    yours = replace(plan, config={"yours": {"index": 1}})
    less = outcomes[0].worth - outcomes[1].worth
    assert words.headline(yours).endswith(f" Your plan would have been worth {less:.2f} less.")
    mixed = [*plan.candidates[:2], replace(plan.candidates[2], outcome=ends(41))]
    assert words.several(replace(plan, candidates=mixed)) == "1 to 2"
    assert words.several(plan_of([spread(0.3, 0.1)], outcomes=[ends(41)])) == ""


def test_interventions_in_the_robots_directions():
    assert (
        words.intervention(Moved("red_cube", (0.05, -0.1, 0.0)))
        == "red cube moved 5 cm further away and 10 cm to the robot's right"
    )
    assert words.intervention(Moved("bin", (-0.025, 0.0, 0.0))) == "bin moved 2.5 cm nearer"
    assert words.intervention(Told("go up")) == "told “go up”"
    assert words.displacement(0, 0) == "where it is"


@pytest.mark.parametrize(
    ("steps", "said"),
    [(53, "6 steps faster."), (60, "1 step slower."), (59, "as fast."), (None, "Your plan fails.")],
)
def test_your_own_plan_is_spoken_of(steps, said):
    truth = [Outcome(s is not None, s or 120, GAMMA**s if s else 0.0) for s in (59, steps, 41)]
    ours = plan_of([[[0.5]], [[0.4]], [[0.3]]], outcomes=truth)
    assert words.headline(replace(ours, config={"yours": {"index": 1}})).endswith(said)
    best = words.headline(replace(ours, config={"yours": {"index": 2}}))
    assert "; your plan would have been 18 steps faster." in best


def test_value_and_truth_in_order(executed, plan):
    assert words.agreement(plan) == "", "nothing is known yet"
    assert words.agreement(execute_some(executed, 2)) == "", "two say nothing"
    order = sorted(range(8), key=lambda i: executed.candidates[i].value)
    truth = [
        replace(executed.candidates[i], outcome=Outcome(True, 50 - k, GAMMA ** (50 - k))) for k, i in enumerate(order)
    ]
    assert words.agreement(replace(executed, candidates=truth)) == "rank correlation of value and truth +1.00 (n = 8)"


def execute_some(plan, count: int):
    """`plan` with the first `count` outcomes only."""
    some = [c if c.index < count else replace(c, outcome=None) for c in plan.candidates]
    return replace(plan, candidates=some)
