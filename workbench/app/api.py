"""The stable endpoints of the app: plan, imagine, value, for programs (`gradio_client`, `tools.py`) instead of people.

Results are JSON in the vocabulary of `plan.json`; pictures are WebP data URIs. Everything that comes in is bounded
here, whatever its type: a caller gets one line about what was expected. No endpoint opens a file by name.
"""

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import gradio as gr
import numpy as np
from anyio import from_thread

from workbench.app.engine import Events
from workbench.app.parts import Parts
from workbench.app.session import in_words
from workbench.asking import AskSettings
from workbench.moments import RecordedMoment
from workbench.planning.aggregate import AGGREGATIONS
from workbench.planning.settings import PlanSettings
from workbench.runs import numbers
from workbench.types import Moment, Plan
from workbench.views.pictures import data_uri
from workbench.whatif import Answer

MOST = {"candidates": 16, "calls": 20, "futures": 8, "values": 8, "future_calls": 20, "value_calls": 20}
"""What may be asked for at most."""
LARGEST = 100.0
"""Of a number in an action, in the robot's units."""
ATTENTION = 0.5
"""Seconds after which a caller who has hung up is noticed."""

AT_ONCE = 2
"""Calls that are worked on at a time, of all callers together: people at the pages come first."""

KINDS = {"moment": str, "actions": list[list[float]] | None, "aggregation": str, "value": str}
"""Types of the parameters that are no whole numbers."""


class Blocks(gr.Blocks):
    """Gradio's, but for calls with too few arguments: one line, where Gradio has ten and a traceback."""

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        """Raise gr.Error unless there are enough of them."""
        wanted = len(block_fn.inputs)
        if len(inputs) < wanted:
            name = block_fn.api_name or "this"
            raise gr.Error(f"{name}: expected {wanted} arguments, got {len(inputs)}", print_exception=False)


def build(parts: Parts) -> None:
    """Add the endpoints, within a `gr.Blocks`."""
    for endpoint in endpoints(parts):
        gr.api(endpoint, api_name=endpoint.__name__, concurrency_limit=AT_ONCE, concurrency_id="api")


def endpoints(parts: Parts) -> tuple[Callable[..., dict], ...]:
    """plan, imagine and value, as plain functions. Each raises gr.Error, in one line, for everything that cannot be."""

    def plan(
        moment, candidates=8, calls=5, futures=3, values=5, aggregation="majority_mean", value="v", seed=0
    ) -> dict:
        """Best of N from a recorded moment: `plan.json` without files (candidates, values, best, margin, choices).

        candidates 1 to 16, calls 1 to 20, futures and values 1 to 8; aggregation majority_mean, average, lcb or
        success_vote; value "v" (of imagined futures) or "q" (of the actions).
        """
        with said_in_one_line():
            counts = {"candidates": candidates, "calls": calls, "futures": futures, "values": values, "seed": seed}
            settings = PlanSettings(**checked(counts), **words(aggregation, value))
            return plan_record(finished(parts, lambda: _plan(parts, chosen(parts, moment), settings)))

    def imagine(moment, actions=None, future_calls=3, seed=0) -> dict:
        """What the cameras would show after these actions (steps x numbers, in the robot's units); without any,
        after those that the policy would take: `actions`, `path` in metres, `futures` by camera."""
        with said_in_one_line():
            answer = ask(parts, moment, actions, {"future_calls": future_calls}, seed)
            pictures = {camera: [data_uri(image)] for camera, image in answer.future.items()}
            return answer_record(answer, seed) | {"futures": pictures}

    def value(moment, actions=None, future_calls=3, value_calls=3, seed=0) -> dict:
        """What these actions are worth, in [0, 1], by the future that they are imagined to lead to; without any,
        those that the policy would take: `actions`, `path`, `values`, `value`."""
        with said_in_one_line():
            answer = ask(parts, moment, actions, {"future_calls": future_calls, "value_calls": value_calls}, seed)
            return answer_record(answer, seed) | {"values": [[answer.value]], "value": answer.value}

    for endpoint in (plan, imagine, value):
        # Announced, not trusted: a caller may send anything, and each checks what it gets.
        kinds = {name: KINDS.get(name, int) for name in inspect.signature(endpoint).parameters}
        endpoint.__annotations__ = kinds | {"return": dict}
    return plan, imagine, value


# what comes in ------------------------------------------------------------------------------------------------


@contextmanager
def said_in_one_line() -> Iterator[None]:
    """Whatever goes wrong reaches the caller as one bounded line, and the terminal not at all."""
    try:
        yield
    except Exception as error:
        raise gr.Error(in_words(error)[:300], print_exception=False) from None


def chosen(parts: Parts, name: Any) -> RecordedMoment:
    """The recorded moment of that name. ValueError if there is none."""
    if not isinstance(name, str) or name not in parts.moments:
        raise ValueError(f"moment: expected one of {', '.join(parts.moments)}"[:240] + f"; got {str(name)[:40]!r}")
    return parts.moments[name]


def whole(name: str, given: Any, low: int, high: int) -> int:
    """`given` as a whole number in that range; ValueError for everything else."""
    number = given if isinstance(given, int | float) and not isinstance(given, bool) else math.nan
    if not low <= number <= high or number != int(number):
        raise ValueError(f"{name}: expected a whole number from {low} to {high}, got {str(given)[:40]!r}")
    return int(number)


def range_of(name: str) -> tuple[int, int]:
    """The least and the most that a whole number of that name may be."""
    return (0, 2**31) if name == "seed" else (1, MOST[name])


def checked(counts: dict[str, Any]) -> dict[str, int]:
    """Whole numbers by name, each within its range."""
    return {name: whole(name, given, *range_of(name)) for name, given in counts.items()}


def words(aggregation: Any, value: Any) -> dict[str, str]:
    """The settings that are words."""
    for name, given, known in (("aggregation", aggregation, tuple(AGGREGATIONS)), ("value", value, ("v", "q"))):
        if not isinstance(given, str) or given not in known:
            raise ValueError(f"{name}: expected one of {', '.join(known)}; got {str(given)[:40]!r}")
    return {"aggregation": aggregation, "value": value}


def chunk(given: Any, like: np.ndarray) -> np.ndarray:
    """Actions of the shape of `like`, finite and not larger than `LARGEST`; ValueError for everything else."""
    steps, width = like.shape
    wanted = f"actions: expected {steps} rows of {width} numbers within {LARGEST:g} of 0"
    if not isinstance(given, Sequence) or len(given) != steps:
        raise ValueError(f"{wanted}, got {len(given) if isinstance(given, Sequence) else type(given).__name__}")
    flat = [number for row in given if isinstance(row, Sequence) and len(row) == width for number in row]
    good = [isinstance(one, int | float) and not isinstance(one, bool) and abs(one) <= LARGEST for one in flat]
    if len(flat) != steps * width or not all(good):
        raise ValueError(f"{wanted}, got others")
    return np.array(given, np.float32).reshape(steps, width)


# what is done -------------------------------------------------------------------------------------------------


def finished(parts: Parts, work: Callable[[], Events]) -> Any:
    """The result of `work`, which takes its turns among the visitors', and ends when the caller has hung up."""
    job = parts.engine.worker.start(work)
    for _ in job.events(ATTENTION):
        with suppress(RuntimeError):  # in a thread that is not anyio's nobody can hang up
            from_thread.check_cancelled()
    return job.result


def ask(parts: Parts, moment: Any, actions: Any, counts: dict[str, Any], seed: Any) -> Answer:
    """The answer about a recorded moment, with these actions or with the policy's."""
    recorded = chosen(parts, moment)
    settings = AskSettings(**checked(counts | {"seed": seed}))
    given = None if actions is None else chunk(actions, recorded.plan.candidates[0].actions)
    acting = None if given is None else lambda proposed: given.astype(proposed.dtype)
    return finished(parts, lambda: parts.engine.answer(recorded.plan.moment, settings, acting))


def _plan(parts: Parts, recorded: RecordedMoment, settings: PlanSettings) -> Events:
    engine = parts.engine
    return engine.plan(recorded.plan.moment, settings, engine.checkpoint, engine.planner)


# what goes out ------------------------------------------------------------------------------------------------


def plan_record(plan: Plan) -> dict[str, Any]:
    """The numbers of `plan.json`."""
    candidates = [
        {
            "index": one.index,
            "seed": one.seed,
            "actions": numbers(one.actions),
            "path": None if one.path is None else numbers(one.path),
            "values": None if one.values is None else numbers(one.values),
            "value": one.value,
            "rank": one.rank,
        }
        for one in plan.candidates
    ]
    return {
        "config": dict(plan.config),
        "moment": moment_record(plan.moment),
        "checkpoints": {role: dict(about) for role, about in plan.checkpoints.items()},
        "gamma": plan.gamma,
        "candidates": candidates,
        "best": plan.best,
        "margin": plan.margin,
        "choices": dict(plan.choices),
        "network_calls": plan.network_calls,
        "seconds": dict(plan.seconds),
    }


def moment_record(moment: Moment) -> dict[str, str]:
    """Where a moment is."""
    return {"address": moment.address, "instruction": moment.instruction}


def answer_record(answer: Answer, seed: int) -> dict[str, Any]:
    """What imagine and value have in common."""
    path = None if answer.path is None else numbers(answer.path)
    about = moment_record(answer.moment)
    return {"moment": about, "seed": int(seed), "actions": numbers(answer.actions), "path": path, "gamma": answer.gamma}
