"""Moments worth looking at: the same policy, the same place, and candidates that end differently when executed.

At the first step of an episode the arm is in free air and all candidates look alike. `find` looks further on,
executes what is proposed there, and keeps the moments with the most contrast. A moment is a plan's folder with
its recorded truth and two sentences (`moment.json`): arrays and pictures only, so it opens without a simulator.
"""

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from workbench import files, runtime
from workbench.control import Events, act, alone
from workbench.envs.base import Env
from workbench.envs.suites import Suite, evaluation_seed
from workbench.models.bundle import Bundle
from workbench.planning.best_of_n import plan_events
from workbench.planning.events import Decided
from workbench.planning.seeds import decision_seed, episode_seed
from workbench.planning.settings import PlanSettings, completed
from workbench.rollout import execute_candidates, propose
from workbench.runs import open_plan, save_plan
from workbench.types import Moment, Outcome, Plan

SCHEMA = "moment/1"
SEARCH_KEY = 0x30_3E_27
"""Sets the search's initial states apart from every evaluation's."""
QUALITY, FILM_FRAMES = 85, 6
"""What keeps a shipped moment below 250 KB."""
TRIES = 2
"""Moments executed an episode: those where the proposals differ most."""
VISIBLE = 0.02
"""Metres between the ends of two paths that a person tells apart on a card."""
TRUE = ("*_film_*", "*_real_*")
"""Pictures of what really happened."""
SAME = 1e-3
"""Actions that differ by less lead to the same recorded truth."""
CROWDED = 0.25
"""What the second moment of a task loses against the first, the third against the second."""


@dataclass(frozen=True, eq=False)
class RecordedMoment:
    """One of the moments, with the plan that was made there and what its candidates really led to."""

    name: str
    title: str
    why: str
    """What makes it worth looking at."""
    score: float
    plan: Plan


@dataclass(frozen=True)
class Examined:
    """The search has executed all candidates of one moment."""

    address: str
    score: float
    why: str
    kept: bool


@dataclass(frozen=True)
class Searched:
    """The search is through with one more episode."""

    done: int
    total: int


def folder() -> Path:
    """Where the shipped moments are."""
    return runtime.assets() / "moments"


def available(root: str | Path | None = None) -> list[str]:
    """Names of the moments, the one with the most contrast first."""
    root = Path(root or folder())
    scores = {path.parent.name: float(_about(path.parent)["score"]) for path in root.glob("*/moment.json")}
    return sorted(scores, key=lambda name: (-scores[name], name))


def load(name: str, root: str | Path | None = None) -> RecordedMoment:
    """Open a moment by name. ValueError lists the known ones."""
    root = Path(root or folder())
    known = available(root)
    if name not in known:
        raise ValueError(f"moment: expected one of {', '.join(known) or '(none shipped)'}; got {name!r}")
    about = _about(root / name)
    return RecordedMoment(name, about["title"], about["why"], about["score"], open_plan(root / name))


def _about(path: Path) -> dict[str, Any]:
    about = files.read_json(path / "moment.json")
    kinds = {"title": str, "why": str, "score": int | float}
    if (
        not isinstance(about, dict)
        or about.get("schema") != SCHEMA
        or not all(isinstance(about.get(key), kind) for key, kind in kinds.items())
    ):
        raise ValueError(f"{path / 'moment.json'}: expected schema {SCHEMA!r} with title, why and score")
    return about


def find(
    env: Env,
    policy: Bundle,
    planner: Bundle,
    *,
    suite: Suite,
    settings: PlanSettings,
    out: str | Path,
    count: int = 12,
    episodes: int = 60,
) -> Events:
    """Search `episodes` fresh episodes for the `count` moments of `suite` whose candidates end most differently.

    In each, the policy acts alone; where its proposals differ most, all are executed. Yields `Examined` a moment
    beside the events of acting and planning; returns the names in `out`. What is found is there at once; a
    search that was stopped continues. ValueError if `out` is of another search.
    """
    search = _Search(env, policy, planner, suite, settings, Path(out), count)
    progress = search.out / f"{suite.name}.search.json"
    for k in range(search.begin(progress), episodes):
        places = yield from search.places(k % len(suite.tasks), k // len(suite.tasks))
        for place in places[:TRIES]:
            yield from search.examine(*place)
        files.write_json(progress, {"episodes": k + 1, **search.identity})
        yield Searched(k + 1, episodes)
    return search.kept()


@dataclass(frozen=True, eq=False)
class _Search:
    env: Env
    policy: Bundle
    planner: Bundle
    suite: Suite
    settings: PlanSettings
    out: Path
    count: int

    @property
    def identity(self) -> dict[str, Any]:
        """What the found moments depend on."""
        models = {"checkpoint": self.policy.sha256, "planner": self.planner.sha256}
        return {**models, "settings": asdict(self.settings)}

    def begin(self, progress: Path) -> int:
        """How many episodes an earlier search of the same kind went through; ValueError after another kind."""
        if not progress.exists():
            return 0
        earlier = files.read_json(progress)
        earlier["settings"] = completed(earlier.get("settings", {}))
        if {key: earlier.get(key) for key in self.identity} != self.identity:
            raise ValueError(
                f"{progress} is of a search with another checkpoint or other settings: "
                "choose another folder, or remove it and its moments"
            )
        return int(earlier["episodes"])

    def places(self, task: int, number: int) -> Events:
        """Moments of one fresh episode with the settings to plan there, the most undecided ones first."""
        start = evaluation_seed(SEARCH_KEY, self.settings.seed, task, number)
        luck = episode_seed(self.settings.seed, task, number)
        self.env.reset(task, None, start)
        decide = alone(self.policy, calls=self.settings.calls)
        address = f"{self.suite.name}/{task}/fresh{start}"
        moments = []
        for event in act(self.env, self.policy.spec, decide, seed=luck, address=address):
            if isinstance(event, Decided) and event.step > 0:
                moments.append(event.plan.moment)
            yield event
        places = []
        for moment in moments:
            settings = replace(self.settings, seed=decision_seed(luck, _step(moment)))
            candidates = (yield from propose(self.policy, moment, settings)).candidates
            places.append((spread([candidate.actions for candidate in candidates]), moment, settings))
        places.sort(key=lambda place: -place[0])
        return [(moment, settings) for _, moment, settings in places]

    def examine(self, moment: Moment, settings: PlanSettings) -> Events:
        """Execute what is proposed at a moment; keep the moment if it is among the best."""
        bare = yield from propose(self.policy, moment, settings)
        truth = yield from execute_candidates(self.env, self.policy, bare, seed=settings.seed)
        score = contrast(truth)
        name = _name(moment)
        scores = {other: float(_about(self.out / other)["score"]) for other in self.kept()} | {name: score}
        best = select(scores, self.count)
        if chosen := score > 0 and name in best:
            plan = yield from plan_events(self.policy, self.planner, moment, settings=settings)
            _save(self.out / name, _with_truth(plan, truth, self.policy.spec.primary), score)
            for displaced in scores.keys() - set(best):
                _remove(self.out / displaced)
        yield Examined(moment.address, score, why(truth), chosen)

    def kept(self) -> list[str]:
        return [name for name in available(self.out) if name.startswith(f"{self.suite.name}-")]


def record(
    env: Env,
    policy: Bundle,
    planner: Bundle,
    *,
    suite: Suite,
    init: int,
    decisions: int,
    settings: PlanSettings,
    out: str | Path,
) -> Events:
    """Plan once after the policy's first `decisions` from a fixed initial state of the suite's first task, execute
    all candidates, and keep that as a moment in `out`, whatever its contrast. Returns its name.
    """
    step, address = decisions * policy.spec.execute_steps, f"{suite.name}/0/{init}"
    env.reset(0, init, settings.seed)
    luck = episode_seed(settings.seed, 0, init)
    yield from act(env, policy.spec, alone(policy, calls=settings.calls), seed=luck, until=step, address=address)
    seen = env.observe(policy.spec.cameras)
    here = Moment(seen, env.instruction, f"{address}@{env.steps}", env.snapshot())
    plan = yield from plan_events(policy, planner, here, settings=settings)
    truth = yield from execute_candidates(env, policy, plan, seed=settings.seed)
    name = _name(here)
    _save(Path(out) / name, _with_truth(plan, truth, policy.spec.primary), contrast(truth))
    return name


def renew(name: str, policy: Bundle, planner: Bundle, root: str | Path) -> Events:
    """Imagine and value anew what was proposed at a moment of `root`, such as with a planner that was trained since.

    The candidates and what they really led to are the policy's and stay as they are: nothing is executed. ValueError if
    `policy` proposes other candidates now. A search goes on with the new planner.
    """
    root = Path(root)
    recorded = load(name, root)
    before = recorded.plan
    plan = yield from plan_events(policy, planner, before.moment, settings=PlanSettings(**before.config))
    if not same_candidates(plan, before):
        raise ValueError(
            f"{name}: expected the candidates that were executed, {policy.name} proposes others: "
            "search with it, `workbench moments find`"
        )
    truth = {one.index: one.outcome for one in before.candidates}
    plan = replace(plan, candidates=[replace(one, outcome=truth[one.index]) for one in plan.candidates])
    real = {path: path.read_bytes() for kind in TRUE for path in (root / name / "pictures").glob(kind)}
    _save(root / name, plan, recorded.score)
    for path, content in real.items():  # else every renewal would lose some of their quality
        files.write_bytes(path, content)
    for progress in root.glob("*.search.json"):
        files.write_json(progress, files.read_json(progress) | {"planner": planner.sha256})


def same_candidates(plan: Plan, recorded: Plan) -> bool:
    """Whether the candidates are the recorded ones, so that their recorded truth is theirs."""
    if len(plan.candidates) != len(recorded.candidates):
        return False
    pairs = zip(plan.candidates, recorded.candidates, strict=True)
    return all(a.actions.shape == b.actions.shape and np.allclose(a.actions, b.actions, atol=SAME) for a, b in pairs)


def select(scores: Mapping[str, float], count: int) -> list[str]:
    """The `count` best names, spread over the tasks: every further one of a task counts `CROWDED` less."""
    seen: Counter[str] = Counter()
    fair = {}
    for name in sorted(scores, key=lambda name: (-scores[name], name)):
        task = name.split("-")[1]
        fair[name] = scores[name] - CROWDED * seen[task]
        seen[task] += 1
    return sorted(fair, key=lambda name: (-fair[name], name))[:count]


def _with_truth(plan: Plan, truth: Plan, camera: str) -> Plan:
    """The plan with the outcomes, their films cut down to what a shipped moment has room for."""
    outcomes = {candidate.index: candidate.outcome for candidate in truth.candidates}
    return replace(
        plan, candidates=[replace(one, outcome=_short(outcomes[one.index], camera)) for one in plan.candidates]
    )


def _short(outcome: Outcome | None, camera: str) -> Outcome | None:
    if outcome is None:
        return None
    film = outcome.frames[camera]
    picked = np.linspace(0, len(film) - 1, min(len(film), FILM_FRAMES)).round().astype(int)
    return replace(outcome, frames={camera: film[picked]})


def _save(path: Path, plan: Plan, score: float) -> None:
    title = f"{plan.moment.instruction.capitalize()}, from step {_step(plan.moment)}"
    about = {"schema": SCHEMA, "title": title, "why": why(plan), "score": round(score, 3)}
    text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
    save_plan(plan, path, quality=QUALITY, extra={"moment.json": text})


def _name(moment: Moment) -> str:
    return moment.address.replace("/", "-").replace("@", "-step")


def _remove(path: Path) -> None:
    (path / "moment.json").unlink()  # from here on it is none of the moments
    shutil.rmtree(path)


def _step(moment: Moment) -> int:
    return int(moment.address.rsplit("@", 1)[1])


def spread(chunks: Sequence[np.ndarray]) -> float:
    """How much action chunks differ: root mean square deviation from their mean, in action units."""
    stack = np.stack(chunks)
    return float(np.sqrt(np.mean((stack - stack.mean(0)) ** 2)))


def contrast(plan: Plan) -> float:
    """How differently the candidates end, in [0, 1.5], less if a person could not tell them apart.

    1 for as many failures as successes; up to 0.5 for successes that take different times. Paths whose ends lie
    closer together than `VISIBLE`, in the mean over pairs, count accordingly less.
    """
    outcomes = _outcomes(plan)
    share = np.mean([outcome.success for outcome in outcomes])
    steps = [outcome.steps for outcome in outcomes if outcome.success]
    pace = 0.5 * (1 - min(steps) / max(steps)) if steps else 0.0
    ends = [candidate.path[-1] for candidate in plan.candidates if candidate.path is not None]
    apart = np.mean([np.linalg.norm(a - b) for a, b in combinations(ends, 2)]) if len(ends) > 1 else VISIBLE
    return float((4 * share * (1 - share) + pace) * min(1.0, apart / VISIBLE))


def why(plan: Plan) -> str:
    """One sentence on how the candidates end."""
    outcomes = _outcomes(plan)
    steps = [outcome.steps for outcome in outcomes if outcome.success]
    if not steps:
        return f"None of {len(outcomes)} candidates succeeds."
    many = "All" if len(steps) == len(outcomes) else f"{len(steps)} of"
    pace = f"{min(steps)} to {max(steps)}" if min(steps) < max(steps) else f"{steps[0]}"
    verb = "succeeds" if len(steps) == 1 else "succeed"
    return f"{many} {len(outcomes)} candidates {verb}, in {pace} steps."


def _outcomes(plan: Plan) -> list[Outcome]:
    return [candidate.outcome for candidate in plan.candidates if candidate.outcome is not None]
