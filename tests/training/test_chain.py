"""The whole chain on toy data: it runs, resumes bit for bit, and what it writes can be loaded and asked."""

import json
import multiprocessing
import shutil
from copy import deepcopy
from dataclasses import replace
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
import torch

from workbench.cli import main
from workbench.data.forms import ALOHA_ROLLOUT
from workbench.data.readers import find
from workbench.data.writers import write_demonstrations, write_rollout
from workbench.models import checkpoints
from workbench.planning import run
from workbench.policy import predict
from workbench.training import workers
from workbench.training.chain import _with_weights_of, new_bundle, run_stage
from workbench.training.recipes import MINI, DenoiserRecipe, TokenizerRecipe
from workbench.training.tokenizer import initial
from workbench.types import Episode, Observation

VAE = dict(MINI.tokenizer.vae) | {"base_dim": 4}
MIX = {"policy": 0.5, "world_model": 0.25, "value": 0.25}
TOY = replace(
    MINI,
    name="toy",
    spec=replace(MINI.spec, image_size=32),
    net=dict(MINI.net) | {"num_attention_heads": 1, "attention_head_dim": 32, "num_layers": 1},
    tokenizer=TokenizerRecipe(vae=VAE, iterations=6, batch=4),
    policy=DenoiserRecipe(iterations=6, batch=4, learning_rate=1e-3, mix=MIX, warmup=2),
    planner=DenoiserRecipe(iterations=4, batch=4, learning_rate=1e-3, mix=MIX, warmup=2),
    held_out=0.3,
)


def episode(seed: int, steps: int = 12) -> Episode:
    random = np.random.default_rng(seed)
    pictures = {camera: list(random.integers(0, 255, (steps, 32, 32, 3), np.uint8)) for camera in ("wrist", "primary")}
    actions = random.uniform(-1, 1, (steps, 7))
    proprio = random.uniform(-1, 1, (steps, 9))
    return Episode("put the red cube on the plate", pictures, actions, proprio, success=seed % 2 == 0)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    demos = [replace(episode(2 * i), success=True) for i in range(6)]
    write_demonstrations(folder / "success_only/put_the_red_cube_on_the_plate_demo.hdf5", demos)
    for i in range(6):
        write_rollout(folder / f"all_episodes/{i}.hdf5", episode(100 + i))
    return folder


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run")
    for stage in ("tokenizer", "policy", "planner"):
        run(run_stage(TOY, stage, [data], out, workers=1))
    return out


@pytest.mark.heavy
def test_the_chain_writes_checkpoints_that_answer(finished):
    policy, planner = checkpoints.load_pair(finished / "toy")
    assert (policy.name, planner.name) == ("toy", "toy-planner")
    assert planner.tokenizer is policy.tokenizer, "a shared tokenizer is held once"
    images = {camera: np.zeros((40, 40, 3), np.uint8) for camera in ("wrist", "primary")}
    said = predict(policy, Observation(images, np.zeros(9)), "put the red cube on the plate", pictures=True)
    assert said.actions.shape == (8, 7)
    assert 0 <= said.value <= 1
    assert said.images["primary"].shape == (32, 32, 3)


def test_metrics_are_held_out_numbers(finished):
    last = json.loads((finished / "policy/metrics.jsonl").read_text().splitlines()[-1])
    assert last["iteration"] == 6
    assert {"action_l1", "future_psnr_primary", "copy_psnr_primary", "value_mae"} <= set(last)
    assert 0 < last["action_l1"] < 4


@pytest.mark.heavy
def test_a_stopped_run_goes_on_bit_for_bit(data, finished, tmp_path):
    """Stop after three of six iterations with a saved state: the end is the same to the last bit."""
    out = tmp_path / "run"
    run(run_stage(TOY, "tokenizer", [data], out, workers=1))
    half = replace(TOY, policy=replace(TOY.policy, iterations=6))
    work = run_stage(half, "policy", [data], out, workers=1)
    from workbench.training import loop

    settings, loop.LoopSettings.save_every = loop.LoopSettings.save_every, 3
    try:
        for event in work:
            if getattr(event, "iteration", 0) == 4:
                work.close()
    finally:
        loop.LoopSettings.save_every = settings
    run(run_stage(half, "policy", [data], out, workers=1))
    for name in ("tokenizer", "denoiser", "text"):
        a, b = (torch.from_numpy(np.frombuffer((place / f"toy/{name}.safetensors").read_bytes(), np.uint8).copy())
                for place in (finished, out))  # fmt: skip
        assert torch.equal(a, b), name


class Forked:
    """Processes that need not import anything again; what they are given could be sent to one that must."""

    @staticmethod
    def Process(*, target, args, daemon):
        assert ForkingPickler.dumps((target, args))
        return multiprocessing.get_context("fork").Process(target=target, args=args, daemon=daemon)


@pytest.mark.heavy
def test_two_workers_take_halves_of_the_same_batch(data, tmp_path, monkeypatch):
    monkeypatch.setattr(workers.mp, "get_context", lambda how: Forked)
    run(run_stage(TOY, "tokenizer", [data], tmp_path, workers=2))
    assert (tmp_path / "tokenizer/untrained/config.json").is_file()


@pytest.mark.heavy
def test_a_second_round_goes_on_from_the_first(finished, data, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    first = checkpoints.load(out / "toy-planner")
    longer = replace(TOY, planner=replace(TOY.planner, learning_rate=0.0))
    run(run_stage(longer, "planner-2", [data], out, workers=1))
    second = checkpoints.load(out / "toy-planner")
    for one, other in zip(*(b.denoiser.state_dict().values() for b in (first, second)), strict=True):
        assert torch.allclose(one, other), "without a step, it is the first round's"
    assert (out / "planner-2" / "metrics.jsonl").exists() and (out / "planner" / "metrics.jsonl").exists()


@pytest.mark.parametrize("stage", ["planer", "planner-1", "planner-x", "policy-2", ""])
def test_unknown_stages_are_refused(data, tmp_path, stage):
    with pytest.raises(ValueError, match="planner-2, planner-3"):
        run(run_stage(TOY, stage, [data], tmp_path, workers=1))


def test_a_tokenizer_may_start_with_another_checkpoints(finished):
    started = initial(replace(TOY.tokenizer, init=str(finished / "toy")), seed=5)
    theirs = checkpoints.load(finished / "toy").tokenizer.state_dict()
    assert all(torch.equal(weight, theirs[name]) for name, weight in started.state_dict().items())
    with pytest.raises(ValueError, match="tokenizer of another shape than this recipe"):
        initial(TokenizerRecipe(vae=VAE | {"base_dim": 8}, init=str(finished / "toy")), seed=0)


def test_a_policy_may_start_with_another_checkpoints_network_on_other_tasks(finished):
    """Other words, larger pictures, longer chunks: what is known stays, and what is new is drawn."""
    source = checkpoints.load(finished / "toy")
    other = replace(TOY, spec=replace(TOY.spec, image_size=64, chunk_size=16))
    soup = replace(episode(0), instruction="put the soup on the plate")
    start = new_bundle(other, source.tokenizer, [soup], [], seed=5)
    before, started = deepcopy(start.text), _with_weights_of(source, start)
    assert (started.layout.chunk_size, started.layout.width) == (16, 2 * source.layout.width)
    assert all(map(torch.equal, started.denoiser.state_dict().values(), source.denoiser.state_dict().values()))
    vector = lambda text, word: text.words.weight[text.vocabulary.index(word)]  # noqa: E731
    assert torch.equal(vector(started.text, "plate"), vector(source.text, "plate"))
    assert "red" not in started.text.vocabulary
    assert torch.equal(vector(started.text, "soup"), vector(before, "soup")), "the same in every process"
    assert torch.equal(started.text.positions.weight, source.text.positions.weight)
    wider = replace(TOY, net=TOY.net | {"num_layers": 2})
    with pytest.raises(ValueError, match="another network or frames than this recipe"):
        _with_weights_of(source, new_bundle(wider, source.tokenizer, [soup], [], seed=5))


@pytest.mark.heavy
def test_more_data_change_neither_what_is_done_nor_what_its_numbers_mean(finished, data, tmp_path):
    out, more = tmp_path / "run", tmp_path / "more"
    shutil.copytree(finished, out)
    wide = [replace(episode(90 + i), actions=9 * episode(90 + i).actions, success=True) for i in range(2)]
    write_demonstrations(more / "success_only/put_the_blue_cube_on_the_plate_demo.hdf5", wide)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and "bank" not in path.parts}
    for stage in ("tokenizer", "policy", "planner"):
        run(run_stage(TOY, stage, [data, more], out, workers=1))
    assert before == {path: path.read_bytes() for path in before}, "nothing was left to train"
    longer = replace(TOY, policy=replace(TOY.policy, iterations=8))
    words = [replace(each, instruction="put the red cube on the plate") for each in wide]
    write_demonstrations(tmp_path / "again/success_only/put_the_red_cube_on_the_plate_demo.hdf5", words)
    run(run_stage(longer, "policy", [data, tmp_path / "again"], out, workers=1))
    on = checkpoints.load(out / "toy")
    assert np.array_equal(on.stats.actions_max, checkpoints.load(finished / "toy").stats.actions_max)
    assert on.text.vocabulary == checkpoints.load(finished / "toy").text.vocabulary


@pytest.mark.sim
def test_an_aloha_policy_by_the_documented_commands(tmp_path):
    """Demonstrations, training and evaluation of the two arms, each by its command, with tiny numbers."""
    pytest.importorskip("gym_aloha")
    data, out, results = (str(tmp_path / name) for name in ("data", "run", "results"))
    small = ["tokenizer.iterations=2", "tokenizer.batch=2", "tokenizer.vae.base_dim=4", "net.num_layers=1"]
    small += ["policy.iterations=2", "policy.batch=4", "spec.render_size=32"]
    train = ["train", "--preset", "mini-aloha", "--data", data, "--out", out, "--workers", "1"]
    train += [word for setting in small for word in ("--set", setting)]
    collect = ["collect", "--suite", "aloha_sim", "--demos", "2", "--workers", "1", "--image-size", "32"]
    assert main([*collect, "--out", data]) == 0
    assert main([*train, "--stage", "tokenizer"]) == 0
    assert main([*train, "--stage", "policy"]) == 0
    rollout = ["rollout", "--checkpoint", f"{out}/mini-aloha", "--suite", "aloha_sim", "--episodes", "2"]
    assert main([*rollout, "--calls", "1", "--out", results]) == 0
    policy = checkpoints.load(f"{out}/mini-aloha")
    assert policy.suites == ("aloha_sim",) and policy.layout.shape == (16, 11, 8, 8)
    assert policy.stats.actions_min.shape == (14,) and policy.spec.execute_steps == 25
    total = json.loads((tmp_path / "results/results.json").read_text())["total"]
    assert total["episodes"] == 2 and 0 <= total["mean_score"] <= 1
    low, high = total["mean_score_interval"]
    assert low <= total["mean_score"] <= high
    collect = ["collect", "--checkpoint", f"{out}/mini-aloha", "--suite", "aloha_sim", "--demos", "1", "--workers", "1"]
    assert main([*collect, "--out", data]) == 0
    (source,) = (found for found in find(tmp_path / "data") if not found.form.demonstrations)
    assert source.form is ALOHA_ROLLOUT and source.instruction == "transfer the red cube"
    assert set(source.read().images) == {"primary", "left_wrist", "right_wrist"}, "experience for a planning model"
