"""Window arithmetic against the reference and at the boundaries."""

import json

import numpy as np
import pytest

from workbench.data import windows


def test_reference_chunks(golden):
    for case in json.loads((golden / "numbers/chunks.json").read_text())["cases"]:
        actions, size = np.array(case["actions"]), case["chunk_size"]
        for row in case["rows"]:
            chunk = windows.action_chunk(actions, row["t"], size)
            np.testing.assert_array_equal(chunk, actions[row["source_index_of_each_action"]])
            np.testing.assert_array_equal(chunk[0], row["first_action"])
            np.testing.assert_array_equal(chunk[-1], row["last_action"])
            assert windows.future_index(row["t"], len(actions), size) == row["future_frame_index"]


def test_reference_returns(golden):
    for case in json.loads((golden / "numbers/returns.json").read_text())["cases"]:
        if case["kind"] == "partial":
            continue  # the reference gives a partial score the returns of a full success (METHOD 2)
        found = windows.returns(case["num_steps"], case["kind"] == "success", case["gamma"])
        np.testing.assert_allclose(2 * found - 1, case["returns"], atol=2e-5, rtol=0)


def test_returns_are_one_at_the_end_of_a_success():
    np.testing.assert_allclose(windows.returns(3, True, 0.5), [0.25, 0.5, 1.0])
    np.testing.assert_array_equal(windows.returns(3, False, 0.5), [0, 0, 0])


@pytest.mark.parametrize("step", [-1, 5, 100])
def test_steps_outside_the_episode(step):
    with pytest.raises(IndexError, match="from 0 to 4"):
        windows.action_chunk(np.zeros((5, 2)), step, 3)


def test_every_step_is_located_once():
    lengths = [3, 1, 0, 4]
    ends = windows.ends(lengths)
    found = [windows.locate(ends, i) for i in range(sum(lengths))]
    assert found == [(episode, step) for episode, length in enumerate(lengths) for step in range(length)]


@pytest.mark.parametrize("index", [-1, 8])
def test_nothing_is_located_outside(index):
    with pytest.raises(IndexError, match="from 0 to 7"):
        windows.locate(windows.ends([3, 5]), index)
    with pytest.raises(IndexError):
        windows.locate(windows.ends([]), 0)
