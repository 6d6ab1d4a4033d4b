"""LeRobot data sets: there and back without loss, the published files and columns, and what is broken in one."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from recorded import recorded

from workbench.data import lerobot_out, readers
from workbench.data.exchange import exchange
from workbench.data.writers import write_demonstrations, write_rollout

pq = pytest.importorskip("pyarrow.parquet")


def libero_data(folder: Path, *, jpeg: bool) -> Path:
    episodes = [recorded(length, seed=length, size=24) for length in (5, 1, 9)]
    other = [recorded(4, seed=40, size=24, instruction="stack the red cube on the blue cube")]
    for some in (episodes, other):
        name = some[0].instruction.replace(" ", "_")
        write_demonstrations(folder / f"success_only/{name}_demo.hdf5", some, jpeg=jpeg)
    for number, success in enumerate((True, False)):
        write_rollout(folder / f"all_episodes/r{number}.hdf5", recorded(6, seed=50 + number, size=24, success=success))
    return folder


def contents(folder: Path) -> list[tuple]:
    """Everything that an episode is, pictures as pixels."""
    found = []
    for source in readers.find(folder):
        episode = source.read()
        pictures = {camera: np.stack(list(seen)) for camera, seen in sorted(episode.images.items())}
        numbers = [x.tobytes() for x in (episode.actions, episode.proprio, *pictures.values())]
        kind = source.form.demonstrations
        found.append((kind, episode.instruction, episode.success, episode.score, len(episode), *pictures, *numbers))
    return sorted(found)


@pytest.mark.heavy
@pytest.mark.parametrize("jpeg", [True, False])
def test_libero_to_lerobot_and_back_loses_nothing(tmp_path, jpeg):
    source = libero_data(tmp_path / "libero", jpeg=jpeg)
    assert exchange(source, tmp_path / "lerobot", to="lerobot", platform="libero") == 6
    assert contents(tmp_path / "lerobot") == contents(source)
    assert exchange(tmp_path / "lerobot", tmp_path / "back", to="hdf5", platform="libero", jpeg=jpeg) == 6
    assert contents(tmp_path / "back") == contents(source)


@pytest.mark.heavy
def test_jpeg_files_travel_byte_for_byte(tmp_path):
    source = libero_data(tmp_path / "libero", jpeg=True)
    exchange(source, tmp_path / "lerobot", to="lerobot", platform="libero")
    exchange(tmp_path / "lerobot", tmp_path / "back", to="hdf5", platform="libero")
    (name,) = (source / "success_only").glob("put*")
    with h5py.File(name) as a, h5py.File(tmp_path / "back/success_only" / name.name) as b:
        for group in ("demo_0", "demo_2"):
            stored = [file[f"data/{group}/obs/agentview_rgb_jpeg"] for file in (a, b)]
            assert [bytes(x) for x in stored[0]] == [bytes(x) for x in stored[1]]


def test_videos_keep_numbers_exactly_and_pictures_nearly(tmp_path):
    pytest.importorskip("av")
    episodes = [(recorded(12, seed=seed, size=32), True) for seed in range(2)]
    lerobot_out.write(tmp_path / "v", episodes, fps=20, robot="panda", video=True)
    for source, (episode, _) in zip(readers.find(tmp_path / "v"), episodes, strict=True):
        found = source.read()
        np.testing.assert_array_equal(found.actions, episode.actions)
        for step in (11, 0, 5):
            error = np.abs(found.images["wrist"][step].astype(int) - episode.images["wrist"][step])
            assert error.mean() < 3


def test_the_published_files_and_columns(tmp_path):
    float32 = {"actions": np.ones((4, 7), np.float32), "proprio": np.ones((4, 9), np.float32)}
    lerobot_out.write(tmp_path, [(recorded(4, **float32), True), (recorded(4, **float32), True)], fps=20, robot="panda")
    info = json.loads((tmp_path / "meta/info.json").read_text())
    assert (info["codebase_version"], info["fps"], info["total_episodes"], info["total_frames"]) == ("v3.0", 20, 2, 8)
    assert info["features"]["action"] == {"dtype": "float32", "shape": [7], "names": None}
    assert info["features"]["observation.images.wrist"]["dtype"] == "image"
    rows = pq.read_table(tmp_path / "data/chunk-000/file-000.parquet")
    assert rows["index"].to_pylist() == list(range(8))
    assert rows["frame_index"].to_pylist() == [0, 1, 2, 3] * 2
    assert str(rows.schema.field("action").type) == "fixed_size_list<element: float>[7]"
    np.testing.assert_allclose(rows["timestamp"].to_pylist()[:4], np.arange(4) / 20, rtol=1e-6)
    assert rows["observation.images.wrist"][0].as_py()["bytes"].startswith(b"\x89PNG")
    episodes = pq.read_table(tmp_path / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [(e["dataset_from_index"], e["dataset_to_index"], e["tasks"]) for e in episodes] == [
        (0, 4, ["put the red cube on the plate"]),
        (4, 8, ["put the red cube on the plate"]),
    ]
    import pandas as pd

    tasks = pd.read_parquet(tmp_path / "meta/tasks.parquet")
    assert tasks.index.name == "task"
    assert tasks.loc["put the red cube on the plate"]["task_index"] == 0
    stats = json.loads((tmp_path / "meta/stats.json").read_text())
    assert (stats["action"]["mean"], stats["action"]["count"]) == ([1.0] * 7, [8])
    assert np.shape(stats["observation.images.primary"]["mean"]) == (3, 1, 1)


def test_statistics_are_those_of_all_rows(tmp_path):
    episodes = [recorded(n, seed=n) for n in (3, 11)]
    lerobot_out.write(tmp_path, [(e, True) for e in episodes], fps=20, robot="panda")
    stats = json.loads((tmp_path / "meta/stats.json").read_text())["action"]
    rows = np.concatenate([e.actions for e in episodes])
    for name, measure in (("min", np.min), ("max", np.max), ("mean", np.mean), ("std", np.std)):
        np.testing.assert_allclose(stats[name], measure(rows, axis=0), rtol=1e-9)


def test_many_tables(tmp_path, monkeypatch):
    monkeypatch.setattr(lerobot_out, "DATA_BYTES", 1)
    episodes = [recorded(3, seed=n) for n in range(4)]
    lerobot_out.write(tmp_path, [(e, True) for e in episodes], fps=20, robot="panda")
    assert len(list(tmp_path.glob("data/*/*.parquet"))) == 4
    for source, episode in zip(readers.find(tmp_path), episodes, strict=True):
        np.testing.assert_array_equal(source.read().actions, episode.actions)
        np.testing.assert_array_equal(source.read().images["primary"][2], episode.images["primary"][2])


def test_data_sets_as_others_write_them(tmp_path):
    """No `demonstration`, no statistics a row, several episodes in a row group, cameras of other names."""
    lerobot_out.write(tmp_path, [(recorded(3, seed=n), True) for n in range(3)], fps=20, robot="panda")
    path = tmp_path / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    names = {"observation.images.primary": "observation.images.image", "observation.images.wrist": "wrist_image"}
    pq.write_table(table.rename_columns([names.get(name, name) for name in table.column_names]), path)
    episodes = tmp_path / "meta/episodes/chunk-000/file-000.parquet"
    rows = pq.read_table(episodes)
    kept = [name for name in rows.column_names if not name.startswith("stats/") and name != "demonstration"]
    pq.write_table(rows.select(kept), episodes)
    info = json.loads((tmp_path / "meta/info.json").read_text())
    info["features"] = {names.get(name, name): feature for name, feature in info["features"].items()}
    (tmp_path / "meta/info.json").write_text(json.dumps(info))
    found = readers.find(tmp_path)
    assert [source.success for source in found] == [True] * 3
    assert sorted(found[1].read().images) == ["primary", "wrist"]
    np.testing.assert_array_equal(found[2].read().actions, recorded(3, seed=2).actions)


def test_episodes_that_do_not_go_together(tmp_path):
    with pytest.raises(ValueError, match="expected the cameras, sizes and dimensions of the first"):
        lerobot_out.write(tmp_path / "a", [(recorded(3), True), (recorded(3, size=8), True)], fps=20, robot="x")
    with pytest.raises(ValueError, match="one in 8: collect it without --decisions-only"):
        lerobot_out.write(tmp_path / "a", [(replace(recorded(9), stride=8), False)], fps=20, robot="x")
    with pytest.raises(ValueError, match="at least one episode"):
        lerobot_out.write(tmp_path / "a", [], fps=20, robot="x")
    assert not (tmp_path / "a").exists()


def test_addresses(tmp_path):
    lerobot_out.write(tmp_path, [(recorded(n + 2), True) for n in range(3)], fps=20, robot="x")
    assert len(readers.read_address(f"{tmp_path}#episode_2")) == 4
