"""Exercises of notebook 01: which frame holds what, and how numbers fill a frame."""

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.course.exercise import Exercise, expect, shaped
from workbench.layout import LatentLayout


def _tile(answer: Callable[[np.ndarray, tuple[int, int, int]], Any]) -> str:
    vector, shape = np.arange(1.0, 8.0), (2, 3, 4)
    frame = answer(vector, shape)
    if wrong := shaped(frame, shape):
        return f"{wrong} The last copy is cut off where the frame is full."
    flat = np.asarray(frame, float).ravel()
    if np.allclose(flat, np.resize(vector, 24)):
        return ""
    if (flat == 0).any():
        return "There are zeros in your frame: the last copy is cut off, the rest is not padded."
    if np.allclose(flat, np.repeat(vector, 4)[:24]):
        return "You repeat each number next to itself; repeat the whole vector: 1 2 3 ... 7 1 2 3 ..."
    if np.ptp(flat) == 0:
        return "Your frame holds one number only; the vector has to be readable from it."
    wrong = np.flatnonzero(flat != np.resize(vector, 24))[0]
    if wrong == 12:
        return "The first channel is right. The copies go on through the next one: it does not begin with a fresh copy."
    return f"Element {wrong}, counted row by row, should be {vector[wrong % 7]:g}; yours is {flat[wrong]:g}."


def _read(answer: Callable[[np.ndarray, int], Any]) -> str:
    vector, n = np.array([3.0, -1.0, 2.0, 0.5, 7.0]), 5
    clean = np.resize(vector, (2, 3, 4))
    noisy = clean.copy()
    noisy.ravel()[:20] += np.repeat([2.0, 1.0, -3.0, 0.0], n)  # of the four complete copies
    noisy.ravel()[20:] += 40.0
    if wrong := shaped(answer(clean, n), (n,)):
        return wrong
    found_clean, found = (np.asarray(answer(frame, n), float) for frame in (clean, noisy))
    if np.allclose(found, vector):
        return ""
    if np.allclose(found_clean, vector) and np.allclose(found, vector + 2):
        return "You read one copy only: then the noise of that copy is your error. Average all complete copies."
    if np.allclose(found_clean, vector) and np.abs(found - vector).max() > 5:
        return "Clean frames read well, but the cut-off copy at the end is in your average. Leave it out."
    if np.allclose(found_clean, vector):
        return "Clean frames read well, noisy ones do not: take the mean over all complete copies."
    if np.allclose(found_clean, np.resize(vector, 20).reshape(n, 4).mean(1)):
        return "The copies lie one after another: reshape to (copies, n), not to (n, copies)."
    return f"From a clean frame that holds {vector} your function reads {found_clean.round(2)}."


def _layout(answer: Any) -> str:
    if not isinstance(answer, LatentLayout):
        return "Expected a `LatentLayout`: build one with its cameras, chunk_size, action_dim and proprio_dim."
    if any("future" in camera for camera in answer.cameras):
        return "Name the three cameras only: the layout adds their future frames by itself."
    if tuple(answer.cameras) != ("left_wrist", "right_wrist", "head"):
        return f"Expected the cameras left_wrist, right_wrist, head in that order; got {', '.join(answer.cameras)}."
    if (answer.chunk_size, answer.action_dim) == (14, 20):
        return "chunk_size counts control steps (20), action_dim the numbers of one action (14): you have them swapped."
    if answer.action_dim == 7:
        return "One action moves both arms: 2 times 7 numbers."
    wanted = {"chunk_size": 20, "action_dim": 14, "proprio_dim": 16}
    wrong = [
        f"{name} {getattr(answer, name)} instead of {n}" for name, n in wanted.items() if getattr(answer, name) != n
    ]
    return f"Not yet: {', '.join(wrong)}." if wrong else ""


EXERCISES = (
    Exercise(
        name="imagined_table",
        title="The imagined table",
        difficulty=1,
        hint="Count from 0. ALOHA has two wrist cameras, and they come before the camera above the table.",
        solution='answer = PLATFORMS["aloha"].layout().index("future_camera", "primary")',
        mistakes=("answer = 4", "answer = 7", "answer = 10"),
        check=expect(
            9,
            [
                (4, "That frame holds what this camera sees now; what it is expected to see comes after the actions."),
                (7, "That is a wrist camera: in ALOHA both wrists come before the camera above the table."),
                (8, "That is the right wrist: in ALOHA both wrists come before the camera above the table."),
                (10, "One too far: frames are counted from 0, and the last one is the value."),
            ],
            otherwise="Print the layout's frames one under another and count from 0.",
        ),
    ),
    Exercise(
        name="complete_copies",
        title="Complete copies",
        difficulty=2,
        hint="A frame has channels x height x width elements. How often does the whole chunk fit in?",
        solution="answer = (16 * 28 * 28) // (50 * 14)",
        mistakes=("answer = 18", "answer = 16 * 28 * 28 // 14", "answer = 28 * 28 // (50 * 14)"),
        check=expect(
            17,
            [
                (18, "The 18th copy is cut off; asked are the complete ones."),
                (16 * 28 * 28 / 700, "Copies are whole: the rest of the frame is a cut-off copy that nobody reads."),
                (896, "That is how often a single action fits in; the frame holds the chunk of 50."),
                (1, "You filled one channel; the copies go on through all 16."),
            ],
            otherwise="Elements of a frame divided by numbers of a chunk, rounded down.",
        ),
    ),
    Exercise(
        name="tile",
        title="Fill a frame",
        difficulty=2,
        hint="Repeat the vector often enough, cut it to channels x height x width numbers, reshape.",
        solution="""
def answer(vector, shape):
    copies = -(-np.prod(shape) // len(vector))  # rounded up
    return np.tile(vector, copies)[: np.prod(shape)].reshape(shape)
""",
        mistakes=(
            "def answer(vector, shape): return np.repeat(vector, 4)[: np.prod(shape)].reshape(shape)",
            """
def answer(vector, shape):
    frame = np.zeros(np.prod(shape))
    copies = len(frame) // len(vector)
    frame[: copies * len(vector)] = np.tile(vector, copies)
    return frame.reshape(shape)
""",
            "def answer(vector, shape): return np.stack([np.resize(vector, shape[1:])] * shape[0])",
            "def answer(vector, shape): return np.tile(vector, 4)",
            "def answer(vector, shape): return np.full(shape, vector.mean())",
        ),
        check=_tile,
    ),
    Exercise(
        name="read_back",
        title="Read it back",
        difficulty=3,
        hint="Flatten, keep copies x n numbers (copies rounded down), reshape to (copies, n), average the copies.",
        solution="""
def answer(frame, n):
    flat = frame.ravel()
    copies = len(flat) // n
    return flat[: copies * n].reshape(copies, n).mean(0)
""",
        mistakes=(
            "def answer(frame, n): return frame.ravel()[:n]",
            "def answer(frame, n): return np.array([frame.ravel()[i::n].mean() for i in range(n)])",
            "def answer(frame, n): return frame.ravel()[:20].reshape(n, -1).mean(1)",
            "def answer(frame, n): return np.median(frame.ravel()[:20].reshape(-1, n), axis=0)",
        ),
        check=_read,
    ),
    Exercise(
        name="new_robot",
        title="A new robot",
        difficulty=1,
        hint="Two arms of 7 numbers each; the state has two more than an action. Future frames come by themselves.",
        solution="""
answer = LatentLayout(
    cameras=("left_wrist", "right_wrist", "head"), chunk_size=20, action_dim=14, proprio_dim=16
)
""",
        mistakes=(
            'answer = LatentLayout(("left_wrist", "right_wrist", "head", "future_head"), 20, 14, 16)',
            'answer = LatentLayout(("left_wrist", "right_wrist", "head"), 14, 20, 16)',
            'answer = LatentLayout(("left_wrist", "right_wrist", "head"), 20, 7, 16)',
            'answer = LatentLayout(("head", "left_wrist", "right_wrist"), 20, 14, 16)',
        ),
        check=_layout,
    ),
)
