"""The paper's findings in miniature: sides share what they can, and a verdict needs an interval."""

import argparse
from dataclasses import replace

import numpy as np
import pytest
from point_world import PointWorld

from workbench import files
from workbench.bench import paper, planning_quality
from workbench.bench.paper import ROWS, USUAL, Row, Side, main, sentence, trained, verdict
from workbench.bench.planning_quality import WAYS, Way
from workbench.data.writers import write_demonstrations, write_rollout
from workbench.envs import suites
from workbench.evaluation import Parts
from workbench.models import checkpoints
from workbench.models.bundle import tiny
from workbench.planning.settings import PlanSettings
from workbench.platforms import PLATFORMS
from workbench.statistics import PairedDifference
from workbench.training.recipes import MINI, DenoiserRecipe
from workbench.types import Episode

QUICK = PlanSettings(candidates=2, calls=1, futures=1, future_calls=1, values=1, value_calls=1)
MIX = {"policy": 0.5, "world_model": 0.25, "value": 0.25}


def difference(low: float, high: float) -> PairedDifference:
    return PairedDifference((low + high) / 2, (low, high), 3, 1, 0.5, 100)


def test_a_verdict_needs_an_interval_beside_zero():
    assert verdict(difference(0.02, 0.2), expected=+1) == "confirmed"
    assert verdict(difference(-0.2, -0.02), expected=+1) == "refuted"
    assert verdict(difference(-0.2, -0.02), expected=-1) == "confirmed"
    assert verdict(difference(-0.02, 0.2), expected=+1) == "undecided"


def test_rows_have_two_sides_and_the_papers_sign():
    for row in ROWS.values():
        assert row.reference != row.variant and row.expected in (-1, +1)
        assert row.paper is None or np.sign(row.paper) == row.expected
        assert (row.reference.train is None) == (row.variant.train is None), "a trained side against a trained side"


def test_rows_that_train_want_data(tmp_path):
    with pytest.raises(ValueError, match="--data"):
        main(["--row", "noise", "--out", str(tmp_path)])
    with pytest.raises(ValueError, match="expected some of auxiliary-targets"):
        main(["--row", "magic", "--out", str(tmp_path)])


def episode(seed: int) -> Episode:
    random = np.random.default_rng(seed)
    pictures = {camera: list(random.integers(0, 255, (12, 32, 32, 3), np.uint8)) for camera in ("wrist", "primary")}
    actions, proprio = random.uniform(-1, 1, (12, 7)), random.uniform(-1, 1, (12, 9))
    return Episode("go to the left", pictures, actions, proprio, success=seed % 2 == 0)


@pytest.fixture
def given(tmp_path, monkeypatch) -> argparse.Namespace:
    """A toy recipe, toy data, and a toy checkpoint whose tokenizer all runs share."""
    spec = replace(PLATFORMS["libero"], chunk_size=8, execute_steps=8, image_size=32, render_size=32)
    bundle = tiny(spec, words="go to the left right", causal=False)
    net = {**bundle.denoiser.net.config}
    toy = replace(
        MINI,
        name="toy",
        spec=spec,
        net={key: value for key, value in net.items() if not key.startswith("_")},
        tokenizer=replace(MINI.tokenizer, vae=dict(bundle.tokenizer.vae.config)),
        policy=DenoiserRecipe(iterations=9, batch=4, learning_rate=1e-3, mix=MIX, warmup=1),
    )
    monkeypatch.setattr(paper, "PRESETS", {"toy": toy})
    checkpoints.save(bundle, tmp_path / "start", readme="")
    data = tmp_path / "data"
    write_demonstrations(data / "success_only/go_to_the_left_demo.hdf5", [episode(2 * i) for i in range(6)])
    for i in range(4):
        write_rollout(data / f"all_episodes/{i}.hdf5", episode(100 + i))
    return argparse.Namespace(
        checkpoint=str(tmp_path / "start"), preset="toy", data=[data], iterations=2, suite="libero_mini",
        episodes=2, seed=0, workers=1, dtype="auto", out=tmp_path / "out",
    )  # fmt: skip


@pytest.mark.heavy
def test_a_side_may_start_from_another_and_all_share_the_tokenizer(given):
    given.out.mkdir()
    scratch = checkpoints.load(trained(USUAL, given))
    after = checkpoints.load(trained(ROWS["video-first"].reference, given))
    assert (given.out / "runs" / "video-model" / "toy" / "config.json").exists(), "the video model was trained first"
    assert trained(USUAL, given).exists(), "it is not trained again"
    with pytest.raises(ValueError, match="expected 3 iterations, found 2: choose another --out"):
        trained(USUAL, argparse.Namespace(**vars(given) | {"iterations": 3}))
    assert not np.array_equal(*(one.denoiser.net.proj_out.weight.detach().numpy() for one in (scratch, after)))
    for one, other in zip(*(b.tokenizer.state_dict().values() for b in (scratch, after)), strict=True):
        assert (one == other).all()


@pytest.mark.heavy
def test_a_row_is_evaluated_pair_by_pair_and_kept(given, monkeypatch, capsys):
    one, two = Way(replace(QUICK, candidates=1)), Way(QUICK)
    row = Row("toy", "two candidates", Side("one", way=one), Side("two", way=two), paper=+1.0, expected=+1)
    monkeypatch.setattr(paper, "ROWS", {"toy": row, "other": row})
    played = []

    def here(work, jobs, **_):
        for job in jobs:
            played.append(job[-1])
            yield job, work(job)

    monkeypatch.setattr(planning_quality, "spread_out", here)
    monkeypatch.setattr(planning_quality, "parts", lambda who: Parts(PointWorld(horizon=8), *who.load()))
    suite = replace(suites.suite("libero_mini"), files=("go_left", "go_right"))
    monkeypatch.setattr(planning_quality, "find_suite", lambda _: suite)
    arguments = ["--row", "toy", "--checkpoint", given.checkpoint, "--preset", "toy", "--episodes", "2"]
    for _ in range(2):
        assert main([*arguments, "--out", str(given.out)]) == 0
    assert len(played) == 4, "the second time nothing is played again"
    assert sorted(path.name for path in (given.out / "results").iterdir()) == ["one", "two"]
    record = files.read_json(given.out / "paper.json")["rows"]["toy"]
    assert record["difference"]["episodes"] == 2 and record["verdict"] == "undecided"
    said = capsys.readouterr().out
    assert "the paper: +1.0; undecided" in said and "owed: other" in said
    assert sentence(row, record) in said


def test_rows_that_ask_are_ways_of_planning_quality_so_that_one_plays_for_both():
    for row in ROWS.values():
        for side in (row.reference, row.variant):
            assert side.train is not None or WAYS.get(side.name, side.way) == side.way
    assert ROWS["planning"].variant.name == "best-of-8-3x5" and ROWS["planning"].reference.name in WAYS
