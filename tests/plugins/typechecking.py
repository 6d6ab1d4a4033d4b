"""The checker behind `--jaxtyping-packages`: beartype, with an int welcome where a float is asked for.

jaxtyping's hook puts `jaxtyping.jaxtyped` above every function of the package; `install` puts `checked` in its place.
A function then gets its check when it is first called: to write one for each of the package's functions takes
several times as long as importing them, and one process of a test run calls but a part of them. And only where a
shape is annotated does jaxtyping check: it compares the shapes of a call's arguments with each other, which takes
longer than most functions do. All else is beartype's alone.

The hook keeps its bytecode under a name of its own, and while a module of ours runs it lends that name to whatever the
module imports: torch and all others are then compiled anew, which takes longer than the tests' own imports together.
`install` lets it hold while a module of ours is read, not while it runs.
"""

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from types import CodeType
from typing import Any
from unittest.mock import patch

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import _import_hook as hook

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
_shapes = jaxtyping.jaxtyped


def install() -> None:
    """To be called before the package is imported."""
    jaxtyping.jaxtyped = lambda *, typechecker: checked
    hook._JaxtypingLoader.get_code = _read
    hook._JaxtypingLoader.exec_module = SourceFileLoader.exec_module


def _read(loader: Any, name: str) -> CodeType | None:
    """The code of a module of ours, from its bytecode with checks or else from its source."""
    ours = functools.partial(hook._optimized_cache_from_source, loader._typechecker.get_hash())
    with patch("importlib._bootstrap_external.cache_from_source", ours):
        return SourceFileLoader.get_code(loader, name)


def checked(thing: Callable) -> Callable:
    """A function whose arguments and result are checked against their annotations; a class whose fields are."""
    if inspect.isclass(thing):
        if dataclasses.is_dataclass(thing) and "__init__" in vars(thing):
            thing.__init__ = _when_called(thing.__init__)
        return thing
    return _when_called(thing)


def _when_called(function: Callable) -> Callable:
    checking = None

    @functools.wraps(function)
    def checks(*arguments: Any, **named: Any) -> Any:
        nonlocal checking
        if checking is None:
            checking = _shapes(function, typechecker=check) if _has_shapes(function) else check(function)
        return checking(*arguments, **named)

    return checks


def _has_shapes(function: Callable) -> bool:
    """Whether a shape is annotated, or what is cannot be told. Of a generator jaxtyping checks but the arguments."""
    if inspect.isgeneratorfunction(function):
        return True
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError:
        return True
    return any(map(_is_shape, hints.values()))


def _is_shape(hint: Any) -> bool:
    if isinstance(hint, list):  # the arguments of a Callable
        return any(map(_is_shape, hint))
    if inspect.isclass(hint) and issubclass(hint, jaxtyping.AbstractArray):
        return True
    return any(map(_is_shape, typing.get_args(hint)))
