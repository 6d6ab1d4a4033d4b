"""`workbench collect`: demonstrations and failures of the scripted expert, or rollouts of a checkpoint."""

import argparse
from typing import Any

from tqdm import tqdm

from workbench.commands.live import follow, processes


def run(options: argparse.Namespace) -> None:
    """Collect demonstrations and failures of the scripted expert, or rollouts of a checkpoint."""
    if options.checkpoint:
        _refuse(options, "a policy's rollouts", failures="they fail on their own", image_size="they have its own size")
        _roll_out(options)
        return
    _refuse(options, "scripted experts", sigma_min="they have no noise", decisions_only="theirs are for policies, too")
    from workbench.collect import Collected, collect
    from workbench.envs.suites import other_robots

    if options.suite in other_robots():
        from workbench.collect_aloha import collect

    names = ["demos", "failures", "out", "tasks", "seed", "ray", "image_size"]
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    events = collect(options.suite, workers=processes(options), **given)
    with tqdm(total=options.demos + (options.failures or 0), unit="episode") as bar:

        def see(event: Any) -> None:
            if isinstance(event, Collected):
                bar.total = event.total
                bar.set_description(f"{event.job.kind} {event.job.number} of task {event.job.task}")
                bar.update()

        joined = follow(events, see)
    for file in joined:
        print(f"{file.demos} demonstrations in {file.path}")


def _refuse(options: argparse.Namespace, what: str, **reasons: str) -> None:
    """ValueError for an option that has no meaning here."""
    for name, reason in reasons.items():
        if (value := getattr(options, name)) is not None:
            raise ValueError(f"--{name.replace('_', '-')}: expected none for {what}, {reason}; got {value}")


def _roll_out(options: argparse.Namespace) -> None:
    from workbench.experience import collect_rollouts

    events = collect_rollouts(
        options.checkpoint,
        options.suite,
        episodes=options.demos,
        out=options.out,
        tasks=options.tasks,
        seed=options.seed,
        sigma_min=options.sigma_min,
        decisions_only=bool(options.decisions_only),
        workers=processes(options),
        ray=options.ray,
    )
    solved = 0
    with tqdm(total=options.demos, unit="episode") as bar:

        def see(event: Any) -> None:
            nonlocal solved
            solved += event.success
            bar.total = event.total
            bar.set_description(f"{solved} of {event.done} solved")
            bar.update()

        follow(events, see)
    print(f"{options.demos} rollouts in {options.out}")
