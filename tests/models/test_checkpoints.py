"""A checkpoint survives saving, and one that is damaged is refused in one line."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from workbench.models import checkpoints
from workbench.models.bundle import check_pair, tiny
from workbench.platforms import PLATFORMS
from workbench.policy import predict
from workbench.types import Observation


@pytest.fixture
def saved(tmp_path):
    bundle = tiny(PLATFORMS["libero"], causal=False)
    checkpoints.save(bundle, tmp_path / "tiny", readme="A test.\n", dtype=torch.float32)
    return tmp_path / "tiny"


def look(seed: int = 0) -> Observation:
    random = np.random.default_rng(seed)
    images = {camera: random.integers(0, 255, (64, 64, 3), np.uint8) for camera in ("wrist", "primary")}
    return Observation(images, random.uniform(-1, 1, 9))


def test_round_trip(saved):
    original, loaded = tiny(PLATFORMS["libero"], causal=False), checkpoints.load(saved)
    a, b = (predict(bundle, look(), "put the red cube on the plate") for bundle in (original, loaded))
    np.testing.assert_allclose(a.actions, b.actions, atol=1e-6)
    assert loaded.layout == original.layout
    assert (saved / "README.md").read_text() == "A test.\n"


@pytest.mark.parametrize("name", ["denoiser.safetensors", "tokenizer.safetensors", "text.safetensors", "stats.json"])
@pytest.mark.parametrize("damage", ["truncated", "tampered", "missing"])
def test_damaged_files_are_refused_by_name(saved, name, damage):
    file = saved / name
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"x" + content[1:])
    with pytest.raises(ValueError, match=name.replace(".", r"\.")) as error:
        checkpoints.load(saved)
    assert "\n" not in str(error.value)


def test_an_unknown_name_lists_the_known(monkeypatch, saved):
    monkeypatch.setattr(checkpoints, "folder", lambda: saved.parent)
    with pytest.raises(ValueError, match="did you mean tiny"):
        checkpoints.load("tinny")


def test_a_name_cannot_leave_its_folder(saved):
    config = json.loads((saved / "config.json").read_text())
    config["files"]["../../secret"] = "0"
    (saved / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="missing"):
        checkpoints.load(saved)


def test_a_config_that_does_not_fit_is_one_line(saved):
    config = json.loads((saved / "config.json").read_text())
    config["denoiser"]["num_layers"] = 1
    (saved / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="does not describe its files"):
        checkpoints.load(saved)


def test_an_interrupted_save_leaves_the_old_one(saved, monkeypatch):
    before = (saved / "config.json").read_bytes()

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints.Statistics, "save", fail)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.save(tiny(PLATFORMS["libero"], seed=1, causal=False), saved, readme="")
    assert (saved / "config.json").read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["tiny"]
    checkpoints.load(saved)


def test_a_planner_names_its_tokenizer_and_shares_it(saved):
    policy = checkpoints.load(saved)
    checkpoints.save(policy, saved.parent / "planner", readme="", tokenizer_of="tiny", dtype=torch.float32)
    assert not (saved.parent / "planner/tokenizer.safetensors").exists()
    first, second = checkpoints.load_pair(saved, saved.parent / "planner")
    assert second.tokenizer is first.tokenizer


@pytest.mark.heavy
def test_a_planner_that_is_not_trained_yet_is_the_policy_itself_and_said(saved, caplog):
    policy = replace(checkpoints.load(saved), planner="tiny-planner")
    checkpoints.save(policy, saved, readme="", dtype=torch.float32)
    first, second = checkpoints.load_pair(saved)
    assert second is first and "tiny-planner, which is not beside it" in caplog.text
    with pytest.raises(ValueError, match="tiny-planer"):
        checkpoints.load_pair(saved, "tiny-planer")


def test_parts_that_do_not_go_together_are_refused():
    policy = tiny(PLATFORMS["libero"], causal=False)
    with pytest.raises(ValueError, match="tokenizer"):
        check_pair(policy, tiny(PLATFORMS["libero"], seed=1, causal=False))
    with pytest.raises(ValueError, match="layout"):
        check_pair(policy, tiny(PLATFORMS["aloha"], causal=False))
