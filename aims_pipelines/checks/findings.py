"""Findings that tell a fact instead of a figure."""

from aims_pipelines.core.verdict import Finding, Status


def stated(target: str, measure: str, status: Status, reason: str, remedy: str = "") -> Finding:
    """Make a finding that rests on no number: no observed value, limit or rows."""
    return Finding(target=target, measure=measure, status=status, reason=reason, remedy=remedy)
