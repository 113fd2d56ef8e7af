"""A Great Expectations suite guessed from a table: about the table as a whole, where contracts are about values."""

import json
import math
from collections.abc import Callable

from aims_pipelines.records.dataset_record import ColumnType
from aims_pipelines.scaffold.guess import Contract


def suite_text(name: str, contracts: list[Contract], *, label: str) -> str:
    """The suite as JSON, in the form that Great Expectations 1.x writes and reads.

    Numbers whose mean stays within half a standard deviation; categories with about as many values as before; a label
    of which no value disappears.
    """
    expectations = [
        _expectation(
            "expect_table_row_count_to_be_between", "Some rows; policy.yaml has the limit.", min_value=1
        )
    ]
    for contract in contracts:
        column = contract.column
        if contract.feature == "number" and column.deviation > 0:
            expectations.append(
                _expectation(
                    "expect_column_mean_to_be_between",
                    "Within half a standard deviation of the first table's mean.",
                    column=column.name,
                    min_value=_rounded(column.mean - column.deviation / 2, column.deviation, math.floor),
                    max_value=_rounded(column.mean + column.deviation / 2, column.deviation, math.ceil),
                )
            )
        elif (contract.feature == "category" or column.name == label) and column.values:
            if column.type is ColumnType.BOOLEAN:
                continue  # nothing that a contract does not say
            expectations.append(
                _expectation(
                    "expect_column_unique_value_count_to_be_between",
                    "About as many different values as in the first table.",
                    column=column.name,
                    min_value=max(2, math.floor(column.distinct / 2)),
                    max_value=column.distinct if column.name == label else math.ceil(column.distinct * 1.5),
                )
            )
    return (
        json.dumps({"name": name, "expectations": expectations, "meta": {}}, indent=2, ensure_ascii=False)
        + "\n"
    )


def _expectation(kind: str, note: str, **kwargs: object) -> dict[str, object]:
    return {"type": kind, "kwargs": kwargs, "meta": {"notes": note}}


def _rounded(number: float, deviation: float, whole: Callable[[float], int]) -> float:
    """A bound as people write it: moved outwards by less than a hundredth of the deviation."""
    step = 10.0 ** math.floor(math.log10(deviation) - 2)
    return float(f"{whole(number / step) * step:.15g}")
