"""`workbench bench rollout`: rendering only what a decision sees, against both cameras at every step.

The simulation alone: the same actions from the same state, in chunks; the states that they lead to are
compared, so that what is faster is also the same.
"""

import argparse
import time
from collections.abc import Sequence

import numpy as np

from workbench.envs.base import Env
from workbench.envs.libero import make_env


def main(options: Sequence[str]) -> int:
    """Print milliseconds a control step both ways, and their ratio; returns an exit code."""
    parser = argparse.ArgumentParser(prog="workbench bench rollout", description=__doc__)
    parser.add_argument("--suite", default="libero_mini")
    parser.add_argument("--chunk", type=int, default=8, help="control steps a decision")
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--image-size", type=int, default=128)
    given = parser.parse_args(options)
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


def measure(env: Env, actions: np.ndarray, *, every: int) -> tuple[float, dict[str, np.ndarray]]:
    """Seconds to take `actions` from the first task's first state with a look every so many steps; final state."""
    env.reset(0, 0, 0)
    start = time.perf_counter()
    for index, action in enumerate(actions):
        if index % every == 0:
            env.observe()
        env.step(action)
    return time.perf_counter() - start, dict(env.snapshot())
