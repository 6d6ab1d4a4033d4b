"""Atomic writes, bounded and safe reading, and the foreign formats that are pickles inside.

A reader never sees half a file: everything is written under a temporary name beside its target, flushed to
the disk and renamed. This is the only file of the package that imports a pickling module; what it reads
from foreign files is admitted only if it is tensors and arrays and nothing else.
"""

import glob
import hashlib
import io
import json
import os
import pickle
import re
import shutil
import time
import uuid
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch  # slow to import, so the functions that need it import it themselves

MAX_JSON_BYTES = 64 * 2**20
MAX_TENSOR_BYTES = 32 * 2**30
STALE_SECONDS = 24 * 3600
"""A temporary file of that age belongs to a process that was killed."""


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
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_safetensors(path: str | Path, *, max_bytes: int = MAX_TENSOR_BYTES) -> dict[str, "torch.Tensor"]:
    """Tensors of a safetensors file, on the CPU. ValueError if it is truncated, damaged or too large."""
    import safetensors
    from safetensors.torch import load_file

    path = Path(path)
    check_size(path, max_bytes)
    try:
        return load_file(path)
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is no whole safetensors file ({error}): copy, download or train it again") from error


def save_safetensors(
    path: str | Path, tensors: Mapping[str, "torch.Tensor"], *, metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors atomically; they are taken to the CPU and made contiguous on the way."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata=dict(metadata) if metadata else None)


def load_torch(path: str | Path, *, max_bytes: int = MAX_TENSOR_BYTES) -> Any:
    """Content of a file that `torch.save` wrote, zip or legacy form, on the CPU.

    Admitted are tensors, numpy arrays of numbers (LIBERO's initial states), plain scalars, strings, and
    containers of them; anything else is refused with a ValueError before it can run.
    """
    path = Path(path)
    check_size(path, max_bytes)
    _check_zip(path, max_bytes)
    with path.open("rb") as file:
        content = _load_weights(file, str(path))
    _check_plain(content, str(path))
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


class _TableUnpickler(pickle.Unpickler):
    """Knows the names in an honest table; answers with fresh functions: nothing global is in reach."""

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


def _load_storage(data: bytes) -> "torch.TypedStorage":
    import torch

    storage = _load_weights(io.BytesIO(data), "a tensor's storage")
    if not isinstance(storage, torch.storage.TypedStorage):
        raise pickle.UnpicklingError("a tensor's storage is something else")
    return storage


def _build_tensor(storage: "torch.TypedStorage", offset: int, size: tuple, stride: tuple) -> "torch.Tensor":
    import torch

    whole = torch.empty(0, dtype=storage.dtype).set_(storage.untyped())
    return whole.as_strided(size, stride, offset)  # refuses to reach beyond the storage; set_ would enlarge it


def _load_weights(file: io.BufferedIOBase, name: str) -> Any:
    """`torch.load(weights_only=True)`, with the pickles of numeric numpy arrays admitted too."""
    import torch

    try:
        with torch.serialization.safe_globals(_numpy_globals()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols: what cannot be read is refused anyway
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile pickle can make an unpickler raise anything
        raise ValueError(
            f"{name} is refused: it is damaged, or holds more than tensors and arrays ({_reason(error)})"
        ) from error


def _numpy_globals() -> list[Any]:
    """What the pickle of a numeric array refers to, under the names of numpy 1 and 2."""
    rebuild = np.zeros(0).__reduce__()[0]
    names = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
    dtypes = {type(np.dtype(code)) for code in np.typecodes["All"] if code not in "OV"}
    return [*((rebuild, name) for name in names), np.ndarray, np.dtype, *dtypes]


def _check_plain(content: Any, name: str) -> None:
    """ValueError unless content is tensors, numeric arrays, scalars, strings, or containers of them."""
    import torch

    admitted = (np.ndarray, torch.Tensor, torch.Size, str, bytes, int, float, complex, type(None))
    pending, seen = [content], set()
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


def _check_zip(path: Path, max_bytes: int) -> None:
    """ValueError if a zip form would unpack to more than `max_bytes`."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(record.file_size for record in archive.infolist())
    except zipfile.BadZipFile:
        return  # the legacy form, or damaged: torch will say
    if size > max_bytes:
        raise ValueError(f"{path} is refused: it unpacks to {size:,} bytes, at most {max_bytes:,} are read")


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
