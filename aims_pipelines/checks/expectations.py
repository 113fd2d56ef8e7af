"""Expectations: the table meets the Great Expectations suites that its record names, run as they are.

Great Expectations passes where there is nothing to look at (no rows, a column without values, a condition that no
row meets, a suite without expectations) and drops expectations that it does not know; here these are inconclusive,
and so are expectations that raise, and statements about the whole table that were only asked of a sample. Results
are kept as counts: the values that Great Expectations quotes are left out.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aims_pipelines.checks.candidate import Answer, Candidate, Inapplicable
from aims_pipelines.checks.suites import read_suite, validate
from aims_pipelines.checks.wording import count, percent
from aims_pipelines.core.errors import BadInput
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.records.models import ExpectationSuite

if TYPE_CHECKING:
    import pandas as pd

_REMEDY = "Correct the data, or the expectation if it is out of date."


def judge(candidate: Candidate) -> Answer:
    """Run every suite; one finding an expectation."""
    if not candidate.record.expectations:
        return Inapplicable(reason="the record names no expectation suite")
    findings: list[Finding] = []
    for suite in candidate.record.expectations:
        try:
            findings += _run(suite, candidate)
        except BadInput as error:
            findings += [
                _finding(suite.path, Status.INCONCLUSIVE, str(fault), remedy=fault.remedy)
                for fault in error.faults
            ]
    return tuple(findings)


def _run(suite: ExpectationSuite, candidate: Candidate) -> list[Finding]:
    declared, digest = read_suite(candidate.records_dir / suite.path, suite.path)
    if candidate.profile.rows == 0:
        return [
            _finding(
                suite.path, Status.INCONCLUSIVE, "the table has no rows, so nothing was asked", rows_needed=1
            )
        ]
    frame = _frame(candidate, suite.rows)
    sampled = len(frame) < candidate.profile.rows
    results = validate(frame, declared, suite.path)
    names: Counter[str] = Counter()
    findings = []
    for result in results:
        name = _name(result)
        names[name] += 1
        target = f"{name} #{names[name]}" if names[name] > 1 else name
        findings.append(_judged(target, result, frame, sampled=sampled))
    scope = f"a sample of {count(len(frame), 'row')}" if sampled else f"all {count(len(frame), 'row')}"
    summary = f"{count(len(results), 'expectation')} of the suite {digest[:19]}… asked of {scope}"
    return [_finding(suite.path, Status.PASS, summary, n=len(frame)), *findings]


def _name(result: Mapping[str, Any]) -> str:
    columns = _columns(result)
    return f"{result['type']}({', '.join(columns)})" if columns else str(result["type"])


def _columns(result: Mapping[str, Any]) -> list[str]:
    kwargs = result["kwargs"]
    named = [
        kwargs.get("column"),
        kwargs.get("column_A"),
        kwargs.get("column_B"),
        *(kwargs.get("column_list") or ()),
    ]
    return [name for name in named if isinstance(name, str)]


def _judged(target: str, result: Mapping[str, Any], frame: "pd.DataFrame", *, sampled: bool) -> Finding:
    figures = _figures(result)
    absent = [name for name in _columns(result) if name not in frame.columns]
    if result["raised"] and absent:
        return _finding(target, Status.INCONCLUSIVE, f"the table has no column '{absent[0]}'", remedy=_REMEDY)
    if result["raised"]:
        return _finding(
            target,
            Status.INCONCLUSIVE,
            f"the expectation raised {result['raised']}",
            remedy="Correct the expectation, or the type of the column that it is about.",
        )
    if not result["success"]:
        return _finding(target, Status.FAIL, _failure(figures), remedy=_REMEDY, **figures)
    if _looked_at_nothing(result["result"]):
        reason = "there was no value to look at; Great Expectations calls that a success"
        return _finding(target, Status.INCONCLUSIVE, reason, remedy="Find out why the values are missing.")
    if sampled and _about_whole_table(result["type"]):
        return _finding(
            target,
            Status.INCONCLUSIVE,
            "it speaks of the whole table, but was asked of a sample",
            remedy="Take 'rows' out of the suite's entry in the record, or move the expectation to a suite without it.",
        )
    return _finding(target, Status.PASS, "met", **figures)


def _figures(result: Mapping[str, Any]) -> dict[str, Any]:
    """Counts of a result: how many were asked, and what share did not meet the expectation."""
    outcome = result["result"]
    asked, unexpected = outcome.get("element_count"), outcome.get("unexpected_count")
    if not isinstance(asked, int) or not isinstance(unexpected, int):
        return {}
    present = asked - (outcome.get("missing_count") or 0)
    figures: dict[str, Any] = {"n": present}
    if present > 0:
        figures |= {"observed": unexpected / present, "unit": "fraction"}
        mostly = result["kwargs"].get("mostly", 1)
        if isinstance(mostly, int | float):
            figures["limit"] = round(1 - float(mostly), 12)
    return figures


def _failure(figures: Mapping[str, Any]) -> str:
    observed, n = figures.get("observed"), figures.get("n")
    if observed is None or n is None:
        return "not met"
    return f"{round(observed * n):,} of {count(n, 'value')} do not meet it ({percent(observed)})"


def _looked_at_nothing(outcome: Mapping[str, Any]) -> bool:
    if "element_count" in outcome:
        return bool(outcome["element_count"] - (outcome.get("missing_count") or 0) == 0)
    return "observed_value" in outcome and outcome["observed_value"] is None


def _about_whole_table(kind: str) -> bool:
    return kind.startswith("expect_table_row_count") or any(
        word in kind
        for word in (
            "unique",
            "distinct_values_to_contain",
            "distinct_values_to_equal",
            "_max_",
            "_min_",
            "_sum_",
        )
    )


def _frame(candidate: Candidate, rows: int | None) -> "pd.DataFrame":
    """The rows, or a sample of them: every row is as likely as any other, and the same rows come out every time."""
    import numpy as np
    import pyarrow as pa

    batches = candidate.batches()
    total = candidate.profile.rows
    if rows is None or rows >= total:
        whole: pd.DataFrame = pa.Table.from_batches(list(batches)).to_pandas()
        return whole
    seed = int.from_bytes(hashlib.sha256(candidate.digest.encode()).digest()[:8], "big")
    chosen = np.sort(np.random.default_rng(seed).choice(total, size=rows, replace=False))
    kept, start = [], 0
    for batch in batches:
        end = start + batch.num_rows
        mine = chosen[(chosen >= start) & (chosen < end)] - start
        kept.append(batch.take(pa.array(mine)))
        start = end
    sample: pd.DataFrame = pa.Table.from_batches(kept).to_pandas()
    return sample


def _finding(target: str, status: Status, reason: str, *, remedy: str = "", **figures: Any) -> Finding:
    return Finding(
        target=target, measure="expectation", status=status, reason=reason, remedy=remedy, **figures
    )
