"""The checker behind `--jaxtyping-packages`: beartype, with an int welcome where a float is asked for.

jaxtyping's hook puts `jaxtyping.jaxtyped` above every function of the package; `install` puts `checked` in its place.
A function then gets its check when it is first called: to write one for each of the package's functions takes
several times as long as importing them, and one process of a test run calls but a part of them. And only where a
shape is annotated does jaxtyping check: it compares the shapes of a call's arguments with each other, which takes
longer than most functions do. All else is beartype's alone.
"""

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any

import jaxtyping
from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
_shapes = jaxtyping.jaxtyped


def install() -> None:
    """To be called before the package is imported."""
    jaxtyping.jaxtyped = lambda *, typechecker: checked


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
