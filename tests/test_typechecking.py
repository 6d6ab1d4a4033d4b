"""Annotations are checked while tests run: the package's types, and the shapes of one call with each other."""

import importlib
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float, TypeCheckError
from typechecking import checked

from workbench.planning.aggregate import average
from workbench.views.tags import tag

Row = Float[np.ndarray, "n"]


def test_the_packages_functions_are_checked():
    with pytest.raises(BeartypeCallHintViolation, match="name=3"):
        tag(3)
    with pytest.raises(TypeCheckError, match=r"values[\s\S]*i64\[2,3\]"):
        average(np.zeros((2, 3), int))


def test_what_the_package_imports_is_read_from_its_own_bytecode():
    importlib.import_module("workbench.models.bundle")
    kept = {name: str(vars(module).get("__cached__")) for name, module in list(sys.modules.items())}
    assert "torch" in kept
    assert not [name for name, file in kept.items() if "jaxtyping1" in file and not name.startswith("workbench")]


def test_the_shapes_of_a_call_must_agree_with_each_other_and_with_its_result():
    @checked
    def joined(a: Row, b: list[Row], *, half: bool = False) -> Row:
        return a[: len(a) // 2] if half else a + b[0]

    assert joined(np.ones(3), [np.ones(3)]).sum() == 6
    with pytest.raises(TypeCheckError, match="parameters"):
        joined(np.ones(3), [np.ones(2)])
    with pytest.raises(TypeCheckError, match="return value"):
        joined(np.ones(4), [np.ones(4)], half=True)


def test_the_fields_of_a_dataclass_are_checked():
    @checked
    @dataclass(frozen=True)
    class Pair:
        a: Row
        name: str = ""

    assert Pair(np.ones(2), "b").name == "b"
    with pytest.raises(TypeCheckError, match="name"):
        Pair(np.ones(2), 3)
