"""A hand on a running episode, and several episodes side by side, in the point world and in the real simulator."""

from dataclasses import replace

import numpy as np
import pytest
from point_world import SPEED, PointWorld, at_once, scripted

from workbench import control
from workbench.control import Beside, alone, decider, side_by_side
from workbench.interventions import Hand, Intervened, Moved, Paused, Refused, Told
from workbench.models.bundle import tiny
from workbench.planning import run
from workbench.planning.events import Decided, EpisodeEnded, Stepped
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.rollout import Start, run_episode
from workbench.types import Prediction

QUICK = PlanSettings(candidates=3, calls=1, futures=1, future_calls=1, values=1, value_calls=1)
LIBERO = replace(PLATFORMS["libero"], chunk_size=4, execute_steps=4)


class MovablePoint(PointWorld):
    """The point itself can be put elsewhere by hand."""

    def objects(self):
        return {"point": np.append(self.position, 0.0)}

    def move(self, name, by):
        if name != "point":
            raise ValueError(f"object: expected one of point; got {name!r}")
        self.position = self.position + by[:2]


@pytest.fixture(scope="module")
def bundle():
    return tiny(LIBERO, words="go to the left right up down", causal=False)


@pytest.fixture(autouse=True)
def knowing(monkeypatch):
    monkeypatch.setattr(control, "predicting", at_once(scripted))


def episode(bundle, env, hand=None, *, seed=3, planner=None, record=False):
    decide = decider(bundle, planner, QUICK, pictures=True)
    return run_episode(env, LIBERO, decide, Start(1, 0, seed), cameras=("primary",), record=record, hand=hand)


def until(events, kind):
    """What comes, up to the first event of `kind`, which is the last."""
    seen = []
    for event in events:
        seen.append(event)
        if isinstance(event, kind):
            return seen
    raise AssertionError(f"it ended without a {kind.__name__}")


def actions(events):
    return [event.action for event in events if isinstance(event, Stepped)]


def test_pausing_alone_changes_nothing(bundle):
    straight = list(episode(bundle, MovablePoint()))
    hand = Hand()
    events = episode(bundle, MovablePoint(), hand)
    seen = until(events, Stepped)
    hand.pause()
    for _ in range(3):  # as often as anybody looks
        waiting = next(events)
        assert isinstance(waiting, Paused) and waiting.step == 1 and list(waiting.objects) == ["point"]
    hand.resume()
    seen += list(events)
    assert actions(seen) == actions(straight)
    assert seen[-1].success and seen[-1].steps == straight[-1].steps


def test_what_it_is_told_is_heard_by_the_next_decision(bundle):
    hand = Hand()
    events = episode(bundle, PointWorld(wind=0.0), hand)
    until(events, Stepped)
    hand.pause()
    next(events)
    hand.tell("  go   up ")
    changed = next(events)
    assert isinstance(changed, Intervened) and changed.change == Told("go up") and changed.step == 1
    assert isinstance(next(events), Paused), "it still waits"
    hand.resume()
    decided = next(events)
    assert isinstance(decided, Decided) and decided.step == 1, "the rest of the chunk is dropped"
    assert decided.plan.moment.instruction == "go up"
    *_, ended = events
    assert isinstance(ended, EpisodeEnded) and not ended.success, "success is still the task's"


def test_the_scene_is_seen_as_it_is_now(bundle):
    env, hand = MovablePoint(wind=0.0), Hand()
    events = episode(bundle, env, hand)
    until(events, Stepped)
    before = env.position.copy()
    hand.move("point", (0.1, -0.2, 0.0))  # without a pause, too
    changed = next(events)
    assert changed.change == Moved("point", (0.1, -0.2, 0.0))
    assert np.allclose(changed.observation.proprio[2:4], before + [0.1, -0.2])
    decided = next(events)
    assert decided.plan.moment.observation is changed.observation
    assert set(changed.observation.images) == {"wrist", "primary"}, "all that the policy needs"


def test_a_recording_goes_on_from_what_is_seen_after_an_intervention(bundle):
    hand = Hand()
    events = episode(bundle, MovablePoint(wind=0.0), hand, record=True)
    until(events, Stepped)
    hand.move("point", (0.1, 0.0, 0.0))
    *_, ended = events
    moved = np.diff(ended.episode.proprio[:, 2:4], axis=0)
    pushed = SPEED * ended.episode.actions[:-1, :2].clip(-1, 1)
    assert np.allclose(moved[1:], pushed[1:]) and np.allclose(moved[0], pushed[0] + [0.1, 0.0])


def test_what_cannot_be_done_is_refused_and_the_chunk_goes_on(bundle):
    straight = actions(episode(bundle, MovablePoint()))
    hand = Hand(understands=bundle.text.embed)
    events = episode(bundle, MovablePoint(), hand)
    seen = until(events, Stepped)
    hand.tell("make coffee")
    hand.move("cup", (0.0, 0.0, 0.1))
    refused = [next(events), next(events)]
    assert [type(event) for event in refused] == [Refused, Refused]
    assert "unknown make, coffee" in refused[0].reason and "expected one of point; got 'cup'" in refused[1].reason
    assert actions([*seen, *events]) == straight
    rigid = Hand()
    rigid.move("point", (0.0, 0.0, 0.0))
    assert "here none can" in until(episode(bundle, PointWorld(), rigid), Refused)[-1].reason


@pytest.mark.parametrize("wrong", ["", "  ", "word " * 100])
def test_no_words_and_too_many_are_refused_at_once(wrong):
    with pytest.raises(ValueError, match="expected 1 to 300 characters"):
        Hand().tell(wrong)


@pytest.mark.parametrize("wrong", [(0.0, 0.0), (0.0, float("nan"), 0.0)])
def test_metres_are_three_finite_numbers(wrong):
    with pytest.raises(ValueError, match="three finite numbers"):
        Hand().move("point", wrong)


@pytest.mark.heavy
def test_side_by_side_each_goes_as_it_would_alone(bundle):
    how = [{"seed": 3}, {"seed": 3, "planner": bundle}, {"seed": 8}]
    lone = [list(episode(bundle, PointWorld(horizon=20), **one)) for one in how]
    env = PointWorld(horizon=20)
    events, ended = [], []

    def together():
        ended.extend((yield from side_by_side(env, [episode(bundle, env, **one) for one in how])))

    events = list(together())
    assert all(isinstance(event, Beside) for event in events)
    for column, one in enumerate(lone):
        mine = [event.event for event in events if event.column == column]
        assert actions(mine) == actions(one)
        assert (ended[column].success, ended[column].steps) == (one[-1].success, one[-1].steps)
    decided = [event.column for event in events if isinstance(event.event, Decided)]
    assert decided[:6] == [0, 1, 2, 0, 1, 2], "in turn"


def test_closing_closes_all_of_them_and_leaves_the_simulator_usable(bundle):
    env = PointWorld()
    episodes = [episode(bundle, env), episode(bundle, env, seed=8)]
    events = side_by_side(env, episodes)
    until((event.event for event in iter(lambda: next(events), None)), Stepped)
    events.close()
    assert all(each.gi_frame is None for each in episodes)
    assert isinstance(run(episode(bundle, env)), EpisodeEnded)


@pytest.mark.sim
def test_in_the_real_simulator_a_moved_object_is_seen_by_both(bundle, monkeypatch):
    from workbench.envs.libero import make_env

    env = make_env("libero_mini", image_size=64)
    rest = np.zeros((4, 7))
    still = at_once(lambda policy, seen, *_, **__: Prediction(rest, seen.proprio.copy(), 0.5))
    monkeypatch.setattr(control, "predicting", still)
    hands = [Hand(), Hand()]
    for hand in hands:
        hand.pause()
    episodes = [
        run_episode(env, LIBERO, alone(bundle, calls=1), Start(0, 0, seed), hand=hand, cameras=("primary",))
        for seed, hand in enumerate(hands)
    ]
    events = side_by_side(env, episodes)
    paused = next(events)
    before = dict(paused.event.objects)
    name = next(iter(before))
    for hand in hands:
        hand.move(name, (0.0, 0.05, 0.0))
        hand.resume()
    seen = {}
    for event in events:
        if isinstance(event.event, Intervened):
            seen[event.column] = env.objects()[name]
        if isinstance(event.event, Stepped) and event.column == 1:
            break
    events.close()
    assert np.allclose(seen[0], seen[1], atol=1e-9), "the same start, the same intervention"
    assert np.allclose(seen[0] - before[name], [0.0, 0.05, 0.0], atol=1e-9)
    assert np.allclose(env.objects()[name][:2], seen[1][:2], atol=0.01), "and there it stays"
    env.close()
