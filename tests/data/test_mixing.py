"""The structure of an epoch, and a sampler that can be stopped anywhere."""

import itertools
import json

import numpy as np
import pytest

from workbench.data.mixing import Sampler, mix


@pytest.mark.golden("mixing/*.json")
def test_reference_epochs(case, fidelity):
    for one in json.loads(case.read_text())["cases"]:
        epoch = mix(
            one["demo_steps"],
            one["success_rollout_steps"],
            one["failure_rollout_steps"],
            demonstration_probability=one["demonstration_sampling_prob"],
            success_probability=one["success_rollout_sampling_prob"],
        )
        expected = [one[f"adjusted_{part}_count"] for part in ("demo", "success_rollout", "failure_rollout")]
        fidelity.exact("counts", list(epoch.items.values()), expected)
        fidelity.exact("epoch length", len(epoch), one["epoch_length"])


def test_no_step_is_left_out_and_shares_hold():
    generator = np.random.default_rng(0)
    for _ in range(300):
        steps = generator.integers(50, 5000, size=3)
        demonstrations, successes = generator.uniform(0.05, 0.95, size=2)
        epoch = mix(*map(int, steps), demonstration_probability=demonstrations, success_probability=successes)
        items = np.array(list(epoch.items.values()))
        assert (items >= steps - 1).all()  # rounding down may cost one
        assert abs(items[0] / items.sum() - demonstrations) < 0.01
        assert abs(items[1] / items[1:].sum() - successes) < 0.02


def test_items_run_through_the_parts_and_cycle():
    epoch = mix(2, 3, 1)
    assert list(epoch.items.values()) == [6, 3, 3]
    located = [epoch.locate(i) for i in range(len(epoch))]
    assert located[:6] == [("demonstrations", step % 2) for step in range(6)]
    assert located[6:9] == [("successes", step) for step in range(3)]
    assert located[9:] == [("failures", 0)] * 3
    for index in (-1, 12):
        with pytest.raises(IndexError, match="from 0 to 11"):
            epoch.locate(index)


def test_probabilities_out_of_range():
    with pytest.raises(ValueError, match="demonstration_probability from 0 to 1, got 1.5"):
        mix(1, 1, 1, demonstration_probability=1.5)


def take(sampler: Sampler, batches: int) -> list[tuple[list[int], list[float]]]:
    return [(indices.tolist(), coins.tolist()) for indices, coins in itertools.islice(sampler, batches)]


def test_an_epoch_shows_every_item_once():
    batches = take(Sampler(20, 5, seed=3), 8)
    first, second = (sum((indices for indices, _ in part), []) for part in (batches[:4], batches[4:]))
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second


def test_incomplete_batches_are_left_out():
    batches = take(Sampler(7, 3), 5)
    assert all(len(indices) == len(coins) == 3 for indices, coins in batches)
    assert len({*batches[0][0], *batches[1][0]}) == 6


@pytest.mark.parametrize("stop", range(1, 12))
def test_a_resumed_sampler_goes_on_where_it_was(stop):
    whole = take(Sampler(11, 3, seed=7), 14)
    sampler = Sampler(11, 3, seed=7)
    take(sampler, stop)
    state = json.loads(json.dumps(sampler.state()))
    assert take(Sampler.from_state(state, 11, 3), 14 - stop) == whole[stop:]


def test_seeds_give_different_orders():
    assert take(Sampler(50, 10, seed=1), 1) != take(Sampler(50, 10, seed=2), 1)


@pytest.mark.parametrize("batch_size", [0, 6])
def test_impossible_batches(batch_size):
    with pytest.raises(ValueError, match="batch size from 1 to the 5 items"):
        Sampler(5, batch_size)
