"""YAML text to plain values in which every path knows its line.

Only what a record needs is understood: mappings with text keys, lists, and scalars by the rules of YAML 1.2
(``yes``, ``no`` and ``012`` are text). Aliases, tags, merge keys, duplicate keys, NaN and infinities are
faults, all of them reported at once.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from aims_pipelines.core.errors import Fault

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]
Path = tuple[str | int, ...]

MOST_BYTES = 1_000_000
_MOST_DEPTH = 20
_LARGEST_INTEGER = 2**53
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.inf|\.nan", re.IGNORECASE)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document.

    Args:
        name: File name, as shown in messages.
        value: Its content.
        lines: The line, from 1, of each path.
        inherited: Top-level keys whose values come from another document.
    """

    name: str
    value: Value
    lines: Mapping[Path, int]
    inherited: frozenset[str] = frozenset()

    def where(self, path: Path) -> str:
        """Say where a path is, such as ``governance/adult.yaml:12 columns.age.max``.

        A path that is not there (a missing key) is placed at its nearest parent. What is inherited is nowhere: its
        faults are those of the document that it comes from.
        """
        if path and path[0] in self.inherited:
            return ""
        known = next((path[:end] for end in range(len(path), -1, -1) if path[:end] in self.lines), ())
        return f"{self.name}:{self.lines.get(known, 1)} {dotted(path)}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a YAML text held.

    Args:
        documents: The documents that are not empty.
        faults: Every fault found.
        complete: Whether the text was read to its end; a syntax error ends the reading.
    """

    documents: tuple[Document, ...]
    faults: tuple[Fault, ...]
    complete: bool


def dotted(path: Path) -> str:
    """Write a path for people: ``accepted[0].check``; keys that contain dots or spaces in quotes."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if re.fullmatch(r"[\w-]+", part) else f"'{part}'"
            text += f".{name}" if text else name
    return text


def shown(value: object) -> str:
    """Shorten a value for a message."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "…" + text[-1]


def parse(text: str, *, name: str) -> Reading:
    """Read all documents of a YAML text.

    Args:
        text: The text; its size is the caller's to limit.
        name: File name, for messages.
    """
    documents: list[Document] = []
    complete = False
    builder = _Builder(name)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentEndEvent):
                if builder.value is not None:
                    documents.append(Document(name=name, value=builder.value, lines=builder.lines))
                builder = _Builder(name, builder.faults)
            else:
                builder.take(event)
        complete = True
    except _StructureError as error:
        builder.faults.append(_syntax_fault(name, *error.args))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = " ".join(part for part in (error.problem, error.context) if part)
        builder.faults.append(_syntax_fault(name, problem, line))
    except yaml.YAMLError as error:
        character = getattr(error, "character", None)
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        found = "a control character" if character is not None else "text that cannot be read"
        builder.faults.append(Fault(where=f"{name}:{line}", expected="YAML", found=found))
    return Reading(documents=tuple(documents), faults=tuple(builder.faults), complete=complete)


class _StructureError(Exception):
    """Structure that no record can have: what, and on which line."""


def _syntax_fault(name: str, problem: str, line: int) -> Fault:
    return Fault(
        where=f"{name}:{line}",
        expected="YAML",
        found=f"a syntax error ({problem})",
        remedy="Check the indentation, and put text with special characters in quotes.",
    )


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being filled."""

    path: Path
    content: list[Value] | dict[str, Value]
    key: str | None = None


class _Builder:
    """Puts values together from parser events, one document at a time."""

    def __init__(self, name: str, faults: list[Fault] | None = None) -> None:
        self.value: Value = None
        self.lines: dict[Path, int] = {}
        self.faults: list[Fault] = [] if faults is None else faults
        self._name = name
        self._stack: list[_Open] = []

    def take(self, event: yaml.Event) -> None:
        """Take one event; those that carry no content are passed over."""
        if isinstance(event, yaml.AliasEvent):
            self._fault(
                event, self._path(), "the value itself", f"the alias '*{event.anchor}'", "Write it out."
            )
            self._put(None, event)
        elif isinstance(event, yaml.ScalarEvent):
            self._refuse_tag(event)
            if self._awaits_key():
                self._take_key(event)
            else:
                self._put(self._scalar(event), event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._refuse_tag(event)
            self._open({} if isinstance(event, yaml.MappingStartEvent) else [], event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._stack.pop()

    def _awaits_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].content, dict) and self._stack[-1].key is None

    def _path(self) -> Path:
        if not self._stack:
            return ()
        top = self._stack[-1]
        if isinstance(top.content, list):
            return (*top.path, len(top.content))
        return top.path if top.key is None else (*top.path, top.key)

    def _take_key(self, event: yaml.ScalarEvent) -> None:
        top = self._stack[-1]
        key = event.value
        path = (*top.path, key)
        if event.implicit[0] and key == "<<":
            self._fault(event, path, "keys of the record", "the merge key '<<'", "Write the keys out.")
        elif isinstance(top.content, dict) and key in top.content:
            first = self.lines.get(path, 1)
            self._fault(
                event, path, "each key once", f"it again (first on line {first})", "Remove one of the two."
            )
        else:
            self.lines[path] = _line(event)
        top.key = key

    def _open(self, content: list[Value] | dict[str, Value], event: yaml.Event) -> None:
        path = self._path()
        if self._awaits_key():
            raise _StructureError("a list or mapping as key", _line(event))
        if len(self._stack) == _MOST_DEPTH:
            raise _StructureError(f"nested deeper than {_MOST_DEPTH}", _line(event))
        self._put(content, event)
        self._stack.append(_Open(path, content))

    def _put(self, value: Value, event: yaml.Event) -> None:
        path = self._path()
        self.lines.setdefault(path, _line(event))
        if not self._stack:
            self.value = value
            return
        top = self._stack[-1]
        if isinstance(top.content, list):
            top.content.append(value)
        elif top.key is not None:
            top.content.setdefault(top.key, value)
            top.key = None

    def _scalar(self, event: yaml.ScalarEvent) -> Value:
        text = event.value
        if not event.implicit[0]:  # quoted, or a block of text
            return str(text)
        if text in {"", "~", "null", "Null", "NULL"}:
            return None
        if text in {"true", "True", "TRUE", "false", "False", "FALSE"}:
            return text.lower() == "true"
        number = _number(text)
        if isinstance(number, Fault):
            self._fault(event, self._path(), number.expected, number.found, number.remedy)
            return 0
        return str(text) if number is None else number

    def _refuse_tag(self, event: yaml.NodeEvent) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._fault(event, self._path(), "a plain value", f"the tag '{tag}'", "Remove the tag.")

    def _fault(self, event: yaml.Event, path: Path, expected: str, found: str, remedy: str = "") -> None:
        where = f"{self._name}:{_line(event)} {dotted(path)}".rstrip()
        self.faults.append(Fault(where=where, expected=expected, found=found, remedy=remedy))


def _number(text: str) -> int | float | Fault | None:
    """Read a number; ``None`` for what is text, a fault for a number that cannot be used."""
    if _INTEGER.fullmatch(text):
        if len(text) > 20 or abs(int(text)) >= _LARGEST_INTEGER:
            return Fault(
                where="",
                expected="an integer within ±2^53",
                found=shown(text),
                remedy="Put it in quotes if it is text.",
            )
        return int(text)
    is_float = any(character.isdigit() for character in text) and _FLOAT.fullmatch(text)
    if _NOT_FINITE.fullmatch(text) or (is_float and math.isinf(float(text))):
        return Fault(
            where="",
            expected="a finite number",
            found=shown(text),
            remedy="Leave the key out if there is no limit.",
        )
    return float(text) if is_float else None


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1


def walk(value: Value, path: Path = ()) -> Iterator[tuple[Path, Value]]:
    """Yield every path with its value, parents first."""
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from walk(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from walk(inner, (*path, index))
