"""Where the published code is wrong: ours is right by default, and upstream's way has a name where a published
number depends on it. More of these stand beside the reference numbers that show them (`grep -r "mark.defect" tests`).
"""

from dataclasses import replace

import numpy as np
import pytest
from point_world import PointWorld

from workbench.control import act
from workbench.diffusion import noise
from workbench.diffusion.samplers import schedule
from workbench.models.bundle import tiny
from workbench.normalize import Statistics, normalize_actions
from workbench.planning import run, seeds
from workbench.planning.aggregate import aggregate
from workbench.planning.best_of_n import plan_events
from workbench.planning.events import Stepped
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.policy import ask
from workbench.steps import encode, extract, inject
from workbench.types import Candidate, Moment, Observation, Plan

defect = pytest.mark.defect
LIBERO = PLATFORMS["libero"]


@pytest.fixture(scope="module")
def small():
    images = {camera: np.full((64, 64, 3), 90, np.uint8) for camera in ("wrist", "primary")}
    return tiny(LIBERO), Moment(Observation(images, np.zeros(9)), "put the red cube on the plate", "test/0/0@0")


@defect(
    "2 denoising steps are silently 1 network call",
    "6.2",
    "n calls are n calls; `PlanSettings(upstream_compatible=True)` as published",
)
def test_two_calls_are_two_calls():
    assert len(schedule(2)) == 2
    assert PlanSettings().member_calls("value") == [1, 2, 3, 4, 5]
    published = PlanSettings(calls=10, upstream_compatible=True)
    assert published.member_calls("value") == [1, 1, 3, 4, 5]
    assert published.network_calls == 8 * 61


@defect("With more candidates than GPUs the rest are exact duplicates", "7", "a seed a candidate, however many")
def test_no_candidate_is_a_duplicate(small):
    assert len(set(seeds.candidate_seeds(195, 64))) == 64
    bundle, moment = small
    settings = PlanSettings(candidates=9, calls=1, futures=1, future_calls=1, values=1, value_calls=1)
    plan = run(plan_events(bundle, None, moment, settings=settings, pictures=False))
    chunks = [one.actions for one in plan.candidates]
    assert all(np.abs(a - b).max() > 1e-3 for i, a in enumerate(chunks) for b in chunks[:i])


@defect("In a batch, sample i does not have the noise of seed + i", "6.1", "a row depends on its own seed alone")
def test_a_row_of_noise_has_its_own_seed():
    layout = LIBERO.layout(side=4)
    upstream = np.random.RandomState(7).standard_normal((2, *layout.shape)).astype(np.float32)
    ours = noise.draw([7, 8], layout).numpy()
    np.testing.assert_array_equal(ours[0], upstream[0])
    assert np.abs(ours[1] - upstream[1]).max() > 1
    np.testing.assert_array_equal(ours[1:], noise.draw([8], layout).numpy())


@defect("A random seed is one of 256", "6.3", "the seeds of decisions are spread over 2 ** 31")
def test_decisions_do_not_share_a_few_seeds():
    found = {
        seeds.decision_seed(seeds.episode_seed(0, task, k), step)
        for task in range(5)
        for k in range(5)
        for step in range(0, 200, 8)
    }
    assert len(found) == 5 * 5 * 25


@defect("One observation cannot be asked as a batch", "6.5", "rows of a batch are the rows alone")
def test_one_observation_serves_a_batch(small):
    bundle, moment = small
    latents = encode(bundle, moment.observation, moment.instruction).repeat(3)
    assert len(latents) == 3
    assert extract(latents, bundle.stats).actions.shape == (3, LIBERO.chunk_size, LIBERO.action_dim)


@defect("If less than the chunk is executed, its last actions are", "7", "the first `execute_steps` are")
def test_the_first_actions_of_a_chunk_are_executed():
    spec, env, taken = replace(LIBERO, chunk_size=6, execute_steps=2), PointWorld(horizon=4), []
    chunk = np.arange(6)[:, None] * np.full((6, 7), 1e-3)

    def decide(moment, seed):
        yield from ()
        return Plan(moment, [Candidate(0, seed, chunk)], 0, 1.0, {}, 1, {}, {}, {}, 0.99)

    env.reset(0, 0, 0)
    for event in act(env, spec, decide, seed=0):
        if isinstance(event, Stepped):
            taken.append(event.action[0])
    np.testing.assert_allclose(taken, [0, 1e-3, 0, 1e-3])


@defect("Without a value ensemble only the first of several futures counts", "7", "every future is valued")
def test_every_future_is_valued(small):
    bundle, moment = small
    settings = PlanSettings(candidates=1, futures=3, values=1, aggregation="average")
    one = run(plan_events(bundle, None, moment, settings=settings, pictures=False)).candidates[0]
    assert one.values.shape == (3, 1)
    assert one.value == pytest.approx(one.values.mean(), abs=1e-6)


@defect("Planning with Q(s, a) ends in a KeyError in the evaluations", "7", "V(s') and Q(s, a) are one setting")
def test_planning_with_q(small):
    bundle, moment = small
    settings = PlanSettings(candidates=2, values=2, value="q")
    plan = run(plan_events(bundle, None, moment, settings=settings, pictures=False))
    assert plan.candidates[plan.best].rank == 0


@defect("A dimension that never varies divides by zero", "2", "it is 0, and returns to its constant")
def test_a_constant_dimension_is_zero():
    stats = Statistics(np.array([0.0, 3.0]), np.array([1.0, 3.0]), np.zeros(1), np.ones(1))
    np.testing.assert_array_equal(normalize_actions(np.array([[1.0, 3.0]]), stats), [[1.0, 0.0]])


@defect("The lower bound of one value sample is not a number", "7", "it is the sample")
def test_the_lower_bound_of_one_sample():
    assert float(aggregate(np.array([0.7]), "lcb")) == pytest.approx(0.7)


@pytest.mark.heavy
@defect("One process serves one platform, guessed from the command line", "1.1", "a platform is data")
def test_two_platforms_in_one_process():
    shapes = {}
    for name in ("libero", "aloha"):
        bundle = tiny(PLATFORMS[name])
        spec = bundle.spec
        images = {camera: np.zeros((64, 64, 3), np.uint8) for camera in spec.cameras}
        observation = Observation(images, np.zeros(spec.proprio_dim))
        latents = ask(bundle, encode(bundle, observation, "put the red cube"), "policy", seed=0, calls=1)
        shapes[name] = extract(latents, bundle.stats).actions.shape
    assert shapes == {"libero": (1, 16, 7), "aloha": (1, 50, 14)}


@defect("The predicted proprio is never read", "2", "`extract` gives it in physical units")
def test_the_predicted_proprio_is_read(small):
    bundle, moment = small
    latents = encode(bundle, moment.observation, moment.instruction)
    expected = np.linspace(-0.5, 0.5, LIBERO.proprio_dim)[None]
    said = extract(inject(latents, bundle.stats, future_proprio=expected, rounding=None), bundle.stats)
    np.testing.assert_allclose(said.future_proprio, expected, atol=1e-6)


@defect(
    "Pictures imagined at depth 2 are decoded with tiled numbers as their context",
    "7",
    "placeholders stay with the latents, whatever is injected or advanced",
)
def test_deeper_pictures_have_clean_context(small):
    bundle, moment = small
    latents = encode(bundle, moment.observation, moment.instruction)
    deeper = inject(latents.advance(), bundle.stats, proprio=np.full((1, 9), 0.5))
    assert deeper.placeholders is latents.placeholders
