"""Samples against the reference's dataset, and what a sample reads."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest

from workbench.data import windows
from workbench.data.samples import Samples, make_sample
from workbench.types import Episode


def numbered_episode(length: int, *, offset: int, success: bool) -> Episode:
    """As the reference's tiny files: every number names its step."""
    steps = np.arange(length)
    grey = np.broadcast_to(steps[:, None, None, None], (length, 4, 4, 3)).astype(np.uint8)
    numbers = (steps + offset).astype(np.float32)
    return Episode(
        instruction="count",
        images={"wrist": list(grey + np.uint8(100)), "primary": list(grey)},
        actions=np.repeat(numbers[:, None], 7, axis=1),
        proprio=np.repeat(numbers[:, None], 9, axis=1),
        success=success,
    )


@pytest.mark.golden("numbers/dataset_items*.json")
def test_reference_items(case, fidelity):
    about = json.loads(case.read_text())
    first, second = about["demo_lengths"]
    samples = Samples(
        [numbered_episode(first, offset=0, success=True), numbered_episode(second, offset=100, success=True)],
        [
            numbered_episode(about["failure_rollout_length"], offset=200, success=False),
            numbered_episode(about["success_rollout_length"], offset=200, success=True),
        ],
        chunk_size=about["chunk_size"],
        gamma=about["gamma"],
    )
    fidelity.exact("epoch length", len(samples), about["epoch_length"])
    kinds = [samples.locate(i, random.Random(i).random())[2] for i in range(len(samples))]
    fidelity.exact("kinds", {kind: kinds.count(kind) for kind in set(kinds)}, about["kinds_in_one_epoch"])
    for item in about["items"]:
        sample = samples.sample(item["index"], random.Random(item["index"]).random())
        fidelity.exact("kind of an item", sample.kind, item["kind"])
        for name, found in {
            "proprio": sample.proprio,
            "future_proprio": sample.future_proprio,
            "first_action": sample.actions[0],
            "last_action": sample.actions[-1],
        }.items():
            fidelity.exact(name, found, item[name])
        fidelity.close("return", 2 * sample.value - 1, item["value_return"], atol=2e-5)
        _, _, *now, _, _, wrist, primary, _ = item["pixel_of_each_latent_frame"]
        seen = [sample.images[camera].max() for camera in ("wrist", "primary")]
        fidelity.exact("pictures", seen, now)
        assert sample.images["wrist"].max() == sample.images["wrist"].min()
        future = [sample.future_images[camera].max() for camera in ("wrist", "primary")]
        fidelity.exact("future pictures", future, [wrist, primary])


def test_a_sample_reads_two_pictures_a_camera():
    class Counted(list):
        reads = 0

        def __getitem__(self, index):
            Counted.reads += 1
            return super().__getitem__(index)

    episode = numbered_episode(30, offset=0, success=True)
    lazy = {camera: Counted(pictures) for camera, pictures in episode.images.items()}
    lazy_episode = Episode("count", lazy, episode.actions, episode.proprio, True)
    Counted.reads = 0
    sample = make_sample(lazy_episode, 12, kind="policy", chunk_size=8, gamma=0.99)
    assert Counted.reads == 4
    assert sample.future_images["primary"].max() == 20


def test_the_coin_decides_only_for_rollouts():
    demonstration = numbered_episode(5, offset=0, success=True)
    rollout = numbered_episode(5, offset=0, success=False)
    samples = Samples([demonstration], [rollout], chunk_size=2, gamma=0.9, world_model_probability=0.3)
    assert {samples.locate(0, coin)[2] for coin in (0.0, 0.99)} == {"policy"}
    assert [samples.locate(5, coin)[2] for coin in (0.0, 0.29, 0.3, 0.99)] == ["world_model"] * 2 + ["value"] * 2
    assert samples.sample(5, 0.5).value == 0


def test_demonstrations_alone():
    samples = Samples([numbered_episode(5, offset=0, success=True)], chunk_size=2, gamma=0.9)
    assert len(samples) == 5
    assert samples.sample(4, 0.5).value == 1


def test_no_data_at_all():
    with pytest.raises(IndexError):
        Samples([], chunk_size=2, gamma=0.9).sample(0, 0.0)


def test_samples_begin_and_end_where_something_was_observed():
    rollout = replace(numbered_episode(13, offset=0, success=True), stride=4)
    samples = Samples([], [rollout], chunk_size=4, gamma=0.9)
    found = {samples.locate(index, 0.9)[1] for index in range(len(samples))}
    assert found == {0, 4, 8, 12}
    assert {windows.future_index(step, 13, 4) for step in found} == {4, 8, 12}
    with pytest.raises(ValueError, match="observed every 4 steps, expected a divisor of the chunk of 6"):
        Samples([], [rollout], chunk_size=6, gamma=0.9)


def test_what_is_shown_between_two_observations():
    often, seldom = (replace(numbered_episode(11, offset=0, success=True), stride=stride) for stride in (1, 4))
    assert [seldom.observed(step) for step in range(11)] == [0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 10]
    assert [often.observed(step) for step in range(11)] == list(range(11))
