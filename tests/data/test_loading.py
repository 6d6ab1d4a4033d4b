"""Lazy episodes and batches by number: only what a sample needs is decoded, and a run resumes anywhere."""

import itertools

import numpy as np
import pytest
from recorded import recorded

from workbench.data import pictures, readers
from workbench.data.loading import Loader
from workbench.data.samples import Samples
from workbench.data.writers import write_rollout


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> Samples:
    folder = tmp_path_factory.mktemp("data")
    for i in range(6):
        write_rollout(folder / f"{i}.hdf5", recorded(8 + i, seed=i, success=i % 2 == 0))
    found = readers.find(folder)
    return Samples(readers.Episodes(found[:2]), readers.Episodes(found), chunk_size=4, gamma=0.9)


def prepare(batch, randoms):
    read = [(s.kind, s.actions.tobytes(), s.future_images["wrist"].tobytes()) for s in batch]
    return read, [random.random() for random in randoms]


@pytest.mark.heavy
def test_lazy_episodes_are_the_eager_ones(samples):
    eager = Samples(
        list(samples.episodes["demonstrations"]),
        [*samples.episodes["successes"], *samples.episodes["failures"]],
        chunk_size=4,
        gamma=0.9,
    )
    assert len(eager) == len(samples)
    for index in range(0, len(samples), 7):
        a, b = samples.sample(index, 0.3), eager.sample(index, 0.3)
        assert (a.kind, a.value) == (b.kind, b.value)
        np.testing.assert_array_equal(a.actions, b.actions)
        np.testing.assert_array_equal(a.future_images["primary"], b.future_images["primary"])


def test_a_sample_decodes_two_pictures_a_camera(samples, monkeypatch):
    decoded = []

    def counting(data):
        decoded.append(1)
        return pictures_decode(data)

    pictures_decode = pictures.decode_jpeg
    monkeypatch.setattr(pictures, "decode_jpeg", counting)
    samples.sample(0, 0.5)
    assert len(decoded) == 4


@pytest.fixture(scope="module")
def whole(samples) -> list:
    """Batches of more than an epoch, read without a stop."""
    return list(itertools.islice(Loader(samples, prepare, size=12, seed=3).batches(), 16))


@pytest.mark.heavy
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_resume_in_the_middle_of_an_epoch(samples, whole, workers):
    per_epoch = len(samples) // 12
    assert per_epoch < 15, "the run goes into a second epoch"
    later = Loader(samples, prepare, size=12, seed=3, workers=workers).batches(start=9)
    assert list(itertools.islice(later, 7)) == whole[9:]


def test_the_parts_of_a_batch_are_the_batch(samples):
    (whole,) = itertools.islice(Loader(samples, prepare, size=6).keys(2), 1)
    parts = [next(Loader(samples, prepare, size=6, share=(i, 2)).keys(2)) for i in range(2)]
    assert sorted(np.concatenate([part.indices for part in parts])) == sorted(whole.indices)


def test_an_epoch_shows_every_item_once(samples):
    per_epoch = len(samples) // 6
    shown = np.concatenate(
        [key.indices for key in itertools.islice(Loader(samples, prepare, size=6).keys(), per_epoch)]
    )
    assert len(set(shown)) == 6 * per_epoch


def test_batches_that_cannot_be_shared(samples):
    with pytest.raises(ValueError, match="2 processes share evenly, got 5"):
        Loader(samples, prepare, size=5, share=(0, 2))
    with pytest.raises(ValueError, match="batch size from 1 to"):
        Loader(samples, prepare, size=10_000)
