"""Judgements as JSON: what evidence entries and evidence files say, and how it is read back.

``judgement_from_json(judgement_to_json(j)) == j`` for every judgement without NaN; a NaN, which JSON does not
know, becomes ``null``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date
from typing import Any

from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.verdict import Finding, NotApplicable, Severity, Status, Verdict


def judgement_to_json(judgement: Judgement) -> dict[str, Any]:
    """Say everything: each finding of each verdict."""
    return {
        "subject": judgement.subject,
        "status": str(judgement.status),
        "required": list(judgement.required),
        "verdicts": [_verdict_to_json(verdict, verdict.findings) for verdict in judgement.verdicts],
        "not_applicable": [
            {"check": item.check, "version": item.version, "reason": item.reason}
            for item in judgement.not_applicable
        ],
    }


def summary_to_json(judgement: Judgement) -> dict[str, Any]:
    """Say what opened or shut the gate: all verdicts, but only those findings that did not pass."""
    return {
        **judgement_to_json(judgement),
        "verdicts": [_verdict_to_json(verdict, verdict.problems) for verdict in judgement.verdicts],
    }


def judgement_from_json(data: Mapping[str, Any]) -> Judgement:
    """Read back what ``judgement_to_json`` wrote.

    Raises:
        KeyError, ValueError, TypeError: The data has another shape.
    """
    return Judgement(
        subject=data["subject"],
        required=tuple(data["required"]),
        verdicts=tuple(
            Verdict(
                check=item["check"],
                version=item["version"],
                severity=Severity(item["severity"]),
                findings=tuple(_finding_from_json(finding) for finding in item["findings"]),
            )
            for item in data["verdicts"]
        ),
        not_applicable=tuple(NotApplicable(**item) for item in data["not_applicable"]),
    )


def _verdict_to_json(verdict: Verdict, findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "check": verdict.check,
        "version": verdict.version,
        "severity": str(verdict.severity),
        "status": str(verdict.status),
        "measured": len(verdict.findings),
        "findings": [_finding_to_json(finding) for finding in findings],
    }


def _finding_to_json(finding: Finding) -> dict[str, Any]:
    values = {item.name: getattr(finding, item.name) for item in fields(finding)}
    return {
        name: _jsonable(value)
        for name, value in values.items()
        if (value is not None and value != "") or name == "target"
    }


def _finding_from_json(data: Mapping[str, Any]) -> Finding:
    values = dict(data)
    values["status"] = Status(values["status"])
    if values.get("interval") is not None:
        low, high = values["interval"]
        values["interval"] = (math.nan if low is None else low, math.nan if high is None else high)
    if values.get("accepted_until") is not None:
        values["accepted_until"] = date.fromisoformat(values["accepted_until"])
    return Finding(**values)


def _jsonable(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
