from dataclasses import replace

import golden_bundle
import numpy as np
import pytest

from workbench.bench.planning import largest_difference, serial_plan
from workbench.diffusion import noise
from workbench.diffusion.samplers import schedule
from workbench.models.bundle import tiny
from workbench.planning import run, seeds
from workbench.planning.aggregate import aggregate
from workbench.planning.best_of_n import plan_events
from workbench.planning.events import Called, Imagined, Proposed, Valued
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.steps import denoise
from workbench.types import Moment, Observation

ENSEMBLES = seeds.ensemble_seeds


@pytest.mark.heavy
@pytest.mark.golden("planning/*.json", reads=("planning/*.safetensors", *golden_bundle.WEIGHTS))
@pytest.mark.parametrize("shortcuts", [True, False])
def test_the_golden_plan(case, fidelity, shortcuts):
    """Batched, in lock-step, with every shortcut: upstream's serial numbers (golden README, planning/)."""
    case = golden_bundle.Case.read(case)
    bundle, about = case.bundle(shortcuts=shortcuts), case.about
    moment = Moment(case.observation, golden_bundle.INSTRUCTION, "golden")
    settings = PlanSettings(
        candidates=about["candidates"],
        calls=about["steps"]["action"],
        futures=about["future_ensemble"],
        future_calls=about["steps"]["future"],
        values=about["value_ensemble"],
        value_calls=about["steps"]["value"],
        seed=about["seed"],
        upstream_compatible=True,
    )
    plan = run(plan_events(bundle, None, moment, settings=settings, pictures=shortcuts))
    fidelity.exact("network calls", settings.network_calls, about["network_calls_total"])
    for candidate, detail in zip(plan.candidates, about["candidates_detail"], strict=True):
        name, values = f"candidate{candidate.index}", [one["value"] for one in detail["values"]]
        fidelity.exact("seeds", candidate.seed, detail["seed"])
        fidelity.close("actions", candidate.actions, case.data[f"{name}.actions"], atol=2e-4)
        fidelity.close("values", candidate.values.ravel(), values, atol=1e-4)
        fidelity.close("action latents", candidate.handle.x, case.data[f"{name}.action_latents"], atol=2e-4)
        for camera, expected in case.pictures(name).items() if shortcuts else ():
            mean = candidate.futures[camera].mean(0).round().astype(np.uint8)
            fidelity.pixels("mean future pictures", mean, expected)
    for rule, choice in about["variants"].items():
        fidelity.exact(f"choice by {rule}", plan.choices[rule], choice["chosen_index"])
        scores = [detail["aggregated"][rule] for detail in about["candidates_detail"]]
        found = [float(aggregate(one.values.ravel(), rule)) for one in plan.candidates]
        fidelity.close(f"value by {rule}", found, scores, atol=1e-4)


@pytest.mark.heavy
@pytest.mark.golden("planning/*.json")
def test_the_golden_futures(case, fidelity):
    """Every imagined future of the plan, all members at once, from the candidates' own samples."""
    case = golden_bundle.Case.read(case)
    bundle, about = case.bundle(), case.about
    for i, detail in enumerate(about["candidates_detail"]):
        members = detail["futures"]
        latents = replace(case.query(bundle), x=case.data[f"candidate{i}.action_latents"])
        start = noise.draw([one["seed"] for one in members], bundle.layout)
        sample = denoise(
            bundle.denoiser,
            latents.ask("world_model").repeat(len(members)),
            start,
            sigmas=[schedule(one["network_calls"]) for one in members],
        )
        fidelity.close("future latents", sample.x, case.data[f"candidate{i}.future_latents"], atol=2e-4)


@pytest.fixture(scope="module")
def small():
    bundle = tiny(PLATFORMS["libero"], causal=False)
    images = {camera: np.full((64, 64, 3), 90, np.uint8) for camera in ("wrist", "primary")}
    return bundle, Moment(Observation(images, np.zeros(9)), "put the red cube on the plate", "test/0/0@0")


@pytest.mark.heavy
def test_batched_equals_serial(small):
    """3 x 5 ensembles together with every shortcut, and one sample after another without any."""
    bundle, moment = small
    settings = PlanSettings(candidates=2)
    plan = run(plan_events(bundle, None, moment, settings=settings))
    serial = serial_plan(bundle.plain(), bundle.plain(), moment, settings)
    assert largest_difference(plan, serial) < 1e-4


@pytest.mark.heavy
@pytest.mark.parametrize("value", ["v", "q"])
def test_one_candidate_first_is_the_same_plan(small, value):
    bundle, moment = small
    settings = PlanSettings(candidates=3, futures=2, values=2, value=value)
    plan = run(plan_events(bundle, None, moment, settings=settings))
    work = plan_events(bundle, None, moment, settings=settings, one_first=True)
    events = []
    while True:
        try:
            events.append(next(work))
        except StopIteration as end:
            same = end.value
            break
    for one, other in zip(plan.candidates, same.candidates, strict=True):
        assert (one.index, one.seed, one.rank) == (other.index, other.seed, other.rank)
        assert np.allclose(one.actions, other.actions, atol=1e-5) and np.allclose(one.values, other.values, atol=1e-5)
    assert [len(event.candidates) for event in events if isinstance(event, Proposed)] == [1, 3]
    calls = [event for event in events if isinstance(event, Called)]
    assert [call.done for call in calls] == list(range(1, calls[0].total + 1)), "progress reaches its end"


def test_events_fill_the_cards_phase_by_phase(small):
    bundle, moment = small
    events = list(plan_events(bundle, None, moment, settings=PlanSettings(candidates=2)))
    kinds = [type(event).__name__ for event in events if not isinstance(event, Called)]
    assert kinds == ["Proposed", "Imagined"] + ["Valued"] * 5
    calls = [event for event in events if isinstance(event, Called)]
    assert [call.done for call in calls] == list(range(1, calls[0].total + 1))
    proposed, imagined = (next(e for e in events if type(e).__name__ == kind) for kind in ("Proposed", "Imagined"))
    assert proposed.candidates[0].futures == {}
    assert imagined.candidates[0].futures["primary"].shape == (3, 64, 64, 3)
    rounds = [event.candidates[0].values for event in events if isinstance(event, Valued)]
    assert [int(np.isfinite(values).sum()) for values in rounds] == [3, 6, 9, 12, 15]


def test_candidates_differ_and_ranks_are_a_permutation(small):
    bundle, moment = small
    plan = run(plan_events(bundle, None, moment, settings=PlanSettings(candidates=4, futures=1, values=1)))
    assert sorted(one.rank for one in plan.candidates) == [0, 1, 2, 3]
    assert plan.candidates[plan.best].rank == 0
    chunks = [one.actions for one in plan.candidates]
    assert all(np.abs(chunks[0] - other).max() > 1e-3 for other in chunks[1:])
    assert all(0 <= one.value <= 1 for one in plan.candidates)
    assert plan.candidates[0].path.shape == (17, 3)


def test_the_last_noise_level_is_the_candidates_own(small, monkeypatch):
    """Only the proposals end at `sigma_min`; what is imagined and valued is asked as published."""
    bundle, moment = small
    forward = bundle.denoiser.forward

    def levels(**settings: float | bool) -> list[float]:
        seen = []

        def noting(x, sigma, **options):
            seen.append(round(float(sigma[0]), 6))
            return forward(x, sigma, **options)

        monkeypatch.setattr(bundle.denoiser, "forward", noting)
        few = PlanSettings(candidates=1, futures=1, values=1, calls=3, future_calls=2, value_calls=2, **settings)
        run(plan_events(bundle, None, moment, settings=few, pictures=False))
        return seen

    published, wider = levels(), levels(sigma_min=0.25)
    assert (published[0], published[2]) == (80.0, 4.0)
    assert (wider[0], wider[2]) == (80.0, 0.25)
    assert wider[3:] == published[3:]
    higher, lower = noise.variance_scale(0)  # the candidate's seed
    varied = levels(variance_scale=True)
    assert (varied[0], varied[2]) == pytest.approx((80 * higher, 4 * lower)) and 1 < higher < 3 and 0.1 < lower < 1
    assert varied[3:] == published[3:]


@pytest.mark.parametrize("depth", [1, 2])
def test_with_the_same_noise_equal_actions_are_worth_the_same(small, monkeypatch, depth):
    """Candidates that do the same differ, with noise of their own, by that noise alone."""
    bundle, moment = small
    few = PlanSettings(candidates=3, calls=1, futures=2, future_calls=2, values=2, value_calls=2, seed=5, depth=depth)

    def starts(same: list[int], *, same_noise: bool) -> list[int]:
        return ENSEMBLES([5, 6, 7], same_noise=same_noise)

    monkeypatch.setattr(seeds, "candidate_seeds", lambda seed, count: [seed] * count)  # all propose the same
    monkeypatch.setattr(seeds, "ensemble_seeds", starts)
    own, same = (
        run(plan_events(bundle, None, moment, settings=replace(few, same_noise=shared), pictures=False)).candidates
        for shared in (False, True)
    )
    for one in (*own, *same):
        np.testing.assert_allclose(one.actions, own[0].actions, atol=1e-6)
    for one in same[1:]:
        np.testing.assert_allclose(one.values, same[0].values, atol=1e-4)
    assert np.abs(own[1].values - own[0].values).max() > 1e-3


@pytest.mark.parametrize("learned, known", [("v", "100001110"), ("v_full", "111111110"), ("q", "111110000")])
def test_a_value_is_asked_for_as_it_was_learned(small, monkeypatch, learned, known):
    """METHOD.md 3.1: the published policies know all but the value, their planning model the future state alone."""
    bundle, moment = small
    planner, seen = replace(bundle, value_modes=(learned,)), []
    forward = planner.denoiser.forward

    def noting(x, sigma, *, known, **options):
        seen.append("".join(str(int(flag)) for flag in known[0]))
        return forward(x, sigma, known=known, **options)

    monkeypatch.setattr(planner.denoiser, "forward", noting)
    asked, refused = ("q", "v") if learned == "q" else ("v", "q")
    few = {"candidates": 1, "futures": 1, "values": 1, "calls": 1}
    run(plan_events(bundle, planner, moment, settings=PlanSettings(value=asked, **few), pictures=False))
    assert seen[-1] == known
    with pytest.raises(ValueError, match=f"value: expected {asked}, which tiny was trained for, got {refused}"):
        run(plan_events(bundle, planner, moment, settings=PlanSettings(value=refused, **few), pictures=False))


def test_q_imagines_nothing_and_costs_less(small):
    bundle, moment = small
    settings = PlanSettings(candidates=2, value="q")
    plan = run(plan_events(bundle, None, moment, settings=settings))
    assert settings.network_calls == 2 * (5 + 15)
    assert plan.candidates[0].values.shape == (1, 5)


def test_the_papers_cost():
    assert PlanSettings(calls=10, upstream_compatible=True).network_calls == 488


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("candidates", 0),
        ("candidates", 1000),
        ("calls", -1),
        ("values", 0),
        ("seed", -1),
        ("sigma_min", 0.0),
        ("sigma_min", 80.0),
        ("sigma_min", float("nan")),
    ],
)
def test_impossible_settings_say_what_was_expected(field, value):
    with pytest.raises(ValueError, match=f"{field}: expected"):
        PlanSettings(**{field: value})


@pytest.mark.heavy
@pytest.mark.parametrize("kind", [Called, Proposed, Imagined, Valued])
def test_cancelling_at_any_event_leaves_the_model_usable(small, kind):
    bundle, moment = small
    settings = PlanSettings(candidates=2, futures=1, values=1)
    before = run(plan_events(bundle, None, moment, settings=settings))
    events = plan_events(bundle, None, moment, settings=settings)
    next(event for event in events if isinstance(event, kind))
    events.close()
    after = run(plan_events(bundle, None, moment, settings=settings))
    np.testing.assert_array_equal(before.candidates[0].actions, after.candidates[0].actions)
