"""Validity: values keep to the declared range, list of values or pattern; no number is infinite.

Missing values are not judged here. Counts come from the profile where it is exact, from the rows elsewhere.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.checks.candidate import Answer, Candidate, Inapplicable
from aims_pipelines.checks.rows import pieces, tally_texts
from aims_pipelines.checks.wording import count, percent, stored_as
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.records.dataset_record import ColumnContract, ColumnType
from aims_pipelines.records.parts import Scalar
from aims_pipelines.stats.long_numbers import holds_long_numbers
from aims_pipelines.stats.profile import NARROW, ColumnProfile, Kind

if TYPE_CHECKING:
    import pyarrow as pa

_INTEGERS: Final = frozenset({"int64", "uint64"})


def judge(candidate: Candidate) -> Answer:
    """Judge every declared column that has a rule or holds numbers."""
    contracts = {
        name: contract
        for name, contract in candidate.record.columns.items()
        if _has_rule(contract) or contract.type in (ColumnType.INTEGER, ColumnType.NUMBER)
    }
    if not contracts:
        return Inapplicable(reason="the record declares neither numbers nor a rule for values")
    findings = []
    for name, contract in contracts.items():
        column = candidate.profile.columns.get(name)
        if column is not None:
            findings.append(_column(column, contract, candidate))
    return tuple(finding for finding in findings if finding is not None)


def _column(column: ColumnProfile, contract: ColumnContract, candidate: Candidate) -> Finding | None:
    misfit = _misfit(column, contract)
    if misfit:
        return _unanswered(
            column.name, misfit, "Correct the type of the column, or the rule in its contract."
        )
    values = column.rows - column.missing
    if values == 0:
        if contract.max_missing == 1.0:
            return None  # the contract admits a column without values
        return _unanswered(column.name, "it has no values to judge", "")
    invalid = _invalid(column, contract, candidate)
    share = invalid / values
    passed = share <= contract.max_invalid
    rule = _rule(contract)
    reason = f"{invalid:,} of {count(values, 'value')} {'is' if invalid == 1 else 'are'} not {rule}"
    return Finding(
        target=column.name,
        measure="invalid fraction",
        status=Status.PASS if passed else Status.FAIL,
        reason=reason
        if passed
        else f"{reason} ({percent(share)}); the contract allows {percent(contract.max_invalid)}",
        observed=share,
        limit=contract.max_invalid,
        unit="fraction",
        n=values,
        remedy=""
        if passed
        else f"Correct the values of '{column.name}', or its rule if the rule is out of date.",
    )


def _has_rule(contract: ColumnContract) -> bool:
    rules = (contract.min, contract.max, contract.allowed, contract.pattern)
    return any(rule is not None for rule in rules)


def _misfit(column: ColumnProfile, contract: ColumnContract) -> str:
    """Why a rule cannot be asked of a column of this kind; empty if it can."""
    if (contract.min is not None or contract.max is not None) and column.kind is not Kind.NUMERIC:
        return f"'min' and 'max' are for numbers, and the column holds {stored_as(column)}"
    if contract.pattern is not None and column.kind is not Kind.CATEGORICAL:
        return f"'pattern' is for text, and the column holds {stored_as(column)}"
    if contract.allowed is not None and column.kind is Kind.TEMPORAL:
        return f"'allowed' is for text, numbers and booleans, and the column holds {stored_as(column)}"
    return ""


def _rule(contract: ColumnContract) -> str:
    parts = []
    if contract.min is not None or contract.max is not None:
        low = "any" if contract.min is None else f"{contract.min:g}"
        high = "any" if contract.max is None else f"{contract.max:g}"
        parts.append(f"between {low} and {high}")
    if contract.allowed is not None:
        parts.append(f"one of the {count(len(contract.allowed), 'allowed value')}")
    if contract.pattern is not None:
        parts.append("of the declared pattern")
    return " and ".join(parts) or "finite"


def _invalid(column: ColumnProfile, contract: ColumnContract, candidate: Candidate) -> int:
    if column.kind is Kind.NUMERIC:
        return _invalid_numbers(column, contract, candidate)
    if column.kind is Kind.TEMPORAL:
        return 0  # no rule can be asked of it
    categories, valid = column.categories, _text_rule(contract)
    if categories is not None and categories.exact:
        return sum(number for text, number in categories.counts.items() if not valid(text))
    return tally_texts(candidate, column.name, lambda text: not valid(text))


def _text_rule(contract: ColumnContract) -> Callable[[str], bool]:
    allowed = None if contract.allowed is None else {_text(value) for value in contract.allowed}
    pattern = None if contract.pattern is None else re.compile(contract.pattern)

    def valid(text: str) -> bool:
        return (allowed is None or text in allowed) and (
            pattern is None or pattern.fullmatch(text) is not None
        )

    return valid


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _invalid_numbers(column: ColumnProfile, contract: ColumnContract, candidate: Candidate) -> int:
    distribution, moments = column.distribution, column.moments
    rule = _NumberRule.of(contract, column.storage_type)
    if holds_long_numbers(column):
        exactly = rule.broken_integers if column.storage_type in _INTEGERS else rule.broken_decimals
        return sum(exactly(piece) for piece in pieces(candidate, column.name))
    if distribution is not None and distribution.exact:
        return int(distribution.counts[rule.broken(distribution.points)].sum())
    inside = moments is not None and moments.minimum >= rule.low and moments.maximum <= rule.high
    if (
        distribution is not None
        and moments is not None
        and rule.allowed is None
        and (inside or not moments.count)
    ):
        return int(distribution.counts[~np.isfinite(distribution.points)].sum())
    total = 0
    for piece in pieces(candidate, column.name):
        numbers = piece.drop_null().to_numpy(zero_copy_only=False).astype(np.float64)
        total += int(rule.broken(numbers[~np.isnan(numbers)]).sum())
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class _NumberRule:
    """Bounds and allowed values: as the column stores them (0.1 is another number in 32 bits), and as written.

    Args:
        low: Smallest valid number.
        high: Largest valid number.
        allowed: The only valid numbers, if they are listed.
        least: The smallest as it is written.
        most: The largest as it is written.
        written: The only valid ones as they are written.
    """

    low: float
    high: float
    allowed: tuple[float, ...] | None
    least: int | Decimal
    most: int | Decimal
    written: frozenset[int | Decimal] | None

    @classmethod
    def of(cls, contract: ColumnContract, stored: str) -> "_NumberRule":
        rounded = NARROW.get(stored, float)
        low = -math.inf if contract.min is None else contract.min
        high = math.inf if contract.max is None else contract.max
        listed = None
        if contract.allowed is not None:
            listed = [number for one in contract.allowed if (number := _number(one)) is not None]
        return cls(
            low=float(rounded(low)),
            high=float(rounded(high)),
            allowed=None if listed is None else tuple(float(rounded(one)) for one in listed),
            least=_written(low),
            most=_written(high),
            written=None
            if listed is None
            else frozenset(_written(one) for one in listed if math.isfinite(one)),
        )

    def broken(self, numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which numbers break the rule."""
        broken: NDArray[np.bool_] = ~np.isfinite(numbers) | (numbers < self.low) | (numbers > self.high)
        if self.allowed is not None:
            broken |= ~np.isin(numbers, self.allowed)
        return broken

    def broken_integers(self, values: "pa.Array") -> int:
        """How many whole numbers of 64 bits break the rule, compared to the last digit."""
        numbers = values.drop_null().to_numpy(zero_copy_only=False)
        broken = np.zeros(len(numbers), dtype=bool)
        smallest, largest = np.iinfo(numbers.dtype).min, np.iinfo(numbers.dtype).max
        if self.least > smallest:
            broken |= True if self.least > largest else numbers < numbers.dtype.type(math.ceil(self.least))
        if self.most < largest:
            broken |= True if self.most < smallest else numbers > numbers.dtype.type(math.floor(self.most))
        if self.written is not None:
            whole = [int(one) for one in self.written if one % 1 == 0 and smallest <= one <= largest]
            broken |= ~np.isin(numbers, np.array(whole, numbers.dtype))
        return int(broken.sum())

    def broken_decimals(self, values: "pa.Array") -> int:
        """How many decimals break the rule, compared to the last digit of what the record says."""
        return sum(
            value is not None
            and not (self.least <= value <= self.most and (self.written is None or value in self.written))
            for value in values.to_pylist()
        )


def _number(value: Scalar) -> int | float | None:
    try:
        return value if isinstance(value, int) else float(value)
    except ValueError:
        return None


def _written(number: int | float) -> int | Decimal:
    """A number of a record as it was written there."""
    return (
        number if isinstance(number, int) else int(number) if number.is_integer() else Decimal(repr(number))
    )


def _unanswered(column: str, reason: str, remedy: str) -> Finding:
    return Finding(
        target=column,
        measure="invalid fraction",
        status=Status.INCONCLUSIVE,
        reason=reason,
        unit="fraction",
        remedy=remedy,
    )
