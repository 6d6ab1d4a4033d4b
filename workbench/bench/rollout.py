"""`workbench bench rollout`: rendering only what a decision sees, against both cameras at every step.

The simulation alone: the same actions from the same state, in chunks; the states that they lead to are
compared, so that what is faster is also the same. With `--workers N` instead: an evaluation by N processes against
the same one by one process, once they have started, and whether all episodes ended alike.
"""

import argparse
import time
from collections.abc import Sequence
from contextlib import closing

import numpy as np

from workbench.envs.base import Env
from workbench.envs.libero import make_env
from workbench.envs.suites import suite as find_suite
from workbench.evaluation import Evaluation
from workbench.planning.settings import PlanSettings
from workbench.rollout import EpisodeResult, trials


def main(options: Sequence[str]) -> int:
    """Print both ways and their ratio; returns an exit code."""
    parser = argparse.ArgumentParser(prog="workbench bench rollout", description=__doc__)
    parser.add_argument("--suite", default="libero_mini")
    parser.add_argument("--chunk", type=int, default=8, help="control steps a decision")
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--workers", type=int, help="compare an evaluation by so many processes with one's")
    parser.add_argument("--checkpoint", default="mini", help="--workers: whom they evaluate")
    parser.add_argument("--episodes", type=int, default=24, help="--workers: how many")
    given = parser.parse_args(options)
    return _processes(given) if given.workers else _rendering(given)


def _rendering(given: argparse.Namespace) -> int:
    env = make_env(given.suite, image_size=given.image_size)
    actions = np.random.default_rng(0).uniform(-0.3, 0.3, (given.steps, 7))
    env.reset(0, 0, 0)
    env.observe()  # the first picture compiles shaders
    try:
        lazy, state = measure(env, actions, every=given.chunk)
        eager, other = measure(env, actions, every=1)
    finally:
        env.close()
    same = all(np.array_equal(state[name], other[name]) for name in state)
    print(f"{given.suite}, {given.steps} control steps, two cameras of {given.image_size} pixels, one thread")
    print(f"both cameras at every step:  {1000 * eager / given.steps:.1f} ms a control step")
    print(f"one look every {given.chunk} steps:     {1000 * lazy / given.steps:.1f} ms a control step")
    print(f"{eager / lazy:.1f} times faster, final states {'equal' if same else 'DIFFER'}")
    return 0 if same else 1


def _processes(given: argparse.Namespace) -> int:
    settings = PlanSettings(candidates=1)
    evaluation = Evaluation(given.suite, given.checkpoint, None, "auto", settings, planned=False)
    (one, alone), (many, together) = (play(evaluation, given.episodes, workers=n) for n in (1, given.workers))
    same = alone == together
    print(f"{given.checkpoint} alone on {given.suite}, {given.episodes} episodes, a thread a process")
    print(f"1 process:    {one / given.episodes:.2f} s an episode")
    print(f"{given.workers} processes:  {many / given.episodes:.2f} s an episode")
    print(f"{one / many:.2f} times faster, episodes {'equal' if same else 'DIFFER'}")
    return 0 if same else 1


def play(evaluation: Evaluation, episodes: int, *, workers: int) -> tuple[float, dict[object, tuple[bool, int]]]:
    """Seconds from the first episode's begin to the last one's end; success and control steps of every trial."""
    schedule = trials(len(find_suite(evaluation.suite).tasks), episodes, seed=0)
    spans: list[tuple[float, float]] = []
    found: dict[object, tuple[bool, int]] = {}
    with closing(evaluation.spread(schedule, workers=workers)) as results:
        for result in results:
            assert isinstance(result, EpisodeResult)
            now = time.perf_counter()
            spans.append((now - result.seconds, now))
            found[result.trial] = result.success, result.steps
    begun, ended = zip(*spans, strict=True)
    return max(ended) - min(begun), found


def measure(env: Env, actions: np.ndarray, *, every: int) -> tuple[float, dict[str, np.ndarray]]:
    """Seconds to take `actions` from the first task's first state with a look every so many steps; final state."""
    env.reset(0, 0, 0)
    start = time.perf_counter()
    for index, action in enumerate(actions):
        if index % every == 0:
            env.observe()
        env.step(action)
    return time.perf_counter() - start, dict(env.snapshot())
