"""A checkpoint is a folder: config.json, weights in safetensors, stats.json, README.md (DESIGN.md).

config.json carries the sha256 of every file beside it, so a damaged or exchanged file is refused by name.
A folder is written beside its final place and renamed, so a kill leaves the old one whole.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLWan, CosmosTransformer3DModel
from torch import nn

from workbench import files, runtime
from workbench.diffusion.precondition import PRECONDITIONS
from workbench.models.bundle import Bundle, check_pair
from workbench.models.denoiser import Denoiser
from workbench.models.text import TextEncoder, TextTable, WordEmbedding
from workbench.models.tokenizer import Tokenizer
from workbench.normalize import Statistics
from workbench.platforms import PLATFORMS, PlatformSpec

SCHEMA = 1
STORED = ("chunk_size", "execute_steps", "gamma", "calls", "image_size", "render_size", "jpeg", "center_crop")
"""What of a platform a checkpoint may set for itself."""


def folder() -> Path:
    """Where the shipped checkpoints are."""
    return runtime.assets() / "checkpoints"


def available() -> list[str]:
    """Names of the shipped checkpoints."""
    return sorted(path.parent.name for path in folder().glob("*/config.json"))


def load(
    name: str | Path,
    *,
    device: str | None = None,
    dtype: torch.dtype | None = None,
    share: Bundle | None = None,
) -> Bundle:
    """Load a shipped checkpoint by name, or any by its folder.

    `device`: default CUDA where there is one. `dtype`: default bfloat16 on CUDA (as the published model runs),
    float32 on a CPU. `share`: a loaded bundle whose tokenizer is used instead of a second copy if it is the same.
    Raises ValueError for an unknown name, a damaged file or a config that this version cannot read.
    """
    path = resolve(name)
    config = read_config(path)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = dtype or (torch.bfloat16 if device.startswith("cuda") else torch.float32)
    try:
        return _build(path, config, share).to_dtype(dtype).to(device)
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"checkpoint {path.name}: config.json does not describe its files: {error}") from error


def load_pair(policy: str | Path, planner: str | Path | None = None, **settings: Any) -> tuple[Bundle, Bundle]:
    """A policy and what imagines and values for it: `planner`, else the one that its config names, else itself.

    A shared tokenizer is held once. Raises ValueError if the two do not go together.
    """
    first = load(policy, **settings)
    wanted = planner or (first.planner and _beside(resolve(policy), first.planner))
    if wanted is None or resolve(wanted) == resolve(policy):
        return first, first
    second = load(wanted, share=first, **settings)
    check_pair(first, second)
    return first, second


def resolve(name: str | Path) -> Path:
    """The folder of a checkpoint; raises ValueError that lists the shipped names."""
    for path in (folder() / str(name), Path(name).absolute()):
        files.recover_folder(path)  # a save that was killed between its two renames
        if (path / "config.json").is_file():
            return path.resolve()
    known = available()
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(
        f"checkpoint: expected one of {', '.join(known) or '(none shipped)'} or a folder with a config.json, "
        f"got {str(name)!r}{hint}"
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


def save(
    bundle: Bundle,
    path: str | Path,
    *,
    readme: str,
    tokenizer_of: str | None = None,
    dtype: torch.dtype = torch.bfloat16,
) -> None:
    """Write `bundle` as a checkpoint folder, whole or not at all."""
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
                Description(bundle.name, bundle.planner, bundle.suites, bundle.value_modes, tokenizer_of)
            ),
            "platform": {"name": bundle.spec.name} | {key: getattr(bundle.spec, key) for key in STORED},
            "precondition": denoiser.precondition.name,
            "denoiser": _public(denoiser.net.config),
            "tokenizer": {"causal": tokenizer.causal, "vae": _public(tokenizer.vae.config)},
            "text": {"positions": denoiser.text_positions} | _describe_text(text),
            "files": {file.name: files.sha256(file) for file in sorted(target.iterdir()) if file.name != "README.md"},
        }
        files.write_json(target / "config.json", config)


def _build(path: Path, config: dict[str, Any], share: Bundle | None) -> Bundle:
    spec = _spec(config["platform"])
    net = CosmosTransformer3DModel.from_config(config["denoiser"])
    _load_weights(net, path / "denoiser.safetensors")
    if config["precondition"] not in PRECONDITIONS:
        raise ValueError(f"checkpoint {path.name}: expected precondition {', '.join(PRECONDITIONS)}")
    denoiser = Denoiser(
        net.eval(), PRECONDITIONS[config["precondition"]], text_positions=int(config["text"]["positions"])
    )
    about = Description(**config["description"])
    vae = config["tokenizer"]["vae"]
    side = spec.image_size // int(vae["scale_factor_spatial"])
    return Bundle(
        name=about.name,
        spec=spec,
        layout=spec.layout(channels=net.config.out_channels, side=side),
        denoiser=denoiser.eval(),
        tokenizer=_tokenizer(path, config, about, share),
        text=_text(path, config["text"]),
        stats=Statistics.load(path / "stats.json"),
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
    vae = AutoencoderKLWan.from_config(config["tokenizer"]["vae"])
    _load_weights(vae, Path(place) / "tokenizer.safetensors")
    return Tokenizer(vae.eval(), causal=bool(config["tokenizer"]["causal"])).eval()


def _beside(path: Path, name: str) -> Path:
    """The checkpoint `name` in the same folder as `path`; a name, never a path."""
    if Path(name).name != name:
        raise ValueError(f"checkpoint {path.name}: expected a plain name of another checkpoint, got {name!r}")
    return path.parent / name


def _text(path: Path, config: Mapping[str, Any]) -> TextEncoder:
    if config["kind"] == "words":
        text: nn.Module = WordEmbedding(config["vocabulary"], int(config["width"]), int(config["positions"]))
        _load_weights(text, path / "text.safetensors")
        return text.eval()
    return TextTable(files.load_safetensors(path / "text.safetensors")).eval()


def _describe_text(text: TextEncoder) -> dict[str, Any]:
    if isinstance(text, WordEmbedding):
        return {"kind": "words", "vocabulary": list(text.vocabulary), "width": text.words.embedding_dim}
    return {"kind": "table"}


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


def _load_weights(module: nn.Module, path: Path) -> None:
    module.load_state_dict({name: tensor.float() for name, tensor in files.load_safetensors(path).items()})
