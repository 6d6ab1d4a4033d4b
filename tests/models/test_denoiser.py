import json

import golden_bundle
import pytest
import torch
from safetensors.torch import load_file

from workbench import files
from workbench.models.convert import denoiser_weights


def calls(case) -> dict[str, dict[str, torch.Tensor]]:
    """The calls of a file of cases, by name."""
    data = load_file(case.with_suffix(".safetensors"))
    return {
        name: {key[len(name) + 1 :]: tensor for key, tensor in data.items() if key.startswith(f"{name}.")}
        for name in json.loads(case.read_text())
    }


@pytest.mark.golden("denoiser/cases*.json", reads=("denoiser/*.safetensors", "denoiser/config.json"))
@pytest.mark.parametrize("shortcuts", [True, False])
def test_upstream_numbers(case, fidelity, shortcuts):
    denoiser = golden_bundle.denoiser(case.parents[1], shortcuts=shortcuts)
    for name, call in calls(case).items():
        known = call["condition_mask"][:, 0, :, 0, 0].bool()
        times = torch.where(known, 0.0, denoiser.precondition.c_noise(call["sigma"])[:, None])
        fidelity.close(f"{name} time of each frame", times, call["timesteps"].view_as(times), atol=1e-7)
        given, text = call["condition_latents"], call["text"]
        with torch.no_grad():
            x0 = denoiser(call["x"], call["sigma"], known=known, given=given, text=text)
        fidelity.close(f"{name} x0", x0, call["x0"], atol=1e-4)
        fidelity.exact(f"{name} known frames", x0[known[:, None].expand_as(x0[..., 0, 0])], _known(given, known))


def _known(given: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    return given[known[:, None].expand(-1, given.shape[1], -1)]


@pytest.mark.golden("denoiser/cases*.json")
def test_the_raw_network_is_upstreams(case, fidelity):
    """Before preconditioning, all frames asked for: shortcuts and diffusers' own forward."""
    for shortcuts in (True, False):
        denoiser = golden_bundle.denoiser(case.parents[1], shortcuts=shortcuts)
        for name, call in calls(case).items():
            known = call["condition_mask"][:, 0, :, 0, 0].bool()
            frames, mask = list(range(known.shape[1])), known[:, None, :, None, None]
            scaled = call["x"] * denoiser.precondition.c_in(call["sigma"]).view(-1, 1, 1, 1, 1)
            scaled = torch.where(mask, call["condition_latents"], scaled)
            times = call["timesteps"].view(known.shape)
            with torch.no_grad():
                output = denoiser.network(scaled, mask, times, call["text"], frames=frames)
            fidelity.close(f"{name} network", output, call["net_output"], atol=1e-4)


@pytest.mark.golden("denoiser/*.pt", reads=("denoiser/*.pt",))
def test_the_published_form_holds_the_same_weights(case, fidelity):
    """Counters, position tables and empty states are dropped; every weight is there."""
    ours = denoiser_weights(files.load_torch(case))
    expected = denoiser_weights(load_file(case.with_suffix(".safetensors")))
    fidelity.exact("names of the weights", sorted(ours), sorted(expected))
    fidelity.exact("weights", all(torch.equal(ours[name], expected[name]) for name in expected), True)
