"""Our own form: one safetensors file a message, its numbers as tensors, everything else as JSON in its header.

Arrays are raw bytes with a type and a shape that must fit them exactly, so nothing unpacks, and a picture costs what
it is. A request holds `proprio` and `images/CAMERA`; an answer `actions` (n, k, a), `values` (n) and `futures/CAMERA`.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors
from safetensors.numpy import load, save

from workbench.platforms import PlatformSpec
from workbench.wire import messages, strict_json
from workbench.wire.messages import Answer, Question, WireError, check_numbers, check_picture

MEDIA_TYPE = "application/x-safetensors"
SCHEMA = 1
MAX_HEADER = 64 * 1024
IMAGES, FUTURES = "images/", "futures/"
MAX_CANDIDATES = 64


def write_question(question: Question) -> bytes:
    """The bytes of a request."""
    images = {IMAGES + camera: np.asarray(x) for camera, x in question.observation.images.items()}
    words = {name: getattr(question, name) for name in messages.WORDS}
    return _write(images | {"proprio": np.asarray(question.observation.proprio, np.float64)}, words)


def read_question(body: bytes, spec: PlatformSpec) -> Question:
    """The question of a request; WireError if it is none that a policy of `spec` can answer."""
    tensors, words = _read(body)
    allowed = {IMAGES + camera for camera in spec.cameras} | {"proprio"}
    if wrong := sorted(set(tensors) ^ allowed):
        raise WireError(f"expected the arrays {', '.join(sorted(allowed))}; wrong or missing: {wrong[0][:40]!r}")
    images = {camera: tensors[IMAGES + camera] for camera in spec.cameras}
    return messages.question(images, tensors["proprio"], words, spec)


def write_answer(answer: Answer) -> bytes:
    """The bytes of a response."""
    tensors = {"actions": np.asarray(answer.actions, np.float64), "values": np.asarray(answer.values, np.float64)}
    futures = {FUTURES + camera: pictures for camera, pictures in answer.futures.items()}
    return _write(tensors | futures, {"best": answer.best, "about": dict(answer.about)})


def read_answer(body: bytes) -> Answer:
    """The answer in a response; WireError unless it is one: shapes that belong together, finite numbers."""
    tensors, words = _read(body)
    actions, values = (tensors.pop(name, np.zeros(0)) for name in ("actions", "values"))
    if actions.ndim != 3 or not 1 <= len(actions) <= MAX_CANDIDATES:
        raise WireError(f"actions: expected (n, k, a), got shape {actions.shape}")
    check_numbers(actions, actions.shape, "actions")
    check_numbers(values, (len(actions),), "values")
    best, about = words.get("best"), words.get("about", {})
    if type(best) is not int or not 0 <= best < len(actions) or not isinstance(about, Mapping):
        raise WireError(f"best: expected the number of one of {len(actions)} candidates, got {str(best)[:20]}")
    for name, pictures in tensors.items():
        if not name.startswith(FUTURES) or pictures.ndim != 4 or len(pictures) != len(actions):
            raise WireError(f"expected a picture a candidate, got {name[:40]!r} of shape {pictures.shape}")
        check_picture(pictures[0], name)
    futures = {name.removeprefix(FUTURES): pictures for name, pictures in tensors.items()}
    return Answer(actions, values, best, futures, about)


def _write(tensors: Mapping[str, np.ndarray], words: Mapping[str, Any]) -> bytes:
    message = json.dumps({"schema": SCHEMA, **words}, allow_nan=False)
    return save({name: np.ascontiguousarray(x) for name, x in tensors.items()}, metadata={"message": message})


def _read(body: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    length = int.from_bytes(body[:8], "little")
    if len(body) < 10 or not 2 <= length <= min(MAX_HEADER, len(body) - 8):
        raise WireError("expected a safetensors message, got something else or a part of one", 400)
    header = strict_json.read(body[8 : 8 + length])
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("message"), str):
        raise WireError("expected the entry message in the header's __metadata__", 400)
    message = strict_json.read(metadata["message"])
    if (schema := message.pop("schema", None)) != SCHEMA:
        raise WireError(f"expected schema {SCHEMA}, got {str(schema)[:20]}: the other side is another version", 400)
    try:
        return load(body), message
    except (safetensors.SafetensorError, KeyError, ValueError, TypeError, OverflowError) as error:
        raise WireError(f"expected a whole safetensors message ({str(error)[:80]})", 400) from error
