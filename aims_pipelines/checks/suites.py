"""Suites of Great Expectations: read from a file, and built one expectation at a time."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aims_pipelines.core.errors import BadInput, Fault


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


def expectations_of(suite: Mapping[str, Any], shown: str) -> list[Any]:
    """Build the expectations of a suite, parameters filled in with the values that the suite gives them.

    Great Expectations itself would log an expectation that it does not know, and go on without.

    Args:
        suite: A suite as read.
        shown: How it is called in messages.

    Raises:
        BadInput: Great Expectations does not know or understand an expectation; all such are named.
    """
    from aims_pipelines.checks.suite_engine import quietly

    parameters = suite.get("suite_parameters") or {}
    expectations: list[Any] = []
    faults: list[Fault] = []
    with quietly():
        for place, item in enumerate(suite["expectations"]):
            try:
                expectations.append(_expectation(item, parameters, f"{shown}: expectations[{place}]"))
            except BadInput as error:
                faults += error.faults
    if faults:
        raise BadInput(faults)
    return expectations


def _expectation(item: object, parameters: Mapping[str, Any], where: str) -> Any:
    from great_expectations.exceptions import GreatExpectationsError, SuiteParameterError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        raise BadInput(Fault(where=where, expected="an object with a 'type'", found="something else"))
    try:
        configuration = ExpectationConfiguration(**item)
        configuration.process_suite_parameters(dict(parameters))
        return configuration.to_domain_obj()
    except SuiteParameterError as error:
        raise BadInput(
            Fault(
                where=where,
                expected="a value for each '$PARAMETER' of it",
                found="one without",
                remedy="Write it into the suite, under 'suite_parameters'.",
            )
        ) from error
    except (GreatExpectationsError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInput(
            Fault(
                where=where,
                expected=f"'{item['type']}' as Great Expectations knows it",
                found=f"what it refuses ({type(error).__name__})",
                remedy="Correct its type and arguments.",
            )
        ) from error
