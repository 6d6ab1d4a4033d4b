"""Schedules and solvers against upstream's numbers and against what theory says of them."""

import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from workbench.diffusion.levels import upstream_calls
from workbench.diffusion.samplers import SAMPLERS, karras, sample, schedule
from workbench.planning import run


def analytic(matrix: torch.Tensor):
    """D(x, sigma) = tanh(x A) / (1 + 0.1 sigma): the golden denoiser without a network."""

    def denoise(x, sigma, rows):
        return ((x.double() @ matrix).tanh() / (1 + 0.1 * sigma.double()[:, None])).float()

    return denoise


@pytest.mark.golden("sampler/schedules*.json")
def test_schedules_are_upstreams(case, fidelity):
    about = json.loads(case.read_text())
    bounds = about["sigma_max"], about["sigma_min"]
    for one in about["schedules"]:
        sigmas = schedule(upstream_calls(one["requested_steps"]), bounds=bounds)
        fidelity.exact("network calls", len(sigmas), one["network_calls"])
        fidelity.relative("sigmas, float32", np.float32(sigmas), one["sigmas_seen_by_the_network_float32"], rtol=1e-7)
        fidelity.relative("sigmas, float64", sigmas, one["sigma_grid_float64"][: len(sigmas)], rtol=1e-13)


@pytest.mark.golden("sampler/analytic*.safetensors")
def test_the_solver_is_upstreams(case, fidelity):
    data = load_file(case)
    x, runs = data["x_sigma_max"], [key for key in data if key.startswith("out.n")]
    assert runs
    for name in runs:
        sigmas = [schedule(upstream_calls(int(name.removeprefix("out.n"))))] * len(x)
        fidelity.close(name, run(sample(analytic(data["A"]), x, sigmas)), data[name], atol=1e-6)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("calls", [1, 2, 3, 4, 5, 8])
def test_n_calls_are_n_calls(sampler, calls):
    made = []

    def denoise(x, sigma, rows):
        made.append(sigma.item())
        return torch.zeros_like(x)

    sigmas = schedule(calls, sampler=sampler)
    run(sample(denoise, torch.ones(1, 3), [sigmas], sampler=sampler))
    assert len(made) == calls == len(sigmas)
    assert made[0] == 80
    if calls > 1:
        assert made[-1] == pytest.approx(4)


@pytest.mark.parametrize(("sampler", "order"), [("euler", 1), ("heun", 2), ("ab2", 2)])
def test_order_of_convergence(sampler, order):
    """Data from N(0, 1): the exact denoiser is x / (1 + sigma^2), and the exact path is known."""
    x0 = torch.tensor([[80.0]], dtype=torch.float64)

    def state_at_end(intervals: int) -> float:
        calls = 2 * intervals + 1 if sampler == "heun" else intervals + 1
        grid = schedule(calls, sampler=sampler)
        steps = sample(lambda x, s, rows: x / (1 + s[:, None] ** 2), x0.float(), [grid], sampler=sampler)
        return [step.x for step in steps][-1].item()

    exact = 80.0 * math.sqrt((1 + 4.0**2) / (1 + 80.0**2))
    coarse, fine = (abs(state_at_end(n) - exact) for n in (16, 32))
    assert coarse / fine == pytest.approx(2**order, rel=0.35)


def test_rows_of_different_length_equal_rows_alone():
    matrix = torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = torch.randn(4, 4, generator=torch.Generator().manual_seed(1)) * 80
    sigmas = [schedule(calls) for calls in (3, 1, 5, 4)]
    steps = list(sample(analytic(matrix), x, sigmas))
    assert [step.rows for step in steps] == [[0, 1, 2, 3], [0, 2, 3], [0, 2, 3], [2, 3], [2]]
    together = run(sample(analytic(matrix), x, sigmas))
    for row in range(4):
        alone = run(sample(analytic(matrix), x[row : row + 1], sigmas[row : row + 1]))
        torch.testing.assert_close(together[row : row + 1], alone, atol=0, rtol=0)


def test_closing_early_is_cancelling():
    steps = sample(lambda x, s, rows: x * 0, torch.ones(2, 2), [karras(5)] * 2)
    next(steps)
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


def test_no_calls_is_an_error():
    with pytest.raises(ValueError, match="at least 1"):
        schedule(0)
