"""Training on from existing weights: shared among processes, resumed, killed, merged, and from the right weights."""

import json
import multiprocessing
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from recorded import recorded
from torch.distributed.tensor import DTensor

from workbench import files
from workbench.data.writers import write_demonstrations, write_rollout
from workbench.models import checkpoints
from workbench.models.bundle import tiny
from workbench.planning import run
from workbench.platforms import PLATFORMS
from workbench.training import finetune as module
from workbench.training import shards
from workbench.training.finetune import Began, Settings, finetune
from workbench.training.parallel import Place, local, place
from workbench.training.published import LIBERO, PUBLISHED
from workbench.training.start import Sources

SMALL = replace(
    LIBERO, spec=replace(PLATFORMS["libero"], image_size=64), batch=4, rows=2, steps=4, warmup=2, save_every=2
)
ALONE = Place()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_demonstrations(folder / "go_demo.hdf5", [recorded(9, seed=seed, size=32) for seed in range(3)])
    for seed in range(4):
        write_rollout(folder / f"r{seed}.hdf5", recorded(7, seed=seed + 10, size=32, success=seed % 2 == 0))
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("start") / "tiny"
    checkpoints.save(tiny(PLATFORMS["libero"], causal=False), folder, readme="Random.\n", dtype=torch.float32)
    return str(folder)


def settings(weights: str, **changes) -> Settings:
    return replace(Settings(Sources(weights), precision=torch.float32, readers=0), **changes)


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / "train/metrics.jsonl").read_text().splitlines()]


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return files.load_safetensors(folder / "denoiser.safetensors")


@pytest.fixture(scope="module")
def finished(data, weights, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run")
    events = list(finetune(SMALL, [data], out, settings(weights), ALONE))
    began = events[0]
    assert isinstance(began, Began)
    assert began.compared == began.trained == sum(w.numel() for w in weights_of(Path(weights)).values())
    assert began.ignorant == pytest.approx(began.loss, rel=0.5), "random weights know as much as none"
    assert [event.iteration for event in events[1:]] == [1, 2, 3, 4]
    return out


@pytest.mark.heavy
def test_it_writes_a_checkpoint_that_loads(finished, weights):
    bundle = checkpoints.load(finished / SMALL.name)
    assert (bundle.name, bundle.spec.name) == ("cosmos-2b-libero", "libero")
    before = checkpoints.load(weights)
    np.testing.assert_array_equal(bundle.stats.actions_min, before.stats.actions_min)
    changed = weights_of(finished / SMALL.name)["proj_out.weight"].float() - before.denoiser.net.proj_out.weight
    assert changed.abs().max() > 1e-6


@pytest.mark.heavy
def test_smaller_parts_give_the_same_gradients(data, weights, finished, tmp_path):
    """Four rows at once, not two and two: the losses agree, so the steps did."""
    run(finetune(replace(SMALL, rows=4), [data], tmp_path, settings(weights), ALONE))
    np.testing.assert_allclose(losses(tmp_path), losses(finished), rtol=1e-4)


@pytest.mark.heavy
def test_recomputed_activations_give_the_same_losses(data, weights, finished, tmp_path):
    run(finetune(SMALL, [data], tmp_path, settings(weights, checkpointing=False), ALONE))
    np.testing.assert_allclose(losses(tmp_path), losses(finished), rtol=1e-5)


@pytest.mark.heavy
def test_it_computes_in_bfloat16_and_keeps_float32(data, weights, finished, tmp_path):
    run(finetune(SMALL, [data], tmp_path, settings(weights, precision=torch.bfloat16), ALONE))
    np.testing.assert_allclose(losses(tmp_path), losses(finished), rtol=0.03)
    state = files.load_safetensors(tmp_path / "train/state/part-00000-of-00001.safetensors")
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}


@pytest.mark.heavy
def test_a_stopped_run_ends_with_the_same_bits(data, weights, finished, tmp_path):
    work = finetune(SMALL, [data], tmp_path, settings(weights), ALONE)
    for event in work:
        if getattr(event, "iteration", 0) == 3:  # the last saved state is that of iteration 2
            work.close()
    run(finetune(SMALL, [data], tmp_path, settings(weights), ALONE))
    assert losses(tmp_path) == losses(finished)
    ours, theirs = weights_of(tmp_path / SMALL.name), weights_of(finished / SMALL.name)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def process(rank: int, processes: int, meeting: Path, data: Path, out: Path, weights: str, steps: int) -> None:
    """What one of several processes does; forked, so that nothing is imported again."""
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(processes), GLOO_SOCKET_IFNAME="lo")
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(29600 + os.getppid() % 300))
    kept = module.trainable

    def watched(net: torch.nn.Module, settings: Settings) -> torch.nn.Module:
        parameters = list(net.parameters())
        mine = sum(local(p).numel() for p in parameters) / sum(p.numel() for p in parameters)
        divided = all(isinstance(p, DTensor) for p in parameters)
        (meeting / f"shares-{rank}").write_text(f"{divided} {mine}")
        return kept(net, settings)

    module.trainable = watched
    with place() as here:
        for event in finetune(replace(SMALL, steps=steps, save_every=1), [data], out, settings(weights), here):
            (meeting / f"seen-{rank}").write_text(type(event).__name__)


def launch(processes: int, *arguments) -> list[multiprocessing.process.BaseProcess]:
    context = multiprocessing.get_context("fork")
    started = [context.Process(target=process, args=(rank, processes, *arguments)) for rank in range(processes)]
    for each in started:
        each.start()
    return started


def wait(started: list, seconds: float = 280) -> None:
    for each in started:
        each.join(seconds)
        assert each.exitcode == 0


@pytest.mark.heavy
def test_two_processes_share_the_weights_and_lose_the_same(data, weights, finished, tmp_path):
    out = tmp_path / "shared"
    wait(launch(2, tmp_path, data, out, weights, 4))
    for rank in range(2):
        divided, share = (tmp_path / f"shares-{rank}").read_text().split()
        assert divided == "True", "every weight is divided"
        assert 0.3 < float(share) < 0.7
    np.testing.assert_allclose(losses(out), losses(finished), rtol=1e-4)
    ours, theirs = weights_of(out / SMALL.name), weights_of(finished / SMALL.name)
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], rtol=0.02, atol=1e-4)
    # One process goes on from what two have saved.
    more, copy = replace(SMALL, steps=5), shutil.copytree(finished, tmp_path / "copy")
    run(finetune(more, [data], out, settings(weights), ALONE))
    run(finetune(more, [data], copy, settings(weights), ALONE))
    np.testing.assert_allclose(losses(out)[4:], losses(copy)[4:], rtol=1e-4)


@pytest.mark.heavy
@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_it_goes_on_with_equal_losses(data, weights, finished, tmp_path, kills):
    steps, random, whole, out = 4 + kills, np.random.default_rng(kills), tmp_path / "whole", tmp_path / "killed"
    run(finetune(replace(SMALL, steps=steps), [data], whole, settings(weights), ALONE))
    for _ in range(kills):
        seen = tmp_path / "seen-0"
        seen.unlink(missing_ok=True)
        (started,) = launch(1, tmp_path, data, out, weights, steps)
        while started.is_alive() and not (seen.exists() and seen.read_text() == "Trained"):
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.5))
        started.kill()
        started.join()
    wait(launch(1, tmp_path, data, out, weights, steps))
    assert losses(out) == losses(whole)
    ours, theirs = weights_of(out / SMALL.name), weights_of(whole / SMALL.name)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.heavy
def test_a_full_disk_leaves_the_last_state_whole(data, weights, finished, tmp_path, monkeypatch):
    saves, real = [], files.save_safetensors

    def full(path, tensors, **options):
        saves.append(path)
        if len(saves) == 2:
            Path(path).write_bytes(b"half")
            raise OSError(28, "No space left on device")
        real(path, tensors, **options)

    monkeypatch.setattr(files, "save_safetensors", full)
    with pytest.raises(OSError, match="No space left"):
        run(finetune(SMALL, [data], tmp_path, settings(weights), ALONE))
    monkeypatch.undo()
    assert files.read_json(tmp_path / "train/state/state.json")["iteration"] == 2
    assert [path.name for path in (tmp_path / "train").iterdir() if path.name.startswith(".")] == []
    run(finetune(SMALL, [data], tmp_path, settings(weights), ALONE))
    assert losses(tmp_path) == losses(finished)


def test_the_state_of_another_network_is_refused(data, weights, finished, tmp_path):
    bundle = tiny(PLATFORMS["libero"])
    state = finished / "train/state"
    net = torch.nn.Linear(2, 2)
    with pytest.raises(ValueError, match="holds the state of another network"):
        module.shards.load(state, net, torch.optim.AdamW(net.parameters()), ALONE)
    assert bundle.name == "tiny"


def test_low_rank_changes_train_and_merge(data, weights, tmp_path):
    pytest.importorskip("peft")
    events = list(finetune(SMALL, [data], tmp_path, settings(weights, lora=4), ALONE))
    assert events[0].trained < events[0].compared / 2
    before, after = weights_of(Path(weights)), weights_of(tmp_path / SMALL.name)
    assert before.keys() == after.keys()
    changed = {name for name in after if not torch.equal(before[name].bfloat16(), after[name])}
    assert changed
    assert all(any(target in name for target in ("to_", "ff.net")) for name in changed)


def test_merged_changes_say_what_the_changed_network_says():
    pytest.importorskip("peft")
    from workbench.training.lora import merged, with_lora

    bundle = tiny(PLATFORMS["libero"]).plain()
    layout, net = bundle.layout, bundle.denoiser.net
    x, known = torch.randn(1, *layout.shape), torch.tensor([layout.known("policy")])

    def said() -> torch.Tensor:
        with torch.no_grad():
            return bundle.denoiser(x, torch.tensor([5.0]), known=known, given=x, text=torch.ones(1, 3, 16))

    before = said()
    model = with_lora(net, 2, torch.float32)
    torch.testing.assert_close(said(), before)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    changed = said()
    assert (changed - before).abs().max() > 1e-3
    weights = merged(model)
    fresh = tiny(PLATFORMS["libero"]).plain()
    fresh.denoiser.net.load_state_dict(weights)
    bundle = fresh
    torch.testing.assert_close(said(), changed, rtol=1e-4, atol=1e-4)


def test_the_published_runs():
    """METHOD.md 5.3, 5.4."""
    planning = PUBLISHED["cosmos-2b-aloha-planning"]
    assert (planning.demonstration_share, planning.value_mode, planning.steps) == (0.1, "v", 18_000)
    assert {name: each.batch for name, each in PUBLISHED.items()} == {
        "cosmos-2b-libero": 1920,
        "cosmos-2b-robocasa": 800,
        "cosmos-2b-aloha": 200,
        "cosmos-2b-aloha-planning": 200,
    }
    assert all(each.batch % each.rows == 0 for each in PUBLISHED.values())


def test_weights_that_every_process_holds_whole_are_read_whole(tmp_path, monkeypatch):
    """As low-rank changes are: not laid end to end."""
    monkeypatch.setattr(Place, "barrier", lambda self: None)
    places = [Place(rank, 2) for rank in (1, 0)]

    def made():
        torch.manual_seed(0)
        net = torch.nn.Linear(3, 2)
        optimizer = torch.optim.AdamW(net.parameters())
        net(torch.ones(1, 3)).sum().backward()
        optimizer.step()
        return net, optimizer

    net, optimizer = made()
    for here in places:
        shards.save(tmp_path / "state", net, optimizer, 7, here)
    for here in (*places, Place()):
        other, moments = made()
        with torch.no_grad():
            other.weight.zero_()
        assert shards.load(tmp_path / "state", other, moments, here) == 7
        assert torch.equal(other.weight, net.weight)
        assert torch.equal(moments.state[other.weight]["exp_avg"], optimizer.state[net.weight]["exp_avg"])
