"""Instructions to token embeddings. Only the true length is returned; the denoiser pads with zeros.

The published model reads T5-11B embeddings from a table; models trained here learn one vector a word.
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from workbench.models.forgetful import Forgetful
from workbench.models.t5 import T5


@runtime_checkable
class TextEncoder(Protocol):
    """What the policy asks of a text encoder."""

    def embed(self, instruction: str) -> Float[Tensor, "1 l e"]:
        """Embedding of one instruction; raises ValueError for one that it cannot read."""
        ...


class WordEmbedding(Forgetful):
    """A learned vector a word plus one a position; trained with the denoiser."""

    def __init__(self, vocabulary: Sequence[str], width: int, positions: int) -> None:
        super().__init__()
        self.vocabulary = tuple(vocabulary)
        self.words = nn.Embedding(len(self.vocabulary), width)
        self.positions = nn.Embedding(positions, width)
        nn.init.normal_(self.positions.weight, std=0.5)
        self._kept: dict[tuple, Tensor] = {}

    def teach(self, other: "WordEmbedding") -> "WordEmbedding":
        """`other` with the vectors of the words that are known here, and of the positions; returns it."""
        with torch.no_grad():
            other.positions.weight.copy_(self.positions.weight)
            for row, word in enumerate(other.vocabulary):
                if word in self.vocabulary:
                    other.words.weight[row] = self.words.weight[self.vocabulary.index(word)]
        return other

    def embed(self, instruction: str) -> Float[Tensor, "1 l e"]:
        """Embedding of `instruction`; the same tensor for the same words while the weights stay."""
        if torch.is_grad_enabled():
            return self(self.tokens(instruction)[None])
        key = (instruction, self.words.weight._version, self.positions.weight._version)
        if key not in self._kept:
            if len(self._kept) > 256:
                self._kept.clear()
            self._kept[key] = self(self.tokens(instruction)[None])
        return self._kept[key]

    def forget(self) -> None:
        """See `Forgetful`."""
        self._kept.clear()

    def forward(self, tokens: Tensor) -> Float[Tensor, "b l e"]:
        """Embeddings of token numbers (b, l); -1 is padding and gives zero rows."""
        rows = self.words(tokens.clamp_min(0)) + self.positions.weight[: tokens.shape[1]]
        return rows * (tokens >= 0)[..., None]

    def tokens(self, instruction: str) -> Tensor:
        """Token numbers (l); raises ValueError for unknown words or too many of them."""
        words = instruction.lower().split()
        unknown = [word for word in words if word not in self.vocabulary]
        if unknown or not words:
            raise ValueError(
                f"instruction: expected words from {', '.join(self.vocabulary)}; got {instruction!r}"
                + (f" with unknown {', '.join(unknown)}" if unknown else "")
            )
        if len(words) > len(self.positions.weight):
            raise ValueError(f"instruction: expected at most {len(self.positions.weight)} words, got {len(words)}")
        return torch.tensor([self.vocabulary.index(word) for word in words], device=self.words.weight.device)


class TextTable(Forgetful):
    """Precomputed embeddings, one an instruction (T5-11B for the published model, METHOD.md 3.3).

    With an `encoder`, instructions that the table lacks are embedded by it.
    """

    def __init__(self, table: Mapping[str, Float[Tensor, "l e"]], encoder: T5 | None = None) -> None:
        super().__init__()
        self.names = tuple(table)
        self.encoder = encoder
        self.rows = nn.ParameterList(nn.Parameter(row, requires_grad=False) for row in table.values())
        self.register_buffer("like", torch.zeros(0), persistent=False)
        self._kept: dict[str, Tensor] = {}

    def embed(self, instruction: str) -> Float[Tensor, "1 l e"]:
        """The stored embedding of `instruction`, or the encoder's; ValueError, with the nearest, without either."""
        if instruction in self.names:
            return self.rows[self.names.index(instruction)][None]
        if instruction not in self._kept:
            if len(self._kept) > 256:
                self._kept.clear()
            self._kept[instruction] = self._encode(instruction)
        return self._kept[instruction]

    def _encode(self, instruction: str) -> Float[Tensor, "1 l e"]:
        near = difflib.get_close_matches(instruction, self.names, n=3) or self.names[:3]
        known = (
            f"one of the {len(self.names)} in the table, such as {'; '.join(near)}" if near else "a table of embeddings"
        )
        if self.encoder is None:
            raise ValueError(f"instruction: expected {known}; got {instruction!r}")
        try:
            found = self.encoder.embed(instruction)
        except ValueError as error:
            raise ValueError(f"instruction: expected {known}; got {instruction!r}, and {error}") from error
        if len(self.rows) and found.shape[1] != self.rows[0].shape[1]:
            width, model = self.rows[0].shape[1], self.encoder.model
            raise ValueError(f"instruction: expected an encoder of width {width}, {model} has {found.shape[1]}")
        return found.to(self.like)[None]

    def forget(self) -> None:
        """See `Forgetful`."""
        self._kept.clear()
