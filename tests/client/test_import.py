"""The client is small: what a robot's computer must import."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "diffusers", "gradio", "fastapi", "h5py", "mujoco", "plotly", "PIL")


@pytest.mark.heavy
def test_the_client_needs_numpy_and_little_else():
    code = f"import sys, workbench.client, workbench.client.rehearsal; print([x for x in {HEAVY} if x in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
