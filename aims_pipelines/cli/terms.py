"""What a record file may say about a comparison: limits, label, groups and what to leave out."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms of a comparison.

    Args:
        effect: Tolerated shift.
        alpha: Chance of a false failure.
        label: Column to predict.
        protected: Columns, and combinations joined by ``&``, whose groups are looked into; ``None`` if unsaid.
        bands: Band edges by column.
        pairs: Pairs of columns whose dependence on each other is judged; ``None`` if unsaid.
        ignore: Columns that differ in every window by design.
        notes: What a reader ought to know about the record.
    """

    effect: float = 0.1
    alpha: float = 0.01
    label: str | None = None
    protected: tuple[str, ...] | None = None
    bands: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    pairs: tuple[tuple[str, str], ...] | None = None
    ignore: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
