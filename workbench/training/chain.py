"""The whole chain of a recipe: tokenizer, then policy, then planning model; every stage resumes.

`DIR/tokenizer`, `DIR/policy` and `DIR/planner` hold the states and metrics; `DIR/mini` and `DIR/mini-planner`
the finished checkpoint folders (named after the recipe).
"""

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import CosmosTransformer3DModel

from workbench import files
from workbench.data import readers
from workbench.diffusion.precondition import PRECONDITIONS
from workbench.models import checkpoints
from workbench.models.bundle import Bundle
from workbench.models.denoiser import Denoiser
from workbench.models.text import WordEmbedding
from workbench.models.tokenizer import Tokenizer
from workbench.normalize import Statistics
from workbench.training.bank import Encoded, LatentBank
from workbench.training.denoiser import train_denoiser
from workbench.training.loop import Trained
from workbench.training.losses import value_modes
from workbench.training.readme import readme, train_command
from workbench.training.recipes import PRESETS, DenoiserRecipe, Recipe
from workbench.training.stages import known
from workbench.training.tokenizer import train_tokenizer
from workbench.training.workers import Team, Workers
from workbench.types import Episode

Event = Trained | Encoded


def run_stage(
    recipe: Recipe, stage: str, data: Sequence[Path], out: Path, *, workers: int = 2, seed: int = 0
) -> Generator[Event, None, Path]:
    """Run one stage on the episodes below `data`; returns the folder of the checkpoint it wrote.

    Demonstrations are the files in LIBERO's demonstration form, rollouts those in the rollout form. The
    tokenizer stage writes no checkpoint of its own and returns its state's folder.
    """
    known(stage)
    out.mkdir(parents=True, exist_ok=True)
    with Workers(workers, _other_worker, recipe, stage, list(data), out, seed) as team:
        return (yield from _run(recipe, stage, data, out, team, seed))


def _other_worker(team: Team, recipe: Recipe, stage: str, data: list[Path], out: Path, seed: int) -> None:
    for _ in _run(recipe, stage, data, out, team, seed):
        pass


def _run(
    recipe: Recipe, stage: str, data: Sequence[Path], out: Path, team: Team, seed: int
) -> Generator[Event, None, Path]:
    if stage == "tokenizer":
        return (yield from _tokenizer(recipe, data, out, team, seed))
    if stage == "policy":
        return (yield from _policy(recipe, data, out, team, seed))
    return (yield from _planner(recipe, data, out, team, seed, stage))


def _tokenizer(recipe: Recipe, data: Sequence[Path], out: Path, team: Team, seed: int) -> Generator[Event, None, Path]:
    demos, rollouts = demonstrations_and_rollouts(data)
    if _written(out / "tokenizer", recipe.tokenizer.iterations):
        return out / "tokenizer"
    tokenizer = yield from train_tokenizer(recipe, [*demos, *rollouts], out / "tokenizer", team=team, seed=seed)
    if team.rank == 0:
        bundle = new_bundle(recipe, tokenizer, demos, rollouts, seed=seed)
        checkpoints.save(bundle, out / "tokenizer" / "untrained", readme="An untrained policy around the tokenizer.\n")
        _note_written(out / "tokenizer", recipe.tokenizer.iterations)
    team.barrier()
    return out / "tokenizer"


def _policy(recipe: Recipe, data: Sequence[Path], out: Path, team: Team, seed: int) -> Generator[Event, None, Path]:
    tokenizer = checkpoints.load(out / "tokenizer" / "untrained").tokenizer
    # Words and statistics are those of the data at hand, which may be more than the tokenizer saw.
    start = _as_begun(
        new_bundle(recipe, tokenizer, *demonstrations_and_rollouts(data), seed=seed), out / "policy", team
    )
    if recipe.init is not None:
        start = _with_weights_of(checkpoints.load(recipe.init), start)
    return (yield from _denoiser(recipe, data, out, team, seed, start, recipe.policy, stage="policy", name=recipe.name))


def _written(run: Path, iterations: int) -> bool:
    """Whether a stage has written what comes of so many iterations: that is then left as it is, whatever the data.

    The checkpoint's folder does not tell: it may be an earlier round's.
    """
    note = run / "written.json"
    return note.is_file() and int(files.read_json(note)["iteration"]) >= iterations


def _note_written(run: Path, iterations: int) -> None:
    files.write_json(run / "written.json", {"iteration": iterations})


def _as_begun(start: Bundle, run: Path, team: Team) -> Bundle:
    """`start` with the words and statistics that the run in this folder has begun with: a run that goes on with more
    data must not change what its numbers mean."""
    stats, words = run / "stats.json", run / "words.json"
    if team.rank == 0 and not words.is_file():
        run.mkdir(parents=True, exist_ok=True)
        start.stats.save(stats)
        files.write_json(words, start.text.vocabulary)
    team.barrier()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        positions, width = start.text.positions.weight.shape
        text = WordEmbedding(files.read_json(words), width, positions)
    return replace(start, stats=Statistics.load(stats), text=start.text.teach(text))


def _with_weights_of(source: Bundle, start: Bundle) -> Bundle:
    """`start` with the denoiser of `source`, and what it knows of the words; those that are new to it begin anew.

    Tasks, pictures' size and chunks may be others. ValueError if the network or the order of frames is another.
    """
    if _network(source) != _network(start) or not isinstance(source.text, WordEmbedding):
        raise ValueError(f"init: {source.name} has another network or frames than this recipe: train from scratch")
    return replace(start, denoiser=source.denoiser, text=source.text.teach(start.text))


def _network(bundle: Bundle) -> tuple:
    """What the weights of one have to have in common with those of another."""
    shapes = {name: tensor.shape for name, tensor in bundle.denoiser.state_dict().items()}
    return bundle.layout.frames, bundle.denoiser.precondition.name, shapes


def _planner(
    recipe: Recipe, data: Sequence[Path], out: Path, team: Team, seed: int, stage: str
) -> Generator[Event, None, Path]:
    name = f"{recipe.name}-planner"
    start = replace(checkpoints.load(out / (recipe.name if stage == "planner" else name)), planner=None)
    return (yield from _denoiser(recipe, data, out, team, seed, start, recipe.planner, stage=stage, name=name))


def _denoiser(
    recipe: Recipe,
    data: Sequence[Path],
    out: Path,
    team: Team,
    seed: int,
    start: Bundle,
    how: DenoiserRecipe,
    *,
    stage: str,
    name: str,
) -> Generator[Event, None, Path]:
    if _written(out / stage, how.iterations):
        return out / name
    demos, rollouts = demonstrations_and_rollouts(data)
    bank = LatentBank(out / "bank", start.tokenizer, recipe.spec)
    yield from bank.fill([*demos, *rollouts], part=team.rank, parts=team.size)
    team.barrier()
    trained = yield from train_denoiser(
        start,
        (demos, rollouts),
        bank,
        out / stage,
        recipe=how,
        held_out=recipe.held_out,
        team=team,
        seed=seed,
    )
    if team.rank == 0:
        planner = f"{recipe.name}-planner" if stage == "policy" else None
        modes = value_modes(how.value_mode, how.loss)
        bundle = replace(trained, name=name, planner=planner, suites=recipe.suites, value_modes=modes)
        command = train_command(recipe.name, PRESETS, recipe, "--stage", stage, "--seed", str(seed))
        said = readme(name, command, {"demonstrations": demos, "rollouts": rollouts}, out / stage / "metrics.jsonl")
        checkpoints.save(bundle, out / name, readme=said, tokenizer_of=None if stage == "policy" else recipe.name)
        _note_written(out / stage, how.iterations)
    team.barrier()
    return out / name


def demonstrations_and_rollouts(data: Sequence[Path]) -> tuple[list[Episode], list[Episode]]:
    """All episodes below some folders, by their form."""
    found = [source for folder in data for source in readers.find(folder)]
    parts: tuple[list[Episode], list[Episode]] = ([], [])
    for source in found:
        parts[0 if source.form.demonstrations else 1].append(readers.read(source))
    if not parts[0]:
        raise ValueError(f"data: expected demonstrations below {', '.join(map(str, data))}, found rollouts only")
    return parts


def new_bundle(
    recipe: Recipe, tokenizer: Tokenizer, demos: Sequence[Episode], rollouts: Sequence[Episode], *, seed: int
) -> Bundle:
    """A bundle with a freshly initialised denoiser, statistics and words from the demonstrations."""
    words = sorted({word for episode in [*demos, *rollouts] for word in episode.instruction.split()})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = CosmosTransformer3DModel(**recipe.net)
        torch.nn.init.zeros_(net.proj_out.weight)
        text = WordEmbedding(words, recipe.net["text_embed_dim"], recipe.text_positions)
    return Bundle(
        name=f"{recipe.name}-untrained",
        spec=recipe.spec,
        layout=recipe.spec.layout(
            recipe.net["out_channels"], recipe.spec.image_size // recipe.tokenizer.vae["scale_factor_spatial"]
        ),
        denoiser=Denoiser(net, PRECONDITIONS[recipe.precondition], text_positions=recipe.text_positions),
        tokenizer=tokenizer,
        text=text,
        stats=Statistics.from_episodes([e.actions for e in demos], [e.proprio for e in demos]),
        suites=recipe.suites,
    )
