"""Learning from experience: rollouts with their returns, a round that goes on from the one before."""

import argparse
from dataclasses import replace

import numpy as np
import pytest

from workbench import files
from workbench.commands import experience
from workbench.data import readers
from workbench.envs.suites import FIRST_TRAINING_SEED
from workbench.experience import collect_rollouts
from workbench.models import checkpoints
from workbench.models.bundle import tiny
from workbench.platforms import PLATFORMS
from workbench.training import recipes
from workbench.training.recipes import MINI, DenoiserRecipe

pytestmark = pytest.mark.sim

WORDS = "put the red blue cube on in plate bin"
MIX = {"policy": 0.2, "world_model": 0.4, "value": 0.4}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A run with an untrained policy, and two demonstrations."""
    from workbench.collect import collect

    out = tmp_path_factory.mktemp("experience")
    spec = replace(PLATFORMS["libero"], chunk_size=8, execute_steps=8, image_size=32, render_size=32, calls=2)
    checkpoints.save(replace(tiny(spec, words=WORDS, causal=False), name="toy"), out / "run" / "toy", readme="")
    for _ in collect("libero_mini", demos=2, out=out / "data", image_size=32):
        pass
    return out


def rollouts(folder) -> list[dict]:
    return [path.name for path in sorted((folder / "data/all_episodes/libero_mini").glob("rollout_*.hdf5"))]


def test_straying_rollouts_start_where_the_others_do(run_folder, tmp_path):
    for sigma_min in (None, 0.3):
        work = collect_rollouts(
            str(run_folder / "run/toy"), "libero_mini", episodes=1, out=tmp_path, sigma_min=sigma_min, workers=1
        )
        assert len(list(work)) == 1
    found = [readers.read(source) for source in readers.find(tmp_path)]
    assert len(found) == 2
    usual, strayed = found
    assert (usual.proprio[0] == strayed.proprio[0]).all() and (
        usual.images["primary"][0] == strayed.images["primary"][0]
    ).all()
    assert (usual.actions[0] != strayed.actions[0]).any()
    assert FIRST_TRAINING_SEED == 2**31


def test_rollouts_for_a_planning_model_are_the_same_episodes(run_folder, tmp_path):
    for decisions_only in (False, True):
        how = {"out": tmp_path / str(decisions_only), "decisions_only": decisions_only, "workers": 1}
        assert len(list(collect_rollouts(str(run_folder / "run/toy"), "libero_mini", episodes=1, **how))) == 1
    whole, seldom = (readers.read(readers.find(tmp_path / kind)[0]) for kind in ("False", "True"))
    assert (seldom.stride, whole.stride) == (8, 1) and len(seldom) == len(whole)
    assert np.array_equal(seldom.actions, whole.actions)
    for step in (0, 8, 16, len(whole) - 1):
        assert np.allclose(seldom.proprio[step], whole.proprio[step], atol=1e-12)
        for camera in ("primary", "wrist"):
            assert np.array_equal(seldom.images[camera][step], whole.images[camera][step])


def test_two_rounds(run_folder, monkeypatch, capsys):
    bundle = checkpoints.load(run_folder / "run/toy")
    net = {key: value for key, value in dict(bundle.denoiser.net.config).items() if not key.startswith("_")}
    fine = DenoiserRecipe(iterations=2, batch=4, learning_rate=1e-3, mix=MIX, warmup=1)
    toy = replace(MINI, name="toy", spec=bundle.spec, net=net, planner=fine)
    monkeypatch.setattr(recipes, "PRESETS", {"toy": toy})
    options = argparse.Namespace(
        preset="toy", data=str(run_folder / "data"), out=str(run_folder / "run"), suite=["libero_mini"], episodes=2,
        stray=0.3, decisions_only=True, evaluate=1, set=[], workers=1, seed=0, ray=None,
    )  # fmt: skip
    for number in (1, 2):
        experience.run(argparse.Namespace(**vars(options), round=number))
        assert len(rollouts(run_folder)) == 2 * number
        after = files.read_json(run_folder / f"run/round-{number}/after.json")["libero_mini"]
        assert after["planner"] == "toy-planner" and after["episodes"] == 1
    first, second = (files.read_json(run_folder / f"run/round-{n}/before.json")["libero_mini"] for n in (1, 2))
    assert first["planner"] == "toy" and second["planner"] == "toy-planner"
    assert "value_calibration_error" in capsys.readouterr().out
    # What a whole chain, or nobody's round, has trained is not taken for this round's.
    (run_folder / "run/planner-3").mkdir()
    with pytest.raises(ValueError, match="planner-3: expected none before round 3.*--round 4 goes on from it"):
        experience.run(argparse.Namespace(**vars(options), round=3))


def test_a_suite_of_other_words_is_refused_at_once(run_folder, monkeypatch):
    monkeypatch.setattr(recipes, "PRESETS", {"toy": replace(MINI, name="toy")})
    asked = {"preset": "toy", "out": str(run_folder / "run"), "set": [], "round": 9}
    with pytest.raises(
        ValueError, match="--suite libero_mini_hard: the policy was trained on other tasks.*unknown stack"
    ):
        experience.run(argparse.Namespace(**asked, suite=["libero_mini", "libero_mini_hard"]))
    assert not (run_folder / "run/round-9").exists()


def test_a_round_needs_a_policy(tmp_path):
    options = argparse.Namespace(preset="mini", set=[], out=str(tmp_path), round=1)
    with pytest.raises(ValueError, match="--stage policy"):
        experience.run(options)
