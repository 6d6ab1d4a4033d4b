"""The published server's form: `POST /act` with arrays as json_numpy writes them (METHOD.md 8).

An array is `{"__numpy__": base64, "dtype": "|u1", "shape": [h, w, 3]}`. Here it is read by a table of types and by
arithmetic on its shape before its text is decoded: no type comes from the message, and no size. A client without
json_numpy sends `{"encoded": "<all of it as a JSON string>"}` and gets its answer as a JSON string.
"""

import base64
import binascii
import json
import math
from typing import Any

import numpy as np

from workbench.platforms import PlatformSpec
from workbench.wire import messages, strict_json
from workbench.wire.messages import Answer, Question, WireError

DTYPES = {
    code: np.dtype(code)
    for code in ("|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<i8", "<f2", "<f4", "<f8", ">f4", ">f8", ">i4", ">i8")
}
MAX_AXES = 4


def read_question(body: bytes, spec: PlatformSpec) -> tuple[Question, bool]:
    """The question of an `/act` request, and whether it came double-encoded. WireError if it is none.

    Keys that are not of use (a history of pictures) are left alone.
    """
    message = strict_json.read(body)
    if double := "encoded" in message:
        if len(message) > 1 or not isinstance(message["encoded"], str):
            raise WireError('expected {"encoded": "<JSON>"} and nothing beside it', 400)
        message = strict_json.read(message["encoded"])
    images = {camera: _array(message, f"{camera}_image") for camera in spec.cameras}
    words = {
        "instruction": message.get("task_description", ""),
        "pictures": True,
        "everything": message.get("return_all_query_results", False),
    }
    question = messages.question(images, _array(message, "proprio"), words, spec)
    return question, double


def write_answer(answer: Answer, spec: PlatformSpec, *, everything: bool, double: bool) -> bytes:
    """The response to `/act`: the chosen candidate under upstream's names and, if asked for, all of them.

    Upstream's server writes `value_prediction` and its client reads `value_predictions`: both are there.
    """
    response = _one(answer, answer.best, spec)
    if everything:
        each = [_one(answer, index, spec) for index in range(len(answer.actions))]
        for name in ("actions", "future_image_predictions", "value_predictions"):
            response[f"all_{name}"] = [one[name] for one in each]
            response[f"all_{name}_by_depth"] = [[one[name]] for one in each]  # what was decided with, however deep
    text = json.dumps(response, default=to_json, allow_nan=False)
    return json.dumps(text).encode() if double else text.encode()


def to_json(array: np.ndarray) -> dict[str, Any]:
    """An array as json_numpy writes it."""
    if not isinstance(array, np.ndarray | np.generic) or array.dtype.str not in DTYPES:
        raise TypeError(f"expected an array of numbers, got {type(array).__name__}")
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"__numpy__": data, "dtype": array.dtype.str, "shape": list(array.shape)}


def from_json(value: Any, name: str) -> np.ndarray:
    """An array of numbers, sent as json_numpy writes it or as a flat list. WireError for anything else."""
    if isinstance(value, list) and len(value) <= 1000 and all(type(x) in (int, float) for x in value):
        if any(abs(x) > 1e30 for x in value):
            raise WireError(f"{name}: expected numbers of a robot, got one beyond 1e30")
        return np.array(value, np.float64)
    if not isinstance(value, dict) or not isinstance(value.get("__numpy__"), str):
        raise WireError(f"{name}: expected an array as json_numpy writes it, got a {type(value).__name__}")
    code, shape, text = value.get("dtype"), value.get("shape"), value["__numpy__"]
    if not isinstance(code, str) or code not in DTYPES:
        raise WireError(f"{name}: expected a dtype out of {', '.join(DTYPES)}; got {str(code)[:20]!r}")
    if not _is_shape(shape):
        raise WireError(f"{name}: expected a shape of at most {MAX_AXES} whole numbers, got {str(shape)[:40]}")
    size = math.prod(shape) * DTYPES[code].itemsize
    if len(text) != 4 * -(-size // 3):
        raise WireError(f"{name}: expected {size:,} bytes in base64 for shape {shape}, got {len(text):,} characters")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise WireError(f"{name}: expected base64, got something else") from error
    if len(data) != size:
        raise WireError(f"{name}: expected {size:,} bytes for shape {shape}, got {len(data):,}")
    return np.frombuffer(data, DTYPES[code]).reshape(shape)


def future_names(spec: PlatformSpec) -> dict[str, str]:
    """Camera to the name of its imagined picture: the wrists count apart from the rest."""
    names, seen = {}, {"future_wrist_image": 0, "future_image": 0}
    for camera in spec.cameras:
        stem = "future_wrist_image" if "wrist" in camera else "future_image"
        seen[stem] += 1
        names[camera] = stem if seen[stem] == 1 else f"{stem}{seen[stem]}"
    return names


def _array(message: dict[str, Any], name: str) -> np.ndarray:
    if name not in message:
        raise WireError(f"expected {name} in the request, there is none")
    return from_json(message[name], name)


def _is_shape(shape: Any) -> bool:
    whole = isinstance(shape, list) and len(shape) <= MAX_AXES and all(type(side) is int for side in shape)
    return whole and all(0 <= side < 2**31 for side in shape)


def _one(answer: Answer, index: int, spec: PlatformSpec) -> dict[str, Any]:
    names = future_names(spec)
    return {
        "actions": list(answer.actions[index]),
        "future_image_predictions": {names[camera]: x[index] for camera, x in answer.futures.items()},
        "value_prediction": float(answer.values[index]),
        "value_predictions": float(answer.values[index]),
    }
