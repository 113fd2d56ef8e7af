"""The profile: what one pass over rows keeps, and all that any statistic may see.

Profiles merge: the merge is associative and commutative and has an identity, so partitions, days and machines
add up, and the profile of a concatenation equals the merge of the profiles.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: Most distinct values of a numeric or temporal column that are kept one by one.
ATOM_CAP = 1024
#: Most occupied steps of a temporal column before the step grows.
TIME_CAP = 4096
#: Most distinct categories that are kept by name.
CATEGORY_CAP = 4096
#: Buckets and sampled hashes of a column with more categories than that.
BUCKETS = 1024
CATEGORY_SAMPLE = 512
#: Most levels of a grouping, ``(missing)`` and ``(other)`` not counted.
LEVEL_CAP = 64
#: Distinct rows (or keys) up to which duplicates and overlap are exact.
ROW_CAP = 1 << 17

#: Keys of a number in a pair: fewest bits of the mantissa, most keys between the smallest and the largest value for
#: which more bits are kept, and most keys that occur.
PAIR_BITS = 2
PAIR_SPAN = 64
PAIR_KEYS = 128
#: Most categories of a pair's column that are kept by name; beyond, that many hash buckets.
PAIR_LEVELS = 64

#: Arrow's names of the floating point types of fewer than 64 bits, in which a fraction is another number.
NARROW: Final[Mapping[str, type[np.floating[Any]]]] = MappingProxyType(
    {"float": np.float32, "halffloat": np.float16}
)

MISSING = "(missing)"
OTHER = "(other)"
#: Threshold of a sketch that has let nothing go.
UNBOUNDED = (1 << 64) - 1


class Kind(StrEnum):
    """How a column is measured."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"  # strings, booleans, dictionaries
    TEMPORAL = "temporal"  # dates and timestamps, measured in seconds since 1970-01-01 UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Where the values of a numeric or temporal column lie. NaN and null are not in it; infinities are.

    Args:
        points: Sorted distinct positions, float64, shape (k,). Where ``exact``, they are the values
            themselves; otherwise they are the representatives of log-linear bins (7 mantissa bits, relative
            error under 0.4 %; see :mod:`aims_pipelines.stats.bins`) or, where ``resolution`` is set, of equal
            steps of time.
        counts: Values at each point, int64, shape (k,), each at least 1.
        exact: Whether the points are values (at most ``ATOM_CAP`` distinct ones) or bin representatives.
        resolution: For temporal columns that are not exact: the step in seconds; ``None`` otherwise.
        mantissa_bits: For numeric columns that are not exact: bits of the mantissa that tell bins apart, from 7 (values
            around zero, or of many magnitudes) to 40 (values far from zero); points lie within
            2**-(bits + 1) of the values, relative to them.
    """

    points: NDArray[np.float64]
    counts: NDArray[np.int64]
    exact: bool
    resolution: float | None = None
    mantissa_bits: int = 7

    @property
    def total(self) -> int:
        """Number of values."""
        return int(self.counts.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Count, extremes and central moment sums of the finite values of a column.

    Args:
        count: Finite values.
        minimum: Smallest finite value; NaN where ``count`` is 0.
        maximum: Largest finite value; NaN where ``count`` is 0.
        mean: Arithmetic mean; NaN where ``count`` is 0.
        m2: Sum of squared deviations from the mean.
        m3: Sum of cubed deviations from the mean.
        m4: Sum of fourth powers of deviations from the mean.

    A sum too large for a float64 is infinite (``m2``, ``m4``) or NaN (``m3``).
    """

    count: int
    minimum: float
    maximum: float
    mean: float
    m2: float
    m3: float
    m4: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSketch:
    """A coordinated sample of 64-bit hashes with their counts: of rows, of keys, or of categories.

    Exact while no more than its capacity of distinct hashes was seen. Of rows and keys it says something
    about single rows, so it is kept and dropped with them, and never released.

    Args:
        threshold: Hashes at or above it were let go; 2**64 - 1 while exact.
        hashes: Sorted distinct 64-bit hashes below the threshold, uint64, shape (k,).
        counts: Rows with each hash, int64, shape (k,).
    """

    threshold: int
    hashes: NDArray[np.uint64]
    counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Categories:
    """How often each category occurs. Nulls are not in it.

    Past ``CATEGORY_CAP`` distinct categories a column is free text or a key rather than a set of categories:
    from then on it keeps hashes alone, no labels. ``stats.merge.bucket_counts`` puts any two profiles of a
    column, exact or not, on the same buckets; the fullest buckets tell of heavy hitters.

    Args:
        counts: Occurrences per category, all of them while ``exact``; empty afterwards.
        other: Occurrences of all categories not in ``counts``; 0 while exact.
        distinct: Number of distinct categories; unless exact an estimate (standard error 4.4 %).
        exact: Whether ``counts`` is complete.
        buckets: Occurrences per hash bucket, int64, shape (1024,), comparable between any two profiles;
            ``None`` while exact.
        sample: Coordinated sample of category hashes from which ``distinct`` is told; ``None`` while exact.
    """

    counts: Mapping[str, int]
    other: int
    distinct: int
    exact: bool
    buckets: NDArray[np.int64] | None = None
    sample: RowSketch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """What is kept of one column (of all rows, or of the rows of one group).

    Args:
        name: Column name.
        kind: How it is measured.
        storage_type: Arrow type it arrived in, such as ``int64`` or ``string``.
        rows: Rows seen, missing ones included.
        nulls: Missing values, not counting NaN.
        nans: NaN values.
        distribution: For numeric and temporal columns.
        moments: For numeric and temporal columns.
        categories: For categorical columns; for a boolean the categories are ``true`` and ``false``.
    """

    name: str
    kind: Kind
    storage_type: str
    rows: int
    nulls: int
    nans: int = 0
    distribution: Distribution | None = None
    moments: Moments | None = None
    categories: Categories | None = None

    @property
    def missing(self) -> int:
        """Nulls and NaNs together."""
        return self.nulls + self.nans


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupProfile:
    """What is kept of the rows of one group.

    Args:
        rows: Rows in the group.
        columns: One profile a column, keyed by name, measured over the rows of the group.
    """

    rows: int
    columns: Mapping[str, ColumnProfile]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Where the rows of one column of a pair lie, coarsely.

    Args:
        kind: ``NUMERIC`` or ``CATEGORICAL``.
        keys: Sorted distinct keys that occur, int64, shape (k,). Of numbers the signed top bits of the float64, in
            the order of the values (see :mod:`aims_pipelines.stats.pairs`); of categories their place among
            ``labels``, or a hash bucket.
        bits: Bits of the mantissa that tell the keys of numbers apart.
        labels: Names of the categories in order; ``None`` for numbers, and for more than ``PAIR_LEVELS`` categories.
    """

    kind: Kind
    keys: NDArray[np.int64]
    bits: int = 0
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTable:
    """How often the coarse values of two columns occur together.

    Args:
        axes: Where the rows lie in the first and in the second column.
        counts: Rows by key of the first and of the second axis, int64, shape (k + 1, l + 1); missing values last.
    """

    axes: tuple[Axis, Axis]
    counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSpec:
    """A grouping to profile within: one column, or several for intersections; numeric columns in bands.

    Args:
        columns: Columns whose values define the groups, at least one.
        bands: For a numeric column: the inner band edges, ascending. ``(30, 50)`` gives ``<30``, ``30-50``,
            ``>=50``.
    """

    columns: tuple[str, ...]
    bands: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How the grouping is called in profiles and verdicts, such as ``sex`` or ``race & sex``."""
        return " & ".join(self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one pass over the rows of a table keeps.

    Args:
        rows: Number of rows.
        columns: One profile a column, in the table's order.
        groups: Per grouping name and level, what is kept of that group's rows. A missing value is the level
            ``(missing)``; levels beyond the cap are together ``(other)``.
        row_sketch: Row hashes; ``None`` once rows are gone.
        key_sketches: Per declared key (its column names joined by `` & ``), hashes of the key alone; empty
            once rows are gone.
        pairs: Per declared pair of columns, their names in the order of the alphabet, how often their values occur
            together.
    """

    rows: int
    columns: Mapping[str, ColumnProfile]
    groups: Mapping[str, Mapping[str, GroupProfile]] = field(default_factory=dict)
    row_sketch: RowSketch | None = None
    key_sketches: Mapping[str, RowSketch] = field(default_factory=dict)
    pairs: Mapping[tuple[str, str], PairTable] = field(default_factory=dict)
