"""What a run writes of itself, and that a resumed one does not say anything twice."""

import json
import struct

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


def history(folder) -> list[dict[str, float]]:
    """What an offline run of wandb has kept: a log of LevelDB's form, of which a short one is one block."""
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = folder.glob("wandb/offline-run-*/*.wandb")
    data, rows = path.read_bytes()[7:], []
    while data:
        (length,) = struct.unpack("<H", data[4:6])  # after the checksum; then comes the kind
        record = Record.FromString(data[7 : 7 + length])
        rows.append(
            {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
        )
        data = data[7 + length :]
    return [row for row in rows if row]


def test_wandb_is_told_the_same_where_a_project_is_named(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    Log(tmp_path / "untold/metrics.jsonl", 0).close()
    assert not (tmp_path / "untold/wandb").exists(), "without a project nothing is said to anybody"

    monkeypatch.setenv("WANDB_PROJECT", "mini")
    log = Log(tmp_path / "metrics.jsonl", 0)
    for iteration in (1, 2):
        log.write(iteration, {"loss": float(iteration)})
    log.close()
    rows = history(tmp_path)
    assert [(row["_step"], row["loss"]) for row in rows] == [(1, 1.0), (2, 2.0)]
    number = (tmp_path / "wandb.id").read_text()
    Log(tmp_path / "metrics.jsonl", 2).close()
    assert (tmp_path / "wandb.id").read_text() == number, "a resumed run is the same run"
    Log(tmp_path / "metrics.jsonl", 0).close()
    assert (tmp_path / "wandb.id").read_text() != number, "one from the start is another"


def test_wandb_without_a_login_is_one_line_that_says_what_to_do(tmp_path, monkeypatch):
    pytest.importorskip("wandb").teardown()  # a process keeps the settings of its first run
    monkeypatch.setenv("WANDB_PROJECT", "mini")
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with pytest.raises(RuntimeError, match="wandb login") as caught:
        Log(tmp_path / "metrics.jsonl", 0)
    assert "\n" not in str(caught.value)
