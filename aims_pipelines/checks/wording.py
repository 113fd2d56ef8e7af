"""Figures and names as they stand in sentences."""

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aims_pipelines.stats.profile import ColumnProfile

_MOST_NAMES = 8


def percent(fraction: float) -> str:
    """Write a fraction as a percentage to three digits: ``0.30002`` is ``30 %``."""
    return f"{100 * fraction:.3g} %"


def count(number: int, noun: str, plural: str = "") -> str:
    """Write a number of things: ``1 row``, ``32,561 rows``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listing(names: Collection[str]) -> str:
    """Write names in quotes, the first few of many: ``'a', 'b' and 12 more``."""
    shown = [f"'{name}'" for name in list(names)[:_MOST_NAMES]]
    rest = len(names) - len(shown)
    return f"{', '.join(shown)} and {rest} more" if rest else ", ".join(shown)


def stored_as(column: "ColumnProfile") -> str:
    """Name the type that a column is stored in, and that it came as codes where it did."""
    from aims_pipelines.stats.profile import Kind

    text = column.storage_type in {"string", "binary", "bool", "null"} or column.kind is not Kind.CATEGORICAL
    return column.storage_type if text else f"{column.storage_type} as codes (dictionary-encoded)"
