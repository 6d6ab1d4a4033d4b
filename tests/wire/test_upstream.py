"""Upstream's `/act` form, written and read by an independent hand: json_numpy's encoding as its clients have it."""

import base64
import json

import numpy as np
import pytest
from fake_policy import ALOHA

from workbench.platforms import PLATFORMS
from workbench.wire import Answer, WireError, upstream


def encode(array: np.ndarray) -> dict:
    return {
        "__numpy__": base64.b64encode(array.tobytes()).decode(),
        "dtype": np.lib.format.dtype_to_descr(array.dtype),
        "shape": array.shape,
    }


def decode(item: dict):
    if "__numpy__" not in item:
        return item
    flat = np.frombuffer(base64.b64decode(item["__numpy__"]), np.lib.format.descr_to_dtype(item["dtype"]))
    return flat.reshape(item["shape"]) if item["shape"] else flat[0]


def request(**changes) -> dict:
    random = np.random.default_rng(0)
    images = {f"{c}_image": encode(random.integers(0, 256, (12, 16, 3), np.uint8)) for c in ALOHA.cameras}
    return images | {"proprio": encode(np.linspace(-1, 1, 14)), "task_description": "fold the shirt"} | changes


@pytest.mark.parametrize("double", [False, True])
def test_a_request_is_understood_in_both_encodings(double):
    body = json.dumps(request(return_all_query_results=True))
    body = json.dumps({"encoded": body}) if double else body
    question, was_double = upstream.read_question(body.encode(), ALOHA)
    assert was_double is double and question.everything and question.pictures
    assert question.instruction == "fold the shirt"
    assert list(question.observation.images) == ["left_wrist", "right_wrist", "primary"]
    expected = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    np.testing.assert_array_equal(question.observation.images["left_wrist"], expected)
    np.testing.assert_array_equal(question.observation.proprio, np.linspace(-1, 1, 14))


def test_proprio_may_be_a_plain_list_or_float32_and_what_is_not_needed_is_left_alone():
    for proprio in ([0.5] * 14, encode(np.full(14, 0.5, np.float32)), encode(np.full(14, 0.5, ">f8"))):
        body = json.dumps(request(proprio=proprio, history={"__numpy__": "not even base64"}))
        question, _ = upstream.read_question(body.encode(), ALOHA)
        np.testing.assert_array_equal(question.observation.proprio, np.full(14, 0.5))


def answer() -> Answer:
    random = np.random.default_rng(1)
    futures = {camera: random.integers(0, 256, (3, 8, 8, 3), np.uint8) for camera in ALOHA.cameras}
    return Answer(random.standard_normal((3, 50, 14)), np.array([0.1, 0.9, 0.4]), best=1, futures=futures)


@pytest.mark.parametrize("double", [False, True])
def test_a_response_is_what_upstreams_client_reads(double):
    said = answer()
    data = upstream.write_answer(said, ALOHA, everything=True, double=double)
    text = json.loads(data) if double else data
    response = json.loads(text, object_hook=decode)
    assert len(response["actions"]) == 50 and response["actions"][0].shape == (14,)
    np.testing.assert_array_equal(np.stack(response["actions"]), said.actions[1])
    assert response["value_prediction"] == response["value_predictions"] == 0.9
    pictures = response["future_image_predictions"]
    for name, camera in (("future_wrist_image", "left_wrist"), ("future_wrist_image2", "right_wrist")):
        np.testing.assert_array_equal(pictures[name], said.futures[camera][1])
    np.testing.assert_array_equal(pictures["future_image"], said.futures["primary"][1])
    np.testing.assert_array_equal(np.array(response["all_actions"]), said.actions)
    assert response["all_value_predictions"] == [0.1, 0.9, 0.4]
    assert response["all_value_predictions_by_depth"] == [[0.1], [0.9], [0.4]]
    assert np.shape(response["all_actions_by_depth"]) == (3, 1, 50, 14)
    assert response["all_future_image_predictions_by_depth"][2][0]["future_image"].shape == (8, 8, 3)


def test_only_the_chosen_candidate_unless_all_are_wanted():
    response = json.loads(upstream.write_answer(answer(), ALOHA, everything=False, double=False))
    assert set(response) == {"actions", "future_image_predictions", "value_prediction", "value_predictions"}


@pytest.mark.parametrize(
    ("platform", "names"),
    [
        ("libero", ["future_wrist_image", "future_image"]),
        ("robocasa", ["future_wrist_image", "future_image", "future_image2"]),
        ("aloha", ["future_wrist_image", "future_wrist_image2", "future_image"]),
    ],
)
def test_imagined_pictures_have_upstreams_names(platform, names):
    assert list(upstream.future_names(PLATFORMS[platform]).values()) == names


BAD_ARRAYS = {
    "an object array": {"__numpy__": "AAAA", "dtype": "|O", "shape": [1]},
    "a pickle's name": {"__numpy__": "gASVAAAA", "dtype": "object", "shape": [1]},
    "a structure": {"__numpy__": "AAAA", "dtype": [["x", "<f8"]], "shape": [1]},
    "a text type": {"__numpy__": "AAAA", "dtype": "<U99999999", "shape": [1]},
    "a shape that asks for terabytes": {"__numpy__": "AAAA", "dtype": "|u1", "shape": [2**30, 2**30]},
    "a shape beyond all integers": {"__numpy__": "", "dtype": "|u1", "shape": [10**30, 0]},
    "a negative side": {"__numpy__": "AAAA", "dtype": "|u1", "shape": [-3, -1]},
    "a truth value as side": {"__numpy__": "AA==", "dtype": "|u1", "shape": [True]},
    "many axes": {"__numpy__": "AA==", "dtype": "|u1", "shape": [1] * 60},
    "too few bytes": {"__numpy__": "AAAA", "dtype": "<f8", "shape": [14]},
    "no base64": {"__numpy__": "!" * 152, "dtype": "<f8", "shape": [14]},
    "no shape": {"__numpy__": "AAAA", "dtype": "|u1"},
    "a list of words": ["a"] * 14,
    "a huge number": [1e300] * 14,
    "nothing": None,
}


@pytest.mark.parametrize("bad", BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_an_array_is_read_by_table_and_arithmetic_only(bad):
    with pytest.raises(WireError, match="proprio"):
        upstream.read_question(json.dumps(request(proprio=bad)).encode(), ALOHA)


BAD_BODIES = {
    "not JSON": b"\x80\x04\x95",
    "half": json.dumps(request()).encode()[:-5],
    "a list": b"[]",
    "deep": b'{"a":' + b"[" * 19_000 + b"]" * 19_000 + b"}",
    "millions of brackets": b'{"a":[' + b"[]," * 1_000_000 + b"[]]}",
    "a number without end": b'{"a":' + b"9" * 100_000 + b"}",
    "not a number": b'{"a":NaN}',
    "infinite": b'{"a":1e999}',
    "a key twice": b'{"a":1,"a":2}',
    "encoded and more": b'{"encoded":"{}","a":1}',
    "encoded number": b'{"encoded":5}',
    "not UTF-8": b'{"a":"\xff\xfe"}',
    "lone surrogate": b'{"task_description":"\\ud800"}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_body_that_is_no_request_is_refused_with_a_reason(body):
    with pytest.raises(WireError) as refusal:
        upstream.read_question(body, ALOHA)
    assert 400 <= refusal.value.status < 500 and "\n" not in str(refusal.value)


@pytest.mark.parametrize("proprio", [np.full(14, np.nan), np.full(14, np.inf), np.full(14, 1e20), np.zeros(13)])
def test_what_no_robot_feels_is_refused(proprio):
    with pytest.raises(WireError, match="proprio: expected"):
        upstream.read_question(json.dumps(request(proprio=encode(proprio))).encode(), ALOHA)
