"""Scripted experts on privileged state, and what makes them fail.

An expert is a generator of waypoints followed by a proportional controller. It knows where every object is;
nothing that it does is available to a policy. Each episode has its own speed, heights and way around, which a
single picture does not tell: so a policy learns that there is more than one way, and its candidates differ. The
perturbed kinds fail in the ways that policies fail, for value functions and world models to learn from, and to
leave behind what an expert has to mend.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Float

from workbench.envs.libero import LiberoEnv

Point = Float[np.ndarray, "3"]

FAILURES = ("miss", "wrong_object", "wrong_target", "drop", "noisy")
MISHAPS = FAILURES[:-1]
"""Those that leave something to mend; the noisy one may succeed."""
OPEN, CLOSED = -1.0, 1.0
GAIN = 20.0
"""Action per metre of distance; a full action asks the controller for 5 cm."""

RELEASE_HEIGHT = {"plate": 0.012, "bin": 0.045, "cube": 0.010}
"""Metres between the held cube's underside and what it is put on (the bin: its floor) when it is let go."""
TOP = {"plate": 0.008, "bin": 0.006, "cube": 0.048}
"""Height of the surface above the floor."""
HALF_CUBE = 0.024


@dataclass(frozen=True)
class Style:
    """One episode's way of doing it, drawn from the seed."""

    noise: float
    """Standard deviation of the autoregressive noise on the position action."""
    hover: float
    """Height above the cube, in metres, from which it is approached."""
    carry: float
    """Height of the gripper while it carries, in metres."""
    speed: float
    """Largest position action."""
    bow: float
    """Metres by which the way across the table swings to the left (or, negative, to the right)."""

    @staticmethod
    def draw(random: np.random.RandomState, *, noise: tuple[float, float] = (0.04, 0.16)) -> "Style":
        return Style(
            noise=random.uniform(*noise),
            hover=random.uniform(0.05, 0.08),
            carry=random.uniform(0.095, 0.15),
            speed=random.uniform(0.65, 1.0),
            bow=random.uniform(-0.05, 0.05),
        )


@dataclass(frozen=True, eq=False)
class Waypoint:
    """Where to be next."""

    target: Point
    gripper: float
    noise: float = 1.0
    """Factor on the style's noise: contacts need a quieter hand."""


@dataclass(frozen=True)
class Goal:
    """Which cube goes onto what, as MuJoCo body names."""

    cube: str
    target: str

    @property
    def surface(self) -> str:
        return next(name for name in ("plate", "bin", "cube") if name in self.target)


def goal_of(instruction: str) -> Goal:
    """The goal of one of our instructions, e.g. `put the red cube on the plate`."""
    words = instruction.split()
    cube = f"{words[2]}_cube_1_main"
    if words[0] == "stack":
        return Goal(cube, f"{words[-2]}_cube_1_main")
    return Goal(cube, {"plate": "small_plate_1_main", "bin": "square_bin_1_main"}[words[-1]])


def expert(env: LiberoEnv, *, seed: int, kind: str = "expert") -> Iterator[np.ndarray]:
    """Yield actions (7,) for the present task, reading `env` before each; endless, the caller stops.

    `kind` is "expert" or one of FAILURES. The same seed gives the same episode.
    """
    if kind not in ("expert", *FAILURES):
        raise ValueError(f"unknown kind {kind!r}; known kinds: expert, {', '.join(FAILURES)}")
    random = np.random.RandomState(seed)
    style = Style.draw(random, noise=(0.5, 0.9) if kind == "noisy" else (0.04, 0.16))
    goal = _mistaken(goal_of(env.instruction), kind, random)
    noise = np.zeros(3)
    for point in _waypoints(env, goal, style, kind, random):
        noise = 0.8 * noise + 0.6 * style.noise * random.normal(size=3)
        move = np.clip(GAIN * (point.target - _gripper(env)), -style.speed, style.speed)
        move = np.clip(move + point.noise * noise, -1, 1)
        yield np.concatenate([move, np.zeros(3), [point.gripper]])


def mislead(env: LiberoEnv, *, seed: int) -> None:
    """Leave the present task in a state that an expert has to mend: a miss, a drop, a wrong grasp on its way.

    A failing expert acts for 8 to 60 steps. Demonstrations that begin there teach how to recover without
    teaching the mistake.
    """
    random = np.random.RandomState([seed % 2**32, 1])
    kind = random.choice(MISHAPS)
    for action in islice(expert(env, seed=seed, kind=kind), random.randint(8, 61)):
        env.step(action)


def _mistaken(goal: Goal, kind: str, random: np.random.RandomState) -> Goal:
    """The goal that a confused policy would pursue."""
    other = goal.cube.replace("red", "x").replace("blue", "red").replace("x", "blue")
    if kind == "wrong_object":
        target = goal.target if goal.surface != "cube" else goal.cube
        return Goal(other, target)
    if kind == "wrong_target":
        places = {"small_plate_1_main", "square_bin_1_main"} - {goal.target}
        return Goal(goal.cube, random.choice(sorted(places)))
    return goal


def _waypoints(
    env: LiberoEnv, goal: Goal, style: Style, kind: str, random: np.random.RandomState
) -> Iterator[Waypoint]:
    """Yield where the gripper should be next and whether open or closed, one a control step."""
    grasp = _position(env, goal.cube)
    if kind == "miss":
        grasp = grasp + _offset(random, 0.035, 0.055)
    yield from _rise(env, style.hover)
    yield from _descend(env, grasp, OPEN, height=style.hover, bow=style.bow)
    yield from _hold(_gripper(env), CLOSED, steps=6)
    start, place = _gripper(env), _position(env, goal.target)
    lifted = _at_height(start, style.carry)
    while _gripper(env)[2] < 0.7 * style.carry:
        yield Waypoint(lifted, CLOSED)
    if kind == "drop":
        way = lifted + random.uniform(0.25, 0.7) * (_at_height(place, style.carry) - lifted)
        yield from _reach(env, way, CLOSED)
        yield from _hold(_gripper(env), OPEN, steps=8)
    release = _at_height(place, TOP[goal.surface] + RELEASE_HEIGHT[goal.surface] + HALF_CUBE)
    yield from _descend(env, release, CLOSED, height=style.carry - release[2], bow=style.bow)
    yield from _hold(release, OPEN, steps=6)
    while True:
        yield Waypoint(_at_height(place, 0.15), OPEN)


def _rise(env: LiberoEnv, height: float) -> Iterator[Waypoint]:
    """Let go of whatever there is and get off the table, straight up; nothing to do at a normal beginning."""
    above = _at_height(_gripper(env), height)
    while _gripper(env)[2] < 0.8 * height:
        yield Waypoint(above, OPEN)


def _descend(env: LiberoEnv, target: Point, gripper: float, *, height: float, bow: float) -> Iterator[Waypoint]:
    """Go over `target` at `height` above it and sink as soon as the way down is clear: a funnel."""
    for _ in range(60):
        error = target - _gripper(env)
        across = np.linalg.norm(error[:2])
        if across < 0.008 and abs(error[2]) < 0.006:
            return
        rise = np.clip(1.5 * (across - 0.012), 0, height)
        near = across < 0.03 and abs(error[2]) < 0.04
        # The nearer, the less: the last centimetres are straight.
        swing = bow * np.clip((across - 0.04) / 0.08, 0, 1) / max(across, 1e-9)
        aside = np.array([-error[1] * swing, error[0] * swing, rise])
        yield Waypoint(target + aside, gripper, noise=0.4 if near else 1.0)


def _reach(env: LiberoEnv, target: Point, gripper: float) -> Iterator[Waypoint]:
    for _ in range(40):
        if np.linalg.norm(target - _gripper(env)) < 0.02:
            return
        yield Waypoint(target, gripper)


def _hold(target: Point, gripper: float, *, steps: int) -> Iterator[Waypoint]:
    for _ in range(steps):
        yield Waypoint(target, gripper, noise=0.4)


def _at_height(point: Point, height: float) -> Point:
    return np.array([point[0], point[1], height])


def _offset(random: np.random.RandomState, low: float, high: float) -> Point:
    angle, radius = random.uniform(0, 2 * np.pi), random.uniform(low, high)
    return np.array([radius * np.cos(angle), radius * np.sin(angle), 0.0])


def _gripper(env: LiberoEnv) -> Point:
    return env.observe([]).proprio[2:5]


def _position(env: LiberoEnv, body: str) -> Point:
    return env.sim.data.get_body_xpos(body).copy()
