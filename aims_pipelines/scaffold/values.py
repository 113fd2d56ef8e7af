"""What a profile tells about a column, in the terms of a contract."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aims_pipelines.records.dataset_record import ColumnType
from aims_pipelines.records.parts import Scalar
from aims_pipelines.stats.profile import ColumnProfile, Kind

if TYPE_CHECKING:
    import pyarrow as pa

MOST_VALUES = 100
NULL_TEXTS = ("?", "NA", "N/A", "n/a", "#N/A", "NULL", "null", "NaN", "nan")
_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
#: 31/12/2026, 2026.12.31, 2026-12, 31 Dec 26, December 31, 2026; with a time or without.
_DATE_TEXT = (
    rf"(?i)^\s*(?:(?:19|20)\d\d[-./]\d{{1,2}}(?:[-./]\d{{1,2}})?|\d{{1,2}}[-./]\d{{1,2}}[-./](?:\d{{2}}|\d{{4}})"
    rf"|\d{{1,2}}[ -]?{_MONTH}\.?[ ,-]*\d{{2,4}}|{_MONTH}\.? +\d{{1,2}}(?:st|nd|rd|th)?,? +\d{{4}})"
    r"(?:[t ,]+\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[ap]m)?(?: ?(?:z|utc|[+-]\d{2}:?\d{2}))?)?\s*$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as a contract sees it.

    Args:
        name: Its name.
        type: What it holds.
        storage_type: Arrow type it arrived in.
        rows: Rows of the table.
        missing: Missing values, blank texts included.
        distinct: Distinct values that are not missing.
        values: How often each value occurs, if there are at most ``MOST_VALUES``; ``None`` otherwise.
        minimum: Smallest number, or first time in seconds since 1970; NaN where there is none.
        maximum: Largest number, or last time; NaN where there is none.
        quantiles: Numbers at 1/8, 2/8 … 7/8 of the values; empty where there are none.
        mean: Arithmetic mean of a number; NaN where there is none.
        deviation: Standard deviation of a number; NaN where there is none.
        infinite: Values that are infinite.
        decimal_comma: Whether its texts are numbers written with a decimal comma.
        dated: Whether its texts or whole numbers are dates, such as 31/12/2026 and 20261231.
    """

    name: str
    type: ColumnType
    storage_type: str
    rows: int
    missing: int
    distinct: int
    values: Mapping[Scalar, int] | None
    minimum: float = float("nan")
    maximum: float = float("nan")
    quantiles: tuple[float, ...] = ()
    mean: float = float("nan")
    deviation: float = float("nan")
    infinite: int = 0
    decimal_comma: bool = False
    dated: bool = False

    @property
    def known(self) -> int:
        """Values that are not missing."""
        return self.rows - self.missing

    @property
    def is_numeric(self) -> bool:
        """Whether it holds numbers."""
        return self.type in {ColumnType.INTEGER, ColumnType.NUMBER}

    @property
    def is_whole(self) -> bool:
        """Whether it holds whole numbers."""
        return self.type is ColumnType.INTEGER

    @property
    def is_temporal(self) -> bool:
        """Whether it holds dates or times."""
        return self.type in {ColumnType.DATE, ColumnType.TIMESTAMP}


def columns_of(table: "pa.Table") -> dict[str, Column]:
    """Put the columns of a table in the terms of a contract."""
    import pyarrow.compute as pc

    from aims_pipelines.measure import profile_table

    columns = {name: column_of(profile) for name, profile in profile_table(table).columns.items()}
    columns = {
        name: replace(column, dated=_holds_dates(column, table.column(name)))
        for name, column in columns.items()
    }
    return {
        name: column
        if column.values is not None
        else replace(
            column,
            distinct=pc.count_distinct(table.column(name), mode="only_valid").as_py(),
            decimal_comma=column.type is ColumnType.STRING and _has_decimal_commas(table.column(name)),
        )
        for name, column in columns.items()
    }


def _has_decimal_commas(values: "pa.ChunkedArray") -> bool:
    """Whether all texts are numbers, some with a decimal comma."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return False
    number = pc.match_substring_regex(values, r"^\s*[-+]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?\s*$")
    return bool(pc.all(number).as_py()) and bool(pc.any(pc.match_substring(values, ",")).as_py())


def _holds_dates(column: Column, values: "pa.ChunkedArray") -> bool:
    """Whether all texts are dates in some usual form, or all whole numbers are years, months and days in a row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.is_whole and column.minimum > 1900_01_00 and column.maximum < 2101_01_01:
        known = np.array([value for value in pc.unique(values).to_pylist() if value is not None], np.float64)
        days = known[~np.isnan(known)].astype(np.int64)
        months = days // 100 % 100
        return bool(((months >= 1) & (months <= 12) & (days % 100 >= 1) & (days % 100 <= 31)).all())
    if column.type is not ColumnType.STRING or not column.known:
        return False
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return False
    full = values.filter(pc.not_equal(pc.utf8_trim_whitespace(values), ""))
    return bool(pc.all(pc.match_substring_regex(full, _DATE_TEXT)).as_py())


def column_of(profile: ColumnProfile) -> Column:
    """Put a column's profile in the terms of a contract; ``distinct`` is a guess where ``values`` is ``None``."""
    if profile.kind is Kind.NUMERIC:
        return _number(profile)
    if profile.kind is Kind.TEMPORAL:
        kind = ColumnType.DATE if profile.storage_type.startswith("date") else ColumnType.TIMESTAMP
        points = profile.distribution.points if profile.distribution is not None else np.empty(0)
        return Column(
            name=profile.name,
            type=kind,
            storage_type=profile.storage_type,
            rows=profile.rows,
            missing=profile.missing,
            distinct=len(points),
            values=None,
            minimum=float(points[0]) if len(points) else float("nan"),
            maximum=float(points[-1]) if len(points) else float("nan"),
        )
    return _category(profile)


def null_texts(path: Path, table: "pa.Table") -> tuple[str, ...]:
    """Texts of a CSV file that by wide custom mean missing but were read as text, blank ones included, with any space
    around them; Parquet has nulls of its own."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if path.name.lower().endswith((".parquet", ".pq")):
        return ()
    found: set[str] = set()
    wanted = pa.array(["", *NULL_TEXTS])
    for column in table.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            trimmed = pc.utf8_trim_whitespace(column)
            hits = column.filter(pc.is_in(trimmed, value_set=wanted.cast(column.type)))
            found.update(text for text in hits.unique().to_pylist() if text)
    return tuple(sorted(found, key=lambda text: (text not in NULL_TEXTS, text)))


def _category(profile: ColumnProfile) -> Column:
    categories = profile.categories
    counts = dict(categories.counts) if categories is not None else {}
    blank = sum(number for text, number in counts.items() if not text.strip())
    full = {text: number for text, number in counts.items() if text.strip()}
    complete = categories is not None and categories.exact and len(full) <= MOST_VALUES
    is_bool = profile.storage_type == "bool"
    values: dict[Scalar, int] = {
        (text == "true" if is_bool else text): number for text, number in full.items()
    }
    return Column(
        name=profile.name,
        type=ColumnType.BOOLEAN if is_bool else ColumnType.STRING,
        storage_type=profile.storage_type,
        rows=profile.rows,
        missing=profile.missing + blank,
        distinct=categories.distinct - (len(counts) - len(full)) if categories is not None else 0,
        values=values if complete else None,
    )


def _number(profile: ColumnProfile) -> Column:
    distribution, moments = profile.distribution, profile.moments
    whole = profile.storage_type.startswith(("int", "uint"))
    if distribution is None or moments is None or distribution.total == 0:
        return Column(
            name=profile.name,
            type=ColumnType.INTEGER if whole else ColumnType.NUMBER,
            storage_type=profile.storage_type,
            rows=profile.rows,
            missing=profile.missing,
            distinct=0,
            values={},
        )
    if distribution.exact and bool((distribution.points % 1 == 0).all()):
        whole = True  # whole numbers stored as floats, as pandas does where some are missing
    values: dict[Scalar, int] | None = None
    if distribution.exact and len(distribution.points) <= MOST_VALUES:
        pairs = zip(distribution.points.tolist(), distribution.counts.tolist(), strict=True)
        values = {(int(point) if whole else point): count for point, count in pairs}
    reached = np.cumsum(distribution.counts) / distribution.total
    eighths = np.searchsorted(reached, np.arange(1, 8) / 8)
    return Column(
        name=profile.name,
        type=ColumnType.INTEGER if whole else ColumnType.NUMBER,
        storage_type=profile.storage_type,
        rows=profile.rows,
        missing=profile.missing,
        distinct=len(distribution.points),
        values=values,
        minimum=moments.minimum,
        maximum=moments.maximum,
        quantiles=tuple(float(point) for point in distribution.points[eighths]),
        mean=moments.mean,
        deviation=(moments.m2 / moments.count) ** 0.5 if moments.count else float("nan"),
        infinite=int(distribution.counts[np.isinf(distribution.points)].sum()),
    )
