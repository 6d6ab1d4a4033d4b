"""`workbench experience`: one round of learning from experience.

The policy rolls out, as it is and straying; returns label what happened; the planning model is fine-tuned on all
rollouts so far; and the same evaluation before and after says what that was worth (METHOD.md 5.3, 7).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from workbench import files, runtime
from workbench.commands.live import PROCESSES, follow, processes

if TYPE_CHECKING:
    from workbench.training.recipes import Recipe

SHOWN = ("value_auc_at_equal_step", "value_auc_half_way", "value_calibration_error", "value_mean_absolute_error")


def run(options: argparse.Namespace) -> None:
    """Collect, label, fine-tune, compare; a round that was stopped continues."""
    runtime.configure()
    from workbench.training.recipes import PRESETS, with_settings

    if options.preset not in PRESETS:
        raise ValueError(f"--preset: expected one of {', '.join(PRESETS)}; got {options.preset!r}")
    recipe, out = with_settings(PRESETS[options.preset], options.set), Path(options.out)
    if not (out / recipe.name / "config.json").exists():
        raise ValueError(f"{out / recipe.name}: expected the policy that `workbench train --stage policy` writes there")
    folder = out / f"round-{options.round}"
    if (out / _stage(options)).exists() and not (folder / "before.json").exists():
        there = f"{out / _stage(options)}: expected none before round {options.round}, but it is trained already"
        raise ValueError(f"{there}: --round {options.round + 1} goes on from it")
    _check_words(out / recipe.name, options.suite)
    before = _evaluated(folder / "before.json", out / recipe.name, options)
    for suite in options.suite:
        for sigma_min in (None, options.stray):
            _collect(out / recipe.name, suite, sigma_min, options)
    _fine_tune(recipe, out, options)
    after = _evaluated(folder / "after.json", out / recipe.name, options)
    for suite in options.suite:
        for name in [key for key in after[suite] if key in SHOWN or key.startswith("psnr_")]:
            print(f"{suite}: {name}: {before[suite].get(name)} before, {after[suite][name]} after")
    print(f"round {options.round}: {folder}")


def _stage(options: argparse.Namespace) -> str:
    """Where a round's training is kept: the first is what a whole chain ends with, too."""
    return "planner" if options.round == 1 else f"planner-{options.round}"


def _check_words(policy: Path, suites: Sequence[str]) -> None:
    """ValueError for a suite with instructions that the policy has not learned: better now than after the first."""
    from workbench.envs.suites import suite
    from workbench.models import checkpoints

    text = checkpoints.load(policy).text
    for name in suites:
        for instruction in suite(name).tasks:
            try:
                text.embed(instruction)
            except ValueError as error:
                raise ValueError(f"--suite {name}: the policy was trained on other tasks: {error}") from None


def _collect(policy: Path, suite: str, sigma_min: float | None, options: argparse.Namespace) -> None:
    from workbench.experience import collect_rollouts

    events = collect_rollouts(
        str(policy),
        suite,
        episodes=options.episodes // 2,
        out=options.data,
        seed=options.round,
        sigma_min=sigma_min,
        decisions_only=bool(options.decisions_only),
        workers=processes(options),
        ray=options.ray,
    )
    with tqdm(unit="episode", desc=f"rolling out on {suite}" + ("" if sigma_min is None else ", straying")) as bar:

        def see(event: Any) -> None:
            bar.total = event.total
            bar.update()

        follow(events, see)


def _fine_tune(recipe: "Recipe", out: Path, options: argparse.Namespace) -> None:
    from workbench.training.chain import run_stage
    from workbench.training.loop import Trained

    with tqdm(unit="step", desc=f"fine-tuning, round {options.round}") as bar:

        def see(event: Any) -> None:
            if isinstance(event, Trained):
                bar.total = event.total
                bar.update(event.iteration - bar.n)

        workers = options.workers or PROCESSES
        follow(run_stage(recipe, _stage(options), [Path(options.data)], out, workers=workers, seed=options.seed), see)


def _evaluated(path: Path, policy: Path, options: argparse.Namespace) -> dict[str, Any]:
    """What the present planning model foresees of the policy's evaluation episodes; kept in `path`."""
    if path.exists():
        return files.read_json(path)
    from workbench.bench import foresight

    planner = policy.with_name(f"{policy.name}-planner")
    planner = planner if planner.exists() else policy  # before the first round the policy imagines for itself
    found = {
        suite: foresight.evaluate(str(policy), str(planner), suite, episodes=options.evaluate, seed=options.seed)[0]
        for suite in options.suite
    }
    files.write_json(path, found)
    return found
