"""What a published run starts from: weights that exist, and proof that they are the ones in the network.

Upstream's public training command ignores the weights that it is pointed to and trains from scratch without a word
(METHOD.md 5.4). Here every tensor is compared with its file, and the loss before the first step is held against that
of a network that knows nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import CosmosTransformer3DModel
from torch import Tensor

from workbench import files
from workbench.data.readers import Episodes
from workbench.diffusion.precondition import RECTIFIED_FLOW
from workbench.models import checkpoints, convert, hub, untrained, upstream
from workbench.models.bundle import Bundle
from workbench.models.denoiser import Denoiser
from workbench.models.t5 import T5
from workbench.models.text import TextTable
from workbench.models.weights import with_weights
from workbench.normalize import Statistics
from workbench.platforms import PlatformSpec

BASE_FILE = "model-480p-16fps.pt"


@dataclass(frozen=True)
class Sources:
    """Where the parts of a run come from; None: from the starting checkpoint, or where the published run has them."""

    weights: str
    """A checkpoint of ours, upstream's file, an address on the Hub, or `random:...`."""
    text: Path | None = None
    tokenizer: Path | None = None


@dataclass(frozen=True, eq=False)
class Start:
    """A bundle to train on, and how it came about."""

    bundle: Bundle
    origin: str
    compared: int
    """Weights that were found equal to their file's, number by number."""


def start(sources: Sources, spec: PlatformSpec, demonstrations: Episodes, name: str) -> Start:
    """Load what a run starts from. A checkpoint that was trained on actions keeps its statistics.

    Raises ValueError if the weights are not those of the file, are of another platform, or if something is missing.
    """
    bare = _bare(sources.weights)
    if bare is None:
        bundle = checkpoints.load(sources.weights, device="cpu", dtype=torch.float32)
        compared = _compare(bundle.denoiser.net, _stored(sources.weights))
        if bundle.spec.name != spec.name:
            raise ValueError(
                f"init: expected a checkpoint for {spec.name}, {bundle.name} is one for {bundle.spec.name}"
            )
        bundle = replace(bundle, name=name, planner=None)
    else:
        state = convert.denoiser_weights(upstream.read_state(bare))
        net = _net(state, bare.name)
        compared = _compare(net, state)
        bundle = _around(net, sources, spec, statistics(demonstrations), name)
    if sources.text is not None:
        width = bundle.denoiser.net.config.text_embed_dim
        bundle = replace(bundle, text=TextTable(upstream.read_table(sources.text, width), T5()).eval())
    if bundle.layout.chunk_size != spec.chunk_size:
        raise ValueError(
            f"init: expected chunks of {spec.chunk_size} actions, {bundle.name} has {bundle.layout.chunk_size}"
        )
    _check_words(bundle, demonstrations)
    return Start(bundle, sources.weights, compared)


def statistics(episodes: Iterable) -> Statistics:
    """Range, mean and deviation of actions and proprio in one pass over the episodes, one of them in memory."""
    total: dict[str, list] = {}
    for episode in episodes:
        for name, values in (("actions", episode.actions), ("proprio", episode.proprio)):
            x = values.astype(np.float64)
            new = [x.min(0), x.max(0), x.sum(0), (x**2).sum(0), len(x)]
            old = total.get(name)
            merge = (np.minimum, np.maximum, np.add, np.add, np.add)
            total[name] = [f(a, b) for f, a, b in zip(merge, old, new, strict=True)] if old else new
    if not total:
        raise ValueError("expected at least one demonstration to take statistics of, got none")
    values: dict[str, np.ndarray] = {}
    for name, (low, high, added, squares, count) in total.items():
        mean = added / count
        values |= {f"{name}_min": low, f"{name}_max": high, f"{name}_mean": mean}
        values[f"{name}_std"] = np.sqrt(np.maximum(squares / count - mean**2, 0))
    required = {key: values.pop(key) for key in list(values) if key.endswith(("_min", "_max"))}
    return Statistics(**required, extra=values)


def _bare(weights: str) -> Path | None:
    """The file of weights that never saw an action; None for a whole checkpoint."""
    path = Path(weights).expanduser()
    if path.name == BASE_FILE and path.is_file():
        return path
    if upstream.is_source(path):
        beside = path if path.is_dir() else path.parent
        return None if list(beside.glob("*statistics.json")) else path
    if hub.is_address(weights) and not path.exists() and hub.name_of(weights).startswith("Cosmos-Predict2"):
        return hub.fetch(weights, (BASE_FILE,)) / BASE_FILE
    return None


def _net(state: Mapping[str, Tensor], what: str) -> CosmosTransformer3DModel:
    config = convert.denoiser_config(state)
    net = with_weights(lambda: CosmosTransformer3DModel.from_config(config), state, what=what)
    return net.float()


def _around(
    net: CosmosTransformer3DModel, sources: Sources, spec: PlatformSpec, stats: Statistics, name: str
) -> Bundle:
    if sources.text is None:
        raise ValueError("text: expected a table of embeddings beside bare weights: name it with --text FILE")
    tokenizer = upstream.read_tokenizer(sources.tokenizer or hub.fetch(hub.TOKENIZER, ("vae/*",)) / "vae")
    side = spec.image_size // tokenizer.vae.config.scale_factor_spatial
    return Bundle(
        name=name,
        spec=spec,
        layout=spec.layout(net.config.out_channels, side),
        denoiser=Denoiser(net, RECTIFIED_FLOW, text_positions=upstream.POSITIONS),
        tokenizer=tokenizer,
        text=TextTable({}).eval(),
        stats=stats,
    )


def _stored(weights: str) -> Mapping[str, Tensor]:
    if weights.startswith(untrained.PREFIX):
        return {}
    return files.load_safetensors(checkpoints.resolve(weights) / "denoiser.safetensors")


def _compare(net: CosmosTransformer3DModel, state: Mapping[str, Tensor]) -> int:
    """How many numbers are equal to the file's. ValueError, naming the tensor, if one is not."""
    count = 0
    for name, weight in net.state_dict().items() if state else ():
        if name not in state or not torch.equal(weight, state[name].to(weight.dtype)):
            raise ValueError(f"init: {name} of the network is not that of the file: the weights were not loaded")
        count += weight.numel()
    return count


def _check_words(bundle: Bundle, episodes: Episodes) -> None:
    """ValueError, naming it, for an instruction of the data that has no embedding: said before hours of training."""
    for instruction in dict.fromkeys(source.instruction for source in episodes.sources):
        bundle.text.embed(instruction)
