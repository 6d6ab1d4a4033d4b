"""Exercises of notebook 03: the time input, what the network predicts, a step, the noise levels."""

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.course.exercise import Exercise, expect, shaped
from workbench.diffusion.samplers import karras


def _velocity(answer: Callable[[np.ndarray, np.ndarray], Any]) -> str:
    rng = np.random.default_rng(0)
    data, noise = rng.normal(size=(2, 5))
    given = answer(data, noise)
    if wrong := shaped(given, (5,)):
        return wrong
    given = np.asarray(given, float)
    if np.allclose(given, noise - data):
        return ""
    if np.allclose(given, data - noise):
        return "The sign is turned round: put it into D = (1 - t) x - t net and see whether D is the data."
    if np.allclose(given, noise):
        return "Other diffusion models predict the noise; with this form of D the data must be in it too."
    if np.allclose(given, data):
        return "Were it the data itself, nothing would be left for the skip part (1 - t) x to do."
    return "Put x = data + sigma noise and t = sigma / (1 + sigma) into D, set D = data and solve for net."


def _euler(answer: Callable[..., Any]) -> str:
    x, denoised = np.array([8.0, -4.0, 2.0]), np.array([1.0, 1.0, 1.0])
    sigma, following = 8.0, 2.0
    right = denoised + following / sigma * (x - denoised)
    given = answer(x, sigma, following, denoised)
    if wrong := shaped(given, x.shape):
        return wrong
    given = np.asarray(given, float)
    if np.allclose(given, right):
        return ""
    if np.allclose(given, denoised):
        return "That jumps to the end: only the noise between the two levels may go."
    if np.allclose(given, x + (sigma - following) * (x - denoised) / sigma):
        return "You walk away from the data: noise goes down, so the step is (following - sigma), which is negative."
    if np.allclose(given, x + (following - sigma) * (x - denoised)):
        return "The slope is (x - denoised) / sigma: divide by the present noise level."
    return f"With x 8, denoised 1, noise from 8 to 2 the first number should become 2.75; yours is {given[0]:.4g}."


def _karras(answer: Callable[..., Any]) -> str:
    right = np.array(karras(5))
    given = np.asarray(answer(5, 80.0, 4.0, 7.0), float)
    if len(given) == 6 and given[-1] == 0:
        return "Five levels for five calls: there is no call at noise 0, the answer is what the last call says."
    if wrong := shaped(given, (5,)):
        return wrong
    if np.allclose(given, right):
        return ""
    if np.allclose(given, right[::-1]):
        return "The other way round: sampling begins with the most noise."
    if np.allclose(given, np.linspace(80, 4, 5)):
        return "Those are evenly spaced; even are the rho-th roots, and they are raised to the power rho afterwards."
    if np.allclose(given, np.geomspace(80, 4, 5)):
        return "Those have equal ratios; rho = 7 lies between equal ratios and equal distances."
    if np.allclose(given, karras(6)[:5]):
        return "The last level should be the lowest: with n calls, i goes to n - 1, and i / (n - 1) to 1."
    if np.allclose(given, right ** (1 / 7)):
        return "Those are the roots; raise each to the power rho again."
    return f"The levels should be {right.round(1)}; yours are {given.round(1)}."


EXERCISES = (
    Exercise(
        name="time_input",
        title="How late is it?",
        difficulty=1,
        hint="t = sigma / (1 + sigma).",
        solution="answer = 4 / (1 + 4)",
        mistakes=("answer = 0.2", "answer = 4 / 17**0.5", "answer = 4 / 80"),
        check=expect(
            0.8,
            [
                (0.2, "That is 1 - t, the share of the input that is data."),
                (
                    4 / 17**0.5,
                    "That is the share in the EDM form, where squares are added; here it is sigma / (1 + sigma).",
                ),
                (0.05, "Not a share of the highest level: t is sigma / (1 + sigma)."),
                (np.log(4) / 4, "That is the time input of the EDM form; rectified flow uses sigma / (1 + sigma)."),
            ],
            otherwise="t = sigma / (1 + sigma), at sigma = 4.",
            within=1e-3,
        ),
    ),
    Exercise(
        name="velocity",
        title="What the network says",
        difficulty=3,
        hint="Set D to the data in D = (1 - t) x - t net, with x = data + sigma noise and t = sigma / (1 + sigma).",
        solution="""
def answer(data, noise):
    return noise - data  # the same at every sigma: a velocity, straight from data to noise
""",
        mistakes=(
            "def answer(data, noise): return noise",
            "def answer(data, noise): return data - noise",
            "def answer(data, noise): return data",
        ),
        check=_velocity,
    ),
    Exercise(
        name="euler_step",
        title="One step of Euler",
        difficulty=2,
        hint="The slope is (x - denoised) / sigma; walk along it from sigma to following.",
        solution="""
def answer(x, sigma, following, denoised):
    return x + (following - sigma) * (x - denoised) / sigma
""",
        mistakes=(
            "def answer(x, sigma, following, denoised): return denoised",
            "def answer(x, sigma, following, denoised): return x + (sigma - following) * (x - denoised) / sigma",
            "def answer(x, sigma, following, denoised): return x + (following - sigma) * (x - denoised)",
        ),
        check=_euler,
    ),
    Exercise(
        name="noise_levels",
        title="The noise levels",
        difficulty=2,
        hint="Even steps between high ** (1 / rho) and low ** (1 / rho), each raised to the power rho.",
        solution="""
def answer(calls, high, low, rho):
    return np.linspace(high ** (1 / rho), low ** (1 / rho), calls) ** rho
""",
        mistakes=(
            "def answer(calls, high, low, rho): return np.linspace(high, low, calls)",
            "def answer(calls, high, low, rho): return np.geomspace(high, low, calls)",
            "def answer(calls, high, low, rho): return np.linspace(high ** (1 / rho), low ** (1 / rho), calls)",
            """
def answer(calls, high, low, rho):
    i = np.arange(calls)
    return (high ** (1 / rho) + i / calls * (low ** (1 / rho) - high ** (1 / rho))) ** rho
""",
            "def answer(calls, high, low, rho): return np.linspace(low ** (1 / rho), high ** (1 / rho), calls) ** rho",
            """
def answer(calls, high, low, rho):
    return [*np.linspace(high ** (1 / rho), low ** (1 / rho), calls) ** rho, 0.0]
""",
        ),
        check=_karras,
    ),
)
