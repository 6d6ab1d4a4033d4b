"""The checker behind `--jaxtyping-packages`: beartype, with an int welcome where a float is asked for.

A function gets its check when it is first called. To write one for each of the package's functions takes several
times as long as importing them, and one process of a test run calls but a part of them.
"""

import functools
from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

_check = beartype(conf=BeartypeConf(is_pep484_tower=True))


def check(function: Callable) -> Callable:
    """`function`, whose arguments and result are checked against their annotations."""
    checked = None

    @functools.wraps(function)
    def checks(*arguments: Any, **named: Any) -> Any:
        nonlocal checked
        if checked is None:
            checked = _check(function)
        return checked(*arguments, **named)

    return checks
