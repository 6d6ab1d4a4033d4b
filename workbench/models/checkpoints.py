"""A checkpoint is a folder: config.json, weights in safetensors, stats.json, README.md (DESIGN.md).

config.json carries the sha256 of every file beside it, so a damaged or exchanged file is refused by name.
A folder is written beside its final place and renamed, so a kill leaves the old one whole.

Upstream's files and repositories on the Hub are converted to such a folder once, in the cache folder. Loading maps the
weights into memory: they cost their size there once, and nothing before they are used.
"""

import difflib
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLWan, CosmosTransformer3DModel
from torch import nn

from workbench import files, runtime
from workbench.diffusion.precondition import PRECONDITIONS
from workbench.models import hub, untrained, upstream
from workbench.models.bundle import Bundle, check_pair
from workbench.models.denoiser import Denoiser
from workbench.models.t5 import T5
from workbench.models.text import TextEncoder, TextTable, WordEmbedding
from workbench.models.tokenizer import Tokenizer
from workbench.models.upstream import Given
from workbench.models.weights import with_weights
from workbench.normalize import Statistics
from workbench.platforms import PLATFORMS, PlatformSpec

log = logging.getLogger(__name__)
SCHEMA = 1
STORED = (
    *("chunk_size", "execute_steps", "gamma", "calls", "sigma_max", "sigma_min"),
    *("image_size", "render_size", "jpeg", "center_crop"),
)
"""What of a platform a checkpoint may set for itself."""


def folder() -> Path:
    """Where the shipped checkpoints are."""
    return runtime.assets() / "checkpoints"


def available() -> list[str]:
    """Names of the shipped checkpoints."""
    return sorted(path.parent.name for path in folder().glob("*/config.json"))


def describe(name: str | Path) -> tuple[str, tuple[str, ...]]:
    """Name of the platform that a checkpoint is for, and the suites it was trained for, without loading it."""
    if str(name).startswith(untrained.PREFIX):
        return untrained.platform_of(str(name)), ()
    config = files.read_json(resolve(name) / "config.json")
    return str(config["platform"]["name"]), tuple(map(str, config["description"].get("suites", ())))


def load(
    name: str | Path,
    *,
    device: str | None = None,
    dtype: torch.dtype | None = None,
    share: Bundle | None = None,
) -> Bundle:
    """Load a checkpoint: shipped (by name), a folder, upstream's file or folder, or an address on the Hub.

    `device`: default CUDA where there is one. `dtype`: default bfloat16 on CUDA (as the published model runs); on a
    CPU what the checkpoint is meant to compute in, float32 for small models and bfloat16 for the published ones.
    `share`: a loaded bundle whose tokenizer is used instead of a second copy if it is the same.
    Raises ValueError for an unknown name, a damaged file or a config that this version cannot read.
    """
    if str(name).startswith(untrained.PREFIX):
        return untrained.untrained(str(name), device=device, dtype=dtype)
    bundle, about = _stored(resolve(name), share)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = dtype or (torch.bfloat16 if device.startswith("cuda") else COMPUTE[about.compute])
    return bundle.to_dtype(dtype).to(device)


def load_pair(policy: str | Path, planner: str | Path | None = None, **settings: Any) -> tuple[Bundle, Bundle]:
    """A policy and what imagines and values for it: `planner`, else the one that its config names, else itself.

    One that is named and not there has not been trained yet: the policy plans for itself, and a warning says so. A
    tokenizer that both have is held once. Raises ValueError if the two do not go together.
    """
    first = load(policy, **settings)
    wanted = planner or (first.planner and _beside(resolve(policy), first.planner))
    if planner is None and wanted is not None and not wanted.exists():
        log.warning("%s names the planning model %s, which is not beside it: it plans for itself", policy, wanted.name)
        wanted = None
    if wanted is None or _source(wanted) == _source(policy):
        return first, first
    second = load(wanted, share=first, **settings)
    check_pair(first, second)
    return first, replace(second, tokenizer=first.tokenizer)


def _source(name: str | Path) -> Path:
    """What tells two checkpoints apart; a random one has no folder."""
    return Path(name) if str(name).startswith(untrained.PREFIX) else resolve(name)


def resolve(name: str | Path) -> Path:
    """The folder of a checkpoint; what is not in our form is converted into the cache folder first.

    Raises ValueError that lists the shipped names.
    """
    for path in (folder() / str(name), Path(name).absolute()):
        files.recover_folder(path)  # a save that was killed between its two renames
        if _is_ours(path):
            return path.resolve()
    path = Path(name).expanduser()
    if upstream.is_source(path):
        return _converted(path.resolve())
    if hub.is_address(str(name)):
        return _downloaded(str(name))
    known = available()
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(
        f"checkpoint: expected one of {', '.join(known) or '(none shipped)'}, a folder with a config.json, a .pt file "
        f"or an address on the Hub (owner/name), got {str(name)!r}{hint}"
    )


def _is_ours(path: Path) -> bool:
    if not (path / "config.json").is_file():
        return False
    config = files.read_json(path / "config.json")
    return isinstance(config, dict) and "schema" in config  # a repository on the Hub has another config.json


def _converted(source: Path) -> Path:
    """Where the conversion of an upstream source is kept; made anew when a file of it has changed."""
    origin = upstream.find(source, Given()).describe()
    target = _kept(f"{source.stem}-{hashlib.sha256(str(source).encode()).hexdigest()[:8]}")
    if not _is_ours(target) or files.read_json(target / "config.json")["description"].get("origin") != origin:
        convert(source, target, name=source.stem)
    return target


def _downloaded(address: str) -> Path:
    """Where the conversion of an address on the Hub is kept. What it was at the first download, it stays."""
    target = _kept(address.replace("/", "--"))
    if not _is_ours(target):
        convert(address, target, name=hub.name_of(address))
    return target


def _kept(name: str) -> Path:
    path = runtime.cache_folder() / "checkpoints" / name
    files.recover_folder(path)
    return path


@dataclass(frozen=True)
class Converted:
    """What `convert` read, and the keys of the source that are not the network's."""

    bundle: Bundle
    left_out: Sequence[str]


def convert(
    source: str | Path,
    target: str | Path,
    given: Given | None = None,
    *,
    name: str | None = None,
    planner: str | None = None,
    dtype: torch.dtype = torch.bfloat16,
) -> Converted:
    """Write a checkpoint of upstream's, here or on the Hub, or one in our form, as a checkpoint folder.

    `given`: what is not to be looked for beside the source. `name`: of the checkpoint, default the target folder's.
    `planner`: name of the checkpoint beside the target that imagines and values for it. `dtype`: of the stored weights
    and of computing; upstream runs in bfloat16; a folder in our form keeps its own.
    Raises ValueError or OSError, and leaves nothing, if it cannot be done.
    """
    called, origin, source = _fetched(source)
    target = Path(target).expanduser()
    name = name or target.absolute().name
    _check_target(source, target)
    if planner:
        _beside(target, planner)  # a name, not a path
    if _is_ours(source):
        bundle, about = _stored(source)
        settings = {"compute": about.compute, "origin": about.origin, "dtype": bundle.denoiser.dtype}
        left_out, readme = [], _readme(source)
    else:
        parts = upstream.find(source, given or Given(), called=called)
        bundle, left_out = upstream.read(parts, name=name)
        settings = {"compute": str(dtype).removeprefix("torch."), "origin": origin or parts.describe(), "dtype": dtype}
        readme = f"# {name}\n\nConverted by `workbench convert` from {settings['origin']}.\n"
    bundle = replace(bundle, name=name, planner=planner or bundle.planner)
    weights = [weight for part in (bundle.denoiser, bundle.tokenizer) for weight in part.parameters()]
    files.check_space(target, sum(weight.numel() for weight in weights) * settings["dtype"].itemsize)
    with files.explain_full_disk(target):
        save(bundle, target, readme=readme, **settings)
    return Converted(bundle, left_out)


def _fetched(source: str | Path) -> tuple[str, str, Path]:
    """What a source is called, its commit if it comes from the Hub, and its path here."""
    path = Path(source).expanduser()
    if not hub.is_address(str(source)):
        return "", "", path
    snapshot = hub.fetch(str(source), upstream.DOWNLOADED)
    return hub.name_of(str(source)), f"{source}, commit {snapshot.name}", snapshot


def _readme(folder: Path) -> str:
    return (folder / "README.md").read_text() if (folder / "README.md").is_file() else ""


def _check_target(source: Path, target: Path) -> None:
    """ValueError if writing a checkpoint to `target` would cost anything but an older checkpoint."""
    if target.exists() and source.exists() and target.samefile(source):
        raise ValueError(f"convert: expected another folder than the source, got {target}")
    if target.is_file() or (target.is_dir() and not _is_ours(target) and any(target.iterdir())):
        raise ValueError(
            f"convert: expected a new folder or a checkpoint to replace, got {target}: it holds other files"
        )


def read_config(path: Path) -> dict[str, Any]:
    """config.json, after checking that every file beside it is the one it was saved with."""
    config = files.read_json(path / "config.json")
    if not isinstance(config, dict) or config.get("schema") != SCHEMA:
        raise ValueError(f"checkpoint {path.name}: expected config.json of schema {SCHEMA}, got another file")
    for name, expected in config.get("files", {}).items():
        file = path / name
        if Path(name).name != name or not file.is_file():
            raise ValueError(f"checkpoint {path.name}: {name} is missing; copy the whole folder again")
        if files.sha256(file) != expected:
            raise ValueError(
                f"checkpoint {path.name}: {name} is damaged (its sha256 is not the one in config.json); copy it again"
            )
    return config


@dataclass(frozen=True)
class Description:
    """What config.json says beside the weights; the trained parts bring their own configuration."""

    name: str
    planner: str | None = None
    suites: Sequence[str] = ()
    value_modes: Sequence[str] = ("v",)
    tokenizer_of: str | None = None
    """Name of the checkpoint folder beside this one whose tokenizer this one uses."""
    compute: str = "float32"
    """What a CPU computes in."""
    origin: str = ""
    """What it was converted from."""


COMPUTE = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def save(
    bundle: Bundle,
    path: str | Path,
    *,
    readme: str,
    tokenizer_of: str | None = None,
    dtype: torch.dtype = torch.bfloat16,
    compute: str = "float32",
    origin: str = "",
) -> None:
    """Write `bundle` as a checkpoint folder, whole or not at all; `dtype` is of the weights in the files."""
    denoiser, tokenizer, text = bundle.denoiser, bundle.tokenizer, bundle.text
    with files.atomic_folder(path) as target:
        _save_weights(denoiser.net, target / "denoiser.safetensors", dtype)
        _save_weights(text, target / "text.safetensors", dtype)
        if tokenizer_of is None:
            _save_weights(tokenizer.vae, target / "tokenizer.safetensors", dtype)
        bundle.stats.save(target / "stats.json")
        (target / "README.md").write_text(readme)
        config = {
            "schema": SCHEMA,
            "description": asdict(
                Description(
                    bundle.name, bundle.planner, bundle.suites, bundle.value_modes, tokenizer_of, compute, origin
                )
            ),
            "platform": {"name": bundle.spec.name} | {key: getattr(bundle.spec, key) for key in STORED},
            "precondition": denoiser.precondition.name,
            "denoiser": _public(denoiser.net.config),
            "tokenizer": {"causal": tokenizer.causal, "vae": _public(tokenizer.vae.config)},
            "text": {"positions": denoiser.text_positions} | _describe_text(text),
            "files": {file.name: files.sha256(file) for file in sorted(target.iterdir()) if file.name != "README.md"},
        }
        files.write_json(target / "config.json", config)


def _stored(path: Path, share: Bundle | None = None) -> tuple[Bundle, Description]:
    """A checkpoint in the precision of its files, and what its config.json says beside the weights."""
    config = read_config(path)
    try:
        about = Description(**config["description"])
        if about.compute not in COMPUTE:
            raise KeyError(f"compute: expected {' or '.join(COMPUTE)}, got {about.compute}")
        return _build(path, config, share), about
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"checkpoint {path.name}: config.json does not describe its files: {reason}") from error


def _build(path: Path, config: dict[str, Any], share: Bundle | None) -> Bundle:
    spec = _spec(config["platform"])
    net = _load(lambda: CosmosTransformer3DModel.from_config(config["denoiser"]), path / "denoiser.safetensors")
    if config["precondition"] not in PRECONDITIONS:
        raise ValueError(f"checkpoint {path.name}: expected precondition {', '.join(PRECONDITIONS)}")
    denoiser = Denoiser(net, PRECONDITIONS[config["precondition"]], text_positions=int(config["text"]["positions"]))
    about = Description(**config["description"])
    vae = config["tokenizer"]["vae"]
    side = spec.image_size // int(vae["scale_factor_spatial"])
    stats = Statistics.load(path / "stats.json")
    upstream.check_statistics(stats, spec, f"checkpoint {path.name}")
    return Bundle(
        name=about.name,
        spec=spec,
        layout=spec.layout(channels=net.config.out_channels, side=side),
        denoiser=denoiser.eval(),
        tokenizer=_tokenizer(path, config, about, share),
        text=_text(path, config["text"]),
        stats=stats,
        sha256=files.sha256(path / "config.json"),
        planner=about.planner,
        value_modes=tuple(about.value_modes),
        suites=tuple(about.suites),
    )


def _tokenizer(path: Path, config: dict[str, Any], about: Description, share: Bundle | None) -> Tokenizer:
    place = path
    if about.tokenizer_of:
        place = _beside(path, about.tokenizer_of)
        if share is not None and share.name == about.tokenizer_of:
            return share.tokenizer
        config = read_config(resolve(place))
    vae = _load(lambda: AutoencoderKLWan.from_config(config["tokenizer"]["vae"]), place / "tokenizer.safetensors")
    return Tokenizer(vae, causal=bool(config["tokenizer"]["causal"])).eval()


def _beside(path: Path, name: str) -> Path:
    """The checkpoint `name` in the same folder as `path`; a name, never a path."""
    if Path(name).name != name:
        raise ValueError(f"checkpoint {path.name}: expected a plain name of another checkpoint, got {name!r}")
    return path.parent / name


def _text(path: Path, config: Mapping[str, Any]) -> TextEncoder:
    if config["kind"] == "words":
        sizes = config["vocabulary"], int(config["width"]), int(config["positions"])
        return _load(lambda: WordEmbedding(*sizes), path / "text.safetensors")
    encoder = T5(config["encoder"]) if "encoder" in config else None
    return TextTable(files.load_safetensors(path / "text.safetensors"), encoder).eval()


def _describe_text(text: TextEncoder) -> dict[str, Any]:
    if isinstance(text, WordEmbedding):
        return {"kind": "words", "vocabulary": list(text.vocabulary), "width": text.words.embedding_dim}
    return {"kind": "table"} | ({"encoder": text.encoder.model} if text.encoder else {})


def _spec(stored: Mapping[str, Any]) -> PlatformSpec:
    name = stored.get("name")
    if name not in PLATFORMS:
        raise ValueError(f"checkpoint: expected platform {', '.join(PLATFORMS)}; got {name!r}")
    return replace(PLATFORMS[name], **{key: stored[key] for key in STORED if key in stored})


def _public(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in dict(config).items() if not key.startswith("_")}


def _save_weights(module: nn.Module, path: Path, dtype: torch.dtype) -> None:
    if isinstance(module, TextTable):
        tensors = {name: row.data for name, row in zip(module.names, module.rows, strict=True)}
    else:
        tensors = {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in module.state_dict().items()}
    files.save_safetensors(path, tensors)


def _load(make: Callable[[], nn.Module], path: Path) -> nn.Module:
    return with_weights(make, files.load_safetensors(path), what="config.json does not describe its files")
