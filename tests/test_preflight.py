"""Before an evaluation: the sheet shows what the model is shown, and warns of what the demonstrations never had."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow
from point_world import PointWorld

from workbench import images
from workbench.models.bundle import tiny
from workbench.normalize import Statistics
from workbench.platforms import PLATFORMS
from workbench.preflight import preflight, write_sheet
from workbench.rollout import Start
from workbench.steps import decode, encode
from workbench.steps.encode import prepare
from workbench.views.drawing import BAD

START = Start(0, 3, seed=1)


@pytest.fixture(scope="module")
def bundle():
    """Untrained, with a published checkpoint's preprocessing; ranges that the point world's numbers are within."""
    made = tiny(PLATFORMS["libero"], words="go to the left right up down")
    return replace(made, spec=replace(made.spec, jpeg=True, center_crop=True), suites=("points",))


def found(bundle, env=None, suite="points", **numbers):
    low, high = -np.ones(9), np.ones(9)
    for place, limits in numbers.items():
        low[int(place[1:])], high[int(place[1:])] = limits
    stats = Statistics(bundle.stats.actions_min, bundle.stats.actions_max, low, high)
    return preflight(replace(bundle, stats=stats), env or PointWorld(image_size=256), START, suite=suite)


@pytest.mark.heavy
def test_the_last_picture_but_one_is_what_the_tokenizer_is_given(bundle):
    made = found(bundle)
    world = PointWorld(image_size=256)
    world.reset(0, 3, 1)
    seen = world.observe()
    for camera, stages in made.stages.items():
        assert list(stages) == ["rendered", "JPEG, quality 95", "resized", "middle 90%", "after the tokenizer"]
        assert np.array_equal(stages["rendered"], seen.images[camera])
        given = images.to_unit(stages["middle 90%"])
        assert np.allclose(prepare(bundle, seen.images[camera])[0].permute(1, 2, 0).numpy(), given, atol=1e-6)
    back = decode(bundle.tokenizer, encode(bundle, seen, world.instruction), kind="camera")
    assert np.array_equal(made.stages["wrist"]["after the tokenizer"], back["wrist"][0])


def test_it_names_what_the_demonstrations_never_had(bundle):
    usual = found(bundle)
    assert usual.outside == [] and len(usual.warnings) == 2, "an untrained tokenizer gives neither camera back"
    assert all("it has not seen such pictures" in warning for warning in usual.warnings)
    x, y = usual.proprio[2:4]
    far = found(bundle, _2=(x + 0.5, x + 1.0), _3=(y + 0.01, y + 0.51))
    assert far.outside == [2, 3]
    (said,) = [warning for warning in far.warnings if "tokenizer" not in warning]
    assert said == f"x is {x:.3f}, the demonstrations had {x + 0.5:.3f} to {x + 1:.3f}", "y is hardly outside"


def test_it_warns_of_another_suite_another_size_and_an_empty_picture(bundle, monkeypatch):
    monkeypatch.setattr(PointWorld, "_render", lambda world, camera: np.zeros((64, 64, 3), np.uint8))
    warnings = "\n".join(found(bundle, PointWorld(), suite="elsewhere").warnings)
    assert "tiny was trained for points, not for elsewhere" in warnings
    assert "primary: rendered at 64 x 64, tiny expects 256 x 256" in warnings
    assert "wrist: the picture is empty: `workbench doctor` tries the renderer" in warnings


@pytest.mark.heavy
def test_the_sheet_is_one_picture_with_warnings_in_red(bundle, tmp_path):
    path = write_sheet(found(bundle), tmp_path)
    with Pillow.open(path) as picture:
        pixels = np.array(picture)
    red = tuple(int(BAD[i : i + 2], 16) for i in (1, 3, 5))
    assert path.name == "preflight.png" and pixels.shape[1] > pixels.shape[0] / 2
    assert (pixels == red).all(-1).any()
