"""Atomic writes under kills, bounded reading, foreign formats, and files made to do harm."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
import time
import zipfile
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from workbench import files


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def killed(code: str, *arguments: object) -> None:
    """Run code in a process that kills itself with SIGKILL: nothing of Python's clean-up happens."""
    code = f"import os, sys\nfrom pathlib import Path\nfrom workbench import files\n{code}"
    result = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], timeout=60)
    assert result.returncode == -9


# --- atomic writes


def test_the_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "value.txt"
    with files.atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert temporary.parent == path.parent
        assert not path.exists()
    assert path.read_text() == "whole"
    assert names(path.parent) == ["value.txt"]


def test_an_error_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "value.txt"
    path.write_text("old")
    with pytest.raises(KeyError), files.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert path.read_text() == "old"
    assert names(tmp_path) == ["value.txt"]


def test_a_kill_between_write_and_rename_leaves_the_old_file(tmp_path):
    path = tmp_path / "value.txt"
    path.write_text("old")
    killed(
        "with files.atomic_path(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('new')\n"
        "    os.kill(os.getpid(), 9)",
        path,
    )
    assert path.read_text() == "old"


def test_what_a_kill_left_is_removed_a_day_later(tmp_path):
    fresh, stale = tmp_path / ".value.txt.1.tmp", tmp_path / ".value.txt.2.tmp"
    fresh.write_text("another process is writing it")
    stale.mkdir()
    day_ago = time.time() - 1.1 * files.STALE_SECONDS
    os.utime(stale, (day_ago, day_ago))
    files.write_bytes(tmp_path / "value.txt", b"new")
    assert names(tmp_path) == [".value.txt.1.tmp", "value.txt"]


def test_a_folder_is_replaced_whole(tmp_path):
    folder = tmp_path / "checkpoint"
    for content in ("first", "second"):
        with files.atomic_folder(folder) as temporary:
            (temporary / "inner").mkdir()
            (temporary / "inner" / content).write_text(content)
    assert names(folder / "inner") == ["second"]
    assert names(tmp_path) == ["checkpoint"]


def test_an_error_leaves_the_old_folder(tmp_path):
    folder = tmp_path / "checkpoint"
    with files.atomic_folder(folder) as temporary:
        (temporary / "old").touch()
    with pytest.raises(KeyError), files.atomic_folder(folder) as temporary:
        (temporary / "half").touch()
        raise KeyError
    assert names(folder) == ["old"]
    assert names(tmp_path) == ["checkpoint"]


@pytest.mark.heavy
@pytest.mark.parametrize("renames_before_the_kill", [0, 1, 2])
def test_a_kill_during_the_replacement_of_a_folder_loses_nothing(tmp_path, renames_before_the_kill):
    folder = tmp_path / "checkpoint"
    with files.atomic_folder(folder) as temporary:
        (temporary / "old").touch()
    killed(
        "folder, left, rename = sys.argv[1], int(sys.argv[2]), os.replace\n"
        "def replace(*paths):\n"
        "    global left\n"
        "    if left == 0: os.kill(os.getpid(), 9)\n"
        "    rename(*paths); left -= 1\n"
        "    if left == 0 and paths[1] == Path(folder): os.kill(os.getpid(), 9)\n"
        "os.replace = replace\n"
        "with files.atomic_folder(folder) as temporary:\n"
        "    (temporary / 'new').touch()",
        folder,
        renames_before_the_kill,
    )
    files.recover_folder(folder)
    assert names(folder) == (["new"] if renames_before_the_kill == 2 else ["old"])
    assert not [name for name in names(tmp_path) if name.endswith(".old")]


# --- JSON


def test_json_round_trip(tmp_path):
    value = {"task": "übung", "numbers": [1, 2.5, None, True], "nested": {"": []}}
    files.write_json(tmp_path / "a.json", value)
    assert files.read_json(tmp_path / "a.json") == value


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"value": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"value": float("nan")})
    with pytest.raises(TypeError):
        files.write_json(path, {"value": object()})
    assert files.read_json(path) == {"value": 1}


def test_huge_json_is_refused_unread(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps("x" * 1000))
    assert len(files.read_json(path, max_bytes=1002)) == 1000
    with pytest.raises(ValueError, match="1,002 bytes, at most 1,001 are read"):
        files.read_json(path, max_bytes=1001)


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"\xff\xfe\x00", b"[" * 100_000])
def test_damaged_json_is_one_plain_error(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a JSON file"):
        files.read_json(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected a file at .*absent\.json"):
        files.read_json(tmp_path / "absent.json")


def test_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert files.sha256(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()


# --- safetensors


def test_safetensors_round_trip(tmp_path):
    tensors = {
        "half": torch.arange(6, dtype=torch.bfloat16).reshape(2, 3),
        "transposed": torch.arange(6.0).reshape(2, 3).T,
        "scalar": torch.tensor(3),
    }
    files.save_safetensors(tmp_path / "a.safetensors", tensors, metadata={"format": "pt"})
    loaded = files.load_safetensors(tmp_path / "a.safetensors")
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_truncated_safetensors_say_so(tmp_path, share):
    path = tmp_path / "a.safetensors"
    files.save_safetensors(path, {"a": torch.zeros(1000)})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match="no whole safetensors file"):
        files.load_safetensors(path)


def test_safetensors_with_a_changed_header_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    files.save_safetensors(path, {"a": torch.zeros(10)})
    path.write_bytes(path.read_bytes().replace(b"[10]", b"[99]"))
    with pytest.raises(ValueError, match="no whole safetensors file"):
        files.load_safetensors(path)


def test_large_safetensors_are_refused(tmp_path):
    files.save_safetensors(tmp_path / "a.safetensors", {"a": torch.zeros(1000)})
    with pytest.raises(ValueError, match="at most 100 are read"):
        files.load_safetensors(tmp_path / "a.safetensors", max_bytes=100)


def test_what_is_written_can_be_read_by_whoever_the_user_lets(tmp_path):
    (tmp_path / "plain").touch()
    files.save_safetensors(tmp_path / "a.safetensors", {"a": torch.zeros(1)})
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("No space left on device")])
def test_a_full_disk_says_where_and_leaves_nothing(tmp_path, monkeypatch, error):
    def fill(_, path, **__):
        Path(path).write_bytes(b"half")
        raise error

    monkeypatch.setattr("safetensors.torch.save_file", fill)
    with pytest.raises(OSError, match=r"a\.safetensors, [\d,]+ bytes are free: make room"):
        files.save_safetensors(tmp_path / "a.safetensors", {"a": torch.zeros(1)})
    assert names(tmp_path) == []


def test_room_is_asked_for_where_a_folder_is_to_be_made(tmp_path):
    files.check_space(tmp_path / "new/deep/file", 1)
    with pytest.raises(OSError, match="expected room for 1,000,000,000,000,000 bytes"):
        files.check_space(tmp_path / "new/deep/file", 10**15)


# --- foreign formats


MEASURE = """
import re, sys, torch
from pathlib import Path
from workbench import files

def peak(): return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

before = peak()
contents = [files.load_torch(sys.argv[1]), files.load_safetensors(sys.argv[2])]
loaded = peak() - before
sum(int(tensor.view(torch.int16).max()) for content in contents for tensor in content.values())
print(loaded, peak() - before)
"""
"""Not `getrusage`: what that says of a process begins with what its parent had when it was started."""


@pytest.mark.heavy
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc to measure memory")
def test_a_file_costs_nothing_before_it_is_used_and_its_size_after(tmp_path):
    tensors = {name: torch.ones(2**22, dtype=torch.bfloat16) for name in "abcd"}  # 32 MiB
    paths = [tmp_path / "a.pt", tmp_path / "a.safetensors"]
    torch.save(tensors, paths[0])
    files.save_safetensors(paths[1], tensors)
    command = [sys.executable, "-c", MEASURE, *map(str, paths)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    loaded, used = map(int, result.stdout.split())
    size = sum(path.stat().st_size for path in paths)
    assert loaded < 0.2 * size
    assert 0.9 * size < used < 1.2 * size


def test_mapped_tensors_can_be_written_to_and_the_file_stays(tmp_path):
    torch.save({"a": torch.zeros(4)}, tmp_path / "a.pt")
    files.load_torch(tmp_path / "a.pt")["a"].fill_(1)
    assert not files.load_torch(tmp_path / "a.pt")["a"].any()


def test_a_compressed_zip_is_read_too(tmp_path):
    torch.save({"a": torch.arange(1000)}, tmp_path / "a.pt")
    with (
        zipfile.ZipFile(tmp_path / "a.pt") as source,
        zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as b,
    ):
        for name in source.namelist():
            b.writestr(name, source.read(name))
    assert torch.equal(files.load_torch(tmp_path / "b.pt")["a"], torch.arange(1000))


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_that_ask_for_more_memory_than_the_file_has_are_refused(tmp_path, zipped):
    torch.save({"a": torch.zeros(1).expand(10**12)}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match="1000000000000] over 4 bytes"):
        files.load_torch(tmp_path / "a.pt")


@pytest.mark.parametrize("tensor", [torch.zeros(2, 2).to_sparse(), torch.zeros(2, device="meta")])
def test_tensors_without_plain_numbers_are_refused(tmp_path, tensor):
    torch.save({"a": tensor}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match="is refused"):
        files.load_torch(tmp_path / "a.pt")


def test_a_large_number_to_remember_something_under_takes_no_memory(tmp_path):
    """The reader in C would make a list of four billion entries."""
    memo = pickle.PROTO + b"\x02" + pickle.EMPTY_DICT + pickle.LONG_BINPUT + b"\xfe\xff\xff\xff" + pickle.STOP
    (tmp_path / "t5.pkl").write_bytes(memo)
    assert files.load_t5_table(tmp_path / "t5.pkl") == {}


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_distributed_checkpoints_as_torch_writes_them(tmp_path):
    from torch.distributed import checkpoint

    content = {
        "net.a": torch.arange(6, dtype=torch.bfloat16).reshape(2, 3),
        "net.scalar": torch.tensor(3),
        "net.none": torch.zeros(0, 3),
        "net.a_norm._extra_state": b"bytes",
        "step": 7,
    }
    checkpoint.save(content, checkpoint_id=tmp_path / "model", no_dist=True)
    loaded = files.load_distributed(tmp_path / "model")
    assert loaded.keys() == {"net.a", "net.scalar", "net.none"}
    for name, tensor in loaded.items():
        assert tensor.dtype == content[name].dtype and torch.equal(tensor, content[name])


@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files_in_both_forms(tmp_path, zipped):
    content = {
        "net.weight": torch.arange(4, dtype=torch.bfloat16),
        "array": np.arange(6.0).reshape(2, 3),
        "step": 7,
        "names": ["a", ("b", None)],
    }
    torch.save(content, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    loaded = files.load_torch(tmp_path / "a.pt")
    assert torch.equal(loaded["net.weight"], content["net.weight"])
    np.testing.assert_array_equal(loaded["array"], content["array"])
    assert loaded["step"] == 7
    assert loaded["names"] == ["a", ("b", None)]


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "u1", "?", "U3"])
def test_arrays_as_libero_stores_its_initial_states(tmp_path, dtype):
    array = np.arange(12).reshape(4, 3).astype(dtype)
    torch.save(array, tmp_path / "a.pruned_init")
    loaded = files.load_torch(tmp_path / "a.pruned_init")
    assert loaded.dtype == array.dtype
    np.testing.assert_array_equal(loaded, array)


def test_arrays_of_objects_are_refused(tmp_path):
    torch.save(np.array([{}, 1], dtype=object), tmp_path / "a.pt")
    with pytest.raises(ValueError, match="is refused"):
        files.load_torch(tmp_path / "a.pt")


def test_reading_admits_nothing_for_good(tmp_path):
    torch.save(np.zeros(3), tmp_path / "a.pt")
    before = set(torch.serialization.get_safe_globals())
    files.load_torch(tmp_path / "a.pt")
    assert set(torch.serialization.get_safe_globals()) == before


def test_a_list_within_itself_ends(tmp_path):
    endless = [torch.zeros(1)]
    endless.append(endless)
    torch.save(endless, tmp_path / "a.pt")
    assert len(files.load_torch(tmp_path / "a.pt")) == 2


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
def test_truncated_torch_files_say_so(tmp_path, zipped, share):
    path = tmp_path / "a.pt"
    torch.save({"a": torch.zeros(1000)}, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match="is refused: it is damaged"):
        files.load_torch(path)


def test_a_torch_file_that_unpacks_to_too_much_is_refused(tmp_path):
    path = tmp_path / "a.pt"
    torch.save(torch.zeros(100_000), path)
    with (
        zipfile.ZipFile(path) as source,
        zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in source.namelist():
            bomb.writestr(name, source.read(name))
    assert (tmp_path / "bomb.pt").stat().st_size < 10_000
    with pytest.raises(ValueError, match="it unpacks to"):
        files.load_torch(tmp_path / "bomb.pt", max_bytes=10_000)


@pytest.mark.golden("formats/*.pkl", reads=("formats/t5_embeddings.json",))
def test_the_published_table_of_text_embeddings(case, fidelity):
    table = files.load_t5_table(case)
    expected = json.loads(case.with_suffix(".json").read_text())
    fidelity.exact("instructions", sorted(table), sorted(expected))
    for instruction, facts in expected.items():
        tensor = table[instruction]
        assert tensor.shape == (1, 512, 1024)
        assert tensor.dtype == torch.bfloat16
        assert int(tensor[0].any(-1).sum()) == facts["nonzero_rows"]
        assert tensor[0, 0, :8].tolist() == facts["first_row_first_8"]
        content = tensor.view(torch.uint16).numpy().tobytes()
        fidelity.exact("embeddings", hashlib.sha256(content).hexdigest(), facts["sha256_of_uint16_bytes"])


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_tables_of_every_pickle_protocol(tmp_path, protocol):
    table = {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.ones(1, 2, dtype=torch.bfloat16)}
    (tmp_path / "t5.pkl").write_bytes(pickle.dumps(table, protocol=protocol))
    loaded = files.load_t5_table(tmp_path / "t5.pkl")
    assert torch.equal(loaded["a"], table["a"])
    assert torch.equal(loaded["b"], table["b"])


@pytest.mark.parametrize("content", [[1], {"a": 1}, {1: torch.zeros(1)}, OrderedDict(), "text", {"a": {}.get}])
def test_other_pickles_are_no_table(tmp_path, content):
    (tmp_path / "t5.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match="is refused"):
        files.load_t5_table(tmp_path / "t5.pkl")


def test_truncated_tables_say_so(golden, tmp_path):
    content = (golden / "formats/t5_embeddings.pkl").read_bytes()
    for size in (0, 1, 50, 130, 2000, len(content) // 2, len(content) - 1):
        (tmp_path / "t5.pkl").write_bytes(content[:size])
        with pytest.raises(ValueError, match="is refused"):
            files.load_t5_table(tmp_path / "t5.pkl")


def test_a_table_cannot_reach_beyond_its_storage(tmp_path):
    from torch._utils import _rebuild_tensor_v2

    class Reaching:
        def __reduce__(self):
            storage = torch.storage.TypedStorage([0.0] * 4, dtype=torch.float32, _internal=True)
            return _rebuild_tensor_v2, (storage, 0, (1000,), (1,), False, OrderedDict())

    (tmp_path / "t5.pkl").write_bytes(pickle.dumps({"a": Reaching()}))
    with pytest.raises(ValueError, match="is refused"):
        files.load_t5_table(tmp_path / "t5.pkl")


@pytest.mark.golden("malicious/*")
@pytest.mark.defect(
    "Weights and text tables are unpickled whatever they contain", "4.3", "only tensors and arrays are admitted"
)
@pytest.mark.parametrize("load", [files.load_torch, files.load_t5_table])
def test_malicious_files_are_refused_and_do_nothing(case, fidelity, tmp_path, monkeypatch, load):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="is refused") as caught:
        load(case)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == []
    fidelity.refused(load.__name__)


@pytest.mark.heavy
def test_no_change_of_one_byte_runs_anything(golden, tmp_path, monkeypatch):
    """Every outcome of a damaged table is a table or a ValueError."""
    monkeypatch.chdir(tmp_path)
    table = {"a": torch.zeros(2, 2, dtype=torch.bfloat16)}
    contents = [pickle.dumps(table), (golden / "malicious/malicious_t5_nested.pkl").read_bytes()]
    generator = np.random.default_rng(0)
    for content in contents:
        for _ in range(500):
            damaged = bytearray(content)
            damaged[generator.integers(len(content))] = generator.integers(256)
            (tmp_path / "t5.pkl").write_bytes(damaged)
            with suppress(ValueError):
                files.load_t5_table(tmp_path / "t5.pkl")
    assert names(tmp_path) == ["t5.pkl"]


@pytest.mark.heavy
def test_importing_files_imports_no_torch():
    code = "import sys, workbench.files, workbench.normalize, workbench.images; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
