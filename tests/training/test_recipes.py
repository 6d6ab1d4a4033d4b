"""Recipes as data: any number of one can be replaced by name."""

import pytest

from workbench.training.recipes import MINI, with_settings


def test_numbers_are_replaced_where_the_path_leads():
    recipe = with_settings(
        MINI,
        ["policy.iterations=12", "spec.sigma_min=2", "net.num_layers=3", 'policy.loss.frame_weights={"actions":2}'],
    )
    assert (recipe.policy.iterations, recipe.spec.sigma_min, recipe.net["num_layers"]) == (12, 2.0, 3)
    assert isinstance(recipe.spec.sigma_min, float)
    assert recipe.policy.loss.frame_weights == {"actions": 2}
    assert recipe.planner == MINI.planner and MINI.policy.iterations != 12, "nothing else changes"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("policy.iteration=5", "iterations"),
        ("policy.iterations=many", "VALUE"),
        ("policy.iterations=1.5", "expected int"),
        ("iterations", "VALUE"),
        ("policy.batch.size=3", "expected NAME=VALUE"),
        ("net.depth=3", "num_layers"),
    ],
)
def test_what_cannot_be_set_is_said(setting, said):
    with pytest.raises(ValueError, match=said):
        with_settings(MINI, [setting])
