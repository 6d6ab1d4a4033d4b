"""Window arithmetic against the reference and at the boundaries."""

import json

import numpy as np
import pytest

from workbench.data import windows


@pytest.mark.golden("numbers/chunks*.json")
def test_reference_chunks(case, fidelity):
    for one in json.loads(case.read_text())["cases"]:
        actions, size = np.array(one["actions"]), one["chunk_size"]
        for row in one["rows"]:
            chunk = windows.action_chunk(actions, row["t"], size)
            fidelity.exact("chunk", chunk, actions[row["source_index_of_each_action"]])
            fidelity.exact("first action", chunk[0], np.array(row["first_action"]))
            fidelity.exact("last action", chunk[-1], np.array(row["last_action"]))
            future = windows.future_index(row["t"], len(actions), size)
            fidelity.exact("future frame", future, row["future_frame_index"])


@pytest.mark.golden("numbers/returns*.json")
def test_reference_returns(case, fidelity):
    for one in json.loads(case.read_text())["cases"]:
        score = one["terminal_reward"]
        found = windows.returns(one["num_steps"], score, one["gamma"], upstream_compatible=True)
        fidelity.close(f"returns of a {one['kind']}", 2 * found - 1, one["returns"], atol=2e-5)


@pytest.mark.golden("numbers/returns*.json")
@pytest.mark.defect(
    "A partial score has the returns of a full success",
    "2",
    "half a success is worth half; `returns(upstream_compatible=True)` as published",
)
def test_a_partial_score_is_worth_its_part(case, fidelity):
    partial = [one for one in json.loads(case.read_text())["cases"] if one["kind"] == "partial"]
    for one in partial:
        length, score, gamma = one["num_steps"], one["terminal_reward"], one["gamma"]
        assert one["returns"][-1] == 1.0  # upstream: a full success
        np.testing.assert_allclose(windows.returns(length, score, gamma)[-1], score)
        np.testing.assert_allclose(windows.returns(length, score, gamma, upstream_compatible=True)[-1], 1.0)


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
