"""Canonical JSON: one value, one sequence of bytes (RFC 8785, JSON Canonicalization Scheme).

Hashes are taken over these bytes, so two programs that agree on a value agree on its hash.
"""

from __future__ import annotations  # the verifier printed for auditors runs on Python 3.9

import json
import math
import re
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring as _quoted

_LARGEST_EXACT_INTEGER = 2**53 - 1
_DEEPEST = 64


class CanonicalError(ValueError):
    """A value that has no canonical form, or bytes that are not JSON."""


def canonical_json(value: object) -> bytes:
    """Serialise a JSON value canonically.

    Args:
        value: ``None``, ``bool``, ``int``, ``float``, ``str``, ``list``, ``tuple``, or a mapping with string
            keys, nested at most 64 deep.

    Returns:
        UTF-8 bytes; ``parse_json`` gives back an equal value (tuples as lists, whole floats as integers).

    Raises:
        CanonicalError: NaN or infinity, an integer that a double cannot hold exactly, a lone surrogate, a key
            that is not text, another type, or nesting that is too deep.
    """
    parts: list[str] = []
    _write(value, parts.append, 0)
    try:
        return "".join(parts).encode("utf-8")
    except UnicodeEncodeError as error:
        raise CanonicalError("text with a lone surrogate, which has no UTF-8 form") from error


def parse_json(data: bytes) -> object:
    """Read JSON bytes, strictly.

    Raises:
        CanonicalError: The bytes are not UTF-8, not JSON, or hold NaN or an infinity.
    """
    try:
        return _DECODER.decode(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise CanonicalError(f"not JSON: {reason}") from error


def parse_canonical(data: bytes) -> object:
    """Read canonical JSON bytes, and nothing else: one value has one spelling, without repeated keys.

    Raises:
        CanonicalError: The bytes are not JSON, or are not the canonical form of their value.
    """
    value = parse_json(data)
    if _plainly_canonical(value, data) or canonical_json(value) == data:
        return value
    raise CanonicalError(
        "JSON, but not in canonical form (order of keys, spaces, escapes, spelling of numbers)"
    )


def _plainly_canonical(value: object, data: bytes) -> bool:
    """Tell quickly, for most objects, that bytes are canonical; ``False`` only asks for a closer look.

    The standard encoder writes the canonical form, except that it orders keys beyond the Basic Multilingual
    Plane differently, and spells exponents and whole doubles in its own way.
    """
    text = data.decode("utf-8")
    if not isinstance(value, dict) or (not text.isascii() and _HIGH_CHARACTER.search(text)):
        return False
    if _EXPONENT.search(text) or _WHOLE_DOUBLE.search(text):
        return False
    try:
        return _PLAIN_ENCODER.encode(value) == text
    except RecursionError:
        return False


def _write(value: object, put: Callable[[str], object], depth: int) -> None:
    if isinstance(value, str):
        put(_quoted(value))
    elif value is None:
        put("null")
    elif value is True:
        put("true")
    elif value is False:
        put("false")
    elif isinstance(value, int):
        put(_integer_text(value))
    elif isinstance(value, float):
        put(_float_text(value))
    elif depth >= _DEEPEST:
        raise CanonicalError(f"a value nested more than {_DEEPEST} deep")
    elif isinstance(value, Mapping):
        _write_object(value, put, depth + 1)
    elif isinstance(value, (list, tuple)):
        separator = "["
        for item in value:
            put(separator)
            _write(item, put, depth + 1)
            separator = ","
        put("]" if value else "[]")
    else:
        raise CanonicalError(f"a value of type {type(value).__name__}, which JSON does not have")


def _write_object(value: Mapping[object, object], put: Callable[[str], object], depth: int) -> None:
    separator = "{"
    for key in _ordered(value):
        put(separator)
        put(_quoted(key))
        put(":")
        _write(value[key], put, depth)
        separator = ","
    put("}" if value else "{}")


def _ordered(value: Mapping[object, object]) -> list[str]:
    """Order keys by their UTF-16 code units, as the RFC asks; for ASCII that is the order of characters."""
    keys = []
    for key in value:
        if not isinstance(key, str):
            raise CanonicalError(f"a key of type {type(key).__name__} where JSON has text")
        keys.append(key)
    if all(map(str.isascii, keys)):
        return sorted(keys)
    try:
        return sorted(keys, key=lambda key: key.encode("utf-16-be"))
    except UnicodeEncodeError as error:
        raise CanonicalError("a key with a lone surrogate, which has no UTF-8 form") from error


def _integer_text(value: int) -> str:
    if -_LARGEST_EXACT_INTEGER <= value <= _LARGEST_EXACT_INTEGER:
        return int.__repr__(value)
    raise CanonicalError("an integer beyond 2**53 - 1, which other readers would round; write it as text")


def _float_text(value: float) -> str:
    """Write a double as ECMAScript does: the shortest digits that give the same double back."""
    if not math.isfinite(value):
        raise CanonicalError(
            "NaN or infinity, which JSON does not have; leave the value out or say why it is absent"
        )
    if value == 0:
        return "0"
    mantissa, _, exponent = float.__repr__(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        text = digits.ljust(point, "0")
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        shift = point - 1
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        text = f"{digits[0]}{fraction}e{'+' if shift > 0 else '-'}{abs(shift)}"
    return f"-{text}" if value < 0 else text


def _integer(text: str) -> int | float:
    """Read whole numbers that only a double holds (such as 1e20 written out) as the double that they are."""
    return int(text) if len(text) < 16 or abs(int(text)) <= _LARGEST_EXACT_INTEGER else float(text)


def _refuse_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_integer)
_PLAIN_ENCODER = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False
)
_HIGH_CHARACTER = re.compile("[\ud800-\U0010ffff]")
_EXPONENT = re.compile(r"e[-+]?[0-9]{1,3}[\]},]")
_WHOLE_DOUBLE = re.compile(r"\.0[\]},]")
