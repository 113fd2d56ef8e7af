"""The reference of the record kinds in Markdown, generated from the types that validate them."""

import types
import typing
from collections.abc import Iterator
from datetime import date
from enum import Enum
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from aims_pipelines.records.parts import Part
from aims_pipelines.records.validation import KINDS

_INTRODUCTION = """\
# Records

Records are the governance of a project in YAML files, reviewed like code. One file holds one record, or
several separated by `---`; every `*.yaml` and `*.yml` file below the records folder (`governance/`) is read,
except in hidden folders. `aims validate` reports every fault of every file at once, with file, line and path.

What to know about the YAML:

- Words are text: `yes`, `no`, `on` and `off` too. Only `true` and `false` are truth values.
- Numbers are written plainly (`0.05`, `1e3`). NaN and infinities are refused; leave a key out where there is
  no limit.
- Dates are written `2026-01-31`.
- Unknown keys are faults, so that a misspelt limit never silently does nothing. Aliases and tags are refused.

A dataset or system may state limits of its own under `limits`: each replaces that one limit of its policy, the
others stay the policy's. A policy judges only while its status is `in_force`, and from its `effective_from` day
on.

A dataset that has the columns of another (a training part, say) names it under `like` and states only what
differs.

An entry under `accepted` lets one finding pass although it misses its limit: of that check, target and measure
alone, no worse than `observed` plus `tolerance`, and only before `review_by`. It stays visible in every verdict,
and refuses again once it expires.

*This page is generated from the types that validate records.*
"""


def records_reference() -> str:
    """Describe every record kind and every part of one, as Markdown."""
    sections = [_INTRODUCTION]
    seen: list[type[BaseModel]] = []
    for kind, model in KINDS.items():
        sections.append(_section(model, f"## `kind: {kind}`"))
        seen.extend(part for part in _parts(model) if part not in seen)
    sections.append("## Parts of records\n")
    sections.extend(_section(part, f"### {part.__name__}") for part in seen)
    return "\n".join(sections)


def _section(model: type[BaseModel], heading: str) -> str:
    rows = [
        f"| `{name}` | {_type(field)} | {_default(field)} | {field.description or ''} |"
        for name, field in model.model_fields.items()
    ]
    purpose = (model.__doc__ or "").strip().split("\n")[0]
    table = "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows])
    return f"{heading}\n\n{purpose}\n\n{table}\n"


def _parts(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for field in model.model_fields.values():
        for part in _models_in(field.annotation):
            yield part
            yield from _parts(part)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)


def _type(field: FieldInfo) -> str:
    text = _annotation(field.annotation)
    bounds = []
    for item in (*field.metadata, *_metadata_in(field.annotation)):
        for name, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
            if getattr(item, name, None) is not None:
                bounds.append(f"{sign} {getattr(item, name):g}")
    return f"{text}, {' and '.join(bounds)}" if bounds else text


def _metadata_in(annotation: Any) -> Iterator[Any]:
    """What bounds the alternatives of an optional value."""
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        for argument in typing.get_args(annotation):
            for item in getattr(argument, "__metadata__", ()):
                yield from item.metadata if isinstance(item, FieldInfo) else (item,)


def _annotation(annotation: Any) -> str:
    names = {str: "text", int: "whole number", float: "number", bool: "true or false", date: "date"}
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in names:
        return names[annotation]
    if origin is typing.Literal:
        return " · ".join(f"`{choice}`" for choice in arguments)
    if origin is typing.Annotated:
        return _annotation(arguments[0])
    if origin is tuple:
        return f"list of {_annotation(arguments[0])}"
    if origin is dict:
        return f"mapping to {_annotation(arguments[1])}"
    if origin in {types.UnionType, typing.Union}:
        inner = [_annotation(argument) for argument in arguments if argument is not type(None)]
        return " or ".join(inner)
    if issubclass(annotation, Enum):
        return " · ".join(f"`{choice.value}`" for choice in annotation)
    return f"[{annotation.__name__}](#{annotation.__name__.lower()})"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "its defaults"
    if value is None or value in ((), {}, ""):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value.value if isinstance(value, Enum) else value}`"


if __name__ == "__main__":
    print(records_reference(), end="")  # noqa: T201 - what this module is run for
