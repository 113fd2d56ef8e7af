"""Expectations: the table meets the Great Expectations suites that its record names, run as they are.

Great Expectations passes where there is nothing to look at (no rows, a column without values, a condition that no
row meets, a suite without expectations) and drops expectations that it does not know; here these are inconclusive,
and so are expectations that raise, and statements about the whole table that were only asked of a sample. Results
are kept as counts: the values that Great Expectations quotes are left out.
"""

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from aims_pipelines.checks.candidate import Answer, Candidate, Inapplicable
from aims_pipelines.checks.suites import expectations_of, read_suite
from aims_pipelines.checks.wording import count, percent
from aims_pipelines.core.errors import BadInput
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.records.dataset_record import ExpectationSuite

if TYPE_CHECKING:
    import pyarrow as pa

    from aims_pipelines.checks.suite_engine import Outcome
    from aims_pipelines.checks.suite_frames import Rows

_REMEDY: Final = "Correct the data, or the expectation if it is out of date."
#: Words in the names of expectations whose answer about a sample says little about the table.
_WHOLE: Final = (
    "unique",
    "distinct_values_to_contain",
    "distinct_values_to_equal",
    "_max_",
    "_min_",
    "_sum_",
)
_ROW_COUNT: Final = "expect_table_row_count"
#: Expectations whose observed value is a count or a share of the table and never a value out of it.
_COUNTED: Final = (
    _ROW_COUNT,
    "expect_table_column_count",
    "expect_column_unique_value_count",
    "expect_column_proportion",
)


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
        reason = "the table has no rows, so nothing was asked"
        return [_finding(suite.path, Status.INCONCLUSIVE, reason, rows_needed=1)]
    expectations = expectations_of(declared, suite.path)
    from aims_pipelines.checks.suite_runs import run

    rows, remedy = _rows(suite, candidate)
    outcomes = run(expectations, rows)
    names: Counter[str] = Counter()
    findings = []
    for expectation, outcome in zip(expectations, outcomes, strict=True):
        name = _name(expectation)
        names[name] += 1
        target = f"{name} #{names[name]}" if names[name] > 1 else name
        findings.append(_judged(target, expectation, outcome, rows, if_sampled=remedy))
    scope = f"a sample of {count(rows.count, 'row')}" if remedy else f"all {count(rows.count, 'row')}"
    summary = f"{count(len(outcomes), 'expectation')} of the suite {digest[:19]}… asked of {scope}"
    return [_finding(suite.path, Status.PASS, summary, n=rows.count), *findings]


def _rows(suite: ExpectationSuite, candidate: Candidate) -> "tuple[Rows, str]":
    """The rows to ask, and what to do for more if they are a sample."""
    from aims_pipelines.checks.suite_frames import Rows

    total, most = candidate.profile.rows, candidate.limits.max_suite_rows
    rows = Rows(schema=_schema(candidate), count=total, batches=candidate.batches)
    if suite.rows is not None and suite.rows < min(total, most or total):
        remedy = "Take 'rows' out of the suite's entry in the record, or move the expectation to a suite without it."
        return rows.sample(suite.rows, key=candidate.digest), remedy
    if most is not None and most < total:
        remedy = f"Raise the limit 'max_suite_rows' to at least {total}, or leave it out."
        return rows.sample(most, key=candidate.digest), remedy
    return rows, ""


def _schema(candidate: Candidate) -> "pa.Schema":
    """Types of the columns as data: texts that come as codes only because their file stores them so are texts."""
    import pyarrow as pa

    def kind(field: "pa.Field") -> "pa.DataType":
        profiled = candidate.profile.columns.get(field.name)
        as_data = profiled is None or profiled.storage_type.startswith("dictionary")
        return field.type if as_data or not pa.types.is_dictionary(field.type) else field.type.value_type

    return pa.schema([field.with_type(kind(field)) for field in next(candidate.batches()).schema])


def _name(expectation: Any) -> str:
    from aims_pipelines.checks.suite_reach import columns_of

    kind, columns = str(expectation.configuration.type), columns_of(expectation)
    return f"{kind}({', '.join(columns)})" if columns else kind


def _judged(target: str, expectation: Any, outcome: "Outcome", rows: "Rows", *, if_sampled: str) -> Finding:
    from aims_pipelines.checks.suite_reach import columns_of

    kind, figures = str(expectation.configuration.type), _figures(expectation, outcome)
    absent = [name for name in columns_of(expectation) if name not in rows.names]
    if outcome.raised and absent:
        return _finding(target, Status.INCONCLUSIVE, f"the table has no column '{absent[0]}'", remedy=_REMEDY)
    if outcome.raised == "MetricProviderError":
        reason = "Great Expectations cannot compute it on pandas, only in a database"
        return _finding(target, Status.INCONCLUSIVE, reason, remedy="Say it by another expectation.")
    if outcome.raised:
        return _finding(
            target,
            Status.INCONCLUSIVE,
            f"the expectation raised {outcome.raised}",
            remedy="Correct the expectation, or the type of the column that it is about.",
        )
    if not outcome.success:
        return _finding(target, Status.FAIL, _failure(kind, outcome, figures), remedy=_REMEDY, **figures)
    if _looked_at_nothing(expectation, outcome):
        reason = "there was no value to look at; Great Expectations calls that a success"
        conditional = getattr(expectation, "row_condition", None) is not None
        remedy = "Find out why the values are missing" + (
            ", or no row meets the condition." if conditional else "."
        )
        return _finding(target, Status.INCONCLUSIVE, reason, remedy=remedy)
    if if_sampled and _about_whole_table(kind):
        reason = "it speaks of the whole table, but was asked of a sample"
        return _finding(target, Status.INCONCLUSIVE, reason, remedy=if_sampled)
    return _finding(target, Status.PASS, "met", **figures)


def _figures(expectation: Any, outcome: "Outcome") -> dict[str, Any]:
    """Counts of an outcome: how many values were asked, and what share did not meet the expectation."""
    unexpected = outcome.result.get("unexpected_count")
    if "element_count" not in outcome.result or outcome.values is None or unexpected is None:
        return {}
    figures: dict[str, Any] = {"n": outcome.values}
    if outcome.values > 0:
        figures |= {"observed": int(unexpected) / outcome.values, "unit": "fraction"}
        mostly = getattr(expectation, "mostly", 1)
        if isinstance(mostly, int | float):
            figures["limit"] = round(1 - float(mostly), 12)
    return figures


def _failure(kind: str, outcome: "Outcome", figures: dict[str, Any]) -> str:
    observed, n = figures.get("observed"), figures.get("n")
    if observed is not None and n is not None:
        return f"{round(observed * n):,} of {count(n, 'value')} do not meet it ({percent(observed)})"
    seen = outcome.result.get("observed_value")
    if kind.startswith(_COUNTED) and isinstance(seen, int | float):
        return f"not met: found {float(seen):,.6g}"
    return "not met"


def _looked_at_nothing(expectation: Any, outcome: "Outcome") -> bool:
    if str(expectation.configuration.type).startswith(_ROW_COUNT):
        # No row that meets a condition is an answer only to a suite that asks for none.
        asked = getattr(expectation, "value", getattr(expectation, "max_value", None))
        return outcome.result.get("observed_value") == 0 and asked != 0
    return outcome.values == 0


def _about_whole_table(kind: str) -> bool:
    if kind.endswith("within_record"):
        return False
    return kind.startswith(_ROW_COUNT) or any(word in kind for word in _WHOLE)


def _finding(target: str, status: Status, reason: str, *, remedy: str = "", **figures: Any) -> Finding:
    return Finding(
        target=target, measure="expectation", status=status, reason=reason, remedy=remedy, **figures
    )
