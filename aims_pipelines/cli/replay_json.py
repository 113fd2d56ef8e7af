"""A replay as one JSON value."""

import json
from typing import TYPE_CHECKING, Any

from aims_pipelines.core.replay import Answer, Change, Effect, Outcome, Side, Window
from aims_pipelines.core.verdict import Finding

if TYPE_CHECKING:
    from aims_pipelines.stats.replay import DatasetReplay, Replay


def replay_json(made: "Replay") -> str:
    """Say everything that was found, window by window."""
    value = {
        "status": made.status.value,
        "at": made.at.isoformat(),
        "since": None if made.since is None else made.since.isoformat(),
        "datasets": [_dataset(item) for item in made.datasets],
    }
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _dataset(item: "DatasetReplay") -> dict[str, Any]:
    from aims_pipelines.reports.replay_story import counts

    found = item.false_alarms
    return {
        "dataset": item.dataset,
        "status": item.status.value,
        "changes": list(item.changes),
        "windows_by_outcome": {
            name: {outcome.value: by_outcome[outcome] for outcome in Outcome}
            for name, by_outcome in counts(item)
        },
        "windows_by_effect": {effect.value: item.effects[effect] for effect in Effect},
        "false_alarms": {
            "windows": found.windows,
            "refused": found.refused,
            "unknown": found.unknown,
            "rate": found.rate,
            "interval": list(found.interval),
            "confidence": found.confidence,
            "budget": found.budget,
            "status": None if found.status is None else found.status.value,
            "windows_needed": found.windows_needed,
        },
        "not_replayed": [
            {
                "check": check.check,
                "recorded": check.recorded,
                "unknown": check.unknown,
                "reason": check.reason,
            }
            for check in item.unplayed
        ],
        "notes": list(item.notes),
        "windows": [_window(window) for window in item.windows],
    }


def _window(window: Window) -> dict[str, Any]:
    return {
        "name": window.name,
        "at": None if window.at is None else window.at.isoformat(),
        "partition": window.partition,
        "version": window.version,
        "digest": window.digest,
        "rows": window.rows,
        "let_stand": window.let_stand,
        "effect": window.effect.value,
        "then": _side(window.then),
        "now": _side(window.now),
        "proposed": _side(window.proposed),
        "changes": [_change(change) for change in window.changes],
    }


def _side(side: Side | None) -> dict[str, Any] | None:
    if side is None:
        return None
    return {
        "outcome": side.outcome.value,
        "answers": {answer.check: _answer(answer) for answer in side.answers},
    }


def _answer(answer: Answer) -> dict[str, Any]:
    status = "unknown" if answer.status is None else answer.status.value
    told: dict[str, Any] = {
        "status": status if answer.applies else "not applicable",
        "gates": answer.gates,
        "basis": answer.basis.value,
    }
    if answer.note:
        told["note"] = answer.note
    return told


def _change(change: Change) -> dict[str, Any]:
    return {
        "check": change.check,
        "effect": change.effect.value,
        "findings": [_finding(finding) for finding in change.answer.problems],
        "more": change.answer.more,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "target": finding.target,
        "measure": finding.measure,
        "status": finding.status.value,
        "observed": finding.observed,
        "limit": finding.limit,
        "unit": finding.unit,
        "reason": finding.reason,
    }
