"""Whether a regular expression from a record is safe to run on every value of a column.

Python's ``re`` backtracks, so a careless pattern can take exponential time on one unlucky value. Refused are
the shapes that this comes from: a repetition inside a repetition whose rounds cannot be told apart,
alternatives inside a repetition that can begin alike, and back-references.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

MOST_CHARACTERS = 300
_MOST_OPEN_REPEATS = 6
_MANY = 32  # a repetition of up to this many rounds is not treated as endless
_ALL = frozenset(range(129))  # ASCII, and 128 for every other character


def problem_with(pattern: str) -> str:
    """Say why a pattern must not be used; empty if it may.

    Example:
        >>> problem_with("[A-Z]{2}[0-9]{6}")
        ''
        >>> problem_with("(a+)+b")
        'a repetition inside a repetition, which can take exponential time'
    """
    if len(pattern) > MOST_CHARACTERS:
        return f"longer than {MOST_CHARACTERS} characters"
    try:
        re.compile(pattern)
        parsed = re._parser.parse(pattern)  # type: ignore[attr-defined]  # the only way to see a pattern's structure
    except (re.error, RecursionError, OverflowError) as error:
        return f"not a regular expression ({error})"
    items = list(_everything(parsed))
    if any(name in {"GROUPREF", "GROUPREF_EXISTS"} for name, _ in items):
        return "a back-reference, which can take exponential time"
    open_repeats = [
        argument for name, argument in items if name in {"MAX_REPEAT", "MIN_REPEAT"} and _endless(argument)
    ]
    if len(open_repeats) > _MOST_OPEN_REPEATS:
        return f"more than {_MOST_OPEN_REPEATS} open repetitions, which can take very long"
    for _, _, body in open_repeats:
        problem = _ambiguity(body)
        if problem:
            return problem
    return ""


def _endless(argument: Any) -> bool:
    least, most, _ = argument
    return most is re._constants.MAXREPEAT or (most > _MANY and most > least)  # type: ignore[attr-defined]  # not in its stubs


def _everything(parsed: Any) -> Iterator[tuple[str, Any]]:
    """Every element of a parsed pattern, at any depth, by name."""
    for operation, argument in parsed:
        yield str(operation), argument
        for inner in _bodies(argument):
            yield from _everything(inner)


def _bodies(argument: Any) -> Iterator[Any]:
    if isinstance(argument, re._parser.SubPattern):  # type: ignore[attr-defined]  # as above
        yield argument
    elif isinstance(argument, tuple | list):
        for part in argument:
            yield from _bodies(part)


def _ambiguity(body: Any) -> str:
    """Say why the rounds of a repetition with this body cannot be told apart; empty if they can."""
    elements = list(_flat(body))
    if any(name == "BRANCH" for name, _ in _everything(body)):
        for name, argument in _everything(body):
            if name == "BRANCH" and _alike(argument[1]):
                return (
                    "alternatives inside a repetition that can begin alike, which can take exponential time"
                )
    if not any(
        name in {"MAX_REPEAT", "MIN_REPEAT"} and value[0] != value[1] for name, value in _everything(body)
    ):
        return ""
    # Rounds of different length are told apart by a first or last element that matches nothing else.
    for delimiter, rest in ((elements[0], elements[1:]), (elements[-1], elements[:-1])):
        if delimiter[0] in {"LITERAL", "IN", "NOT_LITERAL"} and rest:
            others = _characters(rest)
            if not _characters([delimiter]) & others and not _nested_open(rest):
                return ""
    return "a repetition inside a repetition, which can take exponential time"


def _nested_open(elements: list[tuple[str, Any]]) -> bool:
    """Whether a repetition among the elements holds another; it was, or will be, looked at by itself."""
    return any(
        name in {"MAX_REPEAT", "MIN_REPEAT"} and _endless(value) and bool(_ambiguity(value[2]))
        for name, value in elements
    )


def _flat(body: Any) -> Iterator[tuple[str, Any]]:
    """The elements of a body in order, looking through groups."""
    for operation, argument in body:
        if str(operation) == "SUBPATTERN":
            yield from _flat(argument[-1])
        else:
            yield str(operation), argument


def _alike(branches: Any) -> bool:
    seen: frozenset[int] = frozenset()
    for branch in branches:
        elements = list(_flat(branch))
        first = _characters(elements[:1]) if elements else _ALL
        if seen & first or not elements:
            return True
        seen |= first
    return False


def _characters(elements: list[tuple[str, Any]]) -> frozenset[int]:
    """The characters that the elements can match, in both cases; all where that is hard to say."""
    found: frozenset[int] = frozenset()
    for name, argument in elements:
        if name == "LITERAL":
            found |= {min(argument, 128)}
        elif name == "NOT_LITERAL":
            found |= _ALL - ({argument} if argument < 128 else frozenset())
        elif name == "IN":
            found |= _set(argument)
        elif name in {"MAX_REPEAT", "MIN_REPEAT"}:
            found |= _characters(list(_flat(argument[2])))
        elif name == "AT":
            continue
        else:
            return _ALL
    return found | {ord(chr(code).swapcase()) for code in found if code < 128}


def _set(argument: Any) -> frozenset[int]:
    found: frozenset[int] = frozenset()
    negated = False
    for operation, value in argument:
        name = str(operation)
        if name == "NEGATE":
            negated = True
        elif name == "LITERAL":
            found |= {min(value, 128)}
        elif name == "RANGE":
            found |= frozenset(range(min(value[0], 128), min(value[1], 128) + 1))
        elif name == "CATEGORY":
            found |= _category(str(value))
    if negated:
        return _ALL - (found - {128}) | {128}
    return found


def _category(name: str) -> frozenset[int]:
    kinds: dict[str, Callable[[str], bool]] = {
        "DIGIT": str.isdigit,
        "SPACE": str.isspace,
        "WORD": lambda text: text.isalnum() or text == "_",
    }
    kind = next(kinds[key] for key in kinds if name.endswith(key))
    inside = frozenset(code for code in range(128) if kind(chr(code))) | {128}
    return _ALL - inside | {128} if "NOT" in name else inside
