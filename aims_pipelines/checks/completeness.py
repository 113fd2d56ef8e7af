"""Completeness: enough rows, and few enough missing values in each column.

The number of rows, and rows lost against the current version, are judged here and nowhere else. Null, NaN and
blank text (empty, or white space only) all count as missing.
"""

from aims_pipelines.checks.candidate import Answer, Candidate
from aims_pipelines.checks.rows import tally_texts
from aims_pipelines.checks.wording import count, percent
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.records.dataset_record import ColumnContract
from aims_pipelines.stats.profile import ColumnProfile


def judge(candidate: Candidate) -> Answer:
    """Judge the number of rows, then the share of missing values of every declared column."""
    findings = [_rows(candidate), *_loss(candidate)]
    for name, contract in candidate.record.columns.items():
        column = candidate.profile.columns.get(name)
        findings.append(_absent(name) if column is None else _missing(column, contract, candidate))
    return tuple(findings)


def _rows(candidate: Candidate) -> Finding:
    rows, least = candidate.profile.rows, candidate.limits.min_rows
    passed = rows >= least
    return Finding(
        target="",
        measure="rows",
        status=Status.PASS if passed else Status.FAIL,
        reason=("the table is empty" if rows == 0 else f"the table has {count(rows, 'row')}")
        + (" as required" if passed else f", but a version needs at least {least:,}"),
        observed=rows,
        limit=least,
        unit="rows",
        n=rows,
        rows_needed=None if passed else least,
        remedy=""
        if passed
        else "Look for a truncated or filtered source; 'min_rows' in the limits is the floor.",
    )


def _loss(candidate: Candidate) -> list[Finding]:
    if not candidate.current_rows:
        return []
    before, now, most = candidate.current_rows, candidate.profile.rows, candidate.limits.max_row_loss
    loss = max(0.0, (before - now) / before)
    passed = loss <= most
    return [
        Finding(
            target="current version",
            measure="lost fraction",
            status=Status.PASS if passed else Status.FAIL,
            reason=f"{count(now, 'row')} against {before:,} in the current version"
            + ("" if passed else f": {percent(loss)} fewer, more than the {percent(most)} allowed"),
            observed=loss,
            limit=most,
            unit="fraction",
            n=before,
            remedy=""
            if passed
            else "Look for rows that the source no longer delivers; 'max_row_loss' is the limit.",
        )
    ]


def _missing(column: ColumnProfile, contract: ColumnContract, candidate: Candidate) -> Finding:
    rows, most = column.rows, contract.max_missing
    if rows == 0:
        return Finding(
            target=column.name,
            measure="missing fraction",
            status=Status.INCONCLUSIVE,
            reason="there are no rows, so nothing could be missing",
            limit=most,
            unit="fraction",
            n=0,
            rows_needed=1,
        )
    blank = _blank(column, candidate)
    missing = column.missing + blank
    share = missing / rows
    passed = share <= most
    what = (
        f"{missing:,} of {count(rows, 'value')} {'is' if missing == 1 else 'are'} missing ({percent(share)})"
    )
    if blank:
        what += f", {blank:,} of them blank text"
    return Finding(
        target=column.name,
        measure="missing fraction",
        status=Status.PASS if passed else Status.FAIL,
        reason=what if passed else f"{what}; the contract allows {percent(most)}",
        observed=share,
        limit=most,
        unit="fraction",
        n=rows,
        remedy=""
        if passed
        else f"Find out why '{column.name}' is not delivered; 'max_missing' of its contract is the limit.",
    )


def _blank(column: ColumnProfile, candidate: Candidate) -> int:
    categories = column.categories
    if categories is None:
        return 0
    if categories.exact:
        return sum(number for text, number in categories.counts.items() if not text.strip())
    return tally_texts(candidate, column.name, lambda text: not text.strip())


def _absent(name: str) -> Finding:
    return Finding(
        target=name,
        measure="missing fraction",
        status=Status.INCONCLUSIVE,
        reason="the column is not in the table",
        remedy="",
    )
