"""Proxies: no feature gives a protected attribute away more strongly than the limit."""

from aims_pipelines.checks.candidate import Answer, Candidate, Inapplicable
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.profile import ColumnProfile
from aims_pipelines.stats.proxies import proxy_findings


def judge(candidate: Candidate) -> Answer:
    """Judge every feature against each protected attribute; intersections are made of what is judged already."""
    record, limits = candidate.record, candidate.limits
    if not record.protected:
        return Inapplicable(reason="the record declares no protected attributes")
    findings: list[Finding] = []
    for attribute in record.protected:
        features = _features(candidate, attribute.column)
        if attribute.column not in candidate.profile.columns:
            findings.append(_unanswered(candidate, attribute.column, "the column is not in the table"))
        elif not features:
            findings.append(_unanswered(candidate, attribute.column, "the table has no feature to judge"))
        else:
            findings += proxy_findings(
                candidate.profile,
                grouping=attribute.column,
                limit=limits.max_proxy_strength,
                min_group_size=limits.min_group_size,
                features=features,
                confidence=limits.confidence,
            )
    return tuple(findings)


def _features(candidate: Candidate, attribute: str) -> list[str]:
    """Columns that a model may learn from: not the attribute, the label, keys, or columns that may be empty."""
    record = candidate.record
    excluded = {attribute, record.subject, record.time, record.label.column if record.label else None}
    return [
        name
        for name, column in candidate.profile.columns.items()
        if name not in excluded and _may_be_feature(candidate, name) and not _may_be_empty(candidate, column)
    ]


def _may_be_feature(candidate: Candidate, name: str) -> bool:
    contract = candidate.record.columns.get(name)
    return contract is None or (contract.feature and not contract.unique)


def _may_be_empty(candidate: Candidate, column: ColumnProfile) -> bool:
    contract = candidate.record.columns.get(column.name)
    return contract is not None and contract.max_missing == 1.0 and column.missing == column.rows


def _unanswered(candidate: Candidate, attribute: str, reason: str) -> Finding:
    return Finding(
        target=attribute,
        measure="proxy strength",
        status=Status.INCONCLUSIVE,
        reason=reason,
        limit=candidate.limits.max_proxy_strength,
        n=candidate.profile.rows,
    )
