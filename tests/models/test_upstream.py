"""Upstream's files, distributed folders and our own become checkpoints; what is not whole or does not fit is not."""

import errno
import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import golden_bundle
import numpy as np
import pytest
import torch
import upstream_files
from safetensors.torch import load_file, save_file

from workbench import files
from workbench.models import checkpoints, upstream
from workbench.models.checkpoints import Given
from workbench.policy import predict
from workbench.types import Observation


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A source that is not to be changed: the folder of `libero.pt`."""
    return upstream_files.write_source(tmp_path_factory.mktemp("made") / "libero").parent


@pytest.fixture
def source(made, tmp_path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "source" / "libero")) / "libero.pt"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """No test leaves anything in the user's cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "denoiser.safetensors")


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def refusal(source: Path, tmp_path: Path, given: Given | None = None) -> str:
    """Convert what must be refused; the error's one line. Nothing may be left."""
    with pytest.raises((ValueError, OSError)) as caught:
        checkpoints.convert(source, tmp_path / "out/target", given)
    text = str(caught.value)
    assert text and "\n" not in text, text
    assert not list((tmp_path / "out").glob("*")), "something is left behind"
    return text


# --- what is read


@pytest.mark.heavy
def test_a_file_becomes_a_checkpoint_that_answers(source, tmp_path):
    converted = checkpoints.convert(source, tmp_path / "policy", planner="planner")
    assert not converted.left_out
    bundle = checkpoints.load(tmp_path / "policy")
    assert (bundle.name, bundle.spec.name, bundle.planner) == ("policy", "libero", "planner")
    assert bundle.denoiser.dtype == bundle.tokenizer.dtype == torch.bfloat16  # kept, on a CPU too
    assert bundle.text.embed(upstream_files.INSTRUCTIONS[0]).shape == (1, 5, 24)
    images = {camera: np.zeros((64, 64, 3), np.uint8) for camera in bundle.spec.cameras}
    small = replace(bundle, spec=replace(bundle.spec, image_size=32), layout=bundle.spec.layout(side=4))
    prediction = predict(small, Observation(images, np.zeros(9)), upstream_files.INSTRUCTIONS[0], calls=1)
    assert prediction.actions.shape == (16, 7) and np.isfinite(prediction.actions).all()
    text = (tmp_path / "policy/README.md").read_text()
    assert "libero.pt" in text and str(tmp_path) not in text


def test_the_weights_are_the_files_own_bits(source, tmp_path):
    checkpoints.convert(source, tmp_path / "policy")
    state = torch.load(source, weights_only=True)
    assert torch.equal(
        weights_of(tmp_path / "policy")["transformer_blocks.1.attn1.to_q.weight"],
        state["net.blocks.1.self_attn.q_proj.weight"],
    )
    loaded = checkpoints.load(tmp_path / "policy", dtype=torch.float32)
    assert loaded.denoiser.dtype == torch.float32
    weight = loaded.denoiser.net.transformer_blocks[1].attn1.to_q.weight
    assert torch.equal(weight, state["net.blocks.1.self_attn.q_proj.weight"].float())


@pytest.mark.heavy
@pytest.mark.parametrize("wrapper", ["model", "state_dict"])
def test_a_wrapped_file_is_the_same_checkpoint(made, tmp_path, wrapper):
    checkpoints.convert(made, tmp_path / "plain")
    wrapped = upstream_files.write_source(tmp_path / "wrapped", wrapper=wrapper)
    checkpoints.convert(wrapped, tmp_path / "unwrapped")
    assert same(weights_of(tmp_path / "plain"), weights_of(tmp_path / "unwrapped"))


@pytest.mark.heavy
@pytest.mark.parametrize("ranks", [1, 3])
def test_a_distributed_folder_is_the_same_checkpoint(made, source, tmp_path, ranks):
    state = torch.load(source, weights_only=True)
    source.unlink()
    upstream_files.write_distributed(source.parent / "model", state | {"net.norm._extra_state": b"ABC"}, ranks)
    checkpoints.convert(made, tmp_path / "file")
    for name in (source.parent, source.parent / "model"):
        checkpoints.convert(name, tmp_path / "folder", Given(platform="libero"))
        assert same(weights_of(tmp_path / "file"), weights_of(tmp_path / "folder"))


@pytest.mark.heavy
def test_our_own_folder_is_copied_whole_with_a_borrowed_tokenizer(source, tmp_path):
    checkpoints.convert(source, tmp_path / "policy")
    policy = checkpoints.load(tmp_path / "policy")
    settings = {"readme": "Ours.\n", "compute": "bfloat16"}
    checkpoints.save(policy, tmp_path / "planner", tokenizer_of="policy", **settings)
    checkpoints.convert(tmp_path / "planner", tmp_path / "elsewhere/copy")
    copy = checkpoints.load(tmp_path / "elsewhere/copy")
    assert copy.name == "copy" and copy.denoiser.dtype == torch.bfloat16
    assert same(weights_of(tmp_path / "policy"), weights_of(tmp_path / "elsewhere/copy"))
    assert same(policy.tokenizer.state_dict(), copy.tokenizer.state_dict())
    assert (tmp_path / "elsewhere/copy/README.md").read_text() == "Ours.\n"


def test_a_tokenizer_that_two_checkpoints_have_is_held_once(made, tmp_path):
    for name in ("policy", "planner"):
        checkpoints.convert(made, tmp_path / name)
    policy, planner = checkpoints.load_pair(tmp_path / "policy", tmp_path / "planner")
    assert planner.tokenizer is policy.tokenizer and planner.denoiser is not policy.denoiser


@pytest.mark.parametrize("platform", ["robocasa", "aloha"])
def test_the_platform_is_what_the_file_is_named_after(tmp_path, platform):
    source = upstream_files.write_source(tmp_path / "source", platform=platform)
    assert checkpoints.convert(source, tmp_path / "target").bundle.spec.name == platform


def test_what_is_not_of_the_network_is_left_out_by_name(source, tmp_path):
    state = torch.load(source, weights_only=True)
    torch.save(state | {"net_ema.x_embedder.proj.1.weight": torch.zeros(1)}, source)
    assert checkpoints.convert(source, tmp_path / "target").left_out == ["net_ema.x_embedder.proj.1.weight"]


# --- --checkpoint FILE and FOLDER


@pytest.mark.heavy
@pytest.mark.parametrize("part", [".", "libero.pt"])
def test_a_source_is_a_checkpoint_and_is_converted_once(source, cache, monkeypatch, part):
    path = source.parent / part
    first = checkpoints.resolve(path)
    assert cache in first.parents and checkpoints.load(path).spec.name == "libero"
    monkeypatch.setattr(checkpoints, "convert", lambda *_, **__: pytest.fail("converted again"))
    assert checkpoints.resolve(str(path)) == first


@pytest.mark.heavy
def test_a_changed_file_is_converted_again(source):
    before = weights_of(checkpoints.resolve(source))
    torch.save(upstream_files.state(seed=1), source)
    assert not same(before, weights_of(checkpoints.resolve(source)))


# --- the tokenizer in both forms


@pytest.fixture(scope="module")
def diffusers_form(golden, tmp_path_factory) -> Path:
    """The golden tokenizer as diffusers writes it, in a pipeline's folder."""
    folder = tmp_path_factory.mktemp("pipeline")
    golden_bundle.tokenizer(golden).vae.save_pretrained(folder / "vae")
    return folder


@pytest.mark.heavy
@pytest.mark.parametrize("form", ["upstream", "diffusers"])
def test_the_tokenizer_is_the_same_function_in_both_forms(golden, diffusers_form, form):
    cases = load_file(golden / "vae/cases.safetensors")
    path = golden / "vae/tokenizer.pt" if form == "upstream" else diffusers_form / "vae"
    tokenizer = upstream.read_tokenizer(path)
    prefix = cases["latents_prefix"]
    each = tokenizer.pictures_per_frame
    video = cases["video_uint8"][:, :, : 1 + each * (prefix.shape[2] - 1)].float() / 127.5 - 1
    with torch.no_grad():
        raw = tokenizer.vae.encode(video).latent_dist.mean
    torch.testing.assert_close((raw - tokenizer.mean) / tokenizer.std, prefix, atol=1e-5, rtol=0)
    seen = tokenizer.decode(cases["latents"], [1, 2]).transpose(1, 2)
    expected = cases["decoded"][:, :, [1, 1 + each]].clamp(-1, 1)
    torch.testing.assert_close(seen, expected, atol=1e-5, rtol=0)


def test_every_form_of_the_tokenizer_holds_the_same_weights(golden, diffusers_form):
    weights = upstream.read_tokenizer(golden / "vae/tokenizer.pt").state_dict()
    for path in (golden / "vae/tokenizer.safetensors", diffusers_form, diffusers_form / "vae"):
        assert same(weights, upstream.read_tokenizer(path).state_dict())


def test_the_golden_network_computes_the_same_after_conversion(golden, tmp_path):
    """Upstream's own file with its droppable keys, and its own tokenizer file."""
    cases = load_file(golden / "denoiser/cases.safetensors")
    upstream_files.write_table(tmp_path / "t5_embeddings.pkl", cases["t9.text"].shape[-1])
    files_given = {"stats": golden / "formats/dataset_statistics.json", "tokenizer": golden / "vae/tokenizer.pt"}
    given = Given("libero", text=tmp_path / "t5_embeddings.pkl", **files_given)
    checkpoints.convert(golden / "denoiser/denoiser.pt", tmp_path / "golden", given, dtype=torch.float32)
    denoiser = checkpoints.load(tmp_path / "golden").denoiser
    assert denoiser.dtype == torch.float32
    case = {key[3:]: value for key, value in cases.items() if key.startswith("t9.")}
    known = case["condition_mask"][:, 0, :, 0, 0].bool()
    with torch.no_grad():
        x0 = denoiser(case["x"], case["sigma"], known=known, given=case["condition_latents"], text=case["text"])
    torch.testing.assert_close(x0, case["x0"], atol=1e-4, rtol=0)


# --- bad input: one line each, nothing left behind


def change(source: Path, **changes) -> None:
    state = torch.load(source, weights_only=True)
    torch.save({key: value for key, value in (state | changes).items() if value is not None}, source)


def test_missing_and_surplus_keys_are_named_and_counted(source, tmp_path):
    gone = {f"net.blocks.1.self_attn.{part}.weight": None for part in ("q_proj", "k_proj", "v_proj", "output_proj")}
    change(source, **gone, **{"net.blocks.0.self_attn.q_proj.bias": torch.zeros(32)})
    text = refusal(source, tmp_path)
    assert "4 tensors are missing (net.blocks.1.self_attn.q_proj.weight" in text and "and 1 more" in text
    assert "1 tensor is surplus (net.blocks.0.self_attn.q_proj.bias)" in text


def test_a_wrong_shape_is_named(source, tmp_path):
    change(source, **{"net.blocks.1.mlp.layer2.weight": torch.zeros(32, 5)})
    expected = r"expected net.blocks.1.mlp.layer2.weight of shape [32, 128], got [32, 5]"
    assert expected in refusal(source, tmp_path)


def test_a_wrong_dtype_is_named(source, tmp_path):
    change(source, **{"net.blocks.1.mlp.layer2.weight": torch.zeros(32, 128, dtype=torch.int8)})
    assert "net.blocks.1.mlp.layer2.weight in bfloat16, float16 or float32, got torch.int8" in refusal(source, tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_refused(source, tmp_path, share):
    source.write_bytes(source.read_bytes()[: int(share * source.stat().st_size)])
    assert "libero.pt is refused: it is damaged" in refusal(source, tmp_path)


@pytest.mark.parametrize("name", ["libero_t5_embeddings.pkl", "vae/diffusion_pytorch_model.safetensors"])
def test_a_truncated_companion_is_refused(source, tmp_path, name):
    path = source.parent / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert path.name in refusal(source, tmp_path)


@pytest.mark.heavy
@pytest.mark.parametrize(
    "damage", ["piece cut short", "piece missing", "file missing", "index cut short", "compressed"]
)
def test_a_damaged_distributed_folder_is_refused(source, tmp_path, damage):
    folder = source.parent / "model"
    upstream_files.write_distributed(folder, torch.load(source, weights_only=True))
    index, file = folder / ".metadata", folder / "__1_0.distcp"
    if damage == "piece cut short":
        file.write_bytes(file.read_bytes()[:-2000])
    elif damage == "file missing":
        file.unlink()
    elif damage == "index cut short":
        index.write_bytes(index.read_bytes()[:-100])
    else:
        content = pickle.loads(index.read_bytes())
        key = list(content.storage_data)[-1]
        place = content.storage_data.pop(key)
        if damage == "compressed":
            content.storage_data[key] = replace(place, transform_descriptors=["zstd"])
        index.write_bytes(pickle.dumps(content))
    text = refusal(source.parent, tmp_path)
    assert "is refused" in text or "is not whole" in text


@pytest.mark.parametrize("payload", ["class", "path"])
def test_a_distributed_folder_made_to_do_harm_is_refused(source, tmp_path, monkeypatch, payload):
    folder = source.parent / "model"
    upstream_files.write_distributed(folder, {"net.a": torch.zeros(2)})
    content = pickle.loads((folder / ".metadata").read_bytes())
    if payload == "path":
        places = content.storage_data
        content.storage_data = {key: replace(at, relative_path="../../secret") for key, at in places.items()}
    else:
        content.planner_data = Harm(tmp_path / "PWNED")
    (folder / ".metadata").write_bytes(pickle.dumps(content))
    text = refusal(source.parent, tmp_path)
    assert ("files outside its folder" if payload == "path" else "it asks for") in text
    assert not (tmp_path / "PWNED").exists()


class Harm:
    """Unpickled naively, it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.heavy
def test_malicious_files_are_refused_wherever_they_are_named(golden, source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in sorted((golden / "malicious").iterdir()):
        for given in (Given(text=path), Given(tokenizer=path), Given(stats=path)):
            assert path.name in refusal(source, tmp_path, given)
        shutil.copy(path, source.with_name("libero-evil.pt"))
        assert "is refused" in refusal(source.with_name("libero-evil.pt"), tmp_path)
    assert not (tmp_path / "PWNED").exists()


@pytest.mark.heavy
def test_values_are_those_that_the_source_was_trained_on(source, tmp_path):
    """V(s, a, s') of the policies, V(s') of the planning model, which its name tells (METHOD.md 5.2)."""

    def learned(source: Path, **given: str) -> tuple:
        checkpoints.convert(source, tmp_path / "converted", Given(**given))
        return checkpoints.load(tmp_path / "converted").value_modes

    assert learned(source) == ("v_full", "q")
    assert learned(source, value="v") == ("v", "q")
    assert learned(source.rename(source.with_name("libero-planning.pt"))) == ("v", "q")


def test_a_wrong_platform_is_refused(source, tmp_path):
    assert "expected libero, which libero.pt is named after, got aloha" in refusal(source, tmp_path, Given("aloha"))
    unnamed = source.parent.rename(source.parents[1] / "mine") / "tune.pt"
    unnamed.with_name("libero.pt").rename(unnamed)
    assert "name it with --platform libero|robocasa|aloha" in refusal(unnamed, tmp_path)
    text = refusal(unnamed, tmp_path, Given("aloha"))
    assert "libero_dataset_statistics.json: expected statistics of 14 actions dimensions for platform aloha" in text
    assert "--platform: expected libero, robocasa, aloha, got 'spot'" in refusal(unnamed, tmp_path, Given("spot"))


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"actions_min": [0.0] * 6, "actions_max": [1.0] * 6}, "expected statistics of 7 actions dimensions"),
        ({"proprio_min": [0.0] * 14, "proprio_max": [1.0] * 14}, "expected statistics of 9 proprio dimensions"),
        ({"actions_min": [2.0] * 7}, "actions_min <= actions_max"),
        ({"actions_max": [float("nan")] * 7}, "finite numbers"),
        ({"proprio_max": "many"}, "proprio_max: expected a list of numbers, got str"),
        ({"proprio_max": [[1.0] * 9]}, "flat list of finite numbers"),
        ({"proprio_max": None}, "lacks proprio_max"),
    ],
)
def test_wrong_statistics_are_refused(source, tmp_path, change, expected):
    path = source.with_name("libero_dataset_statistics.json")
    values = json.loads(path.read_text()) | change
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))
    assert expected in refusal(source, tmp_path)


def test_a_table_for_another_network_is_refused(source, tmp_path):
    upstream_files.write_table(source.with_name("libero_t5_embeddings.pkl"), 32)
    assert "expected finite embeddings of width 24" in refusal(source, tmp_path)


def test_a_tokenizer_of_another_kind_is_refused(source, tmp_path):
    config = source.parent / "vae/config.json"
    content = config.read_text()
    config.write_text(content.replace("AutoencoderKLWan", "AutoencoderKL"))
    assert "expected an AutoencoderKLWan in diffusers' form, got AutoencoderKL" in refusal(source, tmp_path)
    config.write_text(content.replace('"base_dim": 2', '"base_dim": 8'))
    assert "tokenizer vae: expected" in refusal(source, tmp_path)
    save_file({"a": torch.zeros(1)}, source.parent / "vae/diffusion_pytorch_model.safetensors")
    assert "1 tensor is surplus (a)" in refusal(source, tmp_path)


def test_what_is_missing_or_ambiguous_says_what_to_name(source, tmp_path):
    stats = source.with_name("libero_dataset_statistics.json")
    shutil.copy(stats, source.with_name("libero_2_dataset_statistics.json"))
    assert "choose with --stats" in refusal(source, tmp_path)
    source.with_name("libero_2_dataset_statistics.json").unlink()
    stats.rename(source.with_name("numbers.json"))
    assert "--platform libero --stats FILE" in refusal(source, tmp_path)
    assert "expected a file at" in refusal(source, tmp_path, Given(stats=stats))
    shutil.copy(source, source.with_name("other.pt"))
    assert "expected one .pt file" in refusal(source.parent, tmp_path)
    assert "expected a checkpoint at" in refusal(source.with_name("absent.pt"), tmp_path)


def test_a_planner_is_a_name_and_no_path(source, tmp_path):
    with pytest.raises(ValueError, match="expected a plain name of another checkpoint, got '../planner'"):
        checkpoints.convert(source, tmp_path / "target", planner="../planner")


def test_a_folder_with_other_files_is_not_replaced(source, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="holds other files"):
        checkpoints.convert(source, tmp_path / "mine")
    with pytest.raises(ValueError, match="another folder than the source"):
        checkpoints.convert(source.parent, source.parent)
    assert (tmp_path / "mine/thesis.txt").is_file() and source.is_file()


@pytest.mark.heavy
def test_too_little_room_is_said_before_anything_is_written(source, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert "1,000 bytes are free: make room" in refusal(source, tmp_path)


@pytest.mark.parametrize("worded_by", ["the system", "a library"])
def test_a_disk_that_fills_up_leaves_nothing(source, tmp_path, monkeypatch, worded_by):
    full = OSError(errno.ENOSPC, "No space left on device")
    error = full if worded_by == "the system" else RuntimeError(f"I/O error: {full}")

    def fill(*_, **__):
        raise error

    monkeypatch.setattr(upstream.Statistics if worded_by == "the system" else files, *(
        ("save", fill) if worded_by == "the system" else ("sha256", fill)
    ))  # fmt: skip
    assert "make room or choose another disk" in refusal(source, tmp_path)


def test_a_checkpoint_with_statistics_of_another_robot_does_not_load(source, tmp_path):
    checkpoints.convert(source, tmp_path / "policy")
    config = json.loads((tmp_path / "policy/config.json").read_text())
    config["platform"]["name"] = "aloha"
    (tmp_path / "policy/config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="expected statistics of 14 actions dimensions for platform aloha, got 7"):
        checkpoints.load(tmp_path / "policy")
