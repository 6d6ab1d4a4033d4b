import golden_bundle
import pytest
import torch
from safetensors.torch import load_file


@pytest.mark.parametrize("case", ["t9", "t11"])
@pytest.mark.parametrize("shortcuts", [True, False])
def test_upstream_numbers(golden, case, shortcuts):
    data = {
        k[len(case) + 1 :]: v
        for k, v in load_file(golden / "denoiser/cases.safetensors").items()
        if k.startswith(case + ".")
    }
    denoiser = golden_bundle.denoiser(golden, shortcuts=shortcuts)
    known = data["condition_mask"][:, 0, :, 0, 0].bool()
    with torch.no_grad():
        x0 = denoiser(data["x"], data["sigma"], known=known, given=data["condition_latents"], text=data["text"])
    torch.testing.assert_close(x0, data["x0"], atol=1e-4, rtol=0)
