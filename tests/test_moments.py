"""The search for moments in the point world, and the folders it leaves."""

import json
from dataclasses import replace

import numpy as np
import pytest
from point_world import TASKS, PointWorld, at_once, scripted

from workbench import control, files, moments, rollout
from workbench.cli import main
from workbench.envs.suites import Suite
from workbench.models import checkpoints
from workbench.models.bundle import tiny
from workbench.moments import Examined, available, contrast, find, load, select, spread, why
from workbench.planning import run
from workbench.planning.events import Proposed, Stepped
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.types import Candidate, Moment, Observation, Outcome, Plan

SETTINGS = PlanSettings(candidates=4, calls=1)


@pytest.fixture(scope="module")
def bundle():
    spec = replace(PLATFORMS["libero"], chunk_size=4, execute_steps=4, path=reach)
    return tiny(spec, causal=False)


def reach(actions: np.ndarray, proprio: np.ndarray) -> np.ndarray:
    steps = 0.05 * np.pad(actions[:, :2], ((0, 0), (0, 1))).clip(-1, 1)
    return proprio[2:5] + np.concatenate([np.zeros((1, 3)), steps.cumsum(0)])


def disagreeing(policy, planner, moment, *, settings):
    """A planner whose candidates go the right way, aside, back and nowhere; values as one would wish."""
    toward = np.sign(np.array(TASKS[moment.instruction]) - moment.observation.proprio[2:4])
    candidates = []
    for index, push in enumerate(([toward[0], 0], [0, 1], [-toward[0], 0], [0, 0])):
        actions = np.zeros((4, 7))
        actions[:, :2] = push
        path = policy.spec.path(actions, moment.observation.proprio)
        candidates.append(Candidate(index, settings.seed + index, actions, path))
    yield Proposed(tuple(candidates))
    valued = [replace(one, value=0.5 - 0.1 * one.index, rank=one.index) for one in candidates]
    roles = {role: {"name": role, "sha256": ""} for role in ("policy", "planner")}
    return Plan(moment, valued, 0, 1.0, {}, 4, {}, {"calls": 1}, roles, gamma=0.9)


@pytest.fixture(autouse=True)
def knowing(monkeypatch):
    monkeypatch.setattr(control, "predicting", at_once(scripted))
    monkeypatch.setattr(moments, "plan_events", disagreeing)
    monkeypatch.setattr(rollout, "plan_events", disagreeing)


def points(tmp_path) -> Suite:
    names = tuple(name.replace(" ", "_") for name in list(TASKS)[:2])
    return Suite("points", names, 16, tmp_path, tmp_path)


def search(tmp_path, bundle, **options):
    env = PointWorld(horizon=16)
    options = {"count": 3, "episodes": 4, **options}
    return find(env, bundle, bundle, suite=points(tmp_path), settings=SETTINGS, out=tmp_path / "out", **options)


def truth(*ends: tuple[bool, int], apart: float = 0.05) -> Plan:
    candidates = [
        Candidate(
            i,
            i,
            np.zeros((4, 7)),
            path=np.array([[0, 0, 0], [apart * i, 0, 0]], float),
            outcome=Outcome(success, steps, 0.9**steps * success),
        )
        for i, (success, steps) in enumerate(ends)
    ]
    moment = Moment(Observation({}, np.zeros(9)), "x", "points/0/0@4")
    return Plan(moment, candidates, 0, 1.0, {}, 0, {}, {}, {})


def test_contrast_is_high_where_candidates_end_differently():
    assert contrast(truth((True, 10), (False, 50))) == pytest.approx(1.0)
    assert contrast(truth((True, 10), (True, 10))) == 0.0
    assert contrast(truth((False, 50), (False, 50))) == 0.0
    assert contrast(truth((True, 10), (True, 20))) == pytest.approx(0.25)
    mixed = ((True, 10), (True, 20), (False, 50), (False, 50))
    assert contrast(truth(*mixed)) == pytest.approx(1.25)
    # A person must be able to tell the cards apart: paths 5 mm apart count a quarter.
    assert contrast(truth((True, 10), (False, 50), apart=0.005)) == pytest.approx(0.25)


def test_why_says_how_they_end():
    assert why(truth((True, 10), (True, 31), (False, 50))) == "2 of 3 candidates succeed, in 10 to 31 steps."
    assert why(truth((True, 10), (True, 31))) == "All 2 candidates succeed, in 10 to 31 steps."
    assert why(truth((False, 50), (False, 50))) == "None of 2 candidates succeeds."
    assert why(truth((True, 10), (False, 50))) == "1 of 2 candidates succeeds, in 10 steps."


def test_select_spreads_over_the_tasks():
    scores = {"s-0-a": 1.0, "s-0-b": 0.9, "s-0-c": 0.8, "s-1-a": 0.7, "s-2-a": 0.5}
    assert select(scores, 3) == ["s-0-a", "s-1-a", "s-0-b"]
    assert select(scores, 9) == ["s-0-a", "s-1-a", "s-0-b", "s-2-a", "s-0-c"]


def test_spread_of_equal_chunks_is_nothing():
    assert spread([np.ones((4, 7)), np.ones((4, 7))]) == 0.0
    assert spread([np.zeros((4, 7)), np.ones((4, 7))]) == pytest.approx(0.5)


def test_find_keeps_the_best_with_their_truth(tmp_path, bundle):
    events = list(search(tmp_path, bundle))
    examined = [event for event in events if isinstance(event, Examined)]
    assert 4 <= len(examined) <= 8 and any(event.kept for event in examined)
    names = available(tmp_path / "out")
    assert len(names) == 3
    for name in names:
        found = load(name, tmp_path / "out")
        outcomes = [candidate.outcome for candidate in found.plan.candidates]
        assert any(outcome.success for outcome in outcomes)
        assert found.score == pytest.approx(contrast(found.plan), abs=1e-3) and found.why == why(found.plan)
        assert found.plan.moment.snapshot is not None and "@0" not in found.plan.moment.address
        assert found.title.startswith("Go to the ") and list(outcomes[0].frames) == ["primary"]
        assert all(len(outcome.frames["primary"]) <= moments.FILM_FRAMES for outcome in outcomes)
    scores = [load(name, tmp_path / "out").score for name in names]
    assert scores == sorted(scores, reverse=True)
    size = sum(path.stat().st_size for path in (tmp_path / "out" / names[0]).rglob("*"))
    assert size < 250_000


@pytest.mark.heavy
def test_a_stopped_search_continues_and_finds_the_same(tmp_path, bundle):
    whole = run(search(tmp_path / "a", bundle))
    for stop in (3, 40, 90):
        work = search(tmp_path / "b", bundle)
        for _ in range(stop):
            next(work)
        work.close()
    assert run(search(tmp_path / "b", bundle)) == whole
    (progress,) = (tmp_path / "b/out").glob("*search.json")
    older = files.read_json(progress)
    del older["settings"]["same_noise"]  # of before that setting existed
    files.write_json(progress, older)
    again = list(search(tmp_path / "b", bundle))
    assert not any(isinstance(event, Stepped) for event in again)
    strange = replace(bundle, sha256="another")
    with pytest.raises(ValueError, match="another checkpoint or other settings: choose another folder"):
        run(search(tmp_path / "b", strange))
    for name in whole:
        first, second = load(name, tmp_path / "a/out"), load(name, tmp_path / "b/out")
        assert (first.title, first.why, first.score) == (second.title, second.why, second.score)


def test_another_planner_imagines_anew_what_was_executed(tmp_path, bundle, monkeypatch):
    name = run(search(tmp_path, bundle, count=1))[0]
    before = load(name, tmp_path / "out")

    def valued_otherwise(policy, planner, moment, *, settings):
        plan = yield from disagreeing(policy, planner, moment, settings=settings)
        worth = [replace(one, value=0.1 * one.index, rank=3 - one.index) for one in plan.candidates]
        return replace(plan, candidates=worth, best=3)

    monkeypatch.setattr(moments, "plan_events", valued_otherwise)
    seen = {path.name: path.read_bytes() for path in (tmp_path / "out" / name / "pictures").iterdir()}
    planner = replace(bundle, sha256="another")
    run(moments.renew(name, bundle, planner, tmp_path / "out"))
    after = load(name, tmp_path / "out")
    assert (before.plan.best, after.plan.best) == (0, 3) and [one.rank for one in after.plan.candidates] == [3, 2, 1, 0]
    assert (after.title, after.why, after.score) == (before.title, before.why, before.score)
    for one, other in zip(before.plan.candidates, after.plan.candidates, strict=True):
        assert (one.outcome.success, one.outcome.steps) == (other.outcome.success, other.outcome.steps)
    pictures = tmp_path / "out" / name / "pictures"
    assert any("_film_" in path.name for path in pictures.iterdir())
    assert all(seen[path.name] == path.read_bytes() for path in pictures.iterdir() if "_film_" in path.name)
    search_goes_on = find(
        PointWorld(horizon=16),
        bundle,
        planner,
        suite=points(tmp_path),
        settings=SETTINGS,
        out=tmp_path / "out",
        count=1,
        episodes=4,
    )
    assert run(search_goes_on) == [name]


def test_the_command_renews_every_moment_of_a_folder(tmp_path, bundle, monkeypatch, capsys):
    names = run(search(tmp_path, bundle, count=2))
    planner = replace(bundle, name="round-2", sha256="another")
    monkeypatch.setattr(checkpoints, "load_pair", lambda policy, other: (bundle, planner))
    assert main(["moments", "renew", "--planner-checkpoint", "round-2", "--out", str(tmp_path / "out")]) == 0
    assert "2 moments" in (said := capsys.readouterr().out) and "imagined by round-2" in said
    assert sorted(available(tmp_path / "out")) == sorted(names)
    assert main(["moments", "renew", "--out", str(tmp_path / "empty")]) == 2
    assert "`workbench moments find` makes some" in capsys.readouterr().err


def test_what_was_executed_is_not_taken_for_what_another_policy_proposes(tmp_path, bundle, monkeypatch):
    name = run(search(tmp_path, bundle, count=1))[0]
    before = load(name, tmp_path / "out")

    def elsewhere(policy, planner, moment, *, settings):
        plan = yield from disagreeing(policy, planner, moment, settings=settings)
        return replace(plan, candidates=[replace(one, actions=-one.actions) for one in plan.candidates])

    monkeypatch.setattr(moments, "plan_events", elsewhere)
    with pytest.raises(ValueError, match="expected the candidates that were executed"):
        run(moments.renew(name, bundle, bundle, tmp_path / "out"))
    assert load(name, tmp_path / "out").plan.best == before.plan.best


def test_unknown_and_damaged_moments_are_one_clear_line(tmp_path, bundle):
    names = run(search(tmp_path, bundle, count=2))
    with pytest.raises(ValueError, match=f"expected one of .*{names[0]}.*; got 'lunch'"):
        load("lunch", tmp_path / "out")
    with pytest.raises(ValueError, match=r"\(none shipped\)"):
        load("lunch", tmp_path / "empty")
    about = tmp_path / "out" / names[0] / "moment.json"
    about.write_text(json.dumps({"schema": "moment/1"}))
    with pytest.raises(ValueError, match="with title, why and score"):
        available(tmp_path / "out")


@pytest.mark.parametrize("name", available())
def test_shipped_moments(name):
    """What ships must open, end differently, and be small."""
    found = load(name)
    outcomes = [candidate.outcome for candidate in found.plan.candidates]
    assert len(outcomes) == 8 and all(outcome is not None for outcome in outcomes)
    assert len({(outcome.success, outcome.steps) for outcome in outcomes}) > 1
    assert found.plan.moment.snapshot is not None and found.title and found.why
    assert sum(path.stat().st_size for path in (moments.folder() / name).rglob("*")) < 250_000
