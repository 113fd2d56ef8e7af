"""One YAML document to one typed record, with every fault placed and explained."""

import json
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from aims_pipelines.core.errors import Fault
from aims_pipelines.records.dataset_record import DatasetRecord
from aims_pipelines.records.document import Document, Path, Value, shown
from aims_pipelines.records.policy_record import PolicyRecord
from aims_pipelines.records.system_record import SystemRecord

KINDS: Mapping[str, type[DatasetRecord] | type[PolicyRecord] | type[SystemRecord]] = {
    "dataset": DatasetRecord,
    "policy": PolicyRecord,
    "system": SystemRecord,
}
_PLAIN_FACTS: Mapping[str | int, str | int] = {
    **dict.fromkeys(("review_by", "effective_from"), "2000-01-01"),
    "observed": 0,
    **dict.fromkeys(("title", "owner", "purpose", "licence", "legal_basis", "reason"), "unknown"),
    **dict.fromkeys(("intended_use", "out_of_scope", "affected", "risk"), "unknown"),
}
_SCALAR_TYPES = {"string_type", "int_type", "float_type", "bool_type"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A record and the document that it was read from.

    Args:
        record: The record; where ``faults`` is not empty, without the parts that hold them.
        document: What it was read from.
        faults: Faults of its types.
    """

    record: DatasetRecord | PolicyRecord | SystemRecord
    document: Document
    faults: tuple[Fault, ...] = ()


def validate(document: Document) -> Placed | list[Fault]:
    """Type a document, or say everything that is wrong with it.

    Returns:
        The record. Where the faults do not touch what holds it together, the rest of it, so that it can be
        checked against the others. Otherwise the faults alone.
    """
    value = document.value
    if not isinstance(value, dict):
        return [Fault(where=document.where(()), expected="a record: keys and values", found=shown(value))]
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        return [
            Fault(
                where=document.where(("kind",)),
                expected=f"one of {', '.join(KINDS)}",
                found=shown(kind),
                remedy=did_you_mean(kind, KINDS),
            )
        ]
    model = KINDS[kind]
    try:
        # JSON mode: text becomes dates and enumerations, lists become tuples, and nothing else is converted.
        record = model.model_validate_json(json.dumps(value))
    except ValidationError as error:
        errors = error.errors(include_url=False)
    else:
        return Placed(record=record, document=document)
    faults = _faults(document, model, errors)
    rest = _without(value, [_path_in(value, error) for error in errors])
    try:
        record = model.model_validate_json(json.dumps(rest))
    except ValidationError:
        return faults
    return Placed(record=record, document=document, faults=tuple(faults))


def _without(value: dict[str, Value], paths: Iterable[Path]) -> Any:
    """A copy without the values at some paths; something stands in for plain facts that must be there."""
    rest: Any = json.loads(json.dumps(value))
    statuses = typing.get_args(KINDS[str(value["kind"])].model_fields["status"].annotation)
    for found in paths:
        path = found
        while path and isinstance(path[-1], int):  # a list with a fault in it goes as a whole
            path = path[:-1]
        if not path:
            continue
        parent: Any = rest
        for part in path[:-1]:
            parent = parent[part] if not isinstance(parent, dict) or part in parent else {}
        if isinstance(parent, dict):
            parent.pop(path[-1], None)
            if path[-1] in _PLAIN_FACTS:
                parent[path[-1]] = _PLAIN_FACTS[path[-1]]
            elif path == ("status",):
                parent["status"] = statuses[0]
    return rest


def faults_of(document: Document, model: type[BaseModel], error: ValidationError) -> list[Fault]:
    """Place and explain every fault that pydantic found in a document."""
    return _faults(document, model, error.errors(include_url=False))


def did_you_mean(found: object, known: Iterable[object]) -> str:
    """Suggest the known name that is closest to what was written; empty if none is close."""
    names = {str(name).lower(): str(name) for name in known}
    text = str(found).lower()
    close = get_close_matches(text, names, n=1, cutoff=0.6)
    if not close and len(text) >= 3:  # part of a longer name: "max" for "max_missing"
        close = [name for name in names if text in name.split("_")][:1]
    return f"Did you mean '{names[close[0]]}'?" if close else ""


def _faults(document: Document, model: type[BaseModel], errors: Iterable[ErrorDetails]) -> list[Fault]:
    faults: dict[Path, Fault] = {}
    for error in errors:
        path = _path_in(document.value, error)
        if path not in faults:  # a union reports every branch; the first says enough
            faults[path] = _fault(document, model, path, error)
    return list(faults.values())


def _path_in(value: Value, error: ErrorDetails) -> Path:
    """Drop the branch names that pydantic adds for unions, which are not in the document."""
    path: list[str | int] = []
    for part in error["loc"]:
        if (isinstance(value, dict) and part in value) or (isinstance(value, list) and isinstance(part, int)):
            value = value[part]  # type: ignore[index]  # the line above checked that it fits
        elif not (error["type"] == "missing" and part == error["loc"][-1]):
            break
        path.append(part)
    return tuple(path)


def _fault(document: Document, model: type[BaseModel], path: Path, error: ErrorDetails) -> Fault:
    where = document.where(path)
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        known = list(_model_at(model, path[:-1]).model_fields)
        written = _value_at(document.value, path[:-1])
        unused = [name for name in known if not (isinstance(written, dict) and name in written)]
        return Fault(
            where=where,
            expected="a known key",
            found=shown(path[-1]),
            remedy=did_you_mean(path[-1], unused)
            or did_you_mean(path[-1], known)
            or f"Known here: {', '.join(known)}.",
        )
    if kind == "missing":
        field = _model_at(model, path[:-1]).model_fields.get(str(path[-1]))
        purpose = (field.description or "") if field else ""
        return Fault(
            where=where, expected="a value", found="nothing", remedy=f"Add '{path[-1]}': {purpose}".strip()
        )
    found = error["input"]
    if kind in {"literal_error", "enum"}:
        choices = [choice.strip("'") for choice in str(context["expected"]).replace(" or ", ", ").split(", ")]
        return Fault(
            where=where,
            expected=choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}",
            found=shown(found),
            remedy=did_you_mean(found, choices),
        )
    expected = _expected(
        kind, context, scalar=(len(path) > 1 and path[-2] == "allowed") or path[-1:] == ("positive",)
    )
    return Fault(where=where, expected=expected or error["msg"], found=shown(found))


def _expected(kind: str, context: Mapping[str, Any], *, scalar: bool) -> str:
    """Say what a pydantic error type asks for; empty for types that a record cannot produce."""
    if scalar and kind in _SCALAR_TYPES:
        return "text, a number, true or false"
    limits = {"greater_than_equal": "at least {ge}", "greater_than": "more than {gt}"}
    limits |= {"less_than_equal": "at most {le}", "less_than": "less than {lt}"}
    if kind in limits:
        return "a number " + limits[kind].format(**{name: f"{number:g}" for name, number in context.items()})
    if kind == "string_pattern_mismatch":
        pattern = str(context["pattern"])
        if pattern.startswith("^sha256"):
            return "sha256: and 64 hexadecimal digits"
        return "lower-case letters, digits, '-' and '_', starting with a letter or digit"
    return {
        "string_type": "text",
        "string_too_short": "text",
        "string_too_long": f"at most {context.get('max_length')} characters",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "float_type": "a number",
        "bool_type": "true or false",
        "tuple_type": "a list, such as [a, b]",
        "dict_type": "keys and values",
        "model_type": "keys and values",
        "too_short": "at least one entry",
        "too_long": f"at most {context.get('max_length')} entries",
    }.get(kind, "a date, such as 2026-01-31" if kind.startswith("date") else "")


def _value_at(value: Value, path: Path) -> Value:
    for part in path:
        value = value[part]  # type: ignore[index]  # the path was found in this value
    return value


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel]:
    """The model that the mapping at a path is validated by."""
    current: Any = model
    for part in path:
        if _is_model(current):
            current = current.model_fields[str(part)].annotation
        else:  # one step into a dictionary or list: on to the type of its members
            current = typing.get_args(current)[1 if typing.get_origin(current) is dict else 0]
        if isinstance(current, types.UnionType):
            current = next(option for option in typing.get_args(current) if option is not type(None))
    return typing.cast("type[BaseModel]", current)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
