"""`workbench plan`: one decision without a browser."""

import argparse
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from workbench.commands.live import follow, load, simulator

if TYPE_CHECKING:
    from workbench.envs.base import Env
    from workbench.models.bundle import Bundle
    from workbench.planning.settings import PlanSettings
    from workbench.types import Moment, Plan

PHASES = {"propose": "proposing", "imagine": "imagining", "value": "valuing"}


def run(options: argparse.Namespace) -> None:
    """Decide once, from a live, a recorded or a shipped moment; write the folder."""
    from workbench.envs.suites import suite as find_suite
    from workbench.exports import command_of, write_film, write_picture
    from workbench.runs import check_folder, save_plan
    from workbench.views import plan_html
    from workbench.views.seen import as_seen
    from workbench.views.words import headline

    check_folder(Path(options.out), "plan.json")
    if options.continuations > 1 and options.execute == "none":
        raise ValueError(
            f"expected --execute best or all with --continuations {options.continuations}, got none: add it"
        )
    suite = find_suite(options.suite)
    task = suite.index(options.task)
    if options.moment and options.episode:
        raise ValueError("expected --moment or --episode, got both: choose one")
    recorded = _shipped(options) if options.moment else _recorded(options) if options.episode else None
    simulated = recorded is None or options.execute != "none"
    place = suite.name if recorded is None else recorded.address.split("/")[0]
    with simulator(place, options.checkpoint) if simulated else nullcontext() as env:
        policy, planner, settings = load(options)
        moment = recorded or _reach(env(), policy, options, suite.name, task)
        made = _decide(policy, planner, moment, settings)
        if options.execute != "none":
            made = _execute(env(), policy, made, options)
    seen = as_seen(made, policy.spec)
    folder = save_plan(made, options.out, extra={"plan.html": plan_html(seen, policy.spec.action_names)})
    if options.execute == "all":
        write_picture(seen, folder, command=command_of(made, _where(options, moment)))
        write_film(seen, folder)
    print(f"{headline(made)}\n{folder / 'plan.html'}")


def _where(options: argparse.Namespace, moment: "Moment") -> list[str]:
    """The flags that lead to that moment, with these checkpoints."""
    said = {"checkpoint": options.checkpoint, "planner-checkpoint": options.planner_checkpoint}
    if options.moment:
        said["moment"] = options.moment
    else:
        suite, task, _ = moment.address.split("/")
        said |= {"suite": suite, "task": task, "init": options.init, "step": options.step}
    return [word for name, value in said.items() if value is not None for word in (f"--{name}", str(value))]


def _shipped(options: argparse.Namespace) -> "Moment":
    from workbench import moments

    if options.step is not None:
        raise ValueError(f"expected --moment without --step, got --step {options.step}: leave it out")
    return moments.load(options.moment).plan.moment


def _recorded(options: argparse.Namespace) -> "Moment":
    from workbench.data import readers
    from workbench.recordings import moment_at

    episode, step = readers.read_address(options.episode), options.step or 0
    if options.execute != "none":
        raise ValueError(f"expected --execute none with --episode, got {options.execute}: it has no simulator")
    if step >= len(episode):
        raise ValueError(f"--step: expected 0 to {len(episode) - 1} in {episode.address}, got {step}")
    return replace(moment_at(episode, step), address=f"{episode.address}@{episode.observed(step)}")


def _reach(env: "Env", policy: "Bundle", options: argparse.Namespace, suite: str, task: int) -> "Moment":
    """The policy acts alone until --step, with the luck it has in `workbench rollout`."""
    from workbench.control import act, alone
    from workbench.planning.events import Stepped
    from workbench.planning.seeds import episode_seed
    from workbench.types import Moment

    step = options.step or 0
    env.reset(task, options.init, options.seed)
    luck = episode_seed(options.seed, task, options.init)
    with tqdm(total=step, unit="step", desc=f"acting until step {step}", disable=not step) as bar:
        events = act(env, policy.spec, alone(policy, calls=options.calls), seed=luck, until=step)
        follow(events, lambda event: bar.update(isinstance(event, Stepped)))
    if step and (env.success or env.steps < step):
        how = "solved" if env.success else "at its horizon"
        raise ValueError(f"--step: the episode ends {how} at step {env.steps}, got {step}: choose a smaller one")
    observation = env.observe(policy.spec.cameras)
    return Moment(observation, env.instruction, f"{suite}/{task}/{options.init}@{step}", env.snapshot())


def _decide(policy: "Bundle", planner: "Bundle", moment: "Moment", settings: "PlanSettings") -> "Plan":
    from workbench.planning.best_of_n import plan_events
    from workbench.planning.events import Called

    with tqdm(total=settings.rounds, unit="call") as bar:

        def see(event: Any) -> None:
            if isinstance(event, Called):
                bar.set_description(f"{PHASES[event.phase]} {settings.candidates} plans")
                bar.update(event.done - bar.n)

        return follow(plan_events(policy, planner, moment, settings=settings), see)


def _execute(env: "Env", policy: "Bundle", plan: "Plan", options: argparse.Namespace) -> "Plan":
    from workbench.planning.events import ChunkExecuted, Executed
    from workbench.rollout import execute_candidates

    indices = [plan.best] if options.execute == "best" else [candidate.index for candidate in plan.candidates]
    seed, often = int(plan.config["seed"]), options.continuations
    with tqdm(total=(1 + often) * len(indices), unit="part", desc="executing") as bar:
        work = execute_candidates(env, policy, plan, indices, seed=seed, continuations=often)
        return follow(work, lambda event: bar.update(isinstance(event, ChunkExecuted | Executed)))
