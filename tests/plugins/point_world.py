"""The smallest honest `Env`: a point in the plane that an action pushes, with wind, so that luck matters.

Actions and proprio have LIBERO's shapes, so that a `tiny` bundle of that platform can act in it.
"""

from collections.abc import Callable, Generator

import numpy as np

from workbench.types import Observation, Prediction, Snapshot

TASKS = {
    "go to the left": (-0.5, 0.0),
    "go to the right": (0.5, 0.0),
    "go up": (0.0, 0.5),
    "go down": (0.0, -0.5),
}
SPEED = 0.05
"""Metres a step at full action."""


class PointWorld:
    def __init__(self, *, horizon: int = 60, wind: float = 0.004, image_size: int = 64):
        self.horizon, self.wind, self.image_size = horizon, wind, image_size
        self.task, self.steps, self.rendered, self.closed = 0, 0, 0, False
        self.position = np.zeros(2)
        self.random = np.random.default_rng(0)

    @property
    def instruction(self) -> str:
        return list(TASKS)[self.task]

    @property
    def goal(self) -> np.ndarray:
        return np.array(TASKS[self.instruction])

    @property
    def success(self) -> bool:
        return bool(np.linalg.norm(self.position - self.goal) < 0.04)

    def reset(self, task: int | str, init: int | np.ndarray | None, seed: int) -> None:
        self.task = list(TASKS).index(task) if isinstance(task, str) else task
        self.random = np.random.default_rng(seed)
        if init is None:
            self.position = self.random.uniform(-0.3, 0.3, 2)
        else:
            self.position = np.random.default_rng(init).uniform(-0.3, 0.3, 2)
        self.steps = 0

    def step(self, action: np.ndarray) -> bool:
        push = SPEED * np.clip(np.asarray(action, float)[:2], -1, 1)
        self.position = self.position + push + self.wind * self.random.standard_normal(2)
        self.steps += 1
        return self.success

    def observe(self, cameras=None) -> Observation:
        cameras = ("wrist", "primary") if cameras is None else cameras
        self.rendered += len(cameras)
        proprio = np.zeros(9)
        proprio[2:4] = self.position
        return Observation({camera: self._render(camera) for camera in cameras}, proprio)

    def _render(self, camera: str) -> np.ndarray:
        size = self.image_size
        picture = np.full((size, size, 3), 40 if camera == "primary" else 90, np.uint8)
        for place, colour in ((self.goal, (0, 200, 0)), (self.position, (255, 80, 0))):
            x, y = ((place.clip(-0.95, 0.95) + 1) / 2 * size).astype(int)
            picture[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3] = colour
        return picture

    def snapshot(self) -> Snapshot:
        state = self.random.bit_generator.state["state"]
        words = [value >> shift & 0xFFFFFFFFFFFFFFFF for value in state.values() for shift in (0, 64)]
        return {
            "position": self.position.copy(),
            "counters": np.array([self.task, self.steps]),
            "random": np.array(words, np.uint64),
        }

    def restore(self, snapshot: Snapshot) -> None:
        self.position = np.array(snapshot["position"])
        self.task, self.steps = map(int, snapshot["counters"])
        low, high, low_inc, high_inc = map(int, snapshot["random"])
        state = self.random.bit_generator.state
        state["state"] = {"state": low | high << 64, "inc": low_inc | high_inc << 64}
        self.random.bit_generator.state = state

    def close(self) -> None:
        self.closed = True


def at_once(predict: Callable[..., Prediction]) -> Callable[..., Generator]:
    """What takes the place of `predicting`: a prediction without network calls."""

    def steps(*given, **options):
        yield from ()
        return predict(*given, **options)

    return steps


def scripted(policy, observation, instruction, *, seed, calls, sigma_min=None, pictures=False) -> Prediction:
    """A policy that knows the way; takes the place of `predict`, with luck from the seed."""
    luck = np.random.default_rng(seed)
    toward = np.array(TASKS[instruction]) - observation.proprio[2:4]
    push = toward / max(np.linalg.norm(toward), SPEED) + 0.1 * luck.standard_normal(2)
    actions = np.zeros((policy.spec.chunk_size, policy.spec.action_dim))
    actions[:, :2] = push
    images = {camera: np.asarray(image) for camera, image in observation.images.items()} if pictures else {}
    return Prediction(actions, observation.proprio.copy(), 0.5, images)
