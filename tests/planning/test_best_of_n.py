import json

import golden_bundle
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from workbench.planning import run
from workbench.planning.best_of_n import PlanSettings, plan_events
from workbench.types import Moment


@pytest.mark.parametrize("shortcuts", [True, False])
def test_the_golden_plan(golden, shortcuts):
    """Batched, in lock-step, with every shortcut: upstream's serial numbers (golden README, planning/)."""
    context = load_file(golden / "planning/plan.safetensors")
    expected = json.loads((golden / "planning/plan.json").read_text())
    bundle = golden_bundle.bundle(golden, "libero", context, shortcuts=shortcuts)
    moment = Moment(golden_bundle.observation("libero", context), golden_bundle.INSTRUCTION, "golden")
    settings = PlanSettings(
        candidates=expected["candidates"], calls=10, seed=expected["seed"], upstream_compatible=True
    )
    plan = run(plan_events(bundle, None, moment, settings=settings))
    assert settings.network_calls == expected["network_calls_total"]
    for candidate, detail in zip(plan.candidates, expected["candidates_detail"], strict=True):
        i = candidate.index
        assert candidate.seed == detail["seed"]
        np.testing.assert_allclose(candidate.actions, context[f"candidate{i}.actions"], atol=2e-4)
        np.testing.assert_allclose(candidate.values.ravel(), [v["value"] for v in detail["values"]], atol=1e-4)
        torch.testing.assert_close(candidate.handle.x[0], context[f"candidate{i}.action_latents"][0], atol=2e-4, rtol=0)
    for rule, choice in expected["variants"].items():
        assert plan.choices[rule] == choice["chosen_index"]
