"""Statistics and the map to [-1, 1]: reference numbers, round trips, constant dimensions, bad files."""

import json

import numpy as np
import pytest

from workbench.normalize import (
    Statistics,
    equal,
    normalize_actions,
    normalize_proprio,
    unnormalize_actions,
    unnormalize_proprio,
)

KEYS = {f"{part}_{name}" for part in ("actions", "proprio") for name in ("min", "max", "mean", "std", "median")}


@pytest.fixture
def statistics() -> Statistics:
    return Statistics(
        actions_min=np.array([-1.0, 0.0, 3.0]),
        actions_max=np.array([1.0, 10.0, 3.0]),
        proprio_min=np.array([0.0, -2.0]),
        proprio_max=np.array([4.0, 2.0]),
    )


@pytest.mark.golden("numbers/normalisation*.json")
def test_reference_numbers(case, fidelity):
    for platform, about in json.loads(case.read_text()).items():
        actions = [np.array(episode["actions"]) for episode in about["episodes"]]
        proprio = [np.array(episode["proprio"]) for episode in about["episodes"]]
        statistics = Statistics.from_episodes(actions, proprio)
        for name, expected in about["statistics"].items():
            exact = name.endswith(("min", "max"))
            found = statistics.extra.get(name, getattr(statistics, name, None))
            fidelity.close(f"{platform} {name}", found, expected, atol=1e-12 if exact else 1e-6)

        def close(found, name, atol, platform=platform, about=about):
            fidelity.close(f"{platform} {name}", found, about[name], atol=atol)

        close(normalize_actions(actions[0], statistics), "episode0_actions_normalised", 1e-12)
        close(normalize_proprio(proprio[0], statistics), "episode0_proprio_normalised", 1e-12)
        outside = np.array(about["proprio_raw_out_of_range"])
        close(normalize_proprio(outside, statistics), "proprio_normalised_out_of_range", 1e-12)
        given = np.array(about["actions_normalised_in"], dtype=np.float32)  # the reference starts from float32
        close(unnormalize_actions(given, statistics), "actions_unnormalised_out", 1e-6)


def test_ends_of_the_range(statistics):
    low = normalize_actions(statistics.actions_min, statistics)
    high = normalize_actions(statistics.actions_max, statistics)
    np.testing.assert_array_equal(low, [-1, -1, 0])
    np.testing.assert_array_equal(high, [1, 1, 0])


def test_nothing_is_clipped(statistics):
    np.testing.assert_array_equal(normalize_proprio(np.array([8.0, -4.0]), statistics), [3.0, -2.0])


def test_round_trip_of_any_shape(statistics):
    generator = np.random.default_rng(0)
    actions = generator.normal(size=(2, 5, 3)).astype(np.float32)
    actions[..., 2] = 3  # the constant dimension returns to its constant
    back = unnormalize_actions(normalize_actions(actions, statistics), statistics)
    np.testing.assert_allclose(back, actions, atol=1e-14)
    proprio = generator.normal(size=(4, 2))
    back = unnormalize_proprio(normalize_proprio(proprio, statistics), statistics)
    np.testing.assert_allclose(back, proprio, atol=1e-14)
    assert back.dtype == np.float64


def test_constant_dimension_is_zero_and_never_nan(statistics):
    normalised = normalize_actions(np.array([0.0, 5.0, 99.0]), statistics)
    assert normalised[2] == 0
    assert unnormalize_actions(np.array([0.0, 0.0, 0.7]), statistics)[2] == 3


def test_wrong_dimension_says_what_was_expected(statistics):
    with pytest.raises(ValueError, match=r"expected actions with 3 dimensions .* got shape \(2, 7\)"):
        normalize_actions(np.zeros((2, 7)), statistics)
    with pytest.raises(ValueError, match="expected proprio with 2 dimensions"):
        unnormalize_proprio(np.zeros(9), statistics)


@pytest.mark.golden("formats/dataset_statistics*.json")
def test_the_published_file_is_kept_whole(case, fidelity, tmp_path):
    Statistics.load(case).save(tmp_path / "stats.json")
    copy = json.loads((tmp_path / "stats.json").read_text())
    fidelity.exact("statistics file", copy, json.loads(case.read_text()))
    assert set(copy) == KEYS


def test_four_keys_are_enough(statistics, tmp_path):
    statistics.save(tmp_path / "stats.json")
    loaded = Statistics.load(tmp_path / "stats.json")
    assert equal(loaded, statistics)
    assert not loaded.extra


def test_statistics_of_other_data_are_not_equal(statistics):
    other = Statistics(
        statistics.actions_min, statistics.actions_max * 1.01, statistics.proprio_min, statistics.proprio_max
    )
    assert not equal(statistics, other)


def test_statistics_cannot_be_changed(statistics):
    with pytest.raises(ValueError, match="read-only"):
        statistics.actions_min[0] = 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "lacks actions_min"),
        ("[1]", "no statistics file"),
        ('{"actions_min": [0], "actions_max": [NaN], "proprio_min": [0], "proprio_max": [0]}', "finite"),
        (
            '{"actions_min": [1], "actions_max": [0], "proprio_min": [0], "proprio_max": [0]}',
            "actions_min <=",
        ),
        (
            '{"actions_min": [0], "actions_max": [0, 1], "proprio_min": [0], "proprio_max": [0]}',
            "actions_min <=",
        ),
        (
            '{"actions_min": ["a"], "actions_max": [0], "proprio_min": [0], "proprio_max": [0]}',
            "list of numbers",
        ),
        ('{"actions_min": [0]', "not a JSON file"),
    ],
)
def test_bad_files_are_refused(tmp_path, content, message):
    path = tmp_path / "stats.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        Statistics.load(path)


def test_no_episodes():
    with pytest.raises(ValueError, match="at least one episode"):
        Statistics.from_episodes([], [])
