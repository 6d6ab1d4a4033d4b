"""RoboCasa's evaluation protocol, as METHOD.md 8 has it."""

import numpy as np
import pytest

from workbench.envs import kitchens
from workbench.envs.kitchens import HORIZONS, SCENES, Kitchen, kitchen
from workbench.envs.suites import suite
from workbench.platforms import PLATFORMS

LONGER = {
    "PnPCounterToSink": 700,
    "PnPCounterToMicrowave": 600,
    "OpenDoubleDoor": 1000,
    "CloseDoubleDoor": 700,
    "CoffeeSetupMug": 600,
    "CoffeeServeMug": 600,
    "CoffeePressButton": 300,
}


def test_twenty_four_tasks_last_as_long_as_published():
    assert len(HORIZONS) == 24 == len(suite("robocasa").tasks)
    assert {name: steps for name, steps in HORIZONS.items() if steps != 500} == LONGER
    assert suite("robocasa").index("CoffeePressButton") == 21


def test_five_scenes_of_ten_episodes_with_their_seeds():
    assert SCENES == ((1, 1), (2, 2), (4, 4), (6, 9), (7, 10))
    episodes = [kitchen(3, init, 12345) for init in range(50)]
    assert [(one.layout, one.style) for one in episodes] == [scene for scene in SCENES for _ in range(10)]
    assert [one.seed for one in episodes[:3]] == [0, 195 * 256, 2 * 195 * 256]
    assert kitchen(3, 49, 0, run_seed=197).seed == 197 * 49 * 256
    assert episodes[0].name == "PnPSinkToCounter"
    with pytest.raises(ValueError, match="from 0 to 49, got 50"):
        kitchen(0, 50, 0)


def test_fresh_kitchens_depend_on_their_seed_alone():
    assert kitchen(1, None, 8) == Kitchen(1, *SCENES[3], seed=8) == kitchen(1, None, 8)


def test_seven_numbers_become_twelve_and_base_and_torso_rest():
    action = np.arange(7.0)
    np.testing.assert_array_equal(kitchens.full_action(action), [*range(7), 0, 0, 0, 0, -1])
    for wrong in (np.zeros(12), np.full(7, np.nan)):
        with pytest.raises(ValueError, match="expected 7 finite numbers"):
            kitchens.full_action(wrong)


def test_the_robot_is_the_platforms():
    spec = PLATFORMS["robocasa"]
    assert set(kitchens.CAMERAS) == set(spec.cameras) and spec.control_hz == kitchens.CONTROL_HZ
    assert (spec.action_dim, spec.proprio_dim, spec.render_size) == (7, 9, 224)
    assert kitchens.CAMERAS["primary"] == "robot0_agentview_left"
