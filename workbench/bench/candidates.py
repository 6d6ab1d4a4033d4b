"""`workbench bench candidates`: do the values tell the candidates of one state apart, as planning needs?

Best of N never compares two episodes, only the candidates of one state. In states of fresh episodes every candidate is
executed, and the policy alone goes on after it K times with other luck, the same for all: the share that succeeds is
the candidate's chance, counted. The table says how far the candidates lie apart and how far their chances do, beyond
the luck of counting; what is gained by whoever knows K/2 of the continuations (the other K/2 count: luck gains nothing,
and the more continuations, the nearer to knowing the chances); and what the values gain, V(s') and Q(s, a), with
noise of each candidate's own, as upstream draws it, and with the same for all, and V(s') of the pictures that really
came, with the same for all. `OUT/states.json` has every state and is continued after a stop.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from workbench import files
from workbench.bench.planning_quality import distances
from workbench.control import alone
from workbench.envs.suites import suite as find_suite
from workbench.evaluation import Evaluation, Parts, parts
from workbench.foreseeing import about
from workbench.foresight import rounded
from workbench.hindsight import values_of_truth
from workbench.latents import Latents
from workbench.models import checkpoints
from workbench.planning import run
from workbench.planning.aggregate import aggregate
from workbench.planning.best_of_n import Planning
from workbench.planning.events import Decided
from workbench.planning.seeds import decision_seed
from workbench.planning.settings import PlanSettings, completed
from workbench.provenance import provenance
from workbench.rollout import Trial, balanced, execute_candidates, run_suite, trials
from workbench.spread import spread
from workbench.statistics import spearman, t_interval
from workbench.types import Candidate, Moment

SCHEMA = "candidates/1"
DECISIONS = 7
"""A state is one of the first so many decisions of an episode, drawn by its seed: later ones decide little."""
VALUES: Mapping[str, Mapping[str, Any]] = {
    "v": {"value": "v"},
    "v-same-noise": {"value": "v", "same_noise": True},
    "q": {"value": "q"},
    "q-same-noise": {"value": "q", "same_noise": True},
}
TRUE = "v-of-true-futures-same-noise"

State = dict[str, Any]
"""`task`, `number`, `step`, `apart` (`distances`), `successes` (n candidates x k continuations), `values` (n each)."""


@dataclass(frozen=True)
class Job:
    """One state: whose it is, and where."""

    who: Evaluation
    trial: Trial
    continuations: int


def main(options: Sequence[str]) -> int:
    """Examine what is missing, print the table, write `candidates.json`; returns an exit code."""
    parser = argparse.ArgumentParser(prog="workbench bench candidates", description=__doc__)
    parser.add_argument("--checkpoint", default="mini")
    parser.add_argument("--planner-checkpoint")
    parser.add_argument("--suite", default="libero_mini_hard")
    parser.add_argument("--states", type=int, default=40, help="fresh episodes, at most a state each (default: 40)")
    parser.add_argument("--continuations", type=int, default=2, metavar="K", help="a candidate, even (default: 2)")
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--calls", type=int, default=5, help="network calls of actions, the candidates' and all others")
    parser.add_argument("--sigma-min", type=float, help="their last noise level (default: the checkpoint's)")
    parser.add_argument("--futures", type=int, default=1, help="imagined futures a candidate (default: 1, of one call)")
    parser.add_argument("--values", type=int, default=1, help="value samples a future (default: 1, of one call)")
    parser.add_argument("--seed", type=int, default=1, help="of the fresh episodes")
    parser.add_argument("--dtype", choices=("auto", *checkpoints.COMPUTE), default="auto")
    parser.add_argument("--workers", type=int, default=1, help="processes, a model and a thread each (default: 1)")
    parser.add_argument("--ray", metavar="ADDRESS", help="examine them on this Ray cluster")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    given = parser.parse_args(options)
    _check(given)
    settings = PlanSettings(
        candidates=given.candidates,
        calls=given.calls,
        sigma_min=given.sigma_min,
        futures=given.futures,
        values=given.values,
        aggregation="average",
    )
    who = Evaluation(given.suite, given.checkpoint, given.planner_checkpoint, given.dtype, settings, planned=True)
    asked, states = examine(who, given)
    found = measure(states)
    files.write_json(given.out / "candidates.json", {"schema": SCHEMA, **provenance(), **asked, **found})
    print("\n".join(lines(found)))
    return 0


def _check(given: argparse.Namespace) -> None:
    """ValueError for what would be found out only when much has been played."""
    if given.continuations < 2 or given.continuations % 2:
        raise ValueError(
            f"--continuations: expected 2, 4, ..., of which halves are compared, got {given.continuations}"
        )
    for name, least in (("candidates", 2), ("states", 1), ("workers", 1)):
        if (got := getattr(given, name)) < least:
            raise ValueError(f"--{name}: expected {least} or more, got {got}")


def examine(who: Evaluation, given: argparse.Namespace) -> tuple[dict[str, Any], list[State]]:
    """What was asked, and the states of the schedule; those that are missing are examined now."""
    path, asked = given.out / "states.json", _about(who, given)
    known = _begun(path, asked)
    tasks = len(find_suite(who.suite).tasks)
    schedule = balanced(trials(tasks, given.states, seed=given.seed, fresh_inits=given.seed))
    jobs = [Job(who, one, given.continuations) for one in schedule if (one.task, one.number) not in known]
    given.out.mkdir(parents=True, exist_ok=True)
    with (
        tqdm(total=given.states, initial=given.states - len(jobs), unit="state") as bar,
        closing(spread(state_of, jobs, workers=None if given.ray else given.workers, ray=given.ray)) as ended,
    ):
        for _, state in ended:
            known[state["task"], state["number"]] = state
            files.write_json(path, {"schema": SCHEMA, "asked": asked, "states": list(known.values())})
            bar.update()
    found = [known[one.task, one.number] for one in schedule]
    return asked, [state for state in found if state["successes"]]


def _about(who: Evaluation, given: argparse.Namespace) -> dict[str, Any]:
    """What the states depend on; ValueError for a planner that was not trained for all that is asked of it."""
    policy, planner = who.load()
    for asked in VALUES.values():
        planner.question(asked["value"])
    settings = {name: value for name, value in asdict(who.settings).items() if name != "seed"}  # each state has its own
    head = about(policy, planner, who.suite, seed=given.seed) | {"dtype": str(policy.denoiser.dtype)}
    return head | {"continuations": given.continuations, "settings": settings}


def _begun(path: Path, asked: Mapping[str, Any]) -> dict[tuple[int, int], State]:
    """The states that an earlier run has left, by task and number; ValueError if it was asked something else."""
    if not path.exists():
        return {}
    before = files.read_json(path)
    if not isinstance(before, dict) or before.get("schema") != SCHEMA:
        raise ValueError(f"{path} is not of `workbench bench candidates`: give another --out")
    was = before["asked"] | {"settings": completed(before["asked"]["settings"])}
    wanted = dict(asked) | {"settings": completed(asked["settings"])}
    for name in wanted:
        if was.get(name) != wanted[name]:
            raise ValueError(
                f"{path.parent} was begun with {name} {was.get(name)}, not {wanted[name]}: give another --out"
            )
    return {(one["task"], one["number"]): one for one in before["states"]}


def state_of(job: Job) -> State:
    """Play an episode up to a decision of it, and examine that; without `successes` if it had ended before."""
    here, settings, trial = parts(job.who), job.who.settings, job.trial
    chosen = int(np.random.default_rng(trial.seed).integers(DECISIONS))
    state: State = {"task": trial.task, "number": trial.number, "step": chosen * here.policy.spec.execute_steps}
    moment = moment_at(here, trial, job.who.suite, state["step"], calls=settings.calls)
    if moment is None:
        return state | {"apart": {}, "successes": [], "values": {}}
    seed = decision_seed(trial.seed, state["step"])
    return state | examined(here, moment, replace(settings, seed=seed), times=job.continuations)


def moment_at(here: Parts, trial: Trial, suite: str, step: int, *, calls: int) -> Moment | None:
    """What the policy sees at `step` when it acts alone; None if it has ended before."""
    decide = alone(here.policy, calls=calls)
    with closing(run_suite(here.env, here.policy.spec, decide, [trial], suite=suite)) as events:
        for event in events:
            if isinstance(event, Decided) and event.step == step:
                return event.plan.moment
    return None


def examined(here: Parts, moment: Moment, settings: PlanSettings, *, times: int) -> State:
    """The candidates of one moment: how far apart, what became of each, and what the values say of each."""
    work = Planning(here.policy, here.planner, moment, settings, None)
    latents = run(work.propose(None, False))
    values = {
        name: _valued(here, moment, work.candidates, latents, replace(settings, **how)) for name, how in VALUES.items()
    }
    plan = work.plan(np.array(values["v"])[:, None, None])
    truth = run(execute_candidates(here.env, here.policy, plan, seed=settings.seed, continuations=times))
    after = [candidate.outcome.after_chunk for candidate in truth.candidates]
    told = Planning(here.policy, here.planner, moment, replace(settings, futures=1, same_noise=True), None)
    told.candidates = list(work.candidates)
    values[TRUE] = run(values_of_truth(told, latents, after))
    return {
        "apart": {name: round(apart, 5) for name, apart in distances(truth).items()},
        "successes": [[draw.success for draw in candidate.outcome.every] for candidate in truth.candidates],
        "values": {name: [round(float(one), 5) for one in given] for name, given in values.items()},
    }


def _valued(
    here: Parts, moment: Moment, candidates: Sequence[Candidate], latents: Latents, settings: PlanSettings
) -> Float[np.ndarray, " n"]:
    """What the candidates are worth as `settings` ask."""
    work = Planning(here.policy, here.planner, moment, settings, None)
    work.candidates = list(candidates)
    samples = run(work.value(run(work.imagine(latents, False))))
    return aggregate(samples.reshape(len(samples), -1), settings.aggregation)


def measure(states: Sequence[State]) -> dict[str, Any]:
    """The numbers of states that all have as many candidates and continuations; chances in [0, 1]."""
    if not states:
        raise ValueError("expected a state or more: all episodes had ended before theirs, ask for more --states")
    won = np.array([state["successes"] for state in states], float)  # states, candidates, continuations
    chances = won.mean(2)
    halves = won[:, :, ::2].mean(2), won[:, :, 1::2].mean(2)  # equally many of both
    values = {name: np.array([state["values"][name] for state in states]) for name in states[0]["values"]}
    told = np.mean([_best(halves[0], halves[1]), _best(halves[1], halves[0])], 0)
    own, same = (values[name].var(1).mean() for name in ("v", "v-same-noise"))
    return {
        "states": len(states),
        "differing": int((np.ptp(won, axis=1) > 0).any(1).sum()),
        "apart": {name: rounded(float(np.mean([one["apart"][name] for one in states]))) for name in states[0]["apart"]},
        "chance": rounded(float(chances.mean())),
        "chance_sd": rounded(_beyond_luck(*halves)),
        "gone_with_the_same_noise": rounded(float(1 - same / own)) if own > 0 else None,
        "chosen_by_half_the_truth": _gain(told - chances.mean(1)),
        "chosen_by": {name: _chosen(given, chances) for name, given in values.items()},
    }


def _best(shown: Float[np.ndarray, "s n"], counted: Float[np.ndarray, "s n"]) -> Float[np.ndarray, " s"]:
    """What counts of the candidate that showed best; of several, their mean."""
    first = shown == shown.max(1, keepdims=True)
    return (counted * first).sum(1) / first.sum(1)


def _beyond_luck(first: Float[np.ndarray, "s n"], second: Float[np.ndarray, "s n"]) -> float:
    """Standard deviation of the chances of a state's candidates, without the luck of counting: what halves share."""
    apart = [half - half.mean(1, keepdims=True) for half in (first, second)]
    shared = (apart[0] * apart[1]).sum(1).mean() / (first.shape[1] - 1)
    return float(np.sqrt(max(shared, 0.0)))


def _chosen(values: Float[np.ndarray, "s n"], chances: Float[np.ndarray, "s n"]) -> dict[str, Any]:
    """What is gained by the candidate of the highest value, and how well values order the candidates of a state."""
    chosen = np.take_along_axis(chances, values.argmax(1)[:, None], 1)[:, 0]
    orders = [spearman(list(said), list(true)) for said, true in zip(values, chances, strict=True)]
    orders = [order for order in orders if order is not None]
    found = _gain(chosen - chances.mean(1)) | {"value_sd": round(float(values.std(1).mean()), 4)}
    if len(orders) > 1:
        found |= {
            "ordered_states": len(orders),
            "order": rounded(float(np.mean(orders))),
            "order_interval": rounded(t_interval(orders)),
        }
    return found


def _gain(gains: Float[np.ndarray, " s"]) -> dict[str, Any]:
    """Mean gain over a random candidate, with its 95 % interval over states."""
    interval = rounded(t_interval(gains)) if len(gains) > 1 else None
    return {"gain": rounded(float(gains.mean())), "interval": interval}


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The table for a terminal."""
    yield f"{found['states']} states, in {found['differing']} of them candidates end differently under the same luck"
    yield "apart: " + ", ".join(f"{name} {apart}" for name, apart in found["apart"].items())
    yield f"chance of a candidate: {found['chance']}; those of one state differ by +- {found['chance_sd']} beyond luck"
    if (gone := found["gone_with_the_same_noise"]) is not None:
        yield f"of the variance of V(s') between the candidates of one state the same noise takes away {gone:.0%}"
    for name, row in {"half of the continuations": found["chosen_by_half_the_truth"], **found["chosen_by"]}.items():
        low, high = (f"{100 * limit:+.0f}" for limit in row["interval"] or (np.nan, np.nan))
        said = f"chosen by {name:28} {100 * row['gain']:+5.1f} points ({low} to {high})"
        if "order" in row:
            low, high = (f"{limit:+.2f}" for limit in row["order_interval"])
            said += f", order {row['order']:+.2f} ({low} to {high}) in {row['ordered_states']} states"
        yield said
