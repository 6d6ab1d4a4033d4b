"""Upstream's checkpoints as bundles: a `.pt` file or a distributed folder, and what lies beside (METHOD.md 4.3, 5.5).

Tensors stay where they are in the files (memory-mapped) until something reads them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKLWan, CosmosTransformer3DModel
from jaxtyping import Float
from torch import Tensor

from workbench import files
from workbench.diffusion.precondition import RECTIFIED_FLOW
from workbench.layout import Mode
from workbench.models import convert, hub
from workbench.models.bundle import Bundle
from workbench.models.denoiser import Denoiser
from workbench.models.t5 import POSITIONS, T5
from workbench.models.text import TextTable
from workbench.models.tokenizer import Tokenizer
from workbench.models.weights import is_real, with_weights
from workbench.normalize import Statistics
from workbench.platforms import PLATFORMS, PlatformSpec

SUFFIXES = (".pt", ".pth")
STATS = ("*dataset_statistics.json", "stats.json")
TEXT = ("*t5_embeddings.pkl", "*t5_embeddings.safetensors")
TOKENIZER = ("tokenizer.pth", "tokenizer/tokenizer.pth", "vae/config.json")
DOWNLOADED = ("*.pt", "model/*", "*.json", "*t5_embeddings.*", "*.safetensors")
"""What of a repository on the Hub is downloaded."""


@dataclass(frozen=True)
class Given:
    """What the user says about a source; None is looked for beside the weights."""

    platform: str | None = None
    stats: Path | None = None
    text: Path | None = None
    tokenizer: Path | None = None
    value: Mode | None = None
    """Which value it was trained for."""


@dataclass(frozen=True)
class Parts:
    """The files that a checkpoint is made of."""

    weights: Path
    """A file, or the folder that holds `.metadata`."""
    platform: str
    stats: Path
    text: Path | None
    tokenizer: Path | None
    """None: Wan2.1's from the Hub."""
    value: Mode = "v_full"
    """V(s, a, s'), as the published policies; the planning model is trained for V(s') (METHOD.md 5.2)."""

    def describe(self) -> str:
        """Names, sizes and times: another text when a file has changed."""
        found = (self.weights, self.stats, self.text, self.tokenizer)
        return "; ".join([self.platform, self.value, *(_describe(path) for path in found if path)])


def _describe(path: Path) -> str:
    inside = sorted(path.rglob("*")) if path.is_dir() else [path]
    states = [file.stat() for file in inside if file.is_file()]
    changed = datetime.fromtimestamp(max((state.st_mtime for state in states), default=0))
    return f"{path.name} of {sum(state.st_size for state in states):,} bytes, {changed.isoformat()}"


def is_source(path: Path) -> bool:
    """Whether `path` looks like upstream's weights: a `.pt` file, or a folder with one or a distributed checkpoint."""
    if path.is_dir():
        return _index(path) is not None or any(file.suffix in SUFFIXES for file in path.iterdir())
    return path.suffix in SUFFIXES and path.is_file()


def find(source: Path, given: Given, *, called: str = "") -> Parts:
    """The files of a source, those that are not `given` from beside it; `called`: its name, if not as it lies here.

    Raises ValueError, saying what to name, for what is not there or could be several.
    """
    weights = _weights(source)
    beside = weights.parent if weights.is_file() or weights.name == "model" else weights
    platform = _platform(given.platform, [called] if called else [weights.name, beside.name])
    stats = given.stats or _one(beside, STATS, platform, "--stats")
    if stats is None:
        raise ValueError(
            f"{source.name}: expected dataset_statistics.json beside it, found none: name the file with "
            f"`workbench convert {source} TARGET --platform {platform} --stats FILE`"
        )
    text = given.text or _one(beside, TEXT, platform, "--text")
    tokenizer = given.tokenizer or _one(beside, TOKENIZER, platform, "--tokenizer")
    if tokenizer is not None and tokenizer.name == "config.json":
        tokenizer = tokenizer.parent
    for path in (stats, text, tokenizer):
        if path is not None and not path.exists():
            raise FileNotFoundError(f"expected a file at {path}, found none: check the path")
    planning = "planning" in (called or f"{weights.name} {beside.name}").lower()
    return Parts(weights, platform, stats, text, tokenizer, given.value or ("v" if planning else "v_full"))


def read(parts: Parts, *, name: str) -> tuple[Bundle, list[str]]:
    """The model in the files' own precision, and the names of what the weights file holds beside the network.

    Raises ValueError, in one line, for weights, statistics or texts that do not go together or are damaged.
    """
    spec = PLATFORMS[parts.platform]
    stats = Statistics.load(parts.stats)
    check_statistics(stats, spec, parts.stats.name)
    state = read_state(parts.weights)
    weights = convert.denoiser_weights(state)
    config = convert.denoiser_config(weights)
    net = with_weights(
        lambda: CosmosTransformer3DModel.from_config(config),
        weights,
        what=parts.weights.name,
        name=convert.upstream_name,
    )
    tokenizer = read_tokenizer(parts.tokenizer or hub.fetch(hub.TOKENIZER, ("vae/*",)) / "vae")
    if tokenizer.vae.config.z_dim != config["out_channels"]:
        raise ValueError(
            f"tokenizer: expected {config['out_channels']} latent channels as the network has, "
            f"got {tokenizer.vae.config.z_dim}"
        )
    table = read_table(parts.text, config["text_embed_dim"]) if parts.text else {}
    bundle = Bundle(
        name=name,
        spec=spec,
        layout=spec.layout(config["out_channels"], spec.image_size // tokenizer.vae.config.scale_factor_spatial),
        denoiser=Denoiser(net, RECTIFIED_FLOW, text_positions=POSITIONS).eval(),
        tokenizer=tokenizer,
        text=TextTable(table, T5()).eval(),
        stats=stats,
        value_modes=(parts.value, "q"),  # world-model samples know what Q(s, a) knows, and are scored on the value
    )
    return bundle, convert.set_aside(state)


def check_statistics(stats: Statistics, spec: PlatformSpec, name: str) -> None:
    """Raise ValueError unless the statistics have the platform's dimensions."""
    for part, expected, got in (
        ("actions", spec.action_dim, len(stats.actions_min)),
        ("proprio", spec.proprio_dim, len(stats.proprio_min)),
    ):
        if expected != got:
            raise ValueError(
                f"{name}: expected statistics of {expected} {part} dimensions for platform {spec.name}, got {got}: "
                "name another statistics file or platform"
            )


def read_state(path: Path) -> Mapping[str, Tensor]:
    """The flat dictionary of a `.pt` file, or of a distributed folder."""
    return convert.unwrap(files.load_distributed(path) if path.is_dir() else files.load_torch(path))


def read_tokenizer(path: Path) -> Tokenizer:
    """The causal tokenizer: a folder in diffusers' form (or a pipeline with `vae/` in it), or upstream's file."""
    if path.is_dir():
        folder = path / "vae" if (path / "vae/config.json").is_file() else path
        config, weights = _diffusers_tokenizer(folder)
    else:
        weights = convert.tokenizer_weights(
            files.load_safetensors(path) if path.suffix == ".safetensors" else files.load_torch(path)
        )
        config = convert.tokenizer_config(weights)
    vae = with_weights(lambda: AutoencoderKLWan.from_config(config), weights, what=f"tokenizer {path.name}")
    return Tokenizer(vae, causal=True).eval()


def _diffusers_tokenizer(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    config = files.read_json(folder / "config.json")
    kind = config.get("_class_name") if isinstance(config, dict) else None
    if kind != "AutoencoderKLWan":
        raise ValueError(f"tokenizer {folder.name}: expected an AutoencoderKLWan in diffusers' form, got {kind}")
    return config, files.load_safetensors(folder / "diffusion_pytorch_model.safetensors")


def read_table(path: Path, width: int) -> dict[str, Float[Tensor, "l e"]]:
    """Instruction to its real tokens' embeddings; the padding of upstream's table (zero rows) is cut off."""
    table = files.load_safetensors(path) if path.suffix == ".safetensors" else files.load_t5_table(path)
    return {instruction: _tokens(path, instruction, rows, width) for instruction, rows in table.items()}


def _tokens(path: Path, instruction: str, rows: Tensor, width: int) -> Float[Tensor, "l e"]:
    rows = rows[0] if rows.dim() == 3 and len(rows) == 1 else rows
    if rows.dim() != 2 or rows.shape[1] != width or not is_real(rows) or not rows.isfinite().all():
        raise ValueError(
            f"{path.name}: expected finite embeddings of width {width} as the network has, "
            f"got {list(rows.shape)} of {rows.dtype} for {instruction!r}"
        )
    used = rows.any(-1).nonzero()
    if not len(used) or int(used[-1]) >= POSITIONS:
        raise ValueError(f"{path.name}: expected 1 to {POSITIONS} tokens for {instruction!r}, got others")
    return rows[: int(used[-1]) + 1].clone()  # a copy, or the padding would be kept in memory with it


def _index(folder: Path) -> Path | None:
    """The folder of a distributed checkpoint in or at `folder`."""
    return next((path for path in (folder, folder / "model") if (path / ".metadata").is_file()), None)


def _weights(source: Path) -> Path:
    if not source.exists():
        raise FileNotFoundError(f"expected a checkpoint at {source}, found none: check the path")
    if source.is_file():
        return source
    if index := _index(source):
        return index  # upstream prefers it too
    found = sorted(path for path in source.iterdir() if path.suffix == ".pt")
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise ValueError(f"{source}: expected one .pt file or a model/ folder with .metadata, got {names}: name a file")
    return found[0]


def _platform(given: str | None, names: Sequence[str]) -> str:
    told = next((key for name in names for key in PLATFORMS if key in name.lower()), None)
    if given is not None and given not in PLATFORMS:
        raise ValueError(f"--platform: expected {', '.join(PLATFORMS)}, got {given!r}")
    if given and told and given != told:
        raise ValueError(f"--platform: expected {told}, which {names[0]} is named after, got {given}: rename it if not")
    if not (given or told):
        raise ValueError(f"{names[0]}: its name tells no platform: name it with --platform {'|'.join(PLATFORMS)}")
    return given or told


def _one(folder: Path, patterns: Sequence[str], platform: str, option: str) -> Path | None:
    """The one file in `folder` of the first pattern that finds any; the platform's own first."""
    for pattern in patterns:
        found = sorted(folder.glob(pattern))
        found = [path for path in found if platform in path.name] or found
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise ValueError(f"{folder.name}: expected one {pattern}, got {names}: choose with {option}")
        if found:
            return found[0]
    return None
