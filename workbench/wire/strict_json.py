"""JSON from strangers: bounded before it is parsed.

A body of 16 MB can hold millions of brackets, each of which becomes an object of 60 bytes and more. Numbers and
pictures travel as text in one string, so an honest message has few brackets and commas; base64 has none.
"""

import json
import math
from typing import Any

from workbench.wire.messages import WireError

MAX_PARTS = 20_000
"""Brackets, braces and commas in one message."""


def read(body: bytes | str) -> dict[str, Any]:
    """A JSON object. WireError if it is something else, not UTF-8, too deep, or made of too many parts.

    Not-a-number and infinities, which JSON does not have, are refused, and so is a key that comes twice.
    """
    signs = (b"[", b"{", b",") if isinstance(body, bytes) else ("[", "{", ",")
    parts = sum(body.count(sign) for sign in signs)
    if parts > MAX_PARTS:
        raise WireError(f"expected a message of at most {MAX_PARTS:,} parts, got {parts:,}: send arrays as base64", 413)
    try:
        value = json.loads(body, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_once)
    except WireError:
        raise
    except (ValueError, RecursionError) as error:
        raise WireError(f"expected JSON, got something else ({_short(error)})", 400) from error
    if not isinstance(value, dict):
        raise WireError(f"expected a JSON object, got a {type(value).__name__}", 400)
    return value


def _no_number(word: str) -> None:
    raise WireError(f"expected finite numbers, got {word}")


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise WireError(f"expected finite numbers, got {text[:20]}")
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) != len(pairs):
        raise WireError("expected every key once", 400)
    return found


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:80] if str(error) else type(error).__name__
