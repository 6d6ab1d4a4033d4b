"""Ask a model along a recorded episode."""

from collections.abc import Generator

import numpy as np

from workbench.models.bundle import Bundle
from workbench.planning.events import Called
from workbench.policy import predict
from workbench.recordings import Recalled, fit, moment_at
from workbench.types import Episode


def recall_events(
    policy: Bundle, episode: Episode, *, calls: int | None = None, seed: int = 0
) -> Generator[Called, None, Recalled]:
    """Ask `policy` at every decision's step of `episode`, one joint sample each, with the same seed.

    Yields a `Called` a moment. ValueError if the episode is another robot's.
    """
    fit(episode, policy.spec)
    spec, calls = policy.spec, calls or policy.spec.calls
    steps, said = range(0, len(episode), spec.execute_steps), []
    for done, step in enumerate(steps, 1):
        moment = moment_at(episode, step)
        said.append(predict(policy, moment.observation, moment.instruction, seed=seed, calls=calls, pictures=True))
        yield Called("value", done, len(steps))
    images = {camera: np.stack([one.images[camera] for one in said]) for camera in spec.cameras}
    return Recalled(list(steps), spec.chunk_size, np.array([one.value for one in said]), images)
