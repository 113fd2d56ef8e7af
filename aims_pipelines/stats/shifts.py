"""What a shift of one column is, and the measures that those who test for it and those who judge the tests share."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.tails import Floats

#: Share of a column's level that its first question gets.
FIRST = 0.95
#: Standard deviations of a normal variable by which it shifts for each unit of total variation, near zero.
SD_PER_TOTAL_VARIATION = float(np.sqrt(2.0 * np.pi))
#: Change of a rank correlation for each unit of total variation of the joint table of two normal columns, near none.
CORRELATION_PER_TOTAL_VARIATION = float(np.pi)
#: Largest gap of the distribution functions that is harmless, in wobbles.
HARMLESS_GAP = 7.0


class Shift(IntEnum):
    """What a p-value says has changed."""

    LOCATION = 0
    SHAPE = 1
    SHARE = 2
    SHARES = 3
    ASSOCIATION = 4
    DEPENDENCE = 5
    NEW_VALUES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Shifts:
    """Shifts of one column (or of one table of shares), one entry a unit: the whole table, then groups.

    Args:
        p: P-value of the stronger of the two questions, adjusted for asking both; 1 where a window is empty.
        kind: The question, a :class:`Shift`.
        observed: The shift in that question's unit: standard deviations, or a fraction of the rows with a
            value.
        possible: Whether there was anything to test: more than one value or category.
        before: Rows with a value in the reference window.
        after: Rows with a value in the current window.
        spread: Standard deviation of the unit that shifts: 1 for a location, at most 0.5 for shares and
            shapes.
        tests: Categories judged one by one; 1 for ordered values.
        cell: Index of the category that moved most; -1 where none.
        ordered: Whether the values have an order.
        coarse: Whether bins were too wide for the shape, so that only the mean was judged.
        present: Smaller share of rows with a value, of the two windows.
    """

    p: Floats
    kind: NDArray[np.int64]
    possible: NDArray[np.bool_]
    observed: Floats
    before: Floats
    after: Floats
    spread: Floats
    tests: Floats
    cell: NDArray[np.int64]
    ordered: NDArray[np.bool_]
    coarse: NDArray[np.bool_]
    present: Floats


def unmoved(before: Floats, after: Floats, present: Floats, *, ordered: bool) -> Shifts:
    """Shifts of units of which there is nothing to compare; arguments as in :class:`Shifts`."""
    units = before.size
    return Shifts(
        p=np.ones(units),
        kind=np.full(units, int(Shift.SHAPE if ordered else Shift.SHARE)),
        possible=np.zeros(units, dtype=bool),
        observed=np.zeros(units),
        before=before,
        after=after,
        spread=np.zeros(units),
        tests=np.ones(units),
        cell=np.full(units, -1),
        ordered=np.full(units, ordered),
        coarse=np.zeros(units, dtype=bool),
        present=present,
    )


def sampling_variance(n: Floats, m: Floats) -> Floats:
    """``1/n + 1/m``; infinite where a window is empty."""
    with np.errstate(divide="ignore"):
        return 1.0 / n + 1.0 / m
