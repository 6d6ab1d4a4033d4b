"""What the commands share: a simulator that starts while the model loads, and a loop that shows progress.

Heavy packages are imported inside the functions of this folder, so that a mistyped name costs no waiting.
"""

import argparse
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import files, runtime

if TYPE_CHECKING:
    from workbench.envs.base import Env
    from workbench.models.bundle import Bundle
    from workbench.planning.settings import PlanSettings

SETTINGS = (
    "candidates",
    "calls",
    "sigma_min",
    "variance_scale",
    "same_noise",
    "futures",
    "future_calls",
    "values",
    "value_calls",
    "aggregation",
    "value",
    "depth",
    "seed",
)
"""The planning flags, named as the fields of `PlanSettings`."""


PROCESSES = 2
"""So many collect or train, unless --workers says otherwise."""


def processes(options: argparse.Namespace) -> int | None:
    """How many processes collect; None: all that the cluster of --ray has."""
    return options.workers or (None if options.ray else PROCESSES)


def follow(events: Generator[Any, None, Any], see: Callable[[Any], None]) -> Any:
    """Exhaust `events`, showing each to `see`; returns their result."""
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            return end.value
        see(event)


@contextmanager
def simulator(suite: str, checkpoint: str, **settings: Any) -> Iterator[Callable[[], "Env"]]:
    """Start a simulator beside what follows, rendering as `checkpoint` wants it; the call waits for it.

    ValueError if the checkpoint is for another robot than the suite's.
    """
    from workbench.envs.process import ProcessEnv

    size = render_size(checkpoint, suite)
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(ProcessEnv, suite, image_size=size, **settings)

        def started() -> "Env":
            try:
                return opening.result()
            except RuntimeError as error:
                remedy = "`workbench doctor` says what mends it"
                raise ValueError(f"the simulator does not start ({error}): {remedy}") from error

        try:
            yield started
        finally:
            if opening.exception() is None:
                opening.result().close()


def render_size(checkpoint: str, suite: str) -> int:
    """Side of the pictures, for a folder read without importing torch. ValueError for an unknown checkpoint."""
    from workbench.envs.suites import suite as find_suite

    platform = _config(checkpoint)["platform"]
    expected = find_suite(suite).platform
    if platform["name"] != expected:
        raise ValueError(
            f"suite {suite} expects a checkpoint of platform {expected}, got {checkpoint} of platform "
            f"{platform['name']}: choose another --checkpoint or --suite"
        )
    return int(platform["render_size"])


def _config(checkpoint: str) -> dict[str, Any]:
    for folder in (runtime.assets() / "checkpoints" / checkpoint, Path(checkpoint)):
        if (folder / "config.json").is_file() and "schema" in (config := files.read_json(folder / "config.json")):
            return config
    from workbench.models import checkpoints

    return files.read_json(checkpoints.resolve(checkpoint) / "config.json")


def load(options: argparse.Namespace, *, threads: int = 0) -> tuple["Bundle", "Bundle", "PlanSettings"]:
    """Policy, planner and settings that the planning flags ask for; `threads` for the model, 0: all cores."""
    runtime.configure()
    runtime.limit_threads(threads) if threads else runtime.use_all_cores()
    from workbench.models import checkpoints
    from workbench.planning.settings import PlanSettings

    settings = PlanSettings(**{name: getattr(options, name) for name in SETTINGS})
    dtype = checkpoints.COMPUTE.get(options.dtype)  # none for auto
    policy, planner = checkpoints.load_pair(options.checkpoint, options.planner_checkpoint, dtype=dtype)
    planner.question(settings.value)
    return policy, planner, settings
