"""What the user's function of a governed asset gave: one table, and answers to its own checks."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.core.verdict import Finding, Severity, Status, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What the user's function gave: one value, with what belongs to it."""

    value: Any
    metadata: Mapping[str, Any]
    tags: Mapping[str, str] | None
    own_verdicts: tuple[Verdict, ...]
    own_results: tuple[dg.AssetCheckResult, ...]
    others: tuple[Any, ...]


def sort_returned(events: Sequence[Any], key: dg.AssetKey, own_checks: tuple[str, ...]) -> Returned:
    """Sort what the user's function returned or yielded.

    Args:
        events: The value it returned, or all that it yielded.
        key: The asset.
        own_checks: Checks of the asset that its function answers.

    Raises:
        BadInput: There is not exactly one value, or an answer does not belong to a check of the asset.
    """
    values: list[tuple[Any, Mapping[str, Any], Mapping[str, str] | None]] = []
    results: list[dg.AssetCheckResult] = []
    others: list[Any] = []
    for event in events:
        if isinstance(event, dg.Output):
            values.append((event.value, event.metadata, event.tags))
        elif isinstance(event, dg.MaterializeResult):
            results.extend(event.check_results)
            values.append((_value_of(event), event.metadata or {}, event.tags))
        elif isinstance(event, dg.AssetCheckResult):
            results.append(event)
        elif isinstance(event, dg.AssetObservation | dg.AssetMaterialization | dg.ExpectationResult):
            others.append(event)
        else:
            values.append((event, {}, None))
    if len(values) != 1 or values[0][0] is None:
        raise BadInput(
            Fault(
                where=f"asset {key.to_user_string()!r}",
                expected="one table, returned or yielded, so that it can be judged before it is written",
                found=f"{len(values)} values" if len(values) != 1 else "no value",
                remedy="Return the table; to write it yourself, give publish= to governed_asset.",
            )
        )
    value, metadata, tags = values[0]
    named = _named(results, key, own_checks)
    return Returned(
        value=value,
        metadata=metadata,
        tags=tags,
        own_verdicts=tuple(_own_verdict(name, named.get(name)) for name in own_checks),
        own_results=tuple(named.values()),
        others=tuple(others),
    )


def _value_of(result: "dg.MaterializeResult[Any]") -> Any:
    value = result.value
    return None if inspect.isclass(value) else value  # a class marks "no value" in Dagster


def _named(
    results: Sequence[dg.AssetCheckResult], key: dg.AssetKey, own_checks: tuple[str, ...]
) -> dict[str, dg.AssetCheckResult]:
    """The answers of the user's function by the check that they answer.

    Dagster would find fault with them too, but only once the version is published.
    """
    named: dict[str, dg.AssetCheckResult] = {}
    faults: list[Fault] = []
    for result in results:
        name = result.check_name or (own_checks[0] if len(own_checks) == 1 else "")
        if name in own_checks and name not in named and result.asset_key in (None, key):
            named[name] = dg.AssetCheckResult(
                asset_key=key,
                check_name=name,
                passed=result.passed,
                severity=result.severity,
                description=result.description,
                metadata=result.metadata,
            )
            continue
        faults.append(
            Fault(
                where=f"asset {key.to_user_string()!r}: check {name!r}",
                expected=f"one answer for each of its own checks ({', '.join(own_checks) or 'it has none'})",
                found="a second answer" if name in named else "an answer to something else",
                remedy="Declare the check in check_specs, and answer it once.",
            )
        )
    if faults:
        raise BadInput(faults)
    return named


def _own_verdict(name: str, result: dg.AssetCheckResult | None) -> Verdict:
    """A check that the user's function answers itself: gates like ours, and gates if it was not answered."""
    if result is None:
        unanswered = Finding(
            target="",
            measure="check of the asset itself",
            status=Status.INCONCLUSIVE,
            reason="the asset declares this check, but its code did not answer it",
        )
        return Verdict(check=name, version="own", findings=(unanswered,))
    finding = Finding(
        target="",
        measure="check of the asset itself",
        status=Status.PASS if result.passed else Status.FAIL,
        reason=result.description or "answered by the asset's own code",
    )
    severity = Severity.WARN if result.severity is dg.AssetCheckSeverity.WARN else Severity.ERROR
    return Verdict(check=name, version="own", findings=(finding,), severity=severity)
