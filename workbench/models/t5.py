"""Embeddings of new instructions by T5, in a process of its own, so that its memory is given back (METHOD.md 3.3).

The published models read T5-11B: 45 GB to download, about 20 GB of memory in float32 for its encoder. Known
instructions lie in a table and need none of this; new ones are embedded once and kept in the cache folder. Nothing is
downloaded from here: an instruction with a typing error must not cost 45 GB.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from workbench import files, runtime
from workbench.models import hub

MODEL = "google-t5/t5-11b"
POSITIONS = 512
"""Tokens after which upstream cuts an instruction off."""
INSTALL = "pip install -c constraints.txt -e '.[t5]'"
DOWNLOAD = "hf download --exclude '*.h5'"
PATIENCE = 3600.0
"""Seconds after which the process is given up; from a slow disk, 45 GB take many minutes."""


@dataclass(frozen=True)
class T5:
    """A T5 encoder by its address on the Hub (as far as it is downloaded) or its folder."""

    model: str = MODEL

    def embed(self, instruction: str) -> Float[Tensor, "l e"]:
        """Last hidden state of the instruction's tokens, bfloat16; ValueError if there is no such encoder here."""
        folder, name = self._folder(), f"{hashlib.sha256(instruction.encode()).hexdigest()[:24]}.safetensors"
        if folder is None or importlib.util.find_spec("transformers") is None:
            kept = next(_cache().glob(f"{Path(self.model).name}--*/{name}"), None)
            if kept is None:
                raise ValueError(f"{self.model} is not here: {INSTALL} && {DOWNLOAD} {self.model}")
        elif not (kept := _cache() / f"{Path(self.model).name}--{self._revision(folder)}" / name).is_file():
            self._compute(folder, instruction, kept)
        return files.load_safetensors(kept)["embedding"]

    def _compute(self, folder: Path, instruction: str, kept: Path) -> None:
        code = f"from workbench.models.t5 import write; write({str(folder)!r}, {instruction!r}, {str(kept)!r})"
        with tqdm(total=1, desc=f"embedding a new instruction with {self.model}", disable=None) as bar:
            problem = runtime.attempt(code, seconds=PATIENCE)
            bar.update()
        if problem:
            raise ValueError(f"{self.model} could not embed the instruction ({problem})")

    def _folder(self) -> Path | None:
        """Where the encoder's files are."""
        if Path(self.model).is_dir():
            return Path(self.model).absolute()
        if not hub.is_address(self.model):
            return None
        config = huggingface_hub.try_to_load_from_cache(self.model, "config.json")
        return Path(config).parent if isinstance(config, str) else None

    def _revision(self, folder: Path) -> str:
        """A commit on the Hub, else what the files' sizes and times say."""
        if not Path(self.model).is_dir():
            return folder.name
        state = sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in folder.iterdir())
        return hashlib.sha256(repr((str(folder), state)).encode()).hexdigest()[:16]


def _cache() -> Path:
    """Results of earlier embeddings: one folder a model and revision, one file an instruction."""
    return runtime.cache_folder() / "text"


def write(folder: str, instruction: str, path: str) -> None:
    """Embed `instruction` and write the result; called in a process of its own."""
    import torch
    from transformers import AutoTokenizer, T5EncoderModel

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    # float32 as upstream; rounding comes after the encoder.
    encoder = T5EncoderModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    device = _place(sum(weight.nbytes for weight in encoder.parameters()))
    tokens = tokenizer(instruction, return_tensors="pt", truncation=True, max_length=POSITIONS).to(device)
    with torch.no_grad():
        hidden = encoder.to(device)(**tokens).last_hidden_state[0]
    files.save_safetensors(path, {"embedding": hidden.bfloat16()}, metadata={"instruction": instruction})


def _place(needed: int) -> str:
    """The GPU if the encoder fits beside what is there already, else the CPU."""
    import torch

    return "cuda" if torch.cuda.is_available() and torch.cuda.mem_get_info()[0] > 1.2 * needed else "cpu"
