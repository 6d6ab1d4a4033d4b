"""Atomic writes, bounded and safe reading, and the foreign formats that are pickles inside.

Tensors are memory-mapped: a large file costs no memory before it is used, and at most its size after.

A reader never sees half a file: everything is written under a temporary name beside its target, flushed to
the disk and renamed. This is the only file of the package that imports a pickling module; what it reads
from foreign files is admitted only if it is tensors and arrays and nothing else.
"""

import errno
import glob
import hashlib
import io
import json
import os
import pickle
import re
import shutil
import threading
import time
import uuid
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

if TYPE_CHECKING:
    import torch  # slow to import, so the functions that need it import it themselves

MAX_JSON_BYTES = 64 * 2**20
MAX_TENSOR_BYTES = 32 * 2**30
STALE_SECONDS = 24 * 3600
"""A temporary file of that age belongs to a process that was killed."""
SHOWN_BYTES = 256 * 2**20
"""Reading or writing that much takes seconds: on a terminal a bar shows how far it is."""


def _sync(path: Path) -> None:
    """Flush a file or folder to the disk, so that the rename after it cannot overtake its contents."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _temporary(path: Path) -> Path:
    """A new hidden name beside `path`; what killed processes left there long ago is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with suppress(FileNotFoundError):  # its writer may rename it meanwhile
            if time.time() - left.stat().st_mtime > STALE_SECONDS:
                remove(left)
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")


def remove(path: Path) -> None:
    """Delete a file or a folder with all it holds; nothing happens if there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling to write to; it becomes `path` when the block ends without an error.

    Until then the old file stays whole, also when the process is killed.
    """
    path = Path(path)
    temporary = _temporary(path)
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield an empty temporary folder to fill; it replaces `path` when the block ends without an error.

    A folder cannot be replaced in one step: the old one is first moved aside to `.NAME.old`. If the process
    is killed between the two renames, the next `recover_folder` of the path puts it back: call that before
    reading a folder that is written so.
    """
    path = Path(path)
    recover_folder(path)
    temporary, old = _temporary(path), _old(path)
    temporary.mkdir()
    try:
        yield temporary
        for item in sorted(temporary.rglob("*")):
            _sync(item)
        _sync(temporary)
        if path.exists():
            os.replace(path, old)
        os.replace(temporary, path)
        _sync(path.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        recover_folder(path)


def _old(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


def recover_folder(path: str | Path) -> None:
    """Finish what a kill during `atomic_folder` left: the old folder comes back, or goes if replaced."""
    path = Path(path)
    old = _old(path)
    if not old.exists():
        return
    if path.exists():
        shutil.rmtree(old)
    else:
        os.replace(old, path)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a small file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: str | Path, value: Any) -> None:
    """Write a JSON file atomically, in strict JSON: not-a-number and infinity are refused (use null)."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode())


def read_json(path: str | Path, *, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Read a JSON file of at most `max_bytes`. ValueError if it is larger or no JSON."""
    path = Path(path)
    check_size(path, max_bytes)
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a JSON file ({error}): write it again") from error


def check_size(path: str | Path, max_bytes: int) -> None:
    """ValueError if the file is larger than `max_bytes`, FileNotFoundError if there is none."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected a file at {path}, found none: check the path")
    size = path.stat().st_size
    if size > max_bytes:
        raise ValueError(f"{path} has {size:,} bytes, at most {max_bytes:,} are read: is it the right file?")


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    path = Path(path)
    digest, part = hashlib.sha256(), memoryview(bytearray(2**20))
    with path.open("rb") as file, _bar(path.stat().st_size, f"checking {path.name}") as bar:
        while count := file.readinto(part):
            digest.update(part[:count])
            bar.update(count)
    return digest.hexdigest()


def _bar(total: int, what: str) -> tqdm:
    """A bar over `total` bytes; None leaves out what is not a terminal, True what is over at once."""
    return tqdm(total=total, desc=what, unit="B", unit_scale=True, disable=True if total < SHOWN_BYTES else None)


@contextmanager
def _growing(path: Path, total: int, name: str) -> Iterator[None]:
    """Show how far `path` has grown towards `total` bytes while the block writes it."""
    ended = threading.Event()

    def watch(bar: tqdm) -> None:
        while not ended.wait(0.2):
            bar.update(path.stat().st_size - bar.n if path.exists() else 0)

    with _bar(total, f"writing {name}") as bar:
        thread = threading.Thread(target=watch, args=(bar,), daemon=True)
        if not bar.disable:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            if thread.is_alive():
                thread.join()


@contextmanager
def explain_full_disk(path: str | Path) -> Iterator[None]:
    """Turn "no space left", however a library words it, into an OSError that says where and how much is free."""
    try:
        yield
    except Exception as error:
        if getattr(error, "errno", None) != errno.ENOSPC and "No space left" not in str(error):
            raise
        raise _full_disk(Path(path), "the rest of what is written") from error


def check_space(path: str | Path, needed: int) -> None:
    """OSError unless `needed` bytes are free where `path` is to be written."""
    if shutil.disk_usage(_existing(Path(path))).free < needed:
        raise _full_disk(Path(path), f"{needed:,} bytes")


def _full_disk(path: Path, needed: str) -> OSError:
    free = shutil.disk_usage(_existing(path)).free
    return OSError(f"expected room for {needed} at {path}, {free:,} bytes are free: make room or choose another disk")


def _existing(path: Path) -> Path:
    """The nearest folder above `path` that exists."""
    return next(folder for folder in path.absolute().parents if folder.is_dir())


def load_safetensors(path: str | Path, *, max_bytes: int = MAX_TENSOR_BYTES) -> dict[str, "torch.Tensor"]:
    """Tensors of a safetensors file, on the CPU, memory-mapped (what is written to them stays private).

    ValueError if it is truncated, damaged or too large.
    """
    from safetensors.torch import load_file

    path = Path(path)
    check_size(path, max_bytes)
    try:
        return load_file(path)
    except Exception as error:  # a damaged header can also name a number type that torch does not know
        raise ValueError(f"{path} is no whole safetensors file ({error}): copy, download or train it again") from error


def save_safetensors(
    path: str | Path, tensors: Mapping[str, "torch.Tensor"], *, metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors atomically; they are taken to the CPU and made contiguous on the way."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    total = sum(tensor.nbytes for tensor in tensors.values())
    with explain_full_disk(path), atomic_path(path) as temporary, _growing(temporary, total, Path(path).name):
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file(tensors, temporary, metadata=dict(metadata) if metadata else None)
        temporary.chmod(mode)  # safetensors lets nobody else read what it writes


def load_torch(path: str | Path, *, max_bytes: int = MAX_TENSOR_BYTES) -> Any:
    """Content of a file that `torch.save` wrote, zip (memory-mapped) or legacy form, on the CPU.

    Admitted are tensors, numpy arrays of numbers (LIBERO's initial states), plain scalars, strings, and
    containers of them; anything else is refused with a ValueError before it can run.
    """
    path = Path(path)
    check_size(path, max_bytes)
    mappable, unpacked = _look_into(path, max_bytes)
    if mappable:
        content = _load_weights(str(path), str(path), mmap=True)
    else:
        with path.open("rb") as file:
            content = _load_weights(file, str(path))
    _check_plain(content, str(path), held=max(unpacked, path.stat().st_size))
    return content


def load_t5_table(path: str | Path, *, max_bytes: int = MAX_TENSOR_BYTES) -> dict[str, "torch.Tensor"]:
    """The published table of text embeddings: instruction -> (1, 512, 1024) bfloat16 (METHOD 5.5).

    It is a pickle that holds, for each tensor's storage, the bytes of a file of `torch.save`. The names that
    an honest table refers to are not safe in themselves (one of them unpickles those inner bytes), so each is
    answered with a function of ours, and the inner bytes go through `weights_only`. ValueError for anything
    else.
    """
    path = Path(path)
    check_size(path, max_bytes)
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # storages with a dtype are out of use, but the published file has them
            table = _TableUnpickler(file).load()
    except Exception as error:  # a damaged or hostile pickle can make an unpickler raise anything
        raise ValueError(f"{path} is refused: it is no table of text embeddings ({_reason(error)})") from error
    if not isinstance(table, dict) or not all(isinstance(key, str) and _is_tensor(table[key]) for key in table):
        raise ValueError(f"{path} is refused: expected a dictionary from instruction to tensor")
    return table


def load_distributed(folder: str | Path, *, max_bytes: int = MAX_TENSOR_BYTES) -> dict[str, "torch.Tensor"]:
    """Tensors of a folder of `torch.distributed.checkpoint`, on the CPU, put together from their pieces.

    Its index, `.metadata`, is a pickle; every class that it names is answered with an inert record. Python objects
    that the folder holds beside tensors are left out. ValueError for anything else.
    """
    folder = Path(folder)
    index = folder / ".metadata"
    check_size(index, MAX_JSON_BYTES)
    try:
        with index.open("rb") as file:
            sizes, pieces = _read_index(_IndexUnpickler(file).load())
        total = sum(piece["length"] for piece in pieces)
    except Exception as error:  # as above
        raise ValueError(f"{index} is refused: it is no index of a checkpoint ({_reason(error)})") from error
    if total > max_bytes:
        raise ValueError(f"{folder} is refused: it holds {total:,} bytes, at most {max_bytes:,} are read")
    try:
        return _assemble(folder, sizes, pieces, total)
    except OSError as error:
        raise ValueError(f"{folder} is not whole ({_reason(error)}): copy or download it again") from error


def _read_index(index: Any) -> tuple[dict[str, tuple[int, ...]], list[dict[str, Any]]]:
    """Shape of every tensor, and where its pieces are: name, offsets in the tensor, file, start, length."""
    sizes = {name: tuple(entry.size) for name, entry in index.state_dict_metadata.items() if hasattr(entry, "size")}
    pieces = []
    for key, place in index.storage_data.items():
        if getattr(place, "transform_descriptors", None):
            raise pickle.UnpicklingError("its tensors are compressed")
        name, file = str(key.fqn), str(place.relative_path)
        if Path(file).name != file:
            raise pickle.UnpicklingError("it names files outside its folder")
        if name in sizes:
            where = {"offsets": tuple(key.offset), "start": int(place.offset), "length": int(place.length)}
            if min(where["start"], where["length"], *where["offsets"], *sizes[name]) < 0:
                raise pickle.UnpicklingError("it holds negative numbers")
            pieces.append({"name": name, "file": file, **where})
    return sizes, pieces


def _assemble(
    folder: Path, sizes: Mapping[str, tuple[int, ...]], pieces: list[dict[str, Any]], total: int
) -> dict[str, "torch.Tensor"]:
    import torch

    tensors, filled = {}, dict.fromkeys(sizes, 0)
    with _bar(total, f"reading {folder.name}") as bar:
        for piece in sorted(pieces, key=lambda piece: (piece["file"], piece["start"])):
            name, size, part = piece["name"], sizes[piece["name"]], _read_piece(folder, piece)
            if name not in tensors:
                if part.numel() * len(pieces) < torch.Size(size).numel():
                    raise ValueError(f"{folder} is refused: {name} is larger than its pieces")
                tensors[name] = torch.empty(size, dtype=part.dtype)
            window = tensors[name][tuple(slice(o, o + n) for o, n in zip(piece["offsets"], part.shape, strict=False))]
            if window.shape != part.shape or tensors[name].dtype != part.dtype:
                raise ValueError(f"{folder} is refused: a piece of {name} does not fit in its place")
            window.copy_(part)
            filled[name] += part.numel()
            bar.update(piece["length"])
    incomplete = [name for name, size in sizes.items() if name not in tensors or filled[name] != tensors[name].numel()]
    if incomplete:
        raise ValueError(f"{folder} is not whole: pieces of {incomplete[0]} are missing; copy or download it again")
    return tensors


def _read_piece(folder: Path, piece: Mapping[str, Any]) -> "torch.Tensor":
    with (folder / piece["file"]).open("rb") as file:
        file.seek(piece["start"])
        content = file.read(piece["length"])
    part = _load_weights(io.BytesIO(content), f"a piece of {piece['name']}")
    _check_plain(part, f"a piece of {piece['name']}", held=len(content))
    if not _is_tensor(part) or len(piece["offsets"]) != part.dim():
        raise ValueError(f"{folder} is refused: a piece of {piece['name']} is something else")
    return part


def _operations(*needed: str) -> dict[int, Any]:
    """Python's own reader of pickles, without the operations that an honest file has no use for.

    Its version in C would fill gigabytes of memory if a file asked it to remember something under a large number.
    """
    always = (
        "PROTO FRAME STOP MARK POP POP_MARK NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT "
        "STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES "
        "BINBYTES8 EMPTY_DICT DICT SETITEM SETITEMS EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 "
        "TUPLE3 PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET GLOBAL STACK_GLOBAL REDUCE"
    )
    codes = [getattr(pickle, name)[0] for name in (*always.split(), *needed)]
    return {code: pickle._Unpickler.dispatch[code] for code in codes}


class _TableUnpickler(pickle._Unpickler):
    """Knows the names in an honest table; answers with fresh functions: nothing global is in reach."""

    dispatch = _operations()

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("torch.storage", "_load_from_bytes"): lambda data: _load_storage(data),
            ("torch._utils", "_rebuild_tensor_v2"): lambda *parts: _build_tensor(*parts[:4]),
            ("collections", "OrderedDict"): lambda: None,  # the tensor's hooks: always empty, never used
            ("_codecs", "encode"): lambda text, _: text.encode("latin1"),  # bytes in old pickle protocols
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return known[module, name]


class _IndexUnpickler(pickle._Unpickler):
    """Knows the names in the index of a distributed checkpoint; answers with records that can do nothing."""

    dispatch = _operations("NEWOBJ", "BUILD")
    records = {
        "torch.distributed.checkpoint.metadata": (
            "Metadata TensorStorageMetadata BytesStorageMetadata TensorProperties ChunkStorageMetadata MetadataIndex "
            "StorageMeta _MEM_FORMAT_ENCODING"
        ),
        "torch.distributed.checkpoint.filesystem": "_StorageInfo",
        "torch.serialization": "_get_layout",
        "pathlib": "PosixPath WindowsPath PurePosixPath",
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch", "Size"):
            return _Size
        if name in self.records.get(module, "").split() or (module == "torch" and _is_dtype(name)):
            return type(name, (_Record,), {})  # a class of its own, so that nothing is shared between files
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


class _Record:
    """Attributes, as a file states them."""

    def __init__(self, *_: Any) -> None:
        """Takes what the real class would."""

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            vars(self).update(state)


class _Size(tuple):
    """A shape: whole numbers."""

    def __new__(cls, numbers: tuple = ()) -> "_Size":
        return super().__new__(cls, (int(number) for number in numbers))


def _is_dtype(name: str) -> bool:
    import torch

    return isinstance(getattr(torch, name, None), torch.dtype)


def _load_storage(data: bytes) -> "torch.TypedStorage":
    import torch

    storage = _load_weights(io.BytesIO(data), "a tensor's storage")
    if not isinstance(storage, torch.storage.TypedStorage) or storage.nbytes() > len(data):
        raise pickle.UnpicklingError("a tensor's storage is something else")
    return storage


def _build_tensor(storage: "torch.TypedStorage", offset: int, size: tuple, stride: tuple) -> "torch.Tensor":
    import torch

    whole = torch.empty(0, dtype=storage.dtype).set_(storage.untyped())
    tensor = whole.as_strided(size, stride, offset)  # refuses to reach beyond the storage; set_ would enlarge it
    _memory(tensor, "a tensor")
    return tensor


def _load_weights(file: io.BufferedIOBase | str, name: str, *, mmap: bool = False) -> Any:
    """`torch.load(weights_only=True)`, with the pickles of numeric numpy arrays admitted too."""
    import torch

    try:
        with torch.serialization.safe_globals(_numpy_globals()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols: what cannot be read is refused anyway
            return torch.load(file, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # a damaged or hostile pickle can make an unpickler raise anything
        raise ValueError(
            f"{name} is refused: it is damaged, or holds more than tensors and arrays ({_reason(error)})"
        ) from error


def _look_into(path: Path, max_bytes: int) -> tuple[bool, int]:
    """Whether a file is a zip whose entries can be used where they are, and how many bytes it unpacks to.

    ValueError if those are too many.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
    except Exception:  # the legacy form, or damaged: torch will say
        return False, 0
    size = sum(record.file_size for record in records)
    if size > max_bytes:
        raise ValueError(f"{path} is refused: it unpacks to {size:,} bytes, at most {max_bytes:,} are read")
    return all(record.compress_type == zipfile.ZIP_STORED for record in records), size


def _numpy_globals() -> list[Any]:
    """What the pickle of a numeric array refers to, under the names of numpy 1 and 2."""
    rebuild = np.zeros(0).__reduce__()[0]
    names = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
    dtypes = {type(np.dtype(code)) for code in np.typecodes["All"] if code not in "OV"}
    return [*((rebuild, name) for name in names), np.ndarray, np.dtype, *dtypes]


def _check_plain(content: Any, name: str, *, held: int) -> None:
    """ValueError unless content is tensors, numeric arrays, scalars, strings, or containers of them.

    Numbers may not take more memory than the `held` bytes of the file: a damaged shape can ask for any amount.
    """
    import torch

    admitted = (np.ndarray, torch.Tensor, torch.Size, str, bytes, int, float, complex, type(None))
    pending, seen, taken = [content], set(), {}
    while pending:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, dict):
            pending += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple):
            pending += item
        elif not isinstance(item, admitted) or (isinstance(item, np.ndarray) and item.dtype.hasobject):
            kind = type(item).__name__
            raise ValueError(f"{name} is refused: it holds a {kind} of objects, only tensors and arrays are read")
        elif isinstance(item, np.ndarray):
            taken[id(item)] = item.nbytes
        elif isinstance(item, torch.Tensor):
            taken.update([_memory(item, name)])
    if sum(taken.values()) > held:
        raise ValueError(f"{name} is refused: it asks for {sum(taken.values()):,} bytes and holds {held:,}")


def _memory(tensor: "torch.Tensor", name: str) -> tuple[int, int]:
    """Where the numbers of a tensor are and how many bytes they take; ValueError if it spreads them over more."""
    import torch

    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        raise ValueError(f"{name} is refused: it holds a sparse, quantised or empty tensor, only plain ones are read")
    storage = tensor.untyped_storage()
    if tensor.numel() * tensor.itemsize > storage.nbytes():
        raise ValueError(
            f"{name} is refused: it holds a tensor of {list(tensor.shape)} over {storage.nbytes():,} bytes"
        )
    return storage.data_ptr(), storage.nbytes()


def _is_tensor(x: object) -> bool:
    import torch

    return isinstance(x, torch.Tensor)


def _reason(error: BaseException) -> str:
    """What an error found, in one line, without torch's advice to switch the safety off."""
    text = str(error)
    if finding := re.search(r"Unsupported (?:global: GLOBAL|operand) [\w.]+", text):
        return finding[0]
    if text.startswith("Weights only load failed"):
        return "it was not written by torch.save"
    return next(iter(text.splitlines()), type(error).__name__).rstrip(",.")[:200]
