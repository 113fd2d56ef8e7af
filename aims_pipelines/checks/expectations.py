"""Expectations: the table meets the Great Expectations suites that its record names, run as they are.

Great Expectations passes where there is nothing to look at (no rows, a column without values, a condition that no
row meets, a suite without expectations) and drops expectations that it does not know; here these are inconclusive,
and so are expectations that raise, and statements about the whole table that were only asked of a sample. Results
are kept as counts: the values that Great Expectations quotes are left out.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aims_pipelines.checks.candidate import Answer, Candidate, Inapplicable
from aims_pipelines.checks.wording import count, percent
from aims_pipelines.core.errors import BadInput, Fault
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


def read_suite(path: Path, shown: str) -> tuple[dict[str, Any], str]:
    """Read a suite file.

    Args:
        path: Where it lies.
        shown: How it is called in messages.

    Returns:
        The suite, and the SHA-256 of its file.

    Raises:
        BadInput: There is no such file, or it is not a suite of Great Expectations 1.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(
            Fault(
                where=shown,
                expected="a suite file",
                found=f"none that can be read ({type(error).__name__})",
                remedy="Put the suite there, or correct 'expectations' in the record.",
            )
        ) from error
    try:
        suite = json.loads(content)
    except ValueError as error:
        raise BadInput(
            Fault(
                where=shown,
                expected="JSON",
                found=f"something else ({error})",
                remedy="Save the suite again.",
            )
        ) from error
    if isinstance(suite, dict) and "expectation_suite_name" in suite:
        raise BadInput(
            Fault(
                where=shown,
                expected="a suite of Great Expectations 1",
                found="one of version 0",
                remedy="Rename 'expectation_suite_name' to 'name' and 'expectation_type' to 'type', or save it again.",
            )
        )
    if not isinstance(suite, dict) or not isinstance(suite.get("expectations"), list):
        raise BadInput(
            Fault(
                where=shown,
                expected="an object with a list 'expectations'",
                found="something else",
                remedy="Save the suite with Great Expectations 1.",
            )
        )
    if not suite["expectations"]:
        raise BadInput(
            Fault(
                where=shown,
                expected="at least one expectation",
                found="none",
                remedy="Add expectations, or take the suite out of the record.",
            )
        )
    return suite, "sha256:" + hashlib.sha256(content).hexdigest()


def validate(frame: "pd.DataFrame", suite: Mapping[str, Any], shown: str) -> list[dict[str, Any]]:
    """Run a suite on a frame in a context of its own: nothing written, nothing sent, no progress bars.

    Returns:
        Results in the form of Great Expectations, unordered, cell values included: for this module only.

    Raises:
        BadInput: Great Expectations does not know or understand an expectation.
    """
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
        ),
    )
    asset = context.data_sources.add_pandas("candidate").add_dataframe_asset("candidate")
    batch = asset.add_batch_definition_whole_dataframe("candidate").get_batch({"dataframe": frame})
    expectations = [_expectation(place, item, shown) for place, item in enumerate(suite["expectations"])]
    known = gx.ExpectationSuite(
        name=str(suite.get("name") or shown),
        expectations=expectations,
        suite_parameters=suite.get("suite_parameters"),
    )
    return [_plain(result) for result in batch.validate(known).results]


def _expectation(place: int, item: object, shown: str) -> Any:
    """Build one expectation; Great Expectations itself would log one that it does not know, and go on without."""
    from great_expectations.exceptions import GreatExpectationsError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    where = f"{shown}: expectations[{place}]"
    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        raise BadInput(Fault(where=where, expected="an object with a 'type'", found="something else"))
    try:
        return ExpectationConfiguration(**item).to_domain_obj()
    except (GreatExpectationsError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInput(
            Fault(
                where=where,
                expected=f"'{item['type']}' as Great Expectations knows it",
                found=f"what it refuses ({type(error).__name__})",
                remedy="Correct its type and arguments.",
            )
        ) from error


def _plain(result: Any) -> dict[str, Any]:
    return {
        "type": result.expectation_config.type,
        "kwargs": dict(result.expectation_config.kwargs),
        "success": bool(result.success),  # some are numpy.bool
        "result": dict(result.result or {}),
        "raised": _raised(result.exception_info),
    }


def _raised(info: Any) -> str:
    """Type of the exception that an expectation raised; empty if none. Its text may quote values."""
    details = [info] if isinstance(info, dict) and "raised_exception" in info else list((info or {}).values())
    for detail in details:
        if isinstance(detail, dict) and detail.get("raised_exception"):
            last = str(detail.get("exception_traceback") or "").strip().rsplit("\n", 1)[-1]
            return last.partition(":")[0].rsplit(".", 1)[-1].strip() or "an exception"
    return ""


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
