"""Label-rate gap: protected groups carry the positive label at rates no further apart than the limit.

Groups below the smallest size are not compared; that they exist is the representation check's finding, and this
check's reason names how many were left out. Groups of that size of which too few rows have a label are findings here.
"""

from dataclasses import replace

from aims_pipelines.checks.candidate import Answer, Candidate, Inapplicable
from aims_pipelines.checks.representation import groupings
from aims_pipelines.checks.wording import count
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.records.dataset_record import Label
from aims_pipelines.records.parts import Scalar
from aims_pipelines.stats.fairness import rate_gap
from aims_pipelines.stats.groups import occurrences, value_counts
from aims_pipelines.stats.profile import OTHER


def judge(candidate: Candidate) -> Answer:
    """Judge the gap for each protected attribute and declared intersection."""
    record = candidate.record
    if record.label is None:
        return Inapplicable(reason="the record declares no label")
    if not record.protected:
        return Inapplicable(reason="the record declares no protected attributes")
    if record.label.task == "regression":
        return Inapplicable(reason="the label is a quantity (regression), of which there is no positive rate")
    names = [" & ".join(columns) for columns in groupings(candidate)]
    if record.label.positive is None:
        remedy = "State the favourable or flagged value in 'label.positive' of the record."
        return tuple(
            _unanswered(candidate, name, "the record names no positive label", remedy) for name in names
        )
    problem = _unusable(candidate, record.label, record.label.positive)
    if problem:
        return tuple(_unanswered(candidate, name, problem, "") for name in names)
    findings = [_gap(candidate, name, record.label.column, record.label.positive) for name in names]
    for name in names:
        findings += _unlabelled(candidate, name, record.label.column, record.label.positive)
    return tuple(findings)


def _unusable(candidate: Candidate, label: Label, positive: Scalar) -> str:
    """Why no rate can be told from the label column; empty if one can."""
    column = candidate.profile.columns.get(label.column)
    if column is None:
        return f"the label '{label.column}' is not in the table"
    known = occurrences(column, positive)
    if column.rows == column.missing:
        return f"the label '{label.column}' has no values"
    if known is None:
        return f"the label '{label.column}' has too many distinct values to count the positive one"
    if known.selected == 0:
        return f"the positive value never occurs in '{label.column}'"
    if known.selected == known.total:
        return f"the label '{label.column}' is positive in every row"
    return ""


def _gap(candidate: Candidate, name: str, label: str, positive: Scalar) -> Finding:
    counts = value_counts(candidate.profile, grouping=name, column=label, value=positive)
    least = candidate.limits.min_group_size
    large = {level: group for level, group in counts.items() if group.total >= least and level != OTHER}
    finding, *_ = rate_gap(
        large,
        limit=candidate.limits.max_label_rate_gap,
        min_group_size=least,
        confidence=candidate.limits.confidence,
        attribute=name,
        rate="positive label rate",
    )
    left_out = [level for level in counts if level not in large and level != OTHER]
    notes = (
        [f"{count(len(left_out), 'group')} of fewer than {least:,} labelled rows not compared"]
        if left_out
        else []
    )
    if OTHER in counts:
        notes.append(f"{count(counts[OTHER].total, 'row')} in more groups than are told apart not compared")
    if notes:
        finding = replace(finding, reason=f"{finding.reason} ({', '.join(notes)})")
    if finding.status is Status.FAIL:
        finding = replace(
            finding,
            remedy="Look for labels that were assigned differently by group; if the gap is real and known, accept it "
            "in the record with a date.",
        )
    return finding


def _unlabelled(candidate: Candidate, name: str, label: str, positive: Scalar) -> list[Finding]:
    """Groups that are large enough, but whose labels are not."""
    counts = value_counts(candidate.profile, grouping=name, column=label, value=positive)
    least = candidate.limits.min_group_size
    return [
        Finding(
            target=f"{name}={level}",
            measure="labelled group rows",
            status=Status.INCONCLUSIVE,
            reason=f"{count(group.total, 'row')} of {rows:,} in the group have a label; at least {least:,} are needed "
            "to compare it",
            observed=group.total,
            limit=least,
            unit="rows",
            n=rows,
            remedy="Look for the group's labels, or accept the finding for a stated time.",
        )
        for level, group in counts.items()
        if (rows := candidate.profile.groups[name][level].rows) >= least > group.total and level != OTHER
    ]


def _unanswered(candidate: Candidate, name: str, reason: str, remedy: str) -> Finding:
    return Finding(
        target=name,
        measure="positive label rate gap",
        status=Status.INCONCLUSIVE,
        reason=reason,
        limit=candidate.limits.max_label_rate_gap,
        unit="fraction",
        n=candidate.profile.rows,
        remedy=remedy,
    )
