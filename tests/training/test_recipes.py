"""Recipes as data: any number of one can be replaced by name."""

import pytest

from workbench.training.recipes import MINI, PRESETS, Recipe, with_settings


def tokens(recipe: Recipe) -> int:
    """Of one latent frame."""
    side = recipe.spec.image_size // recipe.tokenizer.vae["scale_factor_spatial"]
    _, rows, columns = recipe.net["patch_size"]
    assert side % rows == side % columns == 0, "patches cover a frame"
    return (side // rows) * (side // columns)


@pytest.mark.parametrize("recipe", PRESETS.values(), ids=PRESETS.keys())
def test_the_parts_of_a_recipe_fit(recipe):
    vae, net = recipe.tokenizer.vae, recipe.net
    assert net["out_channels"] == vae["z_dim"] == net["in_channels"] - 2
    assert len(vae["latents_mean"]) == len(vae["latents_std"]) == vae["z_dim"]
    assert vae["scale_factor_spatial"] == vae["patch_size"] * 2 ** (len(vae["dim_mult"]) - 1)
    assert len(vae["temperal_downsample"]) == len(vae["dim_mult"]) - 1
    assert tokens(recipe) <= 9 or recipe.init, "larger pictures cost no more calls, unless the network is another's"


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
