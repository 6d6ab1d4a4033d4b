"""A robot that the package has never heard of, in one file: two cameras, six joints, a gripper at its end.

What `CONTRIBUTING.md` says is needed is all that there is here: a platform, an environment, statistics. With them it
is encoded, planned for, simulated, trained, saved, served and shown.
"""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import torch

from workbench import views
from workbench.client import Limits, Pace, PolicyClient, drive
from workbench.client.rehearsal import Rehearsal
from workbench.control import alone
from workbench.envs.base import Env
from workbench.models import checkpoints
from workbench.models.bundle import Bundle, tiny
from workbench.normalize import Statistics
from workbench.planning import run
from workbench.planning.best_of_n import plan_events
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS, PlatformSpec
from workbench.rollout import Start, execute_candidates, run_episode
from workbench.serve import Line, Server, application
from workbench.serve.web import running
from workbench.steps import encode, extract, inject
from workbench.training.bank import LatentBank
from workbench.training.denoiser import train_denoiser
from workbench.training.loop import Trained
from workbench.training.recipes import DenoiserRecipe
from workbench.training.workers import Team
from workbench.types import Episode, Moment, Observation, Snapshot
from workbench.wire import Contract

# --- the platform ---------------------------------------------------------------------------------------------


def gripper_path(actions: np.ndarray, proprio: np.ndarray) -> np.ndarray:
    """The first three joints slide along x, y and z; an action is where they should be."""
    return np.concatenate([proprio[None, :3], actions[:, :3]])


ARM = PlatformSpec(
    name="sliding_arm",
    cameras=("hand", "table"),
    primary="table",
    chunk_size=10,
    execute_steps=5,
    action_dim=6,
    proprio_dim=6,
    gamma=0.97,
    calls=2,
    render_size=48,
    jpeg=False,
    center_crop=False,
    control_hz=10.0,
    absolute=True,
    path=gripper_path,
)

# --- the environment ------------------------------------------------------------------------------------------

TASKS = {"put the red cube on the plate": 0.4, "put the cube on the red plate": -0.4}


class SlidingArm:
    """The arm follows its targets; it is done when the gripper has come to the goal's x."""

    horizon = 20

    def __init__(self) -> None:
        self.task, self.steps, self.joints = 0, 0, np.zeros(6)

    @property
    def instruction(self) -> str:
        return list(TASKS)[self.task]

    @property
    def goal(self) -> float:
        return TASKS[self.instruction]

    @property
    def success(self) -> bool:
        return bool(abs(self.joints[0] - self.goal) < 0.05)

    def reset(self, task: int | str, init: int | np.ndarray | None, seed: int) -> None:
        self.task = list(TASKS).index(task) if isinstance(task, str) else task
        self.joints = np.random.default_rng(seed if init is None else init).uniform(-0.2, 0.2, 6)
        self.steps = 0

    def step(self, action: np.ndarray) -> bool:
        self.joints = self.joints + np.clip(np.asarray(action, float) - self.joints, -0.05, 0.05)
        self.steps += 1
        return self.success

    def observe(self, cameras=None) -> Observation:
        names = ARM.cameras if cameras is None else cameras
        return Observation({name: self._picture(name) for name in names}, self.joints.copy())

    def _picture(self, camera: str) -> np.ndarray:
        picture = np.full((48, 48, 3), 60 if camera == "hand" else 120, np.uint8)
        for x, colour in ((self.goal, (20, 200, 20)), (float(self.joints[0]), (220, 60, 20))):
            at = int((np.clip(x, -0.9, 0.9) + 1) / 2 * 48)
            picture[20:28, max(at - 3, 0) : at + 3] = colour
        return picture

    def snapshot(self) -> Snapshot:
        return {"joints": self.joints.copy(), "counters": np.array([self.task, self.steps])}

    def restore(self, snapshot: Snapshot) -> None:
        self.joints = np.array(snapshot["joints"])
        self.task, self.steps = map(int, snapshot["counters"])

    def close(self) -> None:
        pass


def demonstration(seed: int) -> Episode:
    env, seen, actions = SlidingArm(), [], []
    env.reset(seed % 2, None, seed)
    while not env.success:
        seen.append(env.observe())
        actions.append(np.array([env.goal, 0, 0, 0, 0, 1.0]))
        env.step(actions[-1])
    images = {camera: [one.images[camera] for one in seen] for camera in ARM.cameras}
    proprio = np.stack([one.proprio for one in seen])
    return Episode(env.instruction, images, np.stack(actions), proprio, True, f"demo{seed}")


# --- the statistics, and all the rest -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demos() -> list[Episode]:
    return [demonstration(seed) for seed in range(6)]


@pytest.fixture(scope="module")
def arm(demos) -> Bundle:
    """Random weights; the tokenizer sees pictures one by one, as small ones do."""
    stats = Statistics.from_episodes([demo.actions for demo in demos], [demo.proprio for demo in demos])
    return replace(tiny(ARM, causal=False), stats=stats, name="arm")


def here(env: SlidingArm) -> Moment:
    env.reset(0, 0, 0)
    return Moment(env.observe(), env.instruction, "sliding_arm/0/0@0", env.snapshot())


SETTINGS = PlanSettings(candidates=3, calls=1, futures=2, future_calls=2, values=2, value_calls=1)


def test_its_numbers_survive_encoding_exactly(arm):
    assert isinstance(SlidingArm(), Env)
    moment = here(SlidingArm())
    latents = encode(arm, moment.observation, moment.instruction)
    assert latents.x.shape[2] == len(arm.layout) == 9  # blank, proprio, 2 cameras, actions, the same in future, value
    chunk = np.random.default_rng(0).uniform(-0.4, 0.4, (1, 10, 6))
    chunk[..., 1:5], chunk[..., 5] = 0, 1  # which never varied
    read = extract(inject(latents, arm.stats, actions=chunk, value=np.array([0.25]), rounding=None), arm.stats)
    np.testing.assert_allclose(read.actions, chunk, atol=1e-6)
    assert read.value[0] == pytest.approx(0.25, abs=1e-6)


@pytest.mark.heavy
def test_it_is_planned_for_executed_and_shown_like_any_other(arm):
    env = SlidingArm()
    plan = run(plan_events(arm, None, here(env), settings=SETTINGS))
    assert plan.candidates[0].path.shape == (11, 3)
    plan = run(execute_candidates(env, arm, plan, seed=0, cameras=ARM.cameras))
    assert all(candidate.outcome.after_chunk.images.keys() == set(ARM.cameras) for candidate in plan.candidates)
    seen = views.as_seen(plan, arm.spec)
    page = views.cards_html(seen) + views.truth_html(seen, plan.best) + views.outcomes_html(plan)
    assert page.count("data-candidate") >= 3 and "table" in page
    assert views.plan_html(plan).startswith("<!doctype html>")
    figures = [views.actions_figure(plan), views.paths_figure(plan), views.values_figure(plan)]
    assert all(len(figure.data) >= 3 for figure in figures)


def test_without_a_path_its_joint_curves_are_shown(arm):
    blind = replace(arm, spec=replace(arm.spec, path=None))
    plan = run(plan_events(blind, None, here(SlidingArm()), settings=SETTINGS))
    assert all(candidate.path is None for candidate in plan.candidates)
    assert views.cards_html(views.as_seen(plan, blind.spec)).count("data-candidate") >= 3
    assert len(views.actions_figure(plan).data) >= 3


def test_it_runs_in_a_closed_loop(arm):
    decide = alone(arm, calls=1)
    ended = run(run_episode(SlidingArm(), arm.spec, decide, Start(1, 3, seed=0), record=True))
    assert len(ended.episode) == ended.steps + 1 and ended.episode.actions.shape[1] == 6


@pytest.mark.heavy
def test_it_is_trained_saved_and_loaded(arm, demos, tmp_path, monkeypatch):
    bank = LatentBank(tmp_path / "latents", arm.tokenizer, arm.spec)
    run(bank.fill(demos))
    recipe = DenoiserRecipe(
        iterations=3, batch=4, learning_rate=1e-3, mix={"policy": 0.5, "world_model": 0.25, "value": 0.25}, warmup=1
    )
    losses = []
    work = train_denoiser(
        replace(tiny(ARM, causal=False), stats=arm.stats, tokenizer=arm.tokenizer, name="arm"),
        (demos, []),
        bank,
        tmp_path / "run",
        recipe=recipe,
        held_out=0.0,
        team=Team(),
    )
    while True:
        try:
            event = next(work)
        except StopIteration as end:
            trained = end.value
            break
        if isinstance(event, Trained):
            losses.append(event.loss)
    assert len(losses) == 3 and np.isfinite(losses).all()
    with monkeypatch.context() as patch:
        patch.setitem(PLATFORMS, ARM.name, ARM)  # the one line in `platforms/__init__.py`
        checkpoints.save(trained, tmp_path / "arm", readme="A sliding arm.", dtype=torch.float32)
        loaded = checkpoints.load(tmp_path / "arm")
    assert loaded.spec.cameras == ARM.cameras and loaded.spec.path is gripper_path
    plans = [run(plan_events(one, None, here(SlidingArm()), settings=SETTINGS)) for one in (trained, loaded)]
    np.testing.assert_array_equal(*(plan.candidates[plan.best].actions for plan in plans))


def test_it_is_served_and_driven(arm):
    decide = lambda moment, seed, pictures: alone(arm, calls=1, pictures=pictures)(moment, seed)  # noqa: E731
    bounds = {"actions_min": arm.stats.actions_min, "actions_max": arm.stats.actions_max}
    server = Server(decide, Line(), arm.spec, Contract.of(arm.spec, checkpoint=arm.name, **bounds))
    with running(application(server)) as address, closing(PolicyClient(address)) as client:
        robot = Rehearsal(client.contract(), size=(48, 48))
        pace = Pace(hz=10.0, execute_steps=5, ahead=2, deadline=30.0, max_age=30.0)
        words = "put the red cube on the plate"
        ticks = list(drive(robot, client, words, pace=pace, limits=Limits(), steps=15))
    assert robot.commands and robot.commands[0].shape == (6,)
    assert any(tick.action is not None for tick in ticks)
