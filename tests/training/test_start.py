"""What a run starts from is what the file holds, to the last number; what is missing is said before training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import upstream_files
from recorded import recorded

from workbench.data import readers
from workbench.data.writers import write_demonstrations
from workbench.models import checkpoints
from workbench.models.bundle import tiny
from workbench.models.convert import upstream_name
from workbench.normalize import Statistics
from workbench.platforms import PLATFORMS
from workbench.training import start as module
from workbench.training.start import Sources, start, statistics

SPEC = PLATFORMS["libero"]


@pytest.fixture(scope="module")
def episodes(tmp_path_factory) -> readers.Episodes:
    folder = tmp_path_factory.mktemp("data")
    for instruction in upstream_files.INSTRUCTIONS:
        some = [recorded(6, seed=seed, instruction=instruction) for seed in range(2)]
        write_demonstrations(folder / f"{instruction.replace(' ', '_')}_demo.hdf5", some)
    return readers.Episodes(readers.find(folder))


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A video model as published: weights alone, no statistics beside them."""
    folder = tmp_path_factory.mktemp("base")
    torch.save(upstream_files.state(), folder / module.BASE_FILE)
    (folder / "x").mkdir()
    upstream_files.write_companions(folder / "x")
    return folder


def sources(base: Path, **changes) -> Sources:
    given = Sources(str(base / module.BASE_FILE), text=base / "x/libero_t5_embeddings.pkl", tokenizer=base / "x/vae")
    return replace(given, **changes)


def test_weights_of_a_video_model_are_in_the_network(base, episodes):
    state = upstream_files.state()
    began = start(sources(base), SPEC, episodes, "new")
    net = began.bundle.denoiser.net
    assert began.compared == sum(weight.numel() for weight in net.parameters())
    for name, weight in net.state_dict().items():
        assert weight.dtype == torch.float32
        torch.testing.assert_close(weight, state[upstream_name(name)].float(), rtol=0, atol=0)
    np.testing.assert_array_equal(began.bundle.stats.actions_max, np.concatenate([e.actions for e in episodes]).max(0))


def test_weights_that_were_not_loaded_are_noticed(base, episodes, monkeypatch):
    """The flaw of the public training command (METHOD.md 5.4), on purpose."""
    real = module._net

    def from_scratch(state, what):
        net = real(state, what)
        torch.nn.init.normal_(net.transformer_blocks[1].attn1.to_q.weight)
        return net

    monkeypatch.setattr(module, "_net", from_scratch)
    with pytest.raises(ValueError, match=r"transformer_blocks\.1\.attn1\.to_q\.weight .*: the weights were not loaded"):
        start(sources(base), SPEC, episodes, "new")


def test_what_is_missing_is_said(base, episodes, tmp_path):
    with pytest.raises(ValueError, match="text: expected a table of embeddings"):
        start(sources(base, text=None), SPEC, episodes, "new")
    write_demonstrations(tmp_path / "fly_away_demo.hdf5", [recorded(3, instruction="fly away")])
    with pytest.raises(ValueError, match="instruction: expected one of the 2 in the table"):
        start(sources(base), SPEC, readers.Episodes(readers.find(tmp_path)), "new")


@pytest.mark.heavy
def test_a_trained_checkpoint_keeps_its_statistics(episodes, tmp_path):
    bundle = tiny(SPEC, words=" ".join(upstream_files.INSTRUCTIONS))
    checkpoints.save(bundle, tmp_path / "policy", readme="x\n")
    began = start(Sources(str(tmp_path / "policy")), SPEC, episodes, "new")
    np.testing.assert_array_equal(began.bundle.stats.actions_max, bundle.stats.actions_max)
    assert (began.bundle.name, began.compared) == ("new", sum(w.numel() for w in bundle.denoiser.net.parameters()))
    with pytest.raises(ValueError, match="expected a checkpoint for robocasa, .* is one for libero"):
        start(Sources(str(tmp_path / "policy")), PLATFORMS["robocasa"], episodes, "new")
    with pytest.raises(ValueError, match="expected chunks of 8 actions"):
        start(Sources(str(tmp_path / "policy")), replace(SPEC, chunk_size=8), episodes, "new")


def test_statistics_in_one_pass(episodes):
    found = statistics(episodes)
    known = Statistics.from_episodes([e.actions for e in episodes], [e.proprio for e in episodes])
    for name in ("actions_min", "actions_max", "proprio_min", "proprio_max"):
        np.testing.assert_array_equal(getattr(found, name), getattr(known, name))
    for name in ("actions_mean", "actions_std", "proprio_mean", "proprio_std"):
        np.testing.assert_allclose(found.extra[name], known.extra[name], rtol=1e-9)
    with pytest.raises(ValueError, match="at least one demonstration"):
        statistics([])
