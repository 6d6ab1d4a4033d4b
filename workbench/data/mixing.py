"""In which proportions demonstrations, successes and failures are seen, and in which order (METHOD 5.3).

An epoch is the index space [demonstrations | successful rollouts | failed rollouts]. The parts that are too
small for their share are cycled, so that no step of the larger ones is left out. Pure functions say which
index means what; `Sampler` shuffles, and remembers where it was.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

Part = Literal["demonstrations", "successes", "failures"]


@dataclass(frozen=True)
class Epoch:
    """How many items of an epoch each part has, cycled where that is more than its steps."""

    steps: Mapping[Part, int]
    """Recorded steps of each part."""
    items: Mapping[Part, int]
    """Items of each part in an epoch, in the order of their indices."""

    def __len__(self) -> int:
        return sum(self.items.values())

    def locate(self, index: int) -> tuple[Part, int]:
        """The part that an item belongs to, and the step in it (numbered through all its episodes)."""
        if not 0 <= index < len(self):
            raise IndexError(f"expected an item from 0 to {len(self) - 1}, got {index}")
        offset = index
        for part, count in self.items.items():
            if offset < count:
                return part, offset % self.steps[part]
            offset -= count
        raise AssertionError("the parts add up to the epoch")


def mix(
    demonstrations: int,
    successes: int,
    failures: int,
    *,
    demonstration_probability: float = 0.5,
    success_probability: float = 0.5,
) -> Epoch:
    """The epoch in which demonstrations and successes have their share; arguments are numbers of steps.

    `success_probability` is the share of successes among the rollouts. The share of an empty part goes to the
    others. The published mixtures: LIBERO and RoboCasa 0.5 and 0.5, ALOHA's planning model 0.1 and 0.5.
    """
    for name, p in (("demonstration", demonstration_probability), ("success", success_probability)):
        if not 0 <= p <= 1:
            raise ValueError(f"expected a {name}_probability from 0 to 1, got {p}")
    good, bad = _balance(successes, failures, success_probability)
    demos, rollouts = _balance(demonstrations, good + bad, demonstration_probability)
    if rollouts == 0:
        good = bad = 0
    elif good and bad and rollouts != good + bad:  # the demonstrations ask for more of both
        good, bad = int(rollouts * success_probability), int(rollouts * (1 - success_probability))
    elif rollouts != good + bad:
        good, bad = (rollouts, 0) if good else (0, rollouts)
    return Epoch(
        steps={"demonstrations": demonstrations, "successes": successes, "failures": failures},
        items={"demonstrations": demos, "successes": good, "failures": bad},
    )


def _balance(first: int, second: int, share: float) -> tuple[int, int]:
    """Enlarge one of two counts so that the first is `share` of both; 0 for one whose share is 0."""
    if first == 0 or share == 0:
        return 0, second
    if second == 0 or share == 1:
        return first, 0
    if first < share * (first + second):
        return int(second * share / (1 - share)), second
    return first, int(first * (1 - share) / share)


class Sampler:
    """Batches of items, shuffled anew every epoch, without end. Its state is three numbers.

    Iterating yields (indices, coins): a coin, uniform in [0, 1), says for a rollout's item whether it becomes
    a world-model or a value sample. All follows from seed and epoch, so a resumed run sees what it would have
    seen. The items that do not fill a last batch are left out of their epoch.
    """

    def __init__(self, length: int, batch_size: int, *, seed: int = 0, epoch: int = 0, batch: int = 0):
        if not 1 <= batch_size <= length:
            raise ValueError(f"expected a batch size from 1 to the {length} items of an epoch, got {batch_size}")
        self.length, self.batch_size, self.seed = length, batch_size, seed
        self.epoch, self.batch = epoch, batch

    def state(self) -> dict[str, int]:
        """What `from_state` needs to go on with the next batch; JSON values."""
        return {"seed": self.seed, "epoch": self.epoch, "batch": self.batch}

    @classmethod
    def from_state(cls, state: Mapping[str, int], length: int, batch_size: int) -> "Sampler":
        """Continue where `state` was taken, over the same data with the same batch size."""
        return cls(length, batch_size, seed=state["seed"], epoch=state["epoch"], batch=state["batch"])

    def __iter__(self) -> Iterator[tuple[Int[np.ndarray, " b"], Float[np.ndarray, " b"]]]:
        while True:
            generator = np.random.default_rng((self.seed, self.epoch))
            order, coins = generator.permutation(self.length), generator.random(self.length)
            while (self.batch + 1) * self.batch_size <= self.length:
                part = slice(self.batch * self.batch_size, (self.batch + 1) * self.batch_size)
                self.batch += 1
                yield order[part], coins[part]
            self.epoch, self.batch = self.epoch + 1, 0
