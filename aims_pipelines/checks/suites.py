"""Suites of Great Expectations: read from a file, and run on a frame in a context of their own."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aims_pipelines.checks.beside_pyspark import beside_pyspark
from aims_pipelines.core.errors import BadInput, Fault

if TYPE_CHECKING:
    import pandas as pd


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
    with beside_pyspark():
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
