"""One thing changed, the same noise: what moves is what the change moves, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from point_world import PointWorld

from workbench import whatif
from workbench.asking import AskSettings, Shown, answer_events, dream_events, executed
from workbench.models.bundle import tiny
from workbench.planning import run
from workbench.planning.events import Called
from workbench.platforms import LIBERO
from workbench.types import Moment, Observation
from workbench.whatif import measure

TASK = "put the red cube on the plate"
FEW = AskSettings(seed=3, calls=2, future_calls=1, value_calls=1)


@pytest.fixture(scope="module")
def bundle():
    return tiny(LIBERO, words="go to the left right up down", causal=False)


@pytest.fixture(scope="module")
def moment(bundle) -> Moment:
    rng = np.random.default_rng(0)
    images = {camera: rng.integers(0, 256, (64, 64, 3), np.uint8) for camera in bundle.spec.cameras}
    return Moment(Observation(images, rng.uniform(-0.5, 0.5, 9)), TASK, "made up")


@pytest.fixture(scope="module")
def before(bundle, moment):
    return run(answer_events(bundle, bundle, moment, settings=FEW))


def ask(bundle, moment, **settings):
    return run(answer_events(bundle, bundle, moment, settings=FEW, **settings))


def test_nothing_changed_is_no_difference(bundle, moment, before):
    same = measure(before, ask(bundle, moment))
    assert (same.actions, same.end, same.value) == (0, 0, 0) and set(same.future.values()) == {0}
    assert 0 <= before.value <= 1 and before.path.shape == (bundle.spec.chunk_size + 1, 3)


def test_another_seed_is_the_yardstick(bundle, moment, before):
    other = run(answer_events(bundle, bundle, moment, settings=replace(FEW, seed=4)))
    apart = measure(before, other)
    assert apart.actions > 0 and apart.end > 0 and min(apart.future.values()) > 0


@pytest.mark.parametrize(
    "change",
    [
        lambda moment: whatif.blank(moment, "wrist"),
        lambda moment: whatif.swap(moment, "wrist", "primary"),
        lambda moment: whatif.felt(moment, 2, 0.3),
        lambda moment: whatif.told(moment, "put the red  cube on the red cube"),
    ],
)
def test_a_changed_moment_moves_the_answer_and_is_a_new_one(bundle, moment, before, change):
    changed = change(moment)
    assert changed is not moment and moment.instruction == TASK
    assert measure(before, ask(bundle, changed)).actions > 0


def test_changes_are_what_they_say(moment):
    images = moment.observation.images
    assert whatif.blank(moment, "wrist").observation.images["wrist"].max() == 0
    swapped = whatif.swap(moment, "wrist", "primary").observation.images
    assert (swapped["wrist"] == images["primary"]).all() and (swapped["primary"] == images["wrist"]).all()
    felt = whatif.felt(moment, 4, -0.1).observation.proprio - moment.observation.proprio
    np.testing.assert_allclose(felt, [0, 0, 0, 0, -0.1, 0, 0, 0, 0], atol=1e-12)
    assert whatif.told(moment, " go  up ").instruction == "go up"
    for wrong in (
        lambda: whatif.blank(moment, "ceiling"),
        lambda: whatif.felt(moment, 9, 1.0),
        lambda: whatif.otherwise(7)(np.zeros((16, 7))),
    ):
        with pytest.raises(ValueError, match="expected"):
            wrong()


def test_other_actions_change_what_is_imagined_of_them(bundle, moment, before):
    same = ask(bundle, moment, acting=whatif.otherwise())
    np.testing.assert_allclose(same.actions, before.actions)
    assert set(measure(before, same).future.values()) == {0}, "the same actions have the same future"
    other = ask(bundle, moment, acting=whatif.otherwise(1, times=0.0, plus=0.5))
    assert (other.actions[:, 1] == 0.5).all()
    kept = [d for d in range(7) if d != 1]
    np.testing.assert_allclose(other.actions[:, kept], before.actions[:, kept])
    apart = measure(before, other)
    assert apart.actions == pytest.approx(np.sqrt(((before.actions[:, 1] - 0.5) ** 2).sum() / before.actions.size))
    assert max(apart.future.values()) > 0


def test_every_network_call_is_an_event_and_closing_ends_it(bundle, moment):
    events = list(answer_events(bundle, bundle, moment, settings=FEW))
    assert [(event.phase, event.done) for event in events] == [
        ("policy", 1),
        ("policy", 2),
        ("world_model", 3),
        ("v", 4),
    ]
    assert {event.total for event in events} == {4} and all(isinstance(event, Called) for event in events)
    begun = answer_events(bundle, bundle, moment, settings=FEW)
    next(begun)
    begun.close()
    with pytest.raises(ValueError, match="value_calls: expected 1 to 50"):
        AskSettings(value_calls=0)


@pytest.fixture
def world():
    env = PointWorld(wind=0.0)
    env.reset(0, 0, 0)
    return env


@pytest.fixture
def here(world) -> Moment:
    return Moment(world.observe(), world.instruction, "point/0/0@0", world.snapshot())


def test_the_truth_is_what_the_simulator_shows_after_the_chunk(bundle, world, here):
    still = replace(ask(bundle, here), actions=np.zeros((16, 7)))
    pushed = replace(still, actions=np.eye(7)[[0] * 16])
    still, pushed = (run(executed(world, bundle, one)) for one in (still, pushed))
    np.testing.assert_allclose(still.real.proprio, here.observation.proprio)
    assert pushed.real.proprio[2] - still.real.proprio[2] > 0.1
    assert measure(still, pushed).real["primary"] > 0
    with pytest.raises(ValueError, match="has none"):
        run(executed(world, bundle, replace(still, moment=replace(here, snapshot=None))))


@pytest.mark.heavy
def test_a_dream_goes_on_from_what_was_imagined(bundle, world, here):
    events = list(dream_events(bundle, bundle, here, chunks=3, settings=FEW, env=world))
    shown = [event.result for event in events if isinstance(event, Shown)]
    assert [len(dream.chunks) for dream in shown] == [1, 2, 3]
    dream, first = shown[-1], ask(bundle, here)
    np.testing.assert_allclose(dream.chunks[0].actions, first.actions, atol=1e-6)
    assert dream.chunks[0].value == pytest.approx(first.value, abs=1e-6)
    assert (dream.chunks[1].future["primary"] != dream.chunks[0].future["primary"]).any()
    assert world.steps == 48, "the same actions, executed one after another"
    assert dream.leaves == 0, "random weights imagine nothing like the world"
    alone = run(dream_events(bundle, bundle, here, chunks=2, settings=FEW))
    assert alone.leaves is None and alone.error(0, "primary") is None


def test_it_leaves_reality_where_imagining_is_worse_than_standing_still(bundle, here):
    grey = lambda level: {"primary": np.full((8, 8, 3), level, np.uint8)}  # noqa: E731

    def chunk(imagined: int, real: int) -> whatif.Dreamt:
        return whatif.Dreamt(np.zeros((1, 7)), None, grey(imagined), 0.5, Observation(grey(real), np.zeros(9)))

    dream = whatif.Dream(here, [chunk(60, 50), chunk(90, 100), chunk(200, 60)], grey(10))
    assert dream.error(2, "primary") == pytest.approx(140 / 255)
    assert dream.stillness(2, "primary") == pytest.approx(50 / 255)
    assert dream.leaves == 2


@pytest.mark.sim
def test_an_object_can_be_moved_in_the_simulator():
    from workbench.envs.libero import make_env

    env = make_env("libero_mini", image_size=64)
    env.reset(0, 0, 0)
    moment = Moment(env.observe(), env.instruction, "libero_mini/0/0@0", env.snapshot())
    places = env.objects()
    assert len(places) == 2 and all(place.shape == (3,) for place in places.values())
    name = next(iter(places))
    changed = whatif.moved(env, moment, name, [0.05, 0.0, 0.0])
    np.testing.assert_allclose(env.objects()[name] - places[name], [0.05, 0, 0], atol=1e-9)
    assert (changed.observation.images["primary"] != moment.observation.images["primary"]).mean() > 0.001
    env.restore(moment.snapshot)
    np.testing.assert_allclose(env.objects()[name], places[name], atol=1e-12)
    env.restore(changed.snapshot)
    assert abs(env.objects()[name][0] - places[name][0] - 0.05) < 1e-9
    with pytest.raises(ValueError, match="object: expected one of"):
        whatif.moved(env, moment, "table", [0, 0, 0])
    env.close()
