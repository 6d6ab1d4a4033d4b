"""The command line: what can be asked for. What is then done is in `commands/`.

Only the standard library is imported here, so that `--help` and a mistyped word cost nothing. A wrong value is
one line: what was expected, what was given, what to do.
"""

import argparse
import importlib
import math
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from workbench.training.stages import known

AGGREGATIONS = ("majority_mean", "average", "lcb", "success_vote")
PLATFORMS = ("libero", "robocasa", "aloha")
SUITES = "libero_mini, libero_mini_hard, one of LIBERO's own, aloha_sim or robocasa"
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the default of every option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False) else super()._get_help_string(action)


class _Version(argparse.Action):
    """Prints version and commit; asked for only when wanted, because it asks git."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from workbench.provenance import provenance

        made_by = provenance()
        print(f"cosmos-policy-workbench {made_by['version']} ({made_by['commit'] or 'no checkout'})")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 2 for what was asked wrongly, 130 when interrupted."""
    parser = build_parser()
    if not (sys.argv[1:] if argv is None else argv):
        parser.print_help()
        return 2
    options = parser.parse_args(argv)
    try:
        _check_writable(getattr(options, "out", None))
        if getattr(options, "ray", None):
            importlib.import_module("workbench.cluster").check(options.ray)
        command = importlib.import_module(f"workbench.commands.{options.command}")
        return int(command.run(options) or 0)
    except KeyboardInterrupt:
        print("\nworkbench: stopped; what is finished is kept, the same command continues", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, LookupError, OSError, ImportError, RuntimeError) as error:
        if options.traceback:
            raise
        print(f"workbench: {_one_line(error)}", file=sys.stderr)
        return 2


def _check_writable(folder: str | None) -> None:
    """Raise ValueError if nothing can be written at `folder`: said before the work, not after it."""
    if not folder:
        return
    there = next(place for place in (Path(folder).absolute(), *Path(folder).absolute().parents) if place.is_dir())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise ValueError(f"--out: cannot write in {there} ({error.strerror}): choose another folder") from error


def _one_line(error: Exception) -> str:
    if isinstance(error, ImportError):
        return f"{error}: run `make setup`, then `workbench doctor`"
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    expected = isinstance(error, ValueError | OSError) or type(error).__module__.startswith("workbench")
    if not expected or not text:
        text = f"{type(error).__name__}: {text} (`workbench --traceback ...` shows where)"
    return " ".join(text.split())


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number from `low` to `high`."""

    def parse(text: str) -> int:
        if not text.lstrip("+-").isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"expected a whole number from {low:,} to {high:,}, got {text!r}")
        return int(text)

    return parse


def minutes(text: str) -> float:
    """A time, in minutes."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 100_000:
        raise argparse.ArgumentTypeError(f"expected minutes, more than 0, got {text!r}")
    return value


def stage(text: str) -> str:
    """A stage of training."""
    try:
        return known(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


SEED = whole(0, 2**31 - 1)
COUNT = whole(1, 1_000_000)


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = _Parser(prog="workbench", description="A world-action model, taken apart.")
    parser.add_argument("--version", action=_Version, nargs=0, help="package version and commit")
    parser.add_argument("--traceback", action="store_true", help="show where an error comes from")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    first = (_app, _plan, _rollout, _collect, _data, _train, _experience, _convert)
    for add in (*first, _moments, _bench, _serve, _course, _doctor):
        add(commands)
    return parser


DTYPES = ("auto", "float32", "bfloat16")


def _command(commands: argparse._SubParsersAction, name: str, text: str, command: str = "") -> _Parser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.formatter_class = _Formatter
    parser.set_defaults(command=command or name)
    return parser


def _app(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "app", "the app in the browser")
    parser.add_argument("--host", default="127.0.0.1", help="address to serve at")
    parser.add_argument("--port", type=whole(1, 65535), default=7860, help="of the page")
    parser.add_argument("--checkpoint", default="mini", help="name, folder, .pt file or owner/name on the Hub")
    parser.add_argument("--planner-checkpoint", help="what imagines and values; default: the policy's own choice")
    parser.add_argument("--suite", help="whose moments to open on, default: those of the checkpoint's robot")
    parser.add_argument(
        "--data", nargs="+", default=[], metavar="DIR", help="folders of episodes, or of values found, to list"
    )
    parser.add_argument("--mcp", action="store_true", help="offer plan, imagine and value as MCP tools, too, at /mcp")


def _planning(parser: argparse.ArgumentParser) -> None:
    """The flags that `plan`, `rollout` and `moments find` share, with the paper's defaults."""
    group = parser.add_argument_group("planning")
    group.add_argument("--checkpoint", default="mini", help="name, folder, .pt file or owner/name on the Hub")
    group.add_argument("--planner-checkpoint", help="what imagines and values; default: the policy's own choice")
    group.add_argument("--candidates", type=whole(1, 64), default=8, help="plans to choose from, 1 to 64")
    group.add_argument("--calls", type=whole(1, 50), default=5, help="network calls a candidate")
    group.add_argument(
        "--sigma-min", type=float, help="their last noise level, default: the checkpoint's; lower, they differ more"
    )
    group.add_argument(
        "--variance-scale", action="store_true", help="noise levels of its own for every candidate, drawn as upstream's"
    )
    group.add_argument(
        "--same-noise",
        action="store_true",
        help="imagine and value all candidates from the same noise, which upstream does not",
    )
    group.add_argument("--futures", type=whole(1, 32), default=3, help="imagined futures a candidate")
    group.add_argument("--future-calls", type=whole(1, 50), default=5, help="most network calls a future")
    group.add_argument("--values", type=whole(1, 32), default=5, help="value samples a future")
    group.add_argument("--value-calls", type=whole(1, 50), default=5, help="most network calls a value")
    group.add_argument(
        "--aggregation", choices=AGGREGATIONS, default="majority_mean", help="value samples to one value"
    )
    group.add_argument("--value", choices=("v", "q"), default="v", help="V(s') of futures or Q(s, a)")
    group.add_argument("--depth", type=whole(1, 8), default=1, help="chunks that are looked ahead")
    group.add_argument("--seed", type=SEED, default=0, help="of everything that is drawn")
    group.add_argument(
        "--dtype",
        choices=DTYPES,
        default="auto",
        help="of the networks; auto: float32 for small ones on a CPU, else bfloat16",
    )


def _cluster(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="play the episodes on this Ray cluster: host:port, ray://host:port, auto, or local (this machine alone); "
        "--workers: how many at a time, default: all it has",
    )


def _plan(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "plan", "one decision: plan.json, plan.html and pictures")
    where = parser.add_argument_group("where to decide")
    where.add_argument("--suite", default="libero_mini", help=SUITES)
    where.add_argument("--task", default="0", help="number or instruction")
    where.add_argument("--init", type=whole(0, 49), default=0, help="fixed initial state")
    where.add_argument("--step", type=whole(0, 100_000), help="control step; the policy acts until then")
    where.add_argument("--episode", metavar="FILE", help="a recorded episode instead, FILE or FILE#episode")
    where.add_argument("--moment", metavar="NAME", help="one of the shipped moments instead")
    _planning(parser)
    parser.add_argument(
        "--execute", choices=("none", "best", "all"), default="none", help="candidates to try out in the simulator"
    )
    parser.add_argument(
        "--continuations",
        type=whole(1, 5),
        default=1,
        help="times, 1 to 5, that the policy goes on after each, with another seed; 5 take about 5 times as long",
    )
    parser.add_argument("--out", default="runs/plan", help="folder; an earlier plan there is replaced")


def _rollout(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "rollout", "closed-loop evaluation: results.json with intervals")
    parser.add_argument("--suite", default="libero_mini", help=SUITES)
    _tasks(parser)
    parser.add_argument(
        "--episodes", type=COUNT, help="in total, evenly over the tasks; default: 50, with --budget 50 a task"
    )
    parser.add_argument(
        "--budget",
        type=minutes,
        metavar="MINUTES",
        help="begin episodes for so long, the tasks in turn, and say what interval that has bought; again continues",
    )
    parser.add_argument("--planner", choices=("none", "best-of-n"), default="none", help="none: the policy alone")
    parser.add_argument("--run-seed", type=SEED, metavar="N", help="robocasa: which of its runs; default: 195")
    parser.add_argument("--fresh-inits", type=SEED, metavar="SEED", help="new initial states, not the fixed ones")
    _planning(parser)
    parser.add_argument(
        "--workers",
        type=whole(1, 256),
        help="processes; the results are the same; default: 1 on a GPU, else a core each, 8 at most",
    )
    _cluster(parser)
    parser.add_argument(
        "--preflight",
        action="store_true",
        help="only look at the first observation: preflight.png shows what the model is shown, warnings say what is "
        "wrong; official suites begin with it",
    )
    parser.add_argument("--videos", action="store_true", help="an H.264 video of every episode, with what was imagined")
    parser.add_argument("--compare", metavar="DIR", help="print the paired difference to another evaluation")
    parser.add_argument("--out", default="runs/rollout", help="folder; an evaluation there continues")


def _tasks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tasks", type=whole(0, 1000), nargs="+", metavar="N", help="only these of the suite's tasks")


def _decisions_only(parser: argparse.ArgumentParser) -> None:
    said = "a checkpoint's rollouts: only what decisions see and the end is rendered, enough for a planning model"
    parser.add_argument("--decisions-only", action="store_true", default=None, help=said)


def _collect(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "collect", "demonstrations and failures, or rollouts of a checkpoint")
    parser.add_argument("--suite", default="libero_mini", help=SUITES)
    _tasks(parser)
    parser.add_argument("--demos", type=whole(0, 1_000_000), default=50, help="in total, evenly over the tasks")
    parser.add_argument("--failures", type=whole(0, 1_000_000), help="perturbed, in total; default: none")
    parser.add_argument("--checkpoint", help="rollouts of this policy instead of the scripted expert")
    parser.add_argument("--sigma-min", type=float, help="its last noise level, default: its own; lower, it strays more")
    _decisions_only(parser)
    parser.add_argument("--out", required=True, help="folder of episodes; one that was stopped continues")
    parser.add_argument("--seed", type=SEED, default=0, help="of everything that is drawn")
    parser.add_argument("--workers", type=whole(1, 256), help="simulator processes; default: 2")
    _cluster(parser)
    parser.add_argument("--image-size", type=whole(16, 1024), help="pixels; default: 128")


def _data(commands: argparse._SubParsersAction) -> None:
    data = _command(commands, "data", "prepare, check or convert recorded data", "data_check")
    actions = data.add_subparsers(metavar="ACTION", required=True, parser_class=_Parser)
    parser = _command(actions, "check", "a report on every bad episode", "data_check")
    parser.add_argument("path", metavar="PATH", help="file or folder of episodes")
    parser = _command(actions, "prepare", "a platform's raw demonstrations to training data", "data_prepare")
    parser.add_argument("name", metavar="NAME", help="libero_spatial, ..., libero_mini or aloha")
    parser.add_argument("source", metavar="SOURCE", help="folder of raw demonstrations")
    parser.add_argument("--out", required=True, help="folder; what it holds already is kept")
    parser.add_argument("--recorded-hz", type=float, help="of the raw data, where not the data set's own")
    parser.add_argument("--held-out", type=float, metavar="SHARE", help="of the episodes, where they are split")
    parser.add_argument("--seed", type=SEED, default=0, help="of the split")
    parser = _command(actions, "convert", "HDF5 files to a LeRobot data set, or back", "data_convert")
    parser.add_argument("source", metavar="SOURCE", help="file or folder of episodes, or a LeRobot data set")
    parser.add_argument("--out", required=True, help="folder to write")
    parser.add_argument("--to", choices=("lerobot", "hdf5"), required=True, help="form to write")
    parser.add_argument("--platform", choices=PLATFORMS, default="libero", help="whose control rate it has")
    parser.add_argument("--video", action="store_true", help="LeRobot: pictures as videos, which are not lossless")
    parser.add_argument("--pixels", action="store_true", help="HDF5: pictures as pixels, not as JPEG files")


def _train(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "train", "train the tokenizer, the policy and the planning model")
    parser.add_argument(
        "--preset",
        default="mini",
        help="mini, mini-128, -aloha, -object; cosmos-2b-libero, -robocasa, -aloha, -aloha-planning",
    )
    parser.add_argument("--data", nargs="+", default=[], metavar="DIR", help="folders of episodes")
    parser.add_argument("--out", help="folder of the run: a folder a stage, and the checkpoints")
    parser.add_argument(
        "--stage",
        type=stage,
        help="only this one: tokenizer, policy, planner, or planner-2, -3 ..., which go on from the planner before; "
        "default: the three, one after another",
    )
    parser.add_argument("--resume", action="store_true", help="continue what OUT holds")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="replace a number of the recipe, such as policy.batch=16; may be repeated",
    )
    parser.add_argument(
        "--workers", type=whole(1, 64), default=2, help="training processes; cosmos-2b: readers of each"
    )
    parser.add_argument("--seed", type=SEED, default=0, help="of everything that is drawn")
    published = parser.add_argument_group("cosmos-2b (many GPUs: torchrun --nproc-per-node N -m workbench train ...)")
    published.add_argument(
        "--init", help="weights to start from: checkpoint, .pt file or address; default: the run's own"
    )
    published.add_argument("--text", metavar="FILE", help="table of text embeddings of the data's instructions")
    published.add_argument(
        "--tokenizer", metavar="PATH", help="tokenizer.pth or a Wan2.1 VAE folder; default: the Hub's"
    )
    published.add_argument("--lora", type=whole(0, 1024), metavar="RANK", help="train low-rank changes alone")
    published.add_argument(
        "--precision", choices=DTYPES[1:], help="of computing, default: bfloat16; weights are float32"
    )
    published.add_argument("--dry-run", action="store_true", help="memory, operations and time of a step; no training")
    published.add_argument(
        "--gpu", default="h100", help="--dry-run: h200, h100, a100-80, a100-40, l40s, a6000, rtx-4090"
    )
    published.add_argument("--gpus", type=whole(1, 4096), default=8, help="--dry-run: how many")


def _experience(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "experience", "a round of rollouts, and the planning model fine-tuned on them")
    parser.add_argument("--preset", default="mini", help="name of a recipe")
    parser.add_argument("--data", required=True, metavar="DIR", help="folder of episodes; the rollouts go there, too")
    parser.add_argument("--out", required=True, help="folder of the training run, with its policy")
    parser.add_argument("--round", type=whole(1, 99), default=1, help="each goes on from the one before")
    parser.add_argument(
        "--suite", nargs="+", default=["libero_mini", "libero_mini_hard"], help="where to roll out and to evaluate"
    )
    parser.add_argument(
        "--episodes", type=whole(2, 1_000_000), default=120, help="rollouts a suite, half of them straying"
    )
    parser.add_argument("--stray", type=float, default=0.3, help="last noise level of those that stray")
    _decisions_only(parser)
    parser.add_argument("--evaluate", type=whole(1, 10_000), default=40, help="episodes a suite, before and after")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="replace a number of the recipe; may be repeated",
    )
    parser.add_argument("--workers", type=whole(1, 64), help="processes; default: 2")
    _cluster(parser)
    parser.add_argument("--seed", type=SEED, default=0, help="of everything that is drawn")


def _convert(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "convert", "upstream's checkpoints to a checkpoint folder")
    parser.add_argument("source", metavar="SOURCE", help="file.pt, folder with model/, or owner/name on the Hub")
    parser.add_argument("target", metavar="TARGET", help="folder; a checkpoint there is replaced")
    parser.add_argument("--platform", choices=PLATFORMS, help="default: what the source is named after")
    parser.add_argument(
        "--value",
        choices=("v", "v_full"),
        help="what its values were trained on: V(s') or V(s, a, s'); default: v_full, v where the name says planning",
    )
    beside = parser.add_argument_group("files that do not lie beside the source")
    beside.add_argument("--stats", metavar="FILE", help="dataset_statistics.json")
    beside.add_argument("--text", metavar="FILE", help="table of text embeddings, t5_embeddings.pkl or .safetensors")
    beside.add_argument("--tokenizer", metavar="PATH", help="tokenizer.pth or a Wan2.1 VAE folder; default: the Hub's")
    parser.add_argument("--planner", metavar="NAME", help="checkpoint beside TARGET that imagines and values for it")
    parser.add_argument(
        "--dtype", choices=("bfloat16", "float32"), default="bfloat16", help="of the weights; upstream runs in bfloat16"
    )


def _moments(commands: argparse._SubParsersAction) -> None:
    moments = _command(commands, "moments", "moments worth looking at", "moments_find")
    actions = moments.add_subparsers(metavar="ACTION", required=True, parser_class=_Parser)
    parser = _command(actions, "find", "moments whose candidates end differently", "moments_find")
    parser.add_argument("--suite", nargs="+", default=["libero_mini", "libero_mini_hard"], help="where to search")
    parser.add_argument("--count", type=whole(1, 1000), default=12, help="in total, evenly over the suites")
    parser.add_argument("--episodes", type=COUNT, default=60, help="episodes to search in each suite")
    _planning(parser)
    parser.add_argument("--out", default="assets/moments", help="folder; the moments there are kept if they are better")
    parser = _command(actions, "renew", "the same moments and truth, imagined by another planner", "moments_renew")
    parser.add_argument("--checkpoint", default="mini", help="what proposed there")
    parser.add_argument("--planner-checkpoint", help="what imagines and values; default: the policy's own choice")
    parser.add_argument("--out", default="assets/moments", help="folder of the moments, which are replaced one by one")


def _bench(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "bench", "benchmarks, each against its reference in the same run")
    names = (
        "app, candidates, data, foresight, fuzz, knowable, latency, paper, path, planning, planning-quality, rollout "
        "or serve"
    )
    parser.add_argument("name", metavar="NAME", help=names)
    parser.add_argument("options", nargs=argparse.REMAINDER, help="the benchmark's own options")


def _serve(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "serve", "the policy server, for a robot or a simulator elsewhere")
    parser.add_argument("--host", default="127.0.0.1", help="address; any but loopback needs WORKBENCH_TOKEN")
    parser.add_argument("--port", type=whole(1, 65535), default=8777, help="of the server")
    parser.add_argument("--planner", choices=("none", "best-of-n"), default="none", help="none: the policy alone")
    parser.add_argument("--places", type=whole(1, 1000), default=16, help="questions that may wait")
    parser.add_argument("--deadline", type=whole(1, 300), default=30, help="seconds a question may take at most")
    _planning(parser)


def _course(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "course", "the notebooks, executed, as web pages that need no network")
    parser.add_argument("--out", default="build/course", metavar="DIR", help="where the pages go")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these notebooks only, such as 03_denoise")
    parser.add_argument("--notebooks", metavar="DIR", help="the notebooks' folder; default: the checkout's")


def _doctor(commands: argparse._SubParsersAction) -> None:
    _command(commands, "doctor", "what works here, what does not, and the command that mends it")
