"""How a number is written where it names a value or a group."""

from typing import Any, Final

import numpy as np

#: Whole numbers below are told apart by float64.
_EXACT: Final = 1 << 53


def number_label(value: float, kind: type[np.floating[Any]] | None = None) -> str:
    """Text for a number: ``1`` for 1.0, otherwise the shortest that reads back the same, as ``kind`` if it is one."""
    if value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    return repr(value) if kind is None else str(kind(value))
