"""Plans to look at: a drawn table with two cubes and a gripper, eight candidates that part ways.

Nothing here is shipped. The scene is drawn through the same camera matrix that the views get, so that a path
on a picture can be checked by eye.
"""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from workbench.types import Candidate, Moment, Observation, Outcome, Plan

GAMMA = 0.98
TARGETS = {"red": (0.02, -0.11), "blue": (-0.06, 0.10), "plate": (0.06, 0.14)}


def camera(size: int, eye=(0.56, 0.0, 0.42), at=(0.0, 0.0, 0.06), fovy: float = 38.0) -> np.ndarray:
    """3 x 4 matrix from metres to pixels of a square picture."""
    eye, at = np.array(eye), np.array(at)
    forward = (at - eye) / np.linalg.norm(at - eye)
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, -np.cross(right, forward), forward])
    focal = size / 2 / np.tan(np.radians(fovy) / 2)
    intrinsic = np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])
    return intrinsic @ np.c_[rotation, -rotation @ eye]


def _box(draw, matrix, centre, half, colour):
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    corners = np.c_[np.array(centre) + signs * np.array(half), np.ones(8)] @ matrix.T
    pixels = corners[:, :2] / corners[:, 2:]
    for face, shade in (
        ((0, 1, 3, 2), 0.6),
        ((0, 1, 5, 4), 0.7),
        ((2, 3, 7, 6), 0.7),
        ((4, 5, 7, 6), 0.85),
        ((1, 3, 7, 5), 1.0),
    ):
        fill = tuple(int(c * shade) for c in colour)
        draw.polygon([tuple(pixels[i]) for i in face], fill=fill)


def draw_scene(gripper, cubes, size: int = 96, matrix=None) -> np.ndarray:
    """An upright picture of the table with `cubes` (name to position) and the gripper."""
    image = Image.new("RGB", (size * 3, size * 3), (203, 198, 190))
    draw, matrix = (
        ImageDraw.Draw(image),
        (camera(size) if matrix is None else matrix) * np.array([[3], [3], [1]]),
    )
    _box(draw, matrix, (0, 0, -0.01), (0.3, 0.3, 0.01), (164, 140, 112))
    _box(draw, matrix, (*TARGETS["plate"], 0.004), (0.05, 0.05, 0.004), (235, 235, 240))
    for colour, position in sorted(cubes.items(), key=lambda item: item[1][0]):
        _box(draw, matrix, position, (0.024,) * 3, (205, 52, 46) if colour == "red" else (48, 92, 200))
    x, y, z = gripper
    for side in (-0.035, 0.035):
        _box(draw, matrix, (x, y + side, z + 0.03), (0.008, 0.006, 0.03), (70, 70, 78))
    _box(draw, matrix, (x, y, z + 0.08), (0.02, 0.05, 0.022), (110, 112, 122))
    return np.array(image.resize((size, size), Image.LANCZOS))


def _observation(gripper, cubes, size: int) -> Observation:
    wrist = camera(
        size, eye=(gripper[0] + 0.06, gripper[1], gripper[2] + 0.16), at=(gripper[0], gripper[1], 0), fovy=70
    )
    images = {"wrist": draw_scene(gripper, cubes, size, wrist), "primary": draw_scene(gripper, cubes, size)}
    return Observation(images, np.zeros(9), {"wrist": wrist, "primary": camera(size)})


def _path(start, goal, rng, steps: int = 16) -> np.ndarray:
    t = np.linspace(0, 1, steps + 1)[:, None]
    lift = np.array([0, 0, 0.05 * rng.uniform(0.2, 1.2)])
    return start + (goal - start) * t + np.sin(np.pi * t) * (lift + rng.normal(0, 0.012, 3))


def make_plan(*, candidates: int = 8, futures: int = 3, values: int = 5, size: int = 96, seed: int = 0) -> Plan:
    """A decided plan without outcomes; candidates reach for the red cube, the blue one or past both."""
    rng = np.random.default_rng(seed)
    start = np.array([-0.05, 0.02, 0.2])
    cubes = {"red": (*TARGETS["red"], 0.024), "blue": (*TARGETS["blue"], 0.024)}
    made = []
    for i in range(candidates):
        goal = np.array([*TARGETS["red" if i % 3 else "blue"], 0.05]) + rng.normal(0, 0.018, 3)
        path = _path(start, goal, rng)
        seen = [_observation(path[-1] + rng.normal(0, 0.004, 3), cubes, size) for _ in range(futures)]
        drawn = np.clip(rng.normal(0.34 if i % 3 else 0.05, 0.07, (futures, values)), 0, 1)
        actions = np.c_[np.diff(path, axis=0) * 20, rng.normal(0, 0.05, (16, 3)), np.where(np.arange(16) > 12, 1, -1)]
        made.append(Candidate(
            index=i, seed=seed + i, actions=actions, path=path,
            futures={cam: np.stack([o.images[cam] for o in seen]) for cam in seen[0].images}, values=drawn,
        ))  # fmt: skip
    moment = Moment(_observation(start, cubes, size), "put the red cube on the plate", "libero_mini_hard/0/12@38")
    return decide(moment, made)


def decide(moment: Moment, candidates: list[Candidate], margin: float | None = None) -> Plan:
    """Rank by the mean of the samples; the margin is a real bootstrap unless given."""
    means = np.array([np.nanmean(c.values) for c in candidates])
    order = np.argsort(-means, kind="stable")
    ranks = np.argsort(order)
    ranked = [replace(c, value=float(m), rank=int(r)) for c, m, r in zip(candidates, means, ranks, strict=True)]
    best = int(order[0])
    if margin is None:
        rng = np.random.default_rng(1)
        flat = np.stack([c.values.ravel() for c in candidates])
        picks = rng.integers(0, flat.shape[1], (400, *flat.shape))
        margin = float((np.take_along_axis(flat[None], picks, 2).mean(2).argmax(1) == best).mean())
    second = int(order[min(1, len(order) - 1)])
    return Plan(
        moment=moment,
        candidates=ranked,
        best=best,
        margin=margin,
        choices={"average": best, "lcb": second, "success_vote": best, "majority_mean": best},
        network_calls=488,
        seconds={"propose": 0.5, "imagine": 1.2, "value": 3.1},
        config={
            "candidates": len(candidates),
            "calls": 5,
            "futures": 3,
            "values": 5,
            "aggregation": "average",
        },
        checkpoints={
            "policy": {"name": "mini", "sha256": "ab" * 32},
            "planner": {"name": "mini-planner", "sha256": "cd" * 32},
        },
        gamma=GAMMA,
    )


def execute(plan: Plan, steps: dict[int, int | None], frames: int = 0) -> Plan:
    """Give candidates their truth: `steps` maps an index to control steps of a success, or None for a failure."""
    done = {i: _with_outcome(plan.candidates[i], truth, plan, frames) for i, truth in steps.items()}
    return replace(plan, candidates=[done.get(c.index, c) for c in plan.candidates])


def _with_outcome(candidate: Candidate, steps: int | None, plan: Plan, frames: int) -> Candidate:
    rng = np.random.default_rng(candidate.index)
    cubes = {colour: (*TARGETS[colour], 0.024) for colour in ("red", "blue")}
    size = len(plan.moment.observation.images["primary"])
    after = _observation(candidate.path[-1] + rng.normal(0, 0.012, 3), cubes, size)
    places = np.linspace(candidate.path[0], candidate.path[-1], frames)
    film = {"primary": np.stack([draw_scene(place, cubes, size) for place in places])} if frames else {}
    count, worth = (120, 0.0) if steps is None else (steps, GAMMA**steps)
    return replace(candidate, outcome=Outcome(steps is not None, count, worth, film, after))


@pytest.fixture(scope="session")
def plan() -> Plan:
    """Eight candidates, decided, not executed."""
    return make_plan()


@pytest.fixture(scope="session")
def executed(plan: Plan) -> Plan:
    """The same with every outcome known: #2 and #3 fail, the others take 41 to 59 steps."""
    return execute(plan, {0: 52, 1: None, 2: None, 3: 59, 4: 41, 5: 44, 6: 47, 7: 44}, frames=24)
