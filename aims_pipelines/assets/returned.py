"""What the user's function of governed assets gave: a table for each, and answers to their own checks."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from aims_pipelines.assets.admission import own_copy
from aims_pipelines.assets.own_checks import answers_of, own_verdict
from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.core.verdict import Verdict

_UNNAMED = "result"  # the name that Dagster gives an output whose name the user left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One asset that the function may give a value for.

    Args:
        output: Name of its output.
        key: Its key.
        governed: Whether a gate judges it.
        selected: Whether it is to be computed now.
        required: Whether the function must give it when it is selected.
        own_checks: Checks of it that the function answers itself.
    """

    output: str
    key: dg.AssetKey
    governed: bool
    selected: bool = True
    required: bool = True
    own_checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What the function gave for one governed asset: one value, with what belongs to it."""

    value: Any
    metadata: Mapping[str, Any]
    tags: Mapping[str, str] | None
    own_verdicts: tuple[Verdict, ...]
    own_results: tuple[dg.AssetCheckResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """All that the function gave.

    Args:
        governed: By output: the value to judge, or why there is none. An asset that need not be given and was not
            is not in it.
        ungoverned: By output: Dagster's event for the value of an asset without a gate.
        others: Events that belong to no value.
    """

    governed: Mapping[str, Returned | BadInput]
    ungoverned: Mapping[str, Any]
    others: tuple[Any, ...]


def hand_out(result: Any, expected: Sequence[Expected]) -> Handed:
    """Sort what the function returned, or all that it yielded, by asset.

    Args:
        result: What it returned; a list of events for a generator.
        expected: The assets that it makes, in the order of their outputs.

    Raises:
        BadInput: Something belongs to none of the assets, or to one that is not selected.
    """
    events = result if isinstance(result, list) else _unpacked(result, expected)
    values: dict[str, list[Any]] = {item.output: [] for item in expected}
    answers: dict[str, list[dg.AssetCheckResult]] = {item.output: [] for item in expected}
    others: list[Any] = []
    faults: list[Fault] = []
    for event in events:
        if isinstance(event, dg.AssetObservation | dg.AssetMaterialization | dg.ExpectationResult):
            others.append(event)
            continue
        owner = _owner(event, expected)
        is_answer = isinstance(event, dg.AssetCheckResult)
        if owner is None or not (owner.selected or (is_answer and not owner.governed)):
            faults.append(_stray(event, owner, expected))
        elif is_answer:
            answers[owner.output].append(event)
        else:
            values[owner.output].append(event)
            if owner.governed and isinstance(event, dg.MaterializeResult):
                answers[owner.output].extend(event.check_results)
    if faults:
        raise BadInput(faults)
    governed: dict[str, Returned | BadInput] = {}
    ungoverned: dict[str, Any] = {}
    for item in expected:
        if not item.governed:
            if values[item.output]:
                ungoverned[item.output] = values[item.output][0]
            others += [*values[item.output][1:], *answers[item.output]]
        elif item.selected and (item.required or values[item.output] or answers[item.output]):
            try:
                governed[item.output] = _returned(item, values[item.output], answers[item.output])
            except BadInput as error:
                governed[item.output] = error
    return Handed(governed=governed, ungoverned=ungoverned, others=tuple(others))


def as_yielded(event: Any) -> Any:
    """What a generator yielded, apart from what it does to the same frame until it is exhausted."""
    if isinstance(event, dg.MaterializeResult):
        return event._replace(value=own_copy(event.value))
    if not isinstance(event, dg.Output):
        return own_copy(event)
    version: dict[str, Any] = {} if event.data_version is None else {"data_version": event.data_version}
    return dg.Output(
        own_copy(event.value),
        output_name=event.output_name,
        metadata=event.metadata,
        tags=event.tags,
        **version,
    )


def _unpacked(result: Any, expected: Sequence[Expected]) -> Iterator[Any]:
    """The events that Dagster would make of a returned value: one, or those of a tuple, in the order of outputs."""
    if not isinstance(result, tuple) or (len(expected) == 1 and not expected[0].own_checks):
        yield result
        return
    values = [item for item in result if not isinstance(item, dg.AssetCheckResult)]
    yield from (item for item in result if isinstance(item, dg.AssetCheckResult))
    named = [isinstance(item, dg.MaterializeResult) and item.asset_key is not None for item in values]
    if not all(named) and len(values) != len(expected):
        raise BadInput(
            Fault(
                where=f"assets {_names(expected)}",
                expected=f"a tuple of {len(expected)} values, in the order of the outputs",
                found=f"a tuple of {len(values)}",
                remedy="Return them all, or yield dagster.Output(table, output_name=…) for each.",
            )
        )
    for position, item in enumerate(values):
        if named[position]:
            yield item
        elif isinstance(item, dg.MaterializeResult):
            yield item._replace(asset_key=expected[position].key)
        elif isinstance(item, dg.Output):
            yield _renamed(item, expected[position].output)
        else:
            yield dg.Output(item, output_name=expected[position].output)


def _renamed(output: "dg.Output[Any]", name: str) -> "dg.Output[Any]":
    if output.output_name != _UNNAMED:
        return output
    return dg.Output(output.value, output_name=name, metadata=output.metadata, tags=output.tags)


def _owner(event: Any, expected: Sequence[Expected]) -> Expected | None:
    """The asset that an event belongs to; ``None`` where that cannot be told."""
    if isinstance(event, dg.Output):
        found = [item for item in expected if item.output == event.output_name]
    elif isinstance(event, dg.MaterializeResult | dg.AssetCheckResult) and event.asset_key is not None:
        found = [item for item in expected if item.key == event.asset_key]
    elif isinstance(event, dg.AssetCheckResult) and len(expected) > 1:
        name = event.check_name
        found = [item for item in expected if (name in item.own_checks if name else item.own_checks)]
    else:
        found = list(expected)
    return found[0] if len(found) == 1 else None


def _stray(event: Any, owner: Expected | None, expected: Sequence[Expected]) -> Fault:
    where = f"assets {_names(expected)}" if len(expected) > 1 else f"asset {_names(expected)}"
    if owner is not None:
        return Fault(
            where=where,
            expected="values of the assets that are selected",
            found=f"one for {owner.key.to_user_string()!r}, which is not",
            remedy="Yield only what context.selected_asset_keys names.",
        )
    if isinstance(event, dg.AssetCheckResult):
        return Fault(
            where=f"{where}: check {event.check_name or ''!r}",
            expected="an answer that names its asset and a check of it",
            found="an answer to something else",
            remedy="Give asset_key and check_name.",
        )
    found = type(event).__name__
    if isinstance(event, dg.Output):
        found = f"an Output named {event.output_name!r}"
    elif isinstance(event, dg.MaterializeResult) and event.asset_key is not None:
        found = f"a MaterializeResult of {event.asset_key.to_user_string()!r}"
    return Fault(
        where=where,
        expected="values that say which of the assets they belong to",
        found=found,
        remedy="Yield dagster.Output(table, output_name=…) for each, or return a tuple of all.",
    )


def _returned(item: Expected, values: Sequence[Any], results: Sequence[dg.AssetCheckResult]) -> Returned:
    """The one value of a governed asset.

    Raises:
        BadInput: There is not exactly one value, or an answer does not belong to a check of the asset.
    """
    value, metadata, tags = _content(values[0]) if len(values) == 1 else (None, {}, None)
    if value is None:
        raise BadInput(
            Fault(
                where=f"asset {item.key.to_user_string()!r}",
                expected="one table, returned or yielded, so that it can be judged before it is written",
                found=f"{len(values)} values" if len(values) != 1 else "no value",
                remedy="Return the table; to write it yourself, give publish= to its decorator.",
            )
        )
    named = answers_of(results, item.key, item.own_checks)
    return Returned(
        value=value,
        metadata=metadata,
        tags=tags,
        own_verdicts=tuple(own_verdict(name, named.get(name)) for name in item.own_checks),
        own_results=tuple(named.values()),
    )


def _content(event: Any) -> tuple[Any, Mapping[str, Any], Mapping[str, str] | None]:
    """The value in an event, with its metadata and tags."""
    if isinstance(event, dg.Output):
        return event.value, event.metadata, event.tags
    if isinstance(event, dg.MaterializeResult):
        value = None if inspect.isclass(event.value) else event.value  # a class marks "no value" in Dagster
        return value, event.metadata or {}, event.tags
    return event, {}, None


def _names(expected: Sequence[Expected]) -> str:
    return ", ".join(repr(item.key.to_user_string()) for item in expected)
