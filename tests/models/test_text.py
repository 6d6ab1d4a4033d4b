"""Instructions to embeddings: from words, from a table, and by T5 in a process of its own."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from workbench import files
from workbench.models import t5
from workbench.models.t5 import T5
from workbench.models.text import TextTable, WordEmbedding

KNOWN = ("put the red mug on the plate", "put the red mug in the bin", "open the top drawer", "close it")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def table(**settings) -> TextTable:
    return TextTable({name: torch.full((3, 8), float(number)) for number, name in enumerate(KNOWN)}, **settings)


@dataclass(frozen=True)
class Counting(T5):
    """An encoder that counts how often it is asked."""

    asked: tuple = ()
    width: int = 8

    def embed(self, instruction: str) -> torch.Tensor:
        object.__setattr__(self, "asked", (*self.asked, instruction))
        return torch.ones(2, self.width, dtype=torch.bfloat16)


# --- the table


def test_a_known_instruction_asks_nobody():
    encoder = Counting()
    assert torch.equal(table(encoder=encoder).embed(KNOWN[1]), torch.ones(1, 3, 8))
    assert not encoder.asked


def test_a_new_instruction_is_embedded_once_in_the_tables_precision():
    encoder = Counting()
    text = table(encoder=encoder)
    first = text.embed("stack the cubes")
    assert first.dtype == torch.float32 and text.embed("stack the cubes") is first
    assert text.bfloat16().embed("stack the cubes").dtype == torch.bfloat16
    assert encoder.asked == ("stack the cubes",) * 2


def test_without_an_encoder_the_error_names_the_nearest():
    with pytest.raises(ValueError, match="one of the 4 in the table, such as put the red mug on the plate;") as caught:
        table().embed("put the red cup on the plate")
    assert "open the top drawer" not in str(caught.value)


@pytest.mark.parametrize("rows", [KNOWN, ()])
def test_without_the_encoders_files_the_error_says_how_to_get_them(rows, tmp_path):
    encoder = T5("owner/absent")
    text = TextTable({name: torch.zeros(1, 8) for name in rows}, encoder)
    with pytest.raises(ValueError, match="owner/absent is not here: pip install") as caught:
        text.embed("put the red cup on the plate")
    nearest = "put the red mug on the plate" if rows else "a table of embeddings"
    assert nearest in str(caught.value) and "hf download --exclude '*.h5' owner/absent" in str(caught.value)


def test_an_encoder_of_another_width_is_refused():
    with pytest.raises(ValueError, match="expected an encoder of width 8, .* has 16"):
        table(encoder=Counting(width=16)).embed("stack the cubes")


# --- the process (without transformers: what is written stands for T5)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder that could hold an encoder; `transformers` seems to be installed."""
    (tmp_path / "t5").mkdir()
    (tmp_path / "t5/config.json").write_text("{}")
    monkeypatch.setattr(t5.importlib.util, "find_spec", lambda _: True)
    return tmp_path / "t5"


def test_results_are_kept_by_instruction_and_revision(folder, cache, monkeypatch):
    asked = []

    def compute(self, place: Path, instruction: str, kept: Path) -> None:
        asked.append(instruction)
        files.save_safetensors(kept, {"embedding": torch.full((2, 8), float(len(asked)))})

    monkeypatch.setattr(T5, "_compute", compute)
    encoder = T5(str(folder))
    for instruction in ("a", "b", "a", "../../b"):
        encoder.embed(instruction)
    assert asked == ["a", "b", "../../b"]
    assert torch.equal(T5(str(folder)).embed("a"), torch.ones(2, 8))
    (folder / "config.json").write_text('{"another": "revision"}')
    encoder.embed("a")
    assert asked[-1] == "a"
    assert len(list(cache.rglob("*.safetensors"))) == 4
    (folder / "config.json").unlink()
    folder.rmdir()
    assert T5(str(folder)).embed("b").shape == (2, 8)  # what was embedded stays, also without the encoder


def test_an_encoder_that_fails_is_one_line_and_leaves_nothing(folder, cache, monkeypatch):
    monkeypatch.setattr(t5.runtime, "attempt", lambda code, seconds: "OSError: no file named model.safetensors")
    with pytest.raises(ValueError, match="could not embed the instruction .OSError: no file named") as caught:
        T5(str(folder)).embed("stack the cubes")
    assert "\n" not in str(caught.value)
    assert not list(cache.rglob("*.safetensors"))


# --- T5 itself, tiny


MAKE = """
import sys, torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel
folder = sys.argv[1]
words = ["<pad>", "</s>", "<unk>", *(f"\u2581{word}" for word in "put the red mug on a plate".split())]
tokenizer = Tokenizer(models.Unigram([(word, -1.0) for word in words], unk_id=2))
tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
tokenizer.save_pretrained(folder)
torch.manual_seed(0)
model = T5EncoderModel(T5Config(vocab_size=len(words), d_model=16, d_kv=4, d_ff=32, num_layers=2, num_heads=2)).eval()
model.save_pretrained(folder)
tokens = tokenizer(sys.argv[2], return_tensors="pt", padding="max_length", max_length=512)
with torch.no_grad():
    hidden = model(**tokens).last_hidden_state[0] * tokens["attention_mask"][0][:, None]
torch.save(hidden, folder + "/expected.pt")
"""
"""A random T5 with a tokenizer of seven words; what upstream makes of an instruction: 512 rows, zero after the last."""


@pytest.fixture(scope="module")
def tiny_t5(tmp_path_factory) -> Path:
    pytest.importorskip("transformers", reason=f"needs transformers: {t5.INSTALL}")
    folder = tmp_path_factory.mktemp("t5")
    subprocess.run([sys.executable, "-c", MAKE, str(folder), "put the red mug on a plate"], check=True, timeout=120)
    return folder


def test_a_tiny_t5_gives_what_upstream_makes_of_its_512_rows(tiny_t5, monkeypatch):
    expected = files.load_torch(tiny_t5 / "expected.pt")
    encoder = T5(str(tiny_t5))
    found = encoder.embed("put the red mug on a plate")
    assert found.shape == (8, 16) and found.dtype == torch.bfloat16  # seven words and the end
    assert not expected[8:].any()
    torch.testing.assert_close(found.float(), expected[:8].bfloat16().float(), atol=0.02, rtol=0.01)
    monkeypatch.setattr(T5, "_compute", lambda *_: pytest.fail("computed again"))
    assert torch.equal(encoder.embed("put the red mug on a plate"), found)


def test_a_very_long_instruction_is_cut_off_where_upstream_cuts_it(tiny_t5):
    assert len(T5(str(tiny_t5)).embed("the " * 600)) == t5.POSITIONS


def test_what_was_embedded_is_forgotten_with_the_weights():
    text = WordEmbedding(["put", "it"], 8, 4)
    with torch.no_grad():
        before = text.embed("put it").clone()
        text.positions.weight.add_(1.0)
        moved = text.embed("put it")
        assert not torch.equal(before, moved)
        assert text.to(torch.float64).embed("put it").dtype == torch.float64
        assert torch.equal(text.to(torch.float32).embed("put it"), moved)
        text.load_state_dict({name: torch.zeros_like(weight) for name, weight in text.state_dict().items()})
        assert not text.embed("put it").any()
