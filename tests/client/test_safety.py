"""Commands that a robot must not be told."""

import fake_policy
import numpy as np
import pytest

from workbench.client import Limits


def test_a_jump_is_a_jump_in_both_directions():
    limits = Limits(jump=0.15)
    here = np.full(14, 0.5)
    for step in (0.16, -0.16):
        target = here.copy()
        target[3] += step
        assert f"joint 3 would jump from 0.500 to {0.5 + step:.3f}" in limits.problem(target, here)
    for step in (0.149, -0.149):
        assert limits.problem(here + step, here) is None


def test_a_gripper_may_have_a_limit_of_its_own():
    jump = np.full(14, 0.15)
    jump[[6, 13]] = np.inf
    target = np.zeros(14)
    target[6] = 1.0
    assert Limits(jump=jump).problem(target, np.zeros(14)) is None
    assert Limits(jump=0.15).problem(target, np.zeros(14))


def test_without_a_position_no_target_can_be_judged():
    for position in (None, np.full(14, np.nan), np.zeros(7)):
        assert "does not say where" in Limits(jump=0.15).problem(np.zeros(14), position)
    assert Limits().problem(np.zeros(14), None) is None


def test_the_range_is_that_of_the_demonstrations_and_a_little_more():
    limits = Limits.of(fake_policy.contract(), slack=0.1)
    assert limits.problem(np.full(14, 1.19), None) is None
    assert "action 0 is 1.210, above" in limits.problem(np.full(14, 1.21), None)
    assert "below" in limits.problem(np.full(14, -1.21), None)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_never_passed_on(bad):
    action = np.zeros(14)
    action[5] = bad
    assert "action 5 is no finite number" in Limits().problem(action, None)
