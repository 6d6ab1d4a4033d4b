"""What to open on: recorded moments that a checkpoint's robot can decide from.

Moments of LIBERO's robot ship. For another one a few are made in its simulator, from the checkpoint's own plans and
with their truth, and kept in the cache folder: minutes once, nothing the next time.
"""

import hashlib
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from workbench import files, moments, runtime
from workbench.envs.process import ProcessEnv
from workbench.envs.suites import Suite, other_robots, suites
from workbench.envs.suites import suite as find_suite
from workbench.models import checkpoints
from workbench.moments import RecordedMoment
from workbench.planning.events import Executed
from workbench.planning.settings import PlanSettings

PLACES = ((0, 1), (1, 3))
"""Initial state, and decisions of the policy before the moment: none is in free air, where all plans look alike."""


@dataclass(frozen=True)
class Making:
    """A moment is being made."""

    suite: str
    number: int
    total: int
    tried: int = 0
    """Candidates that have been executed; that is what takes long."""
    candidates: int = 0

    def __str__(self) -> str:
        if self.tried:
            return f"  {self.number} of {self.total}: candidate {self.tried} of {self.candidates} executed"
        return f"no recorded moment of {self.suite} is here: making {self.number} of {self.total} (minutes, once) ..."


def recorded(
    checkpoint: str, planner: str | None = None, suite: str | None = None
) -> Generator[Making, None, dict[str, RecordedMoment]]:
    """Moments by name for a checkpoint: shipped ones of its robot, or of `suite`; else made now.

    Without a `suite`, those that it was trained for come into question. Raises ValueError if the checkpoint is for
    another robot than the suite's, or if nothing says where it could act.
    """
    shipped = {name: moments.load(name) for name in moments.available()}
    if not shipped and suite is None:
        raise ValueError("the app opens on a recorded moment and found none: `workbench moments find` makes some")
    robot, trained_for = checkpoints.describe(checkpoint)
    known = suites() | other_robots()
    wanted = [find_suite(suite)] if suite else [one for one in known.values() if one.platform == robot]
    fitting = {name: one for name, one in shipped.items() if suite_name(one) in [each.name for each in wanted]}
    if fitting:
        return fitting
    here = wanted[0] if suite else next((known[name] for name in trained_for if name in known), None)
    if here is None or here.platform != robot:
        raise ValueError(
            f"expected a suite in which {checkpoint} (platform {robot}) can act, got {suite or 'none'}: name one "
            f"with --suite ({', '.join(name for name, one in known.items() if one.platform == robot) or 'none here'})"
        )
    return (yield from _made(checkpoint, planner, here))


def suite_name(moment: RecordedMoment) -> str:
    """The suite in a moment's address."""
    return moment.plan.moment.address.split("/")[0]


def _made(checkpoint: str, planner: str | None, suite: Suite) -> Generator[Making, None, dict[str, RecordedMoment]]:
    folder = runtime.cache_folder() / "moments" / f"{suite.name}-{_digest(checkpoint, planner)}"
    if len(moments.available(folder)) < len(PLACES):
        policy, imagines = checkpoints.load_pair(checkpoint, planner)
        settings = PlanSettings(calls=policy.spec.calls)
        with closing(ProcessEnv(suite.name, image_size=policy.spec.render_size)) as env:
            for number, (init, decisions) in enumerate(PLACES, 1):
                yield Making(suite.name, number, len(PLACES))
                where = {"suite": suite, "init": init, "decisions": decisions}
                tried = 0
                for event in moments.record(env, policy, imagines, **where, settings=settings, out=folder):
                    if isinstance(event, Executed):
                        tried += 1
                        yield Making(suite.name, number, len(PLACES), tried, settings.candidates)
    return {name: moments.load(name, folder) for name in moments.available(folder)}


def _digest(checkpoint: str, planner: str | None) -> str:
    """What the moments depend on: the weights, by the digests in their descriptions."""
    total = hashlib.sha256()
    for name in (checkpoint, planner or ""):
        config = Path() if name == "" or name.startswith("random:") else checkpoints.resolve(name) / "config.json"
        total.update(files.sha256(config).encode() if config.is_file() else name.encode())
    return total.hexdigest()[:12]
