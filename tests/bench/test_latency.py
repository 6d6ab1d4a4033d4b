"""Both paths in one run: equal numbers, and a report in which everything adds up."""

import json

import numpy as np
import pytest

from workbench import meter
from workbench.bench import latency, planning
from workbench.models import checkpoints
from workbench.models.bundle import tiny
from workbench.platforms import PLATFORMS


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    checkpoints.save(tiny(PLATFORMS["libero"], causal=False), folder, readme="")
    return str(folder)


@pytest.fixture(autouse=True)
def _a_glance_at_the_matrix_rate(monkeypatch):
    monkeypatch.setattr(meter, "MATRIX_SECONDS", 0.0)


def report(folder) -> list[dict]:
    assert "plotly" in (folder / "timings.html").read_text()
    return json.loads((folder / "timings.json").read_text())["timings"]


@pytest.mark.heavy
def test_a_chunk_both_ways(checkpoint, tmp_path, capsys):
    options = ["--checkpoint", checkpoint, "--calls", "2", "--seconds", "0", "--threads", "1"]
    assert latency.main([*options, "--out", str(tmp_path)]) == 0
    rows = report(tmp_path)
    assert [(row["path"], row["calls"]) for row in rows] == [(path, 2) for path in latency.PATHS]
    for row in rows:
        assert sum(row["share"].values()) == pytest.approx(1)
        assert row["seconds_total"] == pytest.approx(sum(row["seconds"].values()))
        assert 0 < row["share_of_matrix_rate"] < 1.5
        assert row["peak_bytes"]["host"] > 1e7
        assert row["largest_relative_difference"] < 1e-5
    assert "decode" not in rows[2]["seconds"] and "decode" in rows[1]["seconds"]
    assert "of matrix rate" in capsys.readouterr().out


@pytest.mark.heavy
def test_a_decision_both_ways(checkpoint, tmp_path):
    options = ["--checkpoint", checkpoint, "--candidates", "2", "--calls", "1", "--threads", "1"]
    assert planning.main([*options, "--out", str(tmp_path)]) == 0
    plain, seen, ours = report(tmp_path)
    assert set(plain["seconds"]) == {"encode", "propose", "imagine", "decode", "value"} == set(seen["seconds"])
    assert set(plain["seconds"]) - set(ours["seconds"]) == {"decode"} == set(plain["work"]) - set(ours["work"])
    assert max(one["largest_relative_difference"] for one in (seen, ours)) < 1e-4


@pytest.mark.heavy
def test_counting_runs_nothing(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(latency, "measure", None)
    options = ["--checkpoint", checkpoint, "--count", "--out", str(tmp_path)]
    assert latency.main([*options, "--calls", "5"]) == 0
    plain, _, ours = report(tmp_path)
    assert "seconds" not in plain
    assert plain["work"]["denoise"]["network_calls"] == ours["work"]["denoise"]["network_calls"] == 5
    assert plain["work"]["encode"]["frames_encoded"] == 9 and ours["work"]["encode"]["frames_encoded"] == 2


@pytest.mark.parametrize("options", [["--calls", "0"], ["--image-size", "50"], ["--checkpoint", "random:nothing"]])
def test_wrong_options_say_what_was_expected(options, checkpoint):
    with pytest.raises(ValueError, match="expected"):
        latency.main(["--checkpoint", checkpoint, *options])


@pytest.mark.gpu
def test_the_published_size_on_a_gpu(tmp_path):
    """Needs a CUDA device with 12 GB: random 2B weights, a chunk of 5 calls in at most 6.8 GB."""
    assert latency.main(["--checkpoint", "random:cosmos-2b", "--calls", "5", "--out", str(tmp_path)]) == 0
    plain, _, ours = report(tmp_path)
    assert ours["peak_bytes"]["device"] <= 6.8e9
    assert ours["seconds_total"] < plain["seconds_total"]
    assert np.isfinite(ours["largest_relative_difference"])
