"""One full-size checkpoint in upstream's exact key set: written, converted, loaded, and asked once, on a CPU.

Every step runs in a process of its own, so that its memory can be measured and is given back.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[1] / "plugins"

PEAK = r"""
import re, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
folder = Path(sys.argv[2])

def peak():
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
"""

WRITE = """
import torch, upstream_files
upstream_files.write_companions(folder, text=1024)
torch.save(upstream_files.state(**upstream_files.PUBLISHED), folder / "Cosmos-Policy-LIBERO-Predict2-2B.pt")
"""

CONVERT = """
from workbench.models import checkpoints
before = peak()
begun = time.perf_counter()
checkpoints.convert(folder, folder / "checkpoint")
print("seconds", round(time.perf_counter() - begun), "peak", peak() - before)
"""

LOAD = """
import torch
from workbench.models import checkpoints
before = peak()
begun = time.perf_counter()
bundle = checkpoints.load(folder / "checkpoint", device="cpu")
print("seconds", round(time.perf_counter() - begun), "loaded", peak() - before)
total = sum(int(weight.view(torch.int16).sum()) for weight in bundle.denoiser.parameters())
print("read", peak() - before)
begun = time.perf_counter()
b, c, t, h, w = shape = (1, 16, 9, 4, 4)
noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
known = torch.tensor([[True] * 4 + [False] * 5])
with torch.no_grad():
    text = bundle.text.embed(bundle.text.names[0])
    x0 = bundle.denoiser(80 * noise, torch.tensor([80.0]), known=known, given=noise, text=text)
assert x0.shape == shape and x0.isfinite().all() and torch.equal(x0[:, :, :4], noise[:, :, :4])
assert bundle.denoiser.dtype == torch.bfloat16
assert sum(weight.numel() for weight in bundle.denoiser.parameters()) == 1_956_413_440
print("call", round(time.perf_counter() - begun), "whole", peak())
"""


def numbers(code: str, folder: Path) -> dict[str, int]:
    command = [sys.executable, "-c", PEAK + code, str(PLUGINS), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    return {name: int(value) for name, value in re.findall(r"(\w+) (\d+)", done.stdout)}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc to measure memory")
def test_the_published_size_from_file_to_answer(tmp_path, record_property):
    if shutil.disk_usage(tmp_path).free < 12 * 2**30:
        pytest.skip(f"needs 12 GB free at {tmp_path}")
    numbers(WRITE, tmp_path)
    size = (tmp_path / "Cosmos-Policy-LIBERO-Predict2-2B.pt").stat().st_size
    converted = numbers(CONVERT, tmp_path)
    (tmp_path / "Cosmos-Policy-LIBERO-Predict2-2B.pt").unlink()
    loaded = numbers(LOAD, tmp_path)
    shutil.rmtree(tmp_path / "checkpoint")
    print({"file": size, "convert": converted, "load": loaded})
    assert converted["peak"] < 1.2 * size
    assert loaded["loaded"] < 0.1 * size
    assert loaded["read"] < 1.2 * size
    assert loaded["whole"] < 1.2 * size, "with Python, torch and one network call"
