"""A policy server without a model: it wants the joints a little further on, and can be slow, wrong or dead.

Without torch, so that one in a process of its own starts in a second: `python fake_policy.py PORT [SECONDS]`.
"""

import sys
import time
from collections.abc import Generator

import numpy as np

from workbench.platforms import PLATFORMS, PlatformSpec
from workbench.serve import Line, Server
from workbench.types import Candidate, Moment, Plan
from workbench.wire import Contract

ALOHA = PLATFORMS["aloha"]
STEP = 0.001
"""Radians a control step."""


def decide(spec: PlatformSpec = ALOHA, *, candidates: int = 2, seconds: float = 0.0, change=None):
    """Candidate i moves every joint by (i + 1) steps an action; `change` may spoil the chunks."""

    def plan(moment: Moment, seed: int, pictures: bool) -> Generator[object, None, Plan]:
        for _ in range(10):
            time.sleep(seconds / 10)
            yield "an event"
        here = np.resize(moment.observation.proprio, spec.action_dim)
        ramp = STEP * np.arange(1, spec.chunk_size + 1)[:, None]
        chunks = [here + ramp * (i + 1) for i in range(candidates)]
        seen = {camera: picture[None] for camera, picture in moment.observation.images.items()} if pictures else {}
        each = [
            Candidate(i, seed + i, change(chunk) if change else chunk, futures=seen, value=0.1 + 0.2 * i)
            for i, chunk in enumerate(chunks)
        ]
        cost = {"network_calls": candidates, "seconds": {"propose": seconds}}
        about = {"config": {}, "checkpoints": {"policy": {"name": "fake", "sha256": ""}}}
        return Plan(moment, each, best=candidates - 1, margin=1.0, choices={}, **cost, **about)

    return plan


def contract(spec: PlatformSpec = ALOHA) -> Contract:
    bound = np.ones(spec.action_dim)
    return Contract.of(spec, actions_min=-bound, actions_max=bound, checkpoint="fake")


def server(spec: PlatformSpec = ALOHA, *, places: int = 16, line: Line | None = None, **settings) -> Server:
    limits = {name: settings.pop(name) for name in ("deadline", "token") if name in settings}
    return Server(decide(spec, **settings), line or Line(places=places), spec, contract(spec), **limits)


def main(port: str, seconds: str = "0") -> None:
    import uvicorn

    from workbench.serve.web import application, config

    app = application(server(seconds=float(seconds)))
    uvicorn.Server(config(app, "127.0.0.1", int(port))).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
