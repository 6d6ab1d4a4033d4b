"""`workbench train`: one stage or the whole chain, each continuing where it was."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from workbench import runtime
from workbench.commands.live import follow

if TYPE_CHECKING:
    from workbench.training.finetune import Settings


def run(options: argparse.Namespace) -> None:
    """Train one stage or all, each continuing where it was."""
    runtime.configure()
    from workbench.training.published import PUBLISHED
    from workbench.training.recipes import PRESETS

    known = {**PRESETS, **PUBLISHED}
    if options.preset not in known:
        raise ValueError(f"--preset: expected one of {', '.join(known)}; got {options.preset!r}")
    published = options.preset in PUBLISHED
    for name in ("stage",) if published else ("init", "text", "tokenizer", "lora", "precision"):
        if getattr(options, name) is not None:
            ours, theirs = ("the chain of a small model", "cosmos-2b") if published else ("cosmos-2b", "a small model")
            raise ValueError(f"--{name}: it belongs to {ours}, not to {theirs}: leave it out, or see --set")
    if options.dry_run:
        _estimate(options)
        return
    for name in ("data", "out"):
        if not getattr(options, name):
            raise ValueError(f"--{name}: expected a folder, got none")
    (_finetune if published else _chain)(options)


def _chain(options: argparse.Namespace) -> None:
    from workbench.training.chain import run_stage
    from workbench.training.recipes import PRESETS, with_settings
    from workbench.training.stages import STAGES

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


def _estimate(options: argparse.Namespace) -> None:
    from workbench.training.estimate import Hardware, estimate
    from workbench.training.published import PUBLISHED
    from workbench.training.recipes import with_settings

    if options.preset not in PUBLISHED:
        raise ValueError(f"--dry-run: expected one of {', '.join(PUBLISHED)}; got {options.preset!r}")
    run = with_settings(PUBLISHED[options.preset], options.set)
    print(estimate(run, Hardware(options.gpu, options.gpus), lora=options.lora or 0))


def _finetune(options: argparse.Namespace) -> None:
    from workbench.training.finetune import Began, finetune
    from workbench.training.parallel import place
    from workbench.training.published import PUBLISHED
    from workbench.training.recipes import with_settings

    run, out = with_settings(PUBLISHED[options.preset], options.set), Path(options.out)
    if (out / "train/state").is_dir() and not options.resume:
        raise ValueError(f"{out} holds an earlier run: add --resume, or choose another folder")
    settings = _settings(options, run.init)
    with place() as here, tqdm(unit="step", desc=run.name, disable=here.rank > 0) as bar:

        def see(event: Any) -> None:
            if isinstance(event, Began):
                if here.rank == 0:
                    bar.write(str(event))
            else:
                _show_training(bar, run.name, event)

        folder = follow(finetune(run, [Path(each) for each in options.data], out, settings, here), see)
    if here.rank == 0:
        print(f"--checkpoint {folder} uses it")


def _settings(options: argparse.Namespace, init: str) -> "Settings":
    import torch

    from workbench.training.finetune import Settings
    from workbench.training.start import Sources

    text, tokenizer = (Path(path).expanduser() if path else None for path in (options.text, options.tokenizer))
    return Settings(
        Sources(options.init or init, text, tokenizer),
        precision=getattr(torch, options.precision or "bfloat16"),
        readers=options.workers,
        lora=options.lora or 0,
        seed=options.seed,
    )


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
