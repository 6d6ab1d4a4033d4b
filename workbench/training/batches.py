"""From an epoch's items to a batch: latents out of the bank, numbers injected as in a query."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.data import windows
from workbench.data.mixing import Sampler
from workbench.data.samples import Samples
from workbench.latents import Latents
from workbench.layout import LatentLayout, Mode
from workbench.models.text import WordEmbedding
from workbench.normalize import Statistics
from workbench.steps import inject
from workbench.training.bank import LatentBank
from workbench.types import Episode


@dataclass(frozen=True, eq=False)
class Batch:
    """A batch of training samples with everything injected."""

    x0: Float[Tensor, "b c t h w"]
    tokens: Int[Tensor, "b l"]
    """Word numbers, -1 where there is none."""
    modes: list[Mode]


Item = tuple[Episode, int, Mode]

START = 2
"""First steps of an episode in which the arm has not yet betrayed where it is going."""


class Batches:
    """The batch of every iteration, as a function of its number."""

    def __init__(
        self,
        samples: Samples,
        bank: LatentBank,
        layout: LatentLayout,
        stats: Statistics,
        text: WordEmbedding,
        *,
        size: int,
        value_mode: Mode,
        start_share: float,
        seed: int,
    ) -> None:
        self.samples, self.bank, self.layout, self.stats, self.text = samples, bank, layout, stats, text
        self.size, self.value_mode, self.start_share, self.seed = size, value_mode, start_share, seed

    def at(self, iteration: int, *, worker: int = 0, workers: int = 1) -> Batch:
        """This worker's share of the batch of an iteration; all follows from seed and iteration."""
        per_epoch = len(self.samples) // self.size
        sampler = Sampler(
            len(self.samples),
            self.size,
            seed=self.seed,
            epoch=iteration // per_epoch,
            batch=iteration % per_epoch,
        )
        indices, coins = next(iter(sampler))
        mine = zip(indices[worker::workers], coins[worker::workers], strict=True)
        return self.assemble([self._item(int(index), float(coin)) for index, coin in mine])

    def _item(self, index: int, coin: float) -> Item:
        episode, step, kind = self.samples.locate(index, coin)
        if kind != "policy":
            return episode, step, self.value_mode if kind == "value" else kind
        # A policy sample has no use for its coin: it decides whether the sample is moved to the beginning.
        return episode, step % START if coin < self.start_share else step, kind

    def assemble(self, items: list[Item]) -> Batch:
        """A batch of given steps of given episodes."""
        layout, chunk, gamma = self.layout, self.layout.chunk_size, self.samples.gamma
        futures = [windows.future_index(step, len(episode), chunk) for episode, step, _ in items]
        x0 = self.bank.blank[None, :, None].repeat(len(items), 1, len(layout), 1, 1)
        for row, ((episode, step, _), future) in enumerate(zip(items, futures, strict=True)):
            pictures = self.bank.latents(episode)
            x0[row][:, list(layout.indices("camera"))] = pictures[step].float().transpose(0, 1)
            x0[row][:, list(layout.indices("future_camera"))] = pictures[future].float().transpose(0, 1)
        latents = Latents(x0, torch.zeros(len(items), len(layout), dtype=torch.bool), layout, torch.zeros(1, 1, 1), x0)
        episodes = [episode for episode, _, _ in items]
        filled = inject(
            latents,
            self.stats,
            proprio=np.stack([e.proprio[step] for e, step, _ in items]),
            actions=np.stack([windows.action_chunk(e.actions, step, chunk) for e, step, _ in items]),
            future_proprio=np.stack([e.proprio[f] for e, f in zip(episodes, futures, strict=True)]),
            value=np.array(
                [windows.returns(len(e), e.reward, gamma)[f] for e, f in zip(episodes, futures, strict=True)]
            ),
        )
        return Batch(filled.x, self._tokens(episodes), [mode for _, _, mode in items])

    def _tokens(self, episodes: list[Episode]) -> Int[Tensor, "b l"]:
        rows = [self.text.tokens(episode.instruction) for episode in episodes]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)
