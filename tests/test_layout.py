"""Frame orders and masks of METHOD.md 1.1 and 3.1, for the three robots."""

import pytest

from workbench.layout import Frame
from workbench.platforms import PLATFORMS

NAMES = {
    "libero": "blank, proprio, wrist, primary, actions, future proprio, future wrist, future primary, value",
    "robocasa": "blank, proprio, wrist, primary, secondary, actions, future proprio, future wrist, future primary, "
    "future secondary, value",
    "aloha": "blank, proprio, left_wrist, right_wrist, primary, actions, future proprio, future left_wrist, "
    "future right_wrist, future primary, value",
}
MASKS = {
    "policy": "111100000",
    "world_model": "111110000",
    "v_full": "111111110",
    "v": "100001110",
    "q": "111110000",
}
WANTED = {"policy": "000011111", "world_model": "000001111", "v_full": "000000001", "v": "000000001", "q": "000000001"}


def flags(text: str) -> tuple[bool, ...]:
    return tuple(character == "1" for character in text)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_frame_order(platform):
    layout = PLATFORMS[platform].layout()
    assert ", ".join(frame.name for frame in layout.frames) == NAMES[platform]
    assert layout.shape == (16, len(layout), 28, 28)


@pytest.mark.parametrize("mode", MASKS)
def test_masks_of_libero(mode):
    layout = PLATFORMS["libero"].layout()
    assert layout.known(mode) == flags(MASKS[mode])
    assert layout.wanted(mode) == flags(WANTED[mode])


@pytest.mark.parametrize("platform", PLATFORMS)
def test_current_and_future_correspond(platform):
    layout = PLATFORMS[platform].layout()
    now, then = (tuple(layout.frames[i].camera for i in part) for part in (layout.current, layout.future))
    assert now == then == (None, *layout.cameras)


def test_a_frame_that_is_not_there_is_an_error():
    with pytest.raises(ValueError):
        PLATFORMS["libero"].layout().index("camera", "secondary")
    assert PLATFORMS["libero"].layout().frames[2] == Frame("camera", "wrist")
