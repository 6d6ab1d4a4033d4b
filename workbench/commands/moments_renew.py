"""`workbench moments renew`: the shipped moments, imagined by another planner."""

import argparse

from tqdm import tqdm

from workbench import runtime
from workbench.commands.live import follow


def run(options: argparse.Namespace) -> None:
    """Plan again at every moment of the folder; what was executed there stays."""
    runtime.configure()
    runtime.use_all_cores()
    from workbench import moments
    from workbench.models import checkpoints

    policy, planner = checkpoints.load_pair(options.checkpoint, options.planner_checkpoint)
    names = moments.available(options.out)
    if not names:
        raise ValueError(f"expected a folder of moments, {options.out} has none: `workbench moments find` makes some")
    for name in tqdm(names, unit="moment", desc="imagining"):
        follow(moments.renew(name, policy, planner, options.out), lambda event: None)
    print(f"{len(names)} moments in {options.out} are imagined by {planner.name} now")
