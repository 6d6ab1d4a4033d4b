"""A checkpoint's README: a command that makes it again, what it has learned from, its last held-out numbers."""

import json

from recorded import recorded

from workbench.training.readme import readme, train_command
from workbench.training.recipes import MINI, PRESETS, changes, with_settings


def test_the_command_makes_the_same_recipe_again():
    settings = ["policy.iterations=12", "spec.sigma_min=2.5", 'init="other"', 'suites=["libero_object"]']
    recipe = with_settings(MINI, settings)
    command = train_command("mini", PRESETS, recipe, "--stage", "policy")
    assert command[:4] == ["workbench", "train", "--preset", "mini"] and {"--data", "--out"} < set(command)
    told = [value for flag, value in zip(command, command[1:], strict=False) if flag == "--set"]
    assert with_settings(MINI, told) == recipe and set(told) == set(changes(MINI, recipe)) and len(told) == 4
    assert changes(MINI, MINI) == [] and "--set" not in train_command("mine", PRESETS, recipe)


def test_it_says_what_was_learned_from_and_how_well(tmp_path):
    rows = [{"iteration": i, "loss": 2.0} | ({"action_l1": 0.25} if i == 40 else {}) for i in (20, 40, 60)]
    (tmp_path / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    episodes = [recorded(4, seed=seed) for seed in range(3)]
    learned = {"demonstrations": episodes, "rollouts": []}
    text = readme("mine", ["workbench", "train"], learned, tmp_path / "metrics.jsonl")
    assert text.startswith("# mine\n") and "3 demonstrations:" in text and "rollouts" not in text
    assert f"* 3 of *{episodes[0].instruction}*" in text
    assert "After 40 iterations:" in text and "| action_l1 | 0.25 |" in text, "the last that were measured"
    assert "iterations:" not in readme("mine", [], {}, tmp_path / "absent")
