"""Training samples in physical units, assembled from recorded episodes (METHOD sections 1, 2 and 5.3).

A sample is one step of an episode: what is seen now and a chunk later, the actions between, and what it was
worth. Its kind says what is asked of the model with it; nothing is normalised or augmented here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from workbench.data import mixing, windows
from workbench.data.readers import Episodes
from workbench.types import Actions, Episode, Image

Kind = Literal["policy", "world_model", "value"]


@dataclass(frozen=True, eq=False)
class Sample:
    """One step of an episode, ready to be encoded and injected."""

    kind: Kind
    """`policy`: predict all; `world_model`: given the actions; `value`: given also the future."""
    instruction: str
    images: Mapping[str, Image]
    """Camera name to the current picture, as recorded."""
    future_images: Mapping[str, Image]
    """The same at the end of the chunk, or of the episode."""
    proprio: Float[np.ndarray, " d"]
    future_proprio: Float[np.ndarray, " d"]
    actions: Actions
    value: float
    """Return at the future step, in [0, 1]: gamma ** (steps to the end) times what the episode earned."""


def make_sample(episode: Episode, step: int, *, kind: Kind, chunk_size: int, gamma: float) -> Sample:
    """The sample at one step; of the episode's pictures only the two of each camera are read."""
    future = windows.future_index(step, len(episode), chunk_size)
    return Sample(
        kind=kind,
        instruction=episode.instruction,
        actions=windows.action_chunk(episode.actions, step, chunk_size),
        images={camera: pictures[step] for camera, pictures in episode.images.items()},
        future_images={camera: pictures[future] for camera, pictures in episode.images.items()},
        proprio=episode.proprio[step],
        future_proprio=episode.proprio[future],
        value=float(windows.returns(len(episode), episode.reward, gamma)[future]),
    )


class Samples:
    """All samples of an epoch, by number: demonstrations first, then successful, then failed rollouts.

    Given as `readers.Episodes`, the episodes stay in their files: an item reads its own numbers and pictures alone.

    Demonstrations are always policy samples; a rollout's item is a world-model sample with probability
    `world_model_probability`, else a value sample. To use demonstrations as successful rollouts too, as
    the published ALOHA model does, pass them twice.
    """

    def __init__(
        self,
        demonstrations: Sequence[Episode],
        rollouts: Sequence[Episode] = (),
        *,
        chunk_size: int,
        gamma: float,
        demonstration_probability: float = 0.5,
        success_probability: float = 0.5,
        world_model_probability: float = 0.5,
    ):
        self.chunk_size, self.gamma = chunk_size, gamma
        successes, failures = _by_success(rollouts)
        self.episodes: dict[mixing.Part, Sequence[Episode]] = {
            "demonstrations": demonstrations,
            "successes": successes,
            "failures": failures,
        }
        for episodes in self.episodes.values():
            if not isinstance(episodes, Episodes):  # those are checked as they are read
                for episode in episodes:
                    self._check(episode)
        self._ends = {part: windows.ends(_lengths(episodes)) for part, episodes in self.episodes.items()}
        steps = [int(ends[-1]) if len(ends) else 0 for ends in self._ends.values()]
        self.epoch = mixing.mix(
            *steps,
            demonstration_probability=demonstration_probability,
            success_probability=success_probability,
        )
        self.world_model_probability = world_model_probability

    def __len__(self) -> int:
        return len(self.epoch)

    def locate(self, index: int, coin: float) -> tuple[Episode, int, Kind]:
        """Episode, step and kind of an item; `coin`, from [0, 1), decides between a rollout's two kinds.

        A step between two observations gives way to the earlier of them. ValueError for an episode that is not observed
        where chunks end.
        """
        part, number = self.epoch.locate(int(index))
        place, step = windows.locate(self._ends[part], number)
        episode = self.episodes[part][place]
        self._check(episode)
        step = episode.observed(step)
        world_model = coin < self.world_model_probability
        kind: Kind = "policy" if part == "demonstrations" else "world_model" if world_model else "value"
        return episode, step, kind

    def _check(self, episode: Episode) -> None:
        if self.chunk_size % episode.stride:
            wanted = f"expected a divisor of the chunk of {self.chunk_size}"
            raise ValueError(f"{episode.address}: observed every {episode.stride} steps, {wanted}: collect it anew")

    def sample(self, index: int, coin: float) -> Sample:
        """The item itself, with its pictures read."""
        episode, step, kind = self.locate(index, coin)
        return make_sample(episode, step, kind=kind, chunk_size=self.chunk_size, gamma=self.gamma)


def _by_success(episodes: Sequence[Episode]) -> tuple[Sequence[Episode], Sequence[Episode]]:
    if isinstance(episodes, Episodes):  # they stay unread
        return episodes.where(lambda source: source.success), episodes.where(lambda source: not source.success)
    return [e for e in episodes if e.success], [e for e in episodes if not e.success]


def _lengths(episodes: Sequence[Episode]) -> list[int]:
    return episodes.lengths if isinstance(episodes, Episodes) else [len(episode) for episode in episodes]
