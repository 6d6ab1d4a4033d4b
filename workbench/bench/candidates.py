"""`workbench bench candidates`: do the values tell the candidates of one state apart, as planning needs?

Best of N never compares two episodes, only the candidates of one state. In states of fresh episodes every candidate is
executed, and the policy alone goes on after it several times with other luck, the same for all: the share that succeeds
is the candidate's chance. The table says how far the candidates lie apart, what choosing could gain (the best by one
half of the continuations, counted by the other half, so that luck gains nothing), and what choosing by values gains:
with noise of each candidate's own, as upstream draws it, with the same noise for all, by Q(s, a), and by V(s') of
the pictures that really came. How much of what sets two values of one state apart is noise is the variance that goes
when all have the same. `OUT/states.json` has every state and is continued after a stop.
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
from workbench.foresight import rounded
from workbench.hindsight import values_of_truth
from workbench.latents import Latents
from workbench.models import checkpoints
from workbench.planning import run
from workbench.planning.aggregate import aggregate
from workbench.planning.best_of_n import Planning
from workbench.planning.events import Decided
from workbench.planning.seeds import decision_seed
from workbench.planning.settings import PlanSettings
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
TRUE = "v-of-the-true-future"

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
    parser.add_argument("--states", type=int, default=40, help="fresh episodes, a state each (default: 40)")
    parser.add_argument("--continuations", type=int, default=2, metavar="K", help="a candidate (default: 2)")
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--calls", type=int, default=5, help="network calls of the candidates' actions")
    parser.add_argument("--sigma-min", type=float, help="their last noise level (default: the checkpoint's)")
    parser.add_argument("--futures", type=int, default=1, help="imagined futures a candidate (default: 1)")
    parser.add_argument("--values", type=int, default=1, help="value samples a future (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="of the fresh episodes")
    parser.add_argument("--dtype", choices=("auto", *checkpoints.COMPUTE), default="auto")
    parser.add_argument("--workers", type=int, help="processes, a thread each (default: one a core)")
    parser.add_argument("--ray", metavar="ADDRESS", help="examine them on this Ray cluster")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    given = parser.parse_args(options)
    if given.continuations < 2:
        raise ValueError(
            f"--continuations: expected 2 or more, of which halves can be compared, got {given.continuations}"
        )
    settings = PlanSettings(
        candidates=given.candidates,
        calls=given.calls,
        sigma_min=given.sigma_min,
        futures=given.futures,
        values=given.values,
        aggregation="average",
    )
    who = Evaluation(given.suite, given.checkpoint, given.planner_checkpoint, given.dtype, settings, planned=True)
    states = examine(who, given)
    found = measure(states)
    about = {"schema": SCHEMA, **provenance(), "suite": given.suite, "seed": given.seed, "settings": asdict(settings)}
    files.write_json(given.out / "candidates.json", about | found)
    print("\n".join(lines(found)))
    return 0


def examine(who: Evaluation, given: argparse.Namespace) -> list[State]:
    """The states, those that are missing examined now."""
    path = given.out / "states.json"
    policy, planner = who.load()
    asked = asdict(who.settings) | {"sha256": policy.sha256, "planner_sha256": planner.sha256}
    asked |= {"suite": who.suite, "seed": given.seed, "continuations": given.continuations}
    known = _begun(path, asked)
    there = {(one["task"], one["number"]) for one in known}
    tasks = len(find_suite(who.suite).tasks)
    schedule = balanced(trials(tasks, given.states, seed=given.seed, fresh_inits=given.seed))
    jobs = [Job(who, one, given.continuations) for one in schedule if (one.task, one.number) not in there]
    given.out.mkdir(parents=True, exist_ok=True)
    with (
        tqdm(total=given.states, initial=given.states - len(jobs), unit="state") as bar,
        closing(spread(state_of, jobs, workers=given.workers, ray=given.ray)) as ended,
    ):
        for _, state in ended:
            known.append(state)
            files.write_json(path, {"asked": asked, "states": known})
            bar.update()
    return [one for one in known if one["successes"]]


def _begun(path: Path, asked: Mapping[str, Any]) -> list[State]:
    """The states that an earlier run has left; ValueError if it was asked something else."""
    if not path.exists():
        return []
    before = files.read_json(path)
    for name, wanted in asked.items():
        if (was := before["asked"].get(name)) != wanted:
            raise ValueError(f"{path.parent} was begun with {name} {was}, not {wanted}: give another --out")
    return before["states"]


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
    halves = won[:, :, ::2].mean(2), won[:, :, 1::2].mean(2)
    values = {name: np.array([state["values"][name] for state in states]) for name in states[0]["values"]}
    best = np.mean([_best(halves[0], halves[1]), _best(halves[1], halves[0])], 0)
    own, same = (values[name].var(1).mean() for name in ("v", "v-same-noise"))
    return {
        "states": len(states),
        "differing": int((np.ptp(chances, axis=1) > 0).sum()),
        "apart": {name: rounded(float(np.mean([one["apart"][name] for one in states]))) for name in states[0]["apart"]},
        "chance": rounded(float(chances.mean())),
        "chance_sd": rounded(_beyond_luck(*halves)),
        "best": _gain(best - chances.mean(1)),
        "noise_share": rounded(float(1 - same / own)) if own > 0 else None,
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
        found |= {"order": rounded(float(np.mean(orders))), "order_interval": rounded(t_interval(orders))}
    return found


def _gain(gains: Float[np.ndarray, " s"]) -> dict[str, Any]:
    """Mean gain over a random candidate, with its 95 % interval over states."""
    interval = rounded(t_interval(gains)) if len(gains) > 1 else None
    return {"gain": rounded(float(gains.mean())), "interval": interval}


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The table for a terminal."""
    yield f"{found['states']} states, in {found['differing']} of them the candidates end differently"
    yield "apart: " + ", ".join(f"{name} {apart}" for name, apart in found["apart"].items())
    yield f"chance of a candidate {found['chance']}, of one state's beyond luck +- {found['chance_sd']}"
    if found["noise_share"] is not None:
        yield f"noise in what sets V(s') of one state apart: {found['noise_share']:.0%}"
    for name, row in {"the best, luck excluded": found["best"], **found["chosen_by"]}.items():
        low, high = (f"{100 * limit:+.0f}" for limit in row["interval"] or (np.nan, np.nan))
        said = f"{name:24} {100 * row['gain']:+5.1f} points ({low} to {high})"
        if "order" in row:
            low, high = (f"{limit:+.2f}" for limit in row["order_interval"])
            said += f", order {row['order']:+.2f} ({low} to {high})"
        yield said
