"""Checkpoints in upstream's forms, with random weights of any size: what `workbench convert` is to read."""

import io
import json
import pickle
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLWan, CosmosTransformer3DModel
from torch import Tensor
from torch.distributed.checkpoint import metadata as dcp
from torch.distributed.checkpoint.filesystem import _StorageInfo

from workbench.models.convert import FIXED, upstream_name
from workbench.platforms import PLATFORMS

SMALL = {"heads": 2, "head_dim": 16, "blocks": 2, "rank": 8, "text": 24}
PUBLISHED = {"heads": 16, "head_dim": 128, "blocks": 28, "rank": 256, "text": 1024}
INSTRUCTIONS = ("put the red mug on the plate", "open the top drawer")


def shapes(*, heads: int, head_dim: int, blocks: int, rank: int, text: int) -> dict[str, torch.Size]:
    """Upstream's names and shapes of a network of that size."""
    with torch.device("meta"):
        net = CosmosTransformer3DModel(
            in_channels=18,
            out_channels=16,
            num_attention_heads=heads,
            attention_head_dim=head_dim,
            num_layers=blocks,
            mlp_ratio=4.0,
            text_embed_dim=text,
            adaln_lora_dim=rank,
            patch_size=(1, 2, 2),
            concat_padding_mask=False,
            extra_pos_embed_type=None,
            **FIXED,
        )
    return {upstream_name(name): tensor.shape for name, tensor in net.state_dict().items()}


def state(dtype: torch.dtype = torch.bfloat16, seed: int = 0, **size: int) -> dict[str, Tensor]:
    """Random weights under upstream's names, with the keys that a trained file has beside them."""
    generator = torch.Generator().manual_seed(seed)
    weights = {name: draw(shape, dtype, generator) for name, shape in shapes(**(size or SMALL)).items()}
    extra = {"net.accum_iteration": torch.tensor(7), "net.pos_embedder.seq": torch.arange(9.0)}
    norms = {name.replace(".weight", "._extra_state"): torch.zeros(0, dtype=torch.uint8) for name in weights}
    return weights | extra | {name: value for name, value in norms.items() if "_norm" in name}


def draw(shape: torch.Size, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    """A matrix that keeps the size of what it multiplies; ones for the norms."""
    if len(shape) == 1:
        return torch.ones(shape, dtype=dtype)
    return torch.empty(shape, dtype=dtype).normal_(0, shape[1] ** -0.5, generator=generator)


def write_companions(folder: Path, *, platform: str = "libero", text: int = SMALL["text"]) -> None:
    """Statistics, table of texts and tokenizer beside the weights, as the published repositories have them."""
    spec = PLATFORMS[platform]
    stats = {f"actions_{end}": [sign] * spec.action_dim for end, sign in (("min", -1.0), ("max", 1.0))}
    stats |= {f"proprio_{end}": [sign] * spec.proprio_dim for end, sign in (("min", -1.0), ("max", 1.0))}
    (folder / f"{platform}_dataset_statistics.json").write_text(json.dumps(stats))
    write_table(folder / f"{platform}_t5_embeddings.pkl", text)
    vae = AutoencoderKLWan(base_dim=2, z_dim=16, dim_mult=[1, 2, 2, 2], num_res_blocks=1)
    vae.save_pretrained(folder / "vae")


def write_table(path: Path, width: int) -> None:
    """A table of text embeddings in upstream's pickle form: five tokens an instruction, then zeros."""
    generator = torch.Generator().manual_seed(1)
    table = {}
    for instruction in INSTRUCTIONS:
        table[instruction] = torch.zeros(1, 512, width, dtype=torch.bfloat16)
        table[instruction][:, :5] = torch.randn(5, width, generator=generator).bfloat16()
    path.write_bytes(pickle.dumps(table))


def write_source(folder: Path, *, platform: str = "libero", wrapper: str = "") -> Path:
    """A whole source with small weights; returns its `.pt` file."""
    folder.mkdir(parents=True, exist_ok=True)
    write_companions(folder, platform=platform)
    content = state()
    torch.save({wrapper: content} if wrapper else content, folder / f"{platform}.pt")
    return folder / f"{platform}.pt"


def write_distributed(folder: Path, content: dict[str, Any], ranks: int = 2) -> None:
    """What `torch.distributed.checkpoint` writes from several processes: each writes its share of a tensor's rows."""
    folder.mkdir(parents=True)
    index, places, written = {}, {}, [io.BytesIO() for _ in range(ranks)]
    for name, value in content.items():
        pieces = _pieces(value, ranks)
        index[name] = dcp.BytesStorageMetadata()
        if isinstance(value, Tensor):
            chunks = [dcp.ChunkStorageMetadata(offsets, rows.shape) for offsets, rows in pieces]
            index[name] = dcp.TensorStorageMetadata(dcp.TensorProperties(value.dtype), value.shape, chunks)
        for rank, (offsets, rows) in enumerate(pieces):
            torch.save(rows, piece := io.BytesIO())
            place = _StorageInfo(f"__{rank}_0.distcp", written[rank].tell(), len(piece.getvalue()))
            places[dcp.MetadataIndex(name, offsets, rank)] = place
            written[rank].write(piece.getvalue())
    for rank, file in enumerate(written):
        (folder / f"__{rank}_0.distcp").write_bytes(file.getvalue())
    (folder / ".metadata").write_bytes(pickle.dumps(dcp.Metadata(index, planner_data={}, storage_data=places)))


def _pieces(value: Any, ranks: int) -> list[tuple[torch.Size | None, Any]]:
    if not isinstance(value, Tensor):
        return [(None, value)]
    if not value.dim():
        return [(torch.Size(), value)]
    starts = range(0, len(value) or 1, -(-len(value) // ranks) or 1)
    shares = value.split(-(-len(value) // ranks) or 1)
    return [
        (torch.Size([start] + [0] * (value.dim() - 1)), rows.clone())
        for start, rows in zip(starts, shares, strict=True)
    ]
