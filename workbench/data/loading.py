"""Batches by their number: drawn, read and prepared in worker processes, the same whoever asks and from where.

The batch of an iteration follows from the seed and that number alone, so a stopped run resumes in the middle of an
epoch by asking for the next one. Workers hold where the episodes lie, not what they hold.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch.utils.data import DataLoader, Dataset

from workbench.data.mixing import Sampler
from workbench.data.samples import Sample, Samples

Prepare = Callable[[Sequence[Sample], Sequence[np.random.Generator]], Any]
"""Samples and the randomness of each in; what the loader yields out. It is sent to the workers."""


@dataclass(frozen=True, eq=False)
class Key:
    """Which samples make a batch."""

    iteration: int
    rows: Int[np.ndarray, " b"]
    """Their places in the whole batch."""
    indices: Int[np.ndarray, " b"]
    coins: Float[np.ndarray, " b"]


class Loader:
    """The batches of a training run, in order."""

    def __init__(
        self,
        samples: Samples,
        prepare: Prepare,
        *,
        size: int,
        seed: int = 0,
        workers: int = 0,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        """`size`: of the whole batch; `share`: which of how many equal parts this process gets.

        `workers`: processes that read ahead; 0 reads when asked. Raises ValueError for a batch that cannot be shared
        or is larger than an epoch.
        """
        part, parts = share
        if size % parts or not 0 <= part < parts:
            raise ValueError(f"expected a batch that {parts} processes share evenly, got {size}: choose a multiple")
        Sampler(len(samples), size)  # checks the size
        self.samples, self.size, self.seed, self.workers, self.share = samples, size, seed, workers, share
        self._work = _Work(samples, prepare, seed)

    def batches(self, start: int = 0) -> Iterator[Any]:
        """This process's part of the batch of iteration `start`, then of the next, without end."""
        keys = _Keys(self, start)
        if self.workers == 0:
            yield from map(self._work.__getitem__, keys)
        else:
            yield from DataLoader(
                self._work, batch_size=None, sampler=keys, num_workers=self.workers, collate_fn=_as_it_is
            )

    def keys(self, start: int = 0) -> Iterator[Key]:
        """What `batches` reads."""
        part, parts = self.share
        per_epoch = len(self.samples) // self.size
        epoch, batch = divmod(start, per_epoch)
        sampler = Sampler(len(self.samples), self.size, seed=self.seed, epoch=epoch, batch=batch)
        for iteration, (indices, coins) in enumerate(sampler, start):
            yield Key(iteration, np.arange(part, self.size, parts), indices[part::parts], coins[part::parts])


class _Work(Dataset):
    def __init__(self, samples: Samples, prepare: Prepare, seed: int) -> None:
        self.samples, self.prepare, self.seed = samples, prepare, seed

    def __getitem__(self, key: Key) -> Any:
        pairs = zip(key.indices, key.coins, strict=True)
        read = [self.samples.sample(int(index), float(coin)) for index, coin in pairs]
        # A row's randomness is its own, so that it does not depend on how many processes share a batch.
        return self.prepare(read, [np.random.default_rng((self.seed, key.iteration, int(row))) for row in key.rows])


class _Keys:
    def __init__(self, loader: Loader, start: int) -> None:
        self.loader, self.start = loader, start

    def __iter__(self) -> Iterator[Key]:
        return self.loader.keys(self.start)


def _as_it_is(batch: Any) -> Any:
    return batch
