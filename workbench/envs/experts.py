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

HALF_CUBE = 0.024
FINGER = 0.045
"""Metres from the fingertips to the hand: a taller thing is grasped nearer to its top than half of that."""


@dataclass(frozen=True)
class Surface:
    """What a thing is put on or into; heights in metres."""

    top: float
    """Of the surface (a bin's or basket's floor) above the ground."""
    gap: float
    """Between the surface and the held thing's underside when it is let go."""
    lift: float = 0.0
    """By how much higher than over a bare table one carries and approaches, for the walls around it."""


SURFACES = {
    "plate": Surface(0.008, 0.012),
    "bin": Surface(0.006, 0.045),
    "cube": Surface(0.048, 0.010),
    "basket": Surface(0.0, 0.06, lift=0.09),
}


@dataclass(frozen=True)
class Style:
    """One episode's way of doing it, drawn from the seed."""

    noise: float
    """Standard deviation of the autoregressive noise on the position action."""
    hover: float
    """Height above the thing, in metres, from which it is approached."""
    carry: float
    """Height of the gripper while it carries a cube over a bare table, in metres."""
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
    """Which thing goes onto what, as MuJoCo body names."""

    thing: str
    target: str

    @property
    def surface(self) -> Surface:
        return next(surface for name, surface in SURFACES.items() if name in self.target)


def goal_of(instruction: str) -> Goal:
    """The goal of an instruction of ours, e.g. `put the red cube on the plate`, or of the suite `libero_object`.

    ValueError for any other one.
    """
    match instruction.split():
        case "put", "the", colour, "cube", "on" | "in", "the", ("plate" | "bin") as place:
            return Goal(_body(f"{colour}_cube"), PLACES[place])
        case "stack", "the", colour, "cube", "on", "the", other, "cube":
            return Goal(_body(f"{colour}_cube"), _body(f"{other}_cube"))
        case "pick", "up", "the", *name, "and", "place", "it", "in", "the", "basket":
            return Goal(_body("_".join(name)), _body("basket"))
    known = "put the COLOUR cube on the plate / in the bin, stack one on the other, pick up the THING ... in the basket"
    raise ValueError(f"the scripted expert can: {known}; not {instruction!r}")


def failures_of(instruction: str) -> tuple[str, ...]:
    """The kinds of failure that there are for an instruction: with one basket there is no wrong target."""
    places = goal_of(instruction).target in (*PLACES.values(), *map(_body, CUBES))
    return tuple(kind for kind in FAILURES if places or kind != "wrong_target")


def _body(name: str) -> str:
    """MuJoCo's name of the only object of that name."""
    return f"{name}_1_main"


CUBES = ("red_cube", "blue_cube")
PLACES = {"plate": _body("small_plate"), "bin": _body("square_bin")}


def expert(env: LiberoEnv, *, seed: int, kind: str = "expert") -> Iterator[np.ndarray]:
    """Yield actions (7,) for the present task, reading `env` before each; endless, the caller stops.

    `kind` is "expert" or one of FAILURES. The same seed gives the same episode.
    """
    if kind not in ("expert", *FAILURES):
        raise ValueError(f"unknown kind {kind!r}; known kinds: expert, {', '.join(FAILURES)}")
    random = np.random.RandomState(seed)
    style = Style.draw(random, noise=(0.5, 0.9) if kind == "noisy" else (0.04, 0.16))
    goal = _mistaken(env, goal_of(env.instruction), kind, random)
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
    kind = random.choice([kind for kind in failures_of(env.instruction) if kind in MISHAPS])
    for action in islice(expert(env, seed=seed, kind=kind), random.randint(8, 61)):
        env.step(action)


def _mistaken(env: LiberoEnv, goal: Goal, kind: str, random: np.random.RandomState) -> Goal:
    """The goal that a confused policy would pursue."""
    if kind == "wrong_object":
        others = {f"{name}_main" for name in env.objects()} - {goal.thing, _body("basket")}
        other = random.choice(sorted(others))
        return Goal(other, goal.target if other != goal.target else goal.thing)
    if kind == "wrong_target":
        return Goal(goal.thing, random.choice(sorted(set(PLACES.values()) - {goal.target})))
    return goal


def _waypoints(
    env: LiberoEnv, goal: Goal, style: Style, kind: str, random: np.random.RandomState
) -> Iterator[Waypoint]:
    """Yield where the gripper should be next and whether open or closed, one a control step."""
    surface, (grasp, held) = goal.surface, _grasp(env, goal.thing)
    hover, carry = style.hover + surface.lift, style.carry + surface.lift + held - HALF_CUBE
    if kind == "miss":
        grasp = grasp + _offset(random, 0.035, 0.055)
    yield from _rise(env, style.hover)
    yield from _descend(env, grasp, OPEN, height=hover, bow=style.bow)
    yield from _hold(_gripper(env), CLOSED, steps=6)
    start, place = _gripper(env), _position(env, goal.target)
    lifted = _at_height(start, carry)
    while _gripper(env)[2] < 0.7 * carry:
        yield Waypoint(lifted, CLOSED)
    if kind == "drop":
        way = lifted + random.uniform(0.25, 0.7) * (_at_height(place, carry) - lifted)
        yield from _reach(env, way, CLOSED)
        yield from _hold(_gripper(env), OPEN, steps=8)
    release = _at_height(place, surface.top + surface.gap + held)
    yield from _descend(env, release, CLOSED, height=carry - release[2], bow=style.bow)
    yield from _hold(release, OPEN, steps=6)
    while True:
        yield Waypoint(_at_height(place, 0.15 + surface.lift), OPEN)


def _grasp(env: LiberoEnv, body: str) -> tuple[Point, float]:
    """Where to grasp a thing: in its middle, a tall one near its top; and how far above its underside that is."""
    low, high = _heights(env, body)
    middle = _position(env, body)
    height = max(middle[2], high - FINGER)
    return _at_height(middle, height), height - low


def _heights(env: LiberoEnv, body: str) -> tuple[float, float]:
    """The underside and the top of a body that others can touch, in metres above the ground."""
    model, data = env.sim.model._model, env.sim.data
    touched = [i for i in range(model.ngeom) if model.geom_bodyid[i] == model.body(body).id and model.geom_contype[i]]
    centres, sizes = model.geom_aabb[touched, :3], model.geom_aabb[touched, 3:]
    upwards = data.geom_xmat[touched].reshape(-1, 3, 3)[:, 2]
    middles = data.geom_xpos[touched, 2] + (upwards * centres).sum(1)
    reach = (np.abs(upwards) * sizes).sum(1)
    return float((middles - reach).min()), float((middles + reach).max())


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
