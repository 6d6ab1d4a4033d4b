"""`workbench train`: one stage or the whole chain, each continuing where it was."""

import argparse
from pathlib import Path
from typing import Any

from tqdm import tqdm

from workbench import runtime
from workbench.commands.live import follow


def run(options: argparse.Namespace) -> None:
    """Train one stage or all, each continuing where it was."""
    runtime.configure()
    from workbench.training.chain import STAGES, run_stage
    from workbench.training.recipes import PRESETS, with_settings

    if options.preset not in PRESETS:
        raise ValueError(f"--preset: expected one of {', '.join(PRESETS)}; got {options.preset!r}")
    stages = [options.stage] if options.stage else list(STAGES)
    out, data = Path(options.out), [Path(folder) for folder in options.data]
    begun = [stage for stage in stages if (out / stage).is_dir() and any((out / stage).iterdir())]
    if begun and not options.resume:
        raise ValueError(f"{out} holds an earlier {begun[0]} stage: add --resume, or choose another folder")
    for stage in stages:
        with tqdm(unit="step", desc=stage) as bar:

            def see(event: Any, bar: tqdm = bar, stage: str = stage) -> None:
                _show_training(bar, stage, event)

            recipe = with_settings(PRESETS[options.preset], options.set)
            work = run_stage(recipe, stage, data, out, workers=options.workers, seed=options.seed)
            folder = follow(work, see)
        print(f"{stage}: {folder}")


def _show_training(bar: tqdm, stage: str, event: Any) -> None:
    from workbench.training.loop import Trained

    if not isinstance(event, Trained):
        bar.set_description(f"{stage}: encoding the episodes")
        return
    if bar.total != event.total:
        bar.reset(total=event.total)
        bar.initial = event.iteration - 1  # what an earlier run did says nothing about the speed of this one
    bar.set_description(f"{stage}: loss {event.loss:.3f}")
    bar.update(event.iteration - bar.n)
    if event.metrics:
        measured = ", ".join(f"{name} {value:.3f}" for name, value in event.metrics.items())
        bar.write(f"step {event.iteration}: {measured}")
