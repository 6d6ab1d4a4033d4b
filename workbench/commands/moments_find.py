"""`workbench moments find`: moments whose candidates end differently."""

import argparse
from typing import Any

from tqdm import tqdm

from workbench.commands.live import follow, load, simulator


def run(options: argparse.Namespace) -> None:
    """Search every suite for its share of moments."""
    from workbench.envs.suites import suite as find_suite

    suites = [find_suite(name) for name in dict.fromkeys(options.suite)]
    for i, suite in enumerate(suites):
        share = options.count // len(suites) + (i >= len(suites) - options.count % len(suites))
        with simulator(suite.name, options.checkpoint) as env:
            policy, planner, settings = load(options)
            from workbench.moments import Examined, Searched, find

            with tqdm(total=options.episodes, unit="episode", desc=f"searching {suite.name}") as bar:

                def see(event: Any, bar: tqdm = bar) -> None:
                    if isinstance(event, Examined) and event.kept:
                        bar.write(f"{event.address}: {event.why}")
                    elif isinstance(event, Searched):
                        bar.update(event.done - bar.n)

                work = find(
                    env(),
                    policy,
                    planner,
                    suite=suite,
                    settings=settings,
                    out=options.out,
                    count=share,
                    episodes=options.episodes,
                )
                names = follow(work, see)
        print(f"{len(names)} moments of {suite.name} in {options.out}")
