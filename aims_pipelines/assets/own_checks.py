"""Answers that a user's function gives to checks of its own asset: they gate like those of the catalogue."""

from collections.abc import Sequence

import dagster as dg

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.core.verdict import Finding, Severity, Status, Verdict


def answers_of(
    results: Sequence[dg.AssetCheckResult], key: dg.AssetKey, own_checks: tuple[str, ...]
) -> dict[str, dg.AssetCheckResult]:
    """The answers of the user's function by the check that they answer.

    Dagster would find fault with them too, but only once the version is published.

    Raises:
        BadInput: An answer is a second one, or belongs to no check of the asset.
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


def own_verdict(name: str, result: dg.AssetCheckResult | None) -> Verdict:
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
        reason=f"the asset's own code {'passed' if result.passed else 'failed'} it{_described(result)}",
    )
    severity = Severity.WARN if result.severity is dg.AssetCheckSeverity.WARN else Severity.ERROR
    return Verdict(check=name, version="own", findings=(finding,), severity=severity)


def _described(result: dg.AssetCheckResult) -> str:
    """Where its words are: they may quote rows, and evidence is for good."""
    return "; what it says stands with the check in Dagster" if result.description else ""
