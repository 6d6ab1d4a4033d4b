"""What a run writes of itself, and that a resumed one does not say anything twice."""

import json

import pytest

from workbench.training.logs import Log


def iterations(path) -> list[int]:
    return [json.loads(line)["iteration"] for line in path.read_text().splitlines()]


def test_lines_of_iterations_that_are_done_again_are_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    first = Log(path, 0)
    for iteration in range(1, 5):
        first.write(iteration, {"loss": 1 / iteration})
    first.close()
    with path.open("a") as file:
        file.write('{"iteration": 5, "lo')  # a kill in the middle of a line
    again = Log(path, 2)
    assert iterations(path) == [1, 2]
    again.write(3, {"loss": 0.5})
    again.close()
    assert iterations(path) == [1, 2, 3]
    assert json.loads(path.read_text().splitlines()[1])["loss"] == 0.5


def test_tensorboard_shows_the_same(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = Log(tmp_path / "metrics.jsonl", 0)
    for iteration in (1, 2):
        log.write(iteration, {"loss": float(iteration)})
    log.close()
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert [(event.step, event.value) for event in board.Scalars("loss")] == [(1, 1.0), (2, 2.0)]
