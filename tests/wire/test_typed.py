"""Our own form: what is written is read back exactly, and nothing else is read."""

import json
from dataclasses import replace

import numpy as np
import pytest
from fake_policy import ALOHA, contract
from safetensors.numpy import save

from workbench.types import Observation
from workbench.wire import Answer, Contract, Question, WireError, typed


def question(**changes) -> Question:
    random = np.random.default_rng(0)
    images = {camera: random.integers(0, 256, (24, 32, 3), np.uint8) for camera in ALOHA.cameras}
    return replace(Question(Observation(images, np.linspace(0, 1, 14)), "fold the shirt"), **changes)


def test_a_question_comes_back_as_it_was():
    asked = question(seed=7, deadline=1.5, pictures=True, everything=True)
    read = typed.read_question(typed.write_question(asked), ALOHA)
    for camera in ALOHA.cameras:
        np.testing.assert_array_equal(read.observation.images[camera], asked.observation.images[camera])
    np.testing.assert_array_equal(read.observation.proprio, asked.observation.proprio)
    words = ("instruction", "seed", "deadline", "pictures", "everything")
    assert [getattr(read, name) for name in words] == [getattr(asked, name) for name in words]


def test_an_answer_comes_back_as_it_was_and_costs_what_its_arrays_cost():
    futures = {"primary": np.zeros((2, 16, 16, 3), np.uint8)}
    said = Answer(np.random.default_rng(0).standard_normal((2, 50, 14)), np.array([0.25, 0.5]), 1, futures, {"seed": 3})
    body = typed.write_answer(said)
    read = typed.read_answer(body)
    np.testing.assert_array_equal(read.chosen, said.actions[1])
    assert (read.best, read.values.tolist(), read.about) == (1, [0.25, 0.5], {"seed": 3})
    assert read.futures["primary"].shape == (2, 16, 16, 3)
    assert len(body) < said.actions.nbytes + futures["primary"].nbytes + 1000
    assert read.only_best().actions.shape == (1, 50, 14) and read.only_best().best == 0


def test_a_contract_comes_back_as_it_was():
    assert Contract.from_json(json.loads(json.dumps(contract().to_json()))) == contract()
    with pytest.raises(ValueError, match="contract, platform is missing"):
        Contract.from_json({"detail": "not found"})


def message(words: dict, **tensors: np.ndarray) -> bytes:
    """A request as it stands on the wire, whatever is in it."""
    asked = question()
    arrays = {f"images/{camera}": picture for camera, picture in asked.observation.images.items()}
    text = json.dumps({"schema": 1, "instruction": "fold the shirt", **words})
    arrays = arrays | {"proprio": asked.observation.proprio} | {k.replace("__", "/"): x for k, x in tensors.items()}
    return save({name: x for name, x in arrays.items() if x is not None}, metadata={"message": text})


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"instruction": ""}, "instruction"),
        ({"instruction": ["put"]}, "instruction"),
        ({"instruction": "x" * 1001}, "instruction"),
        ({"instruction": "put\x00it"}, "printable"),
        ({"seed": -1}, "seed"),
        ({"seed": True}, "seed"),
        ({"seed": 2**31}, "seed"),
        ({"deadline": 0}, "deadline"),
        ({"deadline": 1e9}, "deadline"),
        ({"pictures": 1}, "pictures"),
        ({"speed": 3}, "got also 'speed'"),
    ],
)
def test_words_out_of_range_are_refused(words, reason):
    with pytest.raises(WireError, match=reason):
        typed.read_question(message(words), ALOHA)


@pytest.mark.parametrize(
    "picture", [np.zeros((2, 2, 3), np.uint8), np.zeros((24, 32), np.uint8), np.zeros((24, 32, 3), np.float32)]
)
def test_pictures_of_another_shape_or_type_are_refused(picture):
    with pytest.raises(WireError, match="primary: expected a picture"):
        typed.read_question(message({}, images__primary=picture), ALOHA)


def test_cameras_of_another_robot_are_refused():
    for images in ({"images__primary": None}, {"images__behind": np.zeros((24, 32, 3), np.uint8)}):
        with pytest.raises(WireError, match="expected the arrays"):
            typed.read_question(message({}, **images), ALOHA)


def header(changes: dict, message: str = '{"schema": 1}', data: bytes = b"\0" * 112) -> bytes:
    text = json.dumps({"__metadata__": {"message": message}, **changes}).encode()
    return len(text).to_bytes(8, "little") + text + data


TENSOR = {"dtype": "F64", "shape": [14], "data_offsets": [0, 112]}
BAD = {
    "nothing": b"",
    "a length beyond the file": (2**63).to_bytes(8, "little") + b"{}",
    "a header of megabytes": (2**22).to_bytes(8, "little") + b" " * 2**22,
    "no message": save({"proprio": np.zeros(14)}),
    "another version": header({"proprio": TENSOR}, '{"schema": 2}'),
    "a shape beyond its bytes": header({"proprio": TENSOR | {"shape": [2**40]}}),
    "a shape that overflows": header({"proprio": TENSOR | {"shape": [2**33, 2**33]}}),
    "offsets outside": header({"proprio": TENSOR | {"data_offsets": [0, 10**9]}}),
    "offsets backwards": header({"proprio": TENSOR | {"data_offsets": [112, 0]}}),
    "an unknown type": header({"proprio": TENSOR | {"dtype": "OBJECT"}}),
    "a type that numpy lacks": header({"proprio": TENSOR | {"dtype": "BF16", "shape": [56]}}),
    "truncated": header({"proprio": TENSOR})[:-20],
    "bytes behind": header({"proprio": TENSOR}) + b"more",
    "a deep message": header({"proprio": TENSOR}, "[" * 10_000),
    "a pickle": b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00.",
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_what_is_no_message_is_refused_with_a_reason(body):
    for read in (lambda: typed.read_question(body, ALOHA), lambda: typed.read_answer(body)):
        with pytest.raises(WireError) as refusal:
            read()
        assert 400 <= refusal.value.status < 500 and "\n" not in str(refusal.value)


def test_an_answer_with_numbers_that_are_none_moves_no_robot():
    bad = Answer(np.full((1, 4, 2), np.nan), np.zeros(1))
    with pytest.raises(WireError, match="finite"):
        typed.read_answer(typed.write_answer(bad))
    with pytest.raises(WireError, match="best"):
        typed.read_answer(typed.write_answer(Answer(np.zeros((1, 4, 2)), np.zeros(1), best=3)))
