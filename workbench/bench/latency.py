"""`workbench bench latency`: seconds a chunk, the plain path against ours in one run.

The plain path is upstream's: the whole sequence is encoded, the network runs through diffusers' own forward pass,
all pictures are decoded whether or not somebody looks. Ours encodes what is read and decodes on demand: it is
measured to the actions, and once more with the imagined pictures. Same weights, same noise, same numbers.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from workbench import runtime, timings, work
from workbench.diffusion import noise
from workbench.diffusion.samplers import schedule
from workbench.meter import Clock, Peak, fastest, matrix_rate
from workbench.models import checkpoints
from workbench.models.bundle import Bundle
from workbench.steps import Extracted, decode, denoise, encode, extract
from workbench.timings import Timing
from workbench.types import Moment, Observation
from workbench.work import Work

PATHS = {"plain": (False, True), "ours, pictures": (True, True), "ours": (True, False)}
"""Name -> whether shortcuts are on, whether pictures are decoded."""


def main(options: Sequence[str]) -> int:
    """Print the table, write JSON and figure if asked to; returns an exit code."""
    parser = argparse.ArgumentParser(prog="workbench bench latency", description=__doc__)
    add_options(parser)
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 5, 10], help="network calls a chunk")
    parser.add_argument("--seconds", type=float, default=3.0, help="to measure for, at least three rounds")
    given = parser.parse_args(options)
    if min(given.calls) < 1:
        raise ValueError(f"calls: expected at least 1, got {min(given.calls)}")
    shape = load(given, device="meta")
    title = f"one chunk of {shape.name}, pictures of {shape.spec.image_size} pixels"
    counted = {path: chunk_work(shape, path) for path in PATHS}
    rows = {n: [Timing(path, n, work.with_calls(counted[path], n)) for path in PATHS] for n in given.calls}
    if given.count:
        return timings.show(sum(rows.values(), []), title, "counted on shapes, not run", given.out)
    torch.set_num_threads(given.threads)
    bundle = load(given)
    rate = matrix_rate(bundle.device, bundle.denoiser.dtype)
    found = [row for some in rows.values() for row in measure(bundle, some, rate, seconds=given.seconds)]
    return timings.show(found, title, conditions(bundle, rate, given.threads), given.out)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `latency` and `planning` have in common."""
    parser.add_argument("--checkpoint", default="mini", help="any, random:cosmos-2b and random:cosmos-2b-1block too")
    parser.add_argument("--image-size", type=int, help="pixels; default: the checkpoint's")
    parser.add_argument("--dtype", choices=("auto", *checkpoints.COMPUTE), default="auto")
    parser.add_argument("--threads", type=int, default=runtime.cores())
    parser.add_argument("--count", action="store_true", help="only count the work, on shapes, without running it")
    parser.add_argument("--out", type=Path, metavar="DIR", help="also write timings.json and timings.html there")


def load(given: argparse.Namespace, *, device: str | None = None) -> Bundle:
    """The checkpoint that was asked for, at the size that was asked for."""
    bundle = checkpoints.load(given.checkpoint, device=device, dtype=checkpoints.COMPUTE.get(given.dtype))
    return bundle.at(given.image_size) if given.image_size else bundle


def chunk_work(shape: Bundle, path: str) -> dict[str, Work]:
    """The counted work of one of `PATHS`, for one network call."""
    shortcuts, pictures = PATHS[path]
    return work.chunk(shape if shortcuts else shape.plain(), pictures=pictures)


def measure(bundle: Bundle, rows: Sequence[Timing], rate: float, *, seconds: float) -> list[Timing]:
    """The rows, one a path, with their times, memory and difference from the first."""
    moment, plain, said, peaks = any_moment(bundle), bundle.plain(), {}, {}
    ways = {}
    for row in rows:
        shortcuts, pictures = PATHS[row.path]
        ways[row.path] = partial(run_chunk, bundle if shortcuts else plain, moment, row.calls, pictures=pictures)
        ways[row.path]()  # what is kept from then on is not the measured runs' work
        peak = Peak(bundle.device)
        said[row.path] = ways[row.path]()[1]
        peaks[row.path] = peak.read()
    found = fastest({path: lambda way=way: way()[0] for path, way in ways.items()}, seconds=seconds)
    truth = said[rows[0].path]
    return [
        replace(
            row,
            seconds=found[row.path],
            peak=peaks[row.path],
            rate=rate,
            difference=difference(said[row.path], truth),
        )
        for row in rows
    ]


def run_chunk(bundle: Bundle, moment: Moment, calls: int, *, pictures: bool) -> tuple[Clock, Extracted]:
    """One chunk, phase by phase."""
    clock, start = Clock(bundle.device), noise.draw([0], bundle.layout)
    with clock.phase("encode"):
        latents = encode(bundle, moment.observation, moment.instruction, decodable=pictures).ask("policy")
    with clock.phase("denoise"):
        latents = denoise(bundle.denoiser, latents, start, sigmas=schedule(calls, bounds=bundle.spec.sigmas))
    with clock.phase("extract"):
        said = extract(latents, bundle.stats)
    if pictures:
        with clock.phase("decode"):
            decode(bundle.tokenizer, latents)
    return clock, said


def difference(said: Extracted, truth: Extracted) -> float:
    """Largest difference of an action or value, relative to the largest action and value."""
    pairs = [(said.actions, truth.actions), (said.value, truth.value)]
    return max(float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-6)) for a, b in pairs)


def conditions(bundle: Bundle, rate: float, threads: int) -> str:
    """Where and how it was measured, in a line."""
    where = torch.cuda.get_device_name(bundle.device) if bundle.device.type == "cuda" else f"CPU, {threads} threads"
    dtype = str(bundle.denoiser.dtype).removeprefix("torch.")
    return f"{where}, {dtype}, large matrix product {rate / 1e12:.3f} TFLOP/s; the fastest of repeated runs"


def any_moment(policy: Bundle, seed: int = 0) -> Moment:
    """An observation of noise: what is measured does not depend on what is seen."""
    random = np.random.default_rng(seed)
    side = policy.spec.render_size
    images = {camera: random.integers(0, 255, (side, side, 3), np.uint8) for camera in policy.spec.cameras}
    words = getattr(policy.text, "vocabulary", None)
    instruction = "put the red cube on the plate" if words else policy.text.names[0]
    return Moment(Observation(images, policy.stats.proprio_min.copy()), instruction, "bench/0/0@0")
