"""A plan with every camera's picture as the model sees it, so that real and imagined lie on each other.

Published checkpoints see a squashed, cropped picture (METHOD.md 1.2) and imagine such pictures; a simulator
renders others. Comparing the two as they are would count the crop as an error of imagination.
"""

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float, UInt8

from workbench import images
from workbench.platforms import PlatformSpec
from workbench.types import Candidate, Denoising, Image, Observation, Plan
from workbench.whatif import Answer


def as_seen(plan: Plan, spec: PlatformSpec) -> Plan:
    """`plan` with present and real pictures prepared as for the model; projections follow. Films stay."""
    moment = replace(plan.moment, observation=observation_as_seen(plan.moment.observation, spec))
    return replace(plan, moment=moment, candidates=[_candidate(c, spec) for c in plan.candidates])


def denoising_as_seen(denoising: Denoising, spec: PlatformSpec) -> Denoising:
    """`denoising` with the present pictures prepared as for the model; projections follow."""
    return replace(denoising, observation=observation_as_seen(denoising.observation, spec))


def answer_as_seen(answer: Answer, spec: PlatformSpec) -> Answer:
    """`answer` with the present pictures prepared as for the model; projections follow."""
    seen = observation_as_seen(answer.moment.observation, spec)
    return replace(answer, moment=replace(answer.moment, observation=seen))


def _candidate(candidate: Candidate, spec: PlatformSpec) -> Candidate:
    outcome = candidate.outcome
    if outcome is None or outcome.after_chunk is None:
        return candidate
    return replace(candidate, outcome=replace(outcome, after_chunk=observation_as_seen(outcome.after_chunk, spec)))


@lru_cache(maxsize=16)
def observation_as_seen(seen: Observation, spec: PlatformSpec) -> Observation:
    """One observation with its pictures prepared as for the model, projections with them.

    Remembered: a page that is drawn again and again prepares them once.
    """
    return replace(
        seen,
        images={camera: prepared(image, spec) for camera, image in seen.images.items()},
        projections={
            camera: _follow(matrix, seen.images[camera], spec)
            for camera, matrix in seen.projections.items()
            if camera in seen.images
        },
    )


def prepared(image: Image, spec: PlatformSpec) -> UInt8[np.ndarray, "size size 3"]:
    """One camera's picture as the model sees it."""
    return images.prepare(image, size=spec.image_size, jpeg=spec.jpeg, center_crop=spec.center_crop)


def _follow(matrix: Float[np.ndarray, "3 4"], image: Image, spec: PlatformSpec) -> Float[np.ndarray, "3 4"]:
    """The projection onto the prepared picture: pixels are scaled, then cropped and scaled again."""
    height, width, _ = image.shape
    size = spec.image_size
    side = int(size * math.sqrt(images.CROP_AREA)) if spec.center_crop else size
    start = round((size - side) / 2)
    zoom = size / side
    pixels = np.array([[zoom * size / width, 0, -zoom * start], [0, zoom * size / height, -zoom * start], [0, 0, 1]])
    return pixels @ matrix
