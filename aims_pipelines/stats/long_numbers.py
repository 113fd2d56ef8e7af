"""Numbers of more digits than float64 keeps."""

import re
from typing import Final

from aims_pipelines.stats.profile import ColumnProfile

#: Whole numbers from here on are not all told apart by float64.
_EXACT_INTEGER: Final = 2.0**53
#: Decimals of 15 digits are, in units of their last digit.
_EXACT_DECIMAL: Final = 1e15
_INTEGERS: Final = frozenset({"int64", "uint64"})
_SCALE: Final = re.compile(r"decimal\d+\(\d+, (-?\d+)\)")


def holds_long_numbers(column: ColumnProfile) -> bool:
    """Whether there are whole numbers or decimals that a profile's float64 may have rounded."""
    moments, decimal = column.moments, _SCALE.fullmatch(column.storage_type)
    if moments is None or not moments.count or not (decimal or column.storage_type in _INTEGERS):
        return False
    largest = max(abs(moments.minimum), abs(moments.maximum))
    return largest * 10.0 ** int(decimal[1]) >= _EXACT_DECIMAL if decimal else largest >= _EXACT_INTEGER
