"""Closed loops in the point world: what is executed, rendered and compared; cancelling is harmless."""

from dataclasses import replace

import numpy as np
import point_world
import pytest
from point_world import PointWorld, at_once, scripted

from workbench import control, rollout
from workbench.control import act, alone, best_of_n, decider
from workbench.envs.base import Env
from workbench.interventions import Hand
from workbench.models.bundle import tiny
from workbench.planning import run
from workbench.planning.best_of_n import plan_events
from workbench.planning.events import (
    Called,
    ChunkExecuted,
    Decided,
    EpisodeEnded,
    Executed,
    Imagined,
    Proposed,
    Stepped,
    Valued,
)
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.rollout import (
    EpisodeResult,
    Start,
    execute_candidates,
    realised_return,
    run_episode,
    run_suite,
    trials,
)
from workbench.truth import rank_correlation, regret
from workbench.types import Candidate, Moment, Plan

QUICK = PlanSettings(candidates=3, calls=1, futures=1, future_calls=1, values=1, value_calls=1)
LIBERO = replace(PLATFORMS["libero"], chunk_size=4, execute_steps=3)


@pytest.fixture(scope="module")
def bundle():
    return tiny(LIBERO, words="go to the left right stack red blue cube on", causal=False)


@pytest.fixture
def knowing(monkeypatch):
    """The bundle's platform with a policy that knows the way, so that outcomes mean something."""
    monkeypatch.setattr(control, "predicting", at_once(scripted))


def start(env: PointWorld, task: int = 0, init: int = 0) -> Moment:
    env.reset(task, init, 0)
    return Moment(env.observe(), env.instruction, f"points/{task}/{init}@0", env.snapshot())


def plan_of(moment: Moment, *pushes: tuple[float, float], values=None) -> Plan:
    """A plan whose candidates push in the given directions."""
    candidates = []
    for index, push in enumerate(pushes):
        actions = np.zeros((LIBERO.chunk_size, 7))
        actions[:, :2] = push
        value = None if values is None else values[index]
        candidates.append(Candidate(index, index, actions, value=value))
    return Plan(moment, candidates, 0, 1.0, {}, 0, {}, {"calls": 1}, {}, gamma=0.9)


def test_point_world_is_an_env():
    assert isinstance(PointWorld(), Env)


def test_an_episode_decides_every_execute_steps(bundle, knowing):
    env = PointWorld()
    events = list(run_episode(env, LIBERO, alone(bundle, calls=1), Start(1, 3, seed=5, address="points/1/3")))
    decided = [event for event in events if isinstance(event, Decided)]
    stepped = [event for event in events if isinstance(event, Stepped)]
    assert [event.step for event in decided] == list(range(0, len(stepped), LIBERO.execute_steps))
    assert [event.step for event in stepped] == list(range(1, len(stepped) + 1))
    assert decided[1].plan.moment.address == "points/1/3@3"
    assert decided[0].plan.moment.instruction == "go to the right"
    ended = events[-1]
    assert isinstance(ended, EpisodeEnded) and ended.success and ended.steps == len(stepped) < env.horizon
    chunk = decided[0].plan.candidates[0].actions
    assert np.array_equal([event.action for event in stepped[:3]], chunk[:3])


def test_only_decisions_render(bundle, knowing):
    env = PointWorld()
    events = list(run_episode(env, LIBERO, alone(bundle, calls=1), Start(0, 0, seed=0)))
    decisions = sum(isinstance(event, Decided) for event in events)
    assert env.rendered == decisions * len(LIBERO.cameras)
    assert all(event.observation is None for event in events if isinstance(event, Stepped))


def test_somebody_watching_sees_every_step_and_changes_nothing(bundle, knowing):
    def actions(**options):
        events = run_episode(PointWorld(), LIBERO, alone(bundle, calls=1), Start(0, 0, seed=0), **options)
        return [event for event in events if isinstance(event, Stepped)]

    watched = actions(cameras=("primary",))
    assert all("primary" in event.observation.images for event in watched)
    assert [event.action for event in watched] == [event.action for event in actions()]


def test_recording_pairs_each_action_with_what_was_seen_before_it(bundle, knowing):
    env = PointWorld(wind=0.0)
    start = Start(0, 0, seed=0, address="x")
    ended = run(run_episode(env, LIBERO, alone(bundle, calls=1), start, record=True))
    episode = ended.episode
    assert len(episode) == ended.steps + 1 == len(episode.images["wrist"]) == len(episode.images["primary"])
    assert episode.success and episode.instruction == "go to the left" and episode.address == "x"
    moved = np.diff(episode.proprio[:, 2:4], axis=0)
    assert np.allclose(moved, point_world.SPEED * episode.actions[:-1, :2].clip(-1, 1))
    assert np.allclose(episode.proprio[-1, 2:4], env.position)  # the solved state is seen, too
    assert not episode.actions[-1].any()


def test_what_only_decisions_see_is_what_is_seen_there(bundle, knowing):
    spec = replace(LIBERO, execute_steps=2)

    def recorded(**options):
        start = Start(0, 0, seed=0, address="x")
        env = PointWorld(wind=0.0)
        return run(run_episode(env, spec, alone(bundle, calls=1), start, record=True, **options)).episode

    whole, seldom = recorded(), recorded(decisions_only=True)
    last = len(whole) - 1
    assert (seldom.stride, whole.stride) == (2, 1) and seldom.success and len(seldom) == last + 1 > 4
    assert np.array_equal(seldom.actions, whole.actions)
    for step in range(last + 1):
        there = seldom.observed(step)
        assert np.array_equal(seldom.proprio[step], whole.proprio[there])
        assert all(np.array_equal(seldom.images[c][step], whole.images[c][there]) for c in LIBERO.cameras)


def test_what_only_decisions_see_needs_decisions_a_chunk_apart(bundle):
    for spec, hand in ((LIBERO, None), (replace(LIBERO, execute_steps=2), Hand())):  # three of four steps, and two
        events = run_episode(
            PointWorld(), spec, alone(bundle, calls=1), Start(0, 0, seed=0), record=True, decisions_only=True, hand=hand
        )  # fmt: skip
        with pytest.raises(ValueError, match="decisions only: expected no hand, and chunks that end where"):
            run(events)


def test_the_horizon_ends_an_episode(bundle, monkeypatch):
    def away(*args, **options):
        prediction = scripted(*args, **options)
        return replace(prediction, actions=-prediction.actions)

    monkeypatch.setattr(control, "predicting", at_once(away))
    env = PointWorld(horizon=7)
    ended = run(run_episode(env, LIBERO, alone(bundle, calls=1), Start(0, 0, seed=0)))
    assert not ended.success and ended.steps == 7


def test_act_stops_where_it_is_told(bundle, knowing):
    env = PointWorld()
    env.reset(0, 0, 0)
    run(act(env, LIBERO, alone(bundle, calls=1), seed=0, until=4))
    assert env.steps == 4


def test_best_of_n_passes_the_planners_events_on(bundle):
    env = PointWorld(horizon=4)
    events = list(run_episode(env, LIBERO, best_of_n(bundle, bundle, QUICK), Start(0, 0, seed=0)))
    kinds = [type(event) for event in events]
    for kind in (Called, Proposed, Imagined, Valued, Decided, Stepped):
        assert kind in kinds
    first = next(event for event in events if isinstance(event, Decided)).plan
    assert len(first.candidates) == 3 and first.moment.snapshot is not None


def test_the_policy_proposes_the_same_first_chunk_alone_and_among_candidates(bundle):
    def first(planner):
        decide = decider(bundle, planner, QUICK)
        events = run_episode(PointWorld(), LIBERO, decide, Start(0, 0, seed=9))
        return next(event for event in events if isinstance(event, Decided)).plan.candidates[0]

    with_planner, without = first(bundle), first(None)
    assert with_planner.seed == without.seed
    assert np.allclose(with_planner.actions, without.actions, atol=1e-5)


def test_trials_are_spread_evenly_and_more_contain_fewer():
    few, many = trials(4, 10, seed=1), trials(4, 220, seed=1)
    assert [sum(trial.task == task for trial in few) for task in range(4)] == [3, 3, 2, 2]
    assert set(few) < set(many)
    assert {trial.init for trial in many if trial.task == 2} == set(range(50))
    assert next(trial for trial in many if trial.number == 53).init == 3
    assert len({trial.seed for trial in many}) == 220
    fresh = trials(4, 10, seed=1, fresh_inits=7)
    assert all(trial.init is None for trial in fresh) and fresh[0].state == f"fresh{fresh[0].reset_seed}"
    assert [trial.seed for trial in fresh] == [trial.seed for trial in few]


def test_trials_of_some_tasks_are_those_that_they_are_among_all():
    some = trials([1, 3], 10, seed=1)
    assert [sum(trial.task == task for trial in some) for task in range(4)] == [0, 5, 0, 5]
    assert set(some) < set(trials(4, 20, seed=1))


def test_a_suite_gives_one_result_a_trial(bundle, knowing):
    schedule = trials(2, 5, seed=3)
    events = run_suite(PointWorld(), LIBERO, alone(bundle, calls=1), schedule, suite="points")
    results = [event for event in events if isinstance(event, EpisodeResult)]
    assert [result.trial for result in results] == schedule
    assert all(result.success and result.seconds > 0 for result in results)
    assert {result.instruction for result in results} == set(list(point_world.TASKS)[:2])


def test_the_same_seed_gives_the_same_episodes(bundle, knowing):
    def steps():
        work = run_suite(PointWorld(), LIBERO, alone(bundle, calls=1), trials(2, 4, seed=3), suite="points")
        return [result.steps for result in run(work)]

    assert steps() == steps()


def test_the_truth_of_candidates(bundle, knowing):
    env = PointWorld(wind=0.0)
    plan = plan_of(start(env), (1, 0), (-1, 0), (0, 0), values=(0.9, 0.5, 0.7))
    events = list(execute_candidates(env, bundle, plan, seed=0))
    kinds = [type(event) for event in events if not isinstance(event, Stepped)]
    assert kinds == [ChunkExecuted] * 3 + [Executed] * 3
    truth = run(execute_candidates(env, bundle, plan, seed=0))
    outcomes = [candidate.outcome for candidate in truth.candidates]
    assert all(outcome.success for outcome in outcomes)
    away, toward, still = (outcome.steps for outcome in outcomes)
    assert toward < still < away
    assert outcomes[1].worth == pytest.approx(0.9**toward)
    # The chunk is executed whole: its end is what the model imagined.
    moved = outcomes[0].after_chunk.proprio[2] - plan.moment.observation.proprio[2]
    assert moved == pytest.approx(LIBERO.chunk_size * point_world.SPEED)
    assert regret(truth) == pytest.approx(0.9**toward - 0.9**away)
    assert rank_correlation(truth) == pytest.approx(-1.0)


def test_all_candidates_meet_the_same_luck(bundle, knowing):
    env = PointWorld()
    plan = plan_of(start(env), (0, 0.2), (0, 0.2))

    def steps(repetition):
        truth = run(execute_candidates(env, bundle, plan, seed=0, repetition=repetition, cameras=("primary",)))
        return [candidate.outcome for candidate in truth.candidates]

    first, second = steps(0)
    assert first.steps == second.steps
    assert np.array_equal(first.frames["primary"], second.frames["primary"])
    assert len(first.frames["primary"]) == first.steps and "wrist" not in first.frames
    other, _ = steps(1)
    assert not np.array_equal(first.frames["primary"][: other.steps], other.frames["primary"][: first.steps])


def test_continuations_are_draws_and_the_first_is_what_one_alone_is(bundle, monkeypatch):
    def moody(*args, seed, **options):
        """It goes as fast as its luck lets it."""
        prediction = scripted(*args, seed=seed, **options)
        return replace(prediction, actions=prediction.actions * (0.2 + 0.8 * (seed % 97) / 97))

    monkeypatch.setattr(control, "predicting", at_once(moody))
    env = PointWorld()
    plan = plan_of(start(env), (0, 0.2), (0.4, 0))
    options = {"seed": 0, "cameras": ("primary",)}
    work = execute_candidates(env, bundle, plan, continuations=3, **options)
    order = [(event.index, len(event.outcome.every)) for event in work if isinstance(event, Executed)]
    assert order == [(0, 1), (1, 1), (0, 2), (1, 2), (0, 3), (1, 3)], "all that there is early, then again"
    truth = run(execute_candidates(env, bundle, plan, continuations=3, **options))
    each = [run(execute_candidates(env, bundle, plan, repetition=k, **options)) for k in range(3)]
    for index, candidate in enumerate(truth.candidates):
        outcome, alone_ = candidate.outcome, [one.candidates[index].outcome for one in each]
        assert [(d.success, d.steps, d.worth) for d in outcome.draws] == [(o.success, o.steps, o.worth) for o in alone_]
        assert len({draw.steps for draw in outcome.draws}) > 1, "other luck, another way"
        assert outcome.worth == pytest.approx(np.mean([draw.worth for draw in outcome.draws]))
        assert (outcome.success, outcome.steps) == (alone_[0].success, alone_[0].steps)
        assert np.array_equal(outcome.frames["primary"], alone_[0].frames["primary"]), "the film is the first's"
        assert not alone_[0].draws and len(alone_[0].every) == 1
    with pytest.raises(ValueError, match="continuations: expected 1 or more, got 0"):
        run(execute_candidates(env, bundle, plan, continuations=0, **options))


def test_unwatched_truth_films_only_what_the_policy_saw(bundle, knowing):
    env = PointWorld(wind=0.0)
    plan = plan_of(start(env), (1, 0))
    events = list(execute_candidates(env, bundle, plan, seed=0))
    chunk = next(event for event in events if isinstance(event, ChunkExecuted))
    assert len(chunk.frames["wrist"]) == 1
    outcome = next(event for event in events if isinstance(event, Executed)).outcome
    decisions = -(-(outcome.steps - LIBERO.chunk_size) // LIBERO.execute_steps)
    assert len(outcome.frames["wrist"]) == decisions + 1  # the chunk's end and later decisions, then the end


def test_a_chunk_that_succeeds_ends_there(bundle, knowing):
    env = PointWorld(wind=0.0)
    env.reset(0, 0, 0)
    env.position = np.array([-0.40, 0.0])
    moment = Moment(env.observe(), env.instruction, "x@0", env.snapshot())
    outcome = run(execute_candidates(env, bundle, plan_of(moment, (-1, 0)), seed=0)).candidates[0].outcome
    assert outcome.success and outcome.steps == 2 and outcome.worth == pytest.approx(0.81)


def test_only_the_chosen_candidates_are_executed(bundle, knowing):
    env = PointWorld()
    plan = plan_of(start(env), (1, 0), (-1, 0), (0, 0))
    truth = run(execute_candidates(env, bundle, plan, [2], seed=0))
    assert [candidate.outcome is None for candidate in truth.candidates] == [True, True, False]
    assert regret(truth) is None and rank_correlation(truth) is None
    later = run(execute_candidates(env, bundle, truth, [0], seed=0))
    assert [candidate.outcome is None for candidate in later.candidates] == [False, True, False]


def test_what_cannot_be_executed_says_so(bundle):
    env = PointWorld()
    plan = plan_of(start(env), (1, 0))
    with pytest.raises(ValueError, match=r"out of \[0\], got \[4\]"):
        run(execute_candidates(env, bundle, plan, [4], seed=0))
    dream = replace(plan, moment=replace(plan.moment, snapshot=None))
    with pytest.raises(ValueError, match="points/0/0@0 has none"):
        run(execute_candidates(env, bundle, dream, seed=0))


def kinds_of(work) -> list[type]:
    return list(dict.fromkeys(type(event) for event in work))


@pytest.mark.heavy
def test_closing_at_every_kind_of_event_leaves_everything_usable(bundle):
    env = PointWorld(horizon=5)
    plan = plan_of(start(env), (1, 0), (-1, 0))
    makers = [
        lambda: run_episode(env, LIBERO, best_of_n(bundle, bundle, QUICK), Start(0, 0, seed=0), record=True),
        lambda: run_suite(env, LIBERO, alone(bundle, calls=1), trials(2, 2, seed=0), suite="points"),
        lambda: execute_candidates(env, bundle, plan, seed=0, cameras=("primary",)),
    ]
    for make in makers:
        whole = run(make())
        for kind in kinds_of(make()):
            work = make()
            next(event for event in work if isinstance(event, kind))
            work.close()
        again = run(make())
        if isinstance(whole, Plan):
            assert [c.outcome.steps for c in whole.candidates] == [c.outcome.steps for c in again.candidates]
        elif isinstance(whole, EpisodeEnded):
            assert np.array_equal(whole.episode.actions, again.episode.actions)
        else:
            assert [result.steps for result in whole] == [result.steps for result in again]


def test_what_an_end_is_worth():
    assert realised_return(True, 3, gamma=0.9) == pytest.approx(0.9**3)
    assert realised_return(False, 3, gamma=0.9) == 0.0
    assert realised_return(False, 3, gamma=0.9, score=0.5) == pytest.approx(0.5 * 0.9**3), "a partial score"


@pytest.mark.sim
def test_two_continuations_in_the_real_simulator_are_two_rollouts_and_come_again(bundle, monkeypatch):
    from workbench.envs.libero import make_env

    asked = []

    def listening(*args, seed, **options):
        asked.append(seed)
        return predicting(*args, seed=seed, **options)

    predicting = control.predicting
    monkeypatch.setattr(control, "predicting", listening)
    env = make_env("libero_mini_hard", image_size=64)
    env.reset(4, 7, 0)
    env.horizon = 12
    moment = Moment(env.observe(LIBERO.cameras), env.instruction, "libero_mini_hard/4/7@0", env.snapshot())
    plan = run(plan_events(bundle, None, moment, settings=replace(QUICK, candidates=1)))

    def watched():
        """The joints' states of both continuations, and the outcome."""
        asked.clear()
        states = []
        for event in execute_candidates(env, bundle, plan, seed=3, continuations=2):
            if isinstance(event, Stepped) and event.step > LIBERO.chunk_size:
                states.append(env.observe(()).proprio)
            if isinstance(event, Executed):
                outcome = event.outcome
        return np.stack(states).reshape(2, -1, 9), list(asked), outcome

    ways, seeds, outcome = watched()
    again = watched()
    env.close()
    assert len(outcome.draws) == 2 and [draw.steps for draw in outcome.draws] == [12, 12]
    assert len(seeds) == 2 * 3 and len(set(seeds)) == 6, "every decision of every continuation has a seed of its own"
    assert np.abs(ways[0] - ways[1]).max() > 1e-3, "two ways"
    assert np.array_equal(ways, again[0]) and seeds == again[1], "the same again"


@pytest.mark.sim
def test_the_truth_in_the_real_simulator_survives_saving_and_another_process(tmp_path, bundle):
    """A plan made mid-episode, executed here, and executed again from its folder in a fresh process."""
    from workbench.envs.libero import make_env
    from workbench.envs.process import ProcessEnv
    from workbench.planning.best_of_n import plan_events
    from workbench.runs import open_plan, save_plan

    env = make_env("libero_mini_hard", image_size=64)
    env.reset(4, 7, 0)
    env.horizon = 24  # a short continuation
    for step in range(10):
        env.step(np.array([0.3, -0.2, -0.4, 0, 0, 0.1, 1.0 if step % 4 else -1.0]))
    moment = Moment(env.observe(LIBERO.cameras), env.instruction, "libero_mini_hard/4/7@10", env.snapshot())
    plan = run(plan_events(bundle, bundle, moment, settings=QUICK))
    first = run(execute_candidates(env, bundle, plan, seed=3))
    env.close()
    saved = open_plan(save_plan(plan, tmp_path / "plan"))
    other = ProcessEnv("libero_mini_hard", image_size=64)
    try:
        # The horizon is the suite's there: only the chunks are compared, which end long before.
        events = execute_candidates(other, bundle, saved, seed=3)
        again = [event for event in take_until(events, Executed) if isinstance(event, ChunkExecuted)]
    finally:
        other.close()
    assert [event.index for event in again] == [0, 1, 2]
    for candidate, event in zip(first.candidates, again, strict=True):
        outcome = candidate.outcome
        assert outcome.steps == 14 and not outcome.success and outcome.worth == 0
        assert np.allclose(outcome.after_chunk.proprio, event.after_chunk.proprio, atol=1e-12, rtol=0)
        assert np.array_equal(outcome.after_chunk.images["wrist"], event.after_chunk.images["wrist"])


def take_until(events, kind):
    """Events before the first of `kind`; the generator is closed there."""
    for event in events:
        if isinstance(event, kind):
            events.close()
            return
        yield event


def test_what_is_proposed_is_what_a_plan_would_propose(bundle):
    moment = start(PointWorld())
    bare = run(rollout.propose(bundle, moment, QUICK))
    whole = run(plan_events(bundle, None, moment, settings=QUICK))
    for one, other in zip(bare.candidates, whole.candidates, strict=True):
        assert np.array_equal(one.actions, other.actions) and one.value is None


def test_in_turn_no_task_is_ever_more_than_one_episode_ahead():
    schedule = trials(3, 8, seed=0)
    turns = rollout.balanced(schedule)
    assert sorted(turns, key=lambda one: (one.task, one.number)) == schedule
    for stop in range(len(turns) + 1):
        counts = [sum(one.task == task for one in turns[:stop]) for task in range(3)]
        assert max(counts) - min(counts) <= 1


def test_when_the_time_is_used_no_episode_begins_and_the_one_that_has_begun_is_finished(bundle, knowing, monkeypatch):
    monkeypatch.setattr(rollout.time, "monotonic", lambda: env.total)  # a second a control step

    class Clocked(PointWorld):
        total = 0

        def step(self, action):
            self.total += 1
            return super().step(action)

    env = Clocked()
    schedule = rollout.within(rollout.balanced(trials(4, 40, seed=0)), 30)
    results = run(run_suite(env, LIBERO, alone(bundle, calls=1), schedule, suite="points"))
    assert sum(result.steps for result in results[:-1]) < 30 <= sum(result.steps for result in results)
    assert {result.trial.number for result in results} <= {0, 1} and all(result.success for result in results)
