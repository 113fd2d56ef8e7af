"""How much of a table an expectation has to see, so that it is given that much and no more.

Said for every expectation that comes with Great Expectations, and held against it by tests: what it answers about
the part must be what it answers about the table. Whatever is not listed here sees every column of every row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final


class Reach(Enum):
    """The part of a table that decides."""

    #: The names of the columns.
    NAMES = "names"
    #: Each value by itself, however often it occurs: values can be asked once, and counted.
    VALUES = "values"
    #: Each row by itself: rows can be asked in pieces, and counts added up.
    ROWS = "rows"
    #: Which values occur, but not how often.
    DISTINCT = "distinct"
    #: The columns that it names, as a whole.
    COLUMNS = "columns"
    #: Perhaps everything.
    TABLE = "table"


_REACHES: Final = {
    Reach.NAMES: (
        "ExpectColumnToExist",
        "ExpectTableColumnCountToBeBetween",
        "ExpectTableColumnCountToEqual",
        "ExpectTableColumnsToMatchOrderedList",
        "ExpectTableColumnsToMatchSet",
    ),
    Reach.VALUES: (
        "ExpectColumnValueLengthsToBeBetween",
        "ExpectColumnValueLengthsToEqual",
        "ExpectColumnValuesToBeBetween",
        "ExpectColumnValuesToBeDateutilParseable",
        "ExpectColumnValuesToBeInSet",
        "ExpectColumnValuesToBeJsonParseable",
        "ExpectColumnValuesToBeNull",
        "ExpectColumnValuesToMatchJsonSchema",
        "ExpectColumnValuesToMatchRegex",
        "ExpectColumnValuesToMatchRegexList",
        "ExpectColumnValuesToMatchStrftimeFormat",
        "ExpectColumnValuesToNotBeInSet",
        "ExpectColumnValuesToNotBeNull",
        "ExpectColumnValuesToNotMatchRegex",
        "ExpectColumnValuesToNotMatchRegexList",
    ),
    Reach.ROWS: (
        "ExpectColumnPairValuesAToBeGreaterThanB",
        "ExpectColumnPairValuesToBeEqual",
        "ExpectColumnPairValuesToBeInSet",
        "ExpectMulticolumnSumToEqual",
        "ExpectMulticolumnValuesToBeEqual",
        "ExpectSelectColumnValuesToBeUniqueWithinRecord",
    ),
    Reach.DISTINCT: (
        "ExpectColumnDistinctValuesToBeInSet",
        "ExpectColumnDistinctValuesToContainSet",
        "ExpectColumnDistinctValuesToEqualSet",
        "ExpectColumnMaxToBeBetween",
        "ExpectColumnMinToBeBetween",
        "ExpectColumnUniqueValueCountToBeBetween",
    ),
    Reach.COLUMNS: (
        "ExpectColumnKLDivergenceToBeLessThan",
        "ExpectColumnMeanToBeBetween",
        "ExpectColumnMedianToBeBetween",
        "ExpectColumnMostCommonValueToBeInSet",
        "ExpectColumnProportionOfNonNullValuesToBeBetween",
        "ExpectColumnProportionOfUniqueValuesToBeBetween",
        "ExpectColumnQuantileValuesToBeBetween",
        "ExpectColumnStdevToBeBetween",
        "ExpectColumnSumToBeBetween",
        "ExpectColumnTypeToBe",
        "ExpectColumnValueZScoresToBeLessThan",
        "ExpectColumnValuesToBeDecreasing",
        "ExpectColumnValuesToBeInTypeList",
        "ExpectColumnValuesToBeIncreasing",
        "ExpectColumnValuesToBeOfType",
        "ExpectColumnValuesToBeUnique",
        "ExpectColumnValuesToMatchLikePattern",
        "ExpectColumnValuesToMatchLikePatternList",
        "ExpectColumnValuesToNotBeOutliers",
        "ExpectColumnValuesToNotMatchLikePattern",
        "ExpectColumnValuesToNotMatchLikePatternList",
        "ExpectCompoundColumnsToBeUnique",
        "ExpectTableRowCountToBeBetween",
        "ExpectTableRowCountToEqual",
        "ExpectTableRowCountToEqualOtherTable",
    ),
}
_REACH: Final = {name: reach for reach, names in _REACHES.items() for name in names}
_CORE: Final = "great_expectations.expectations.core."
#: What decides in an expectation beside its methods.
_SETTINGS: Final = ("map_metric", "metric_dependencies", "domain_keys", "success_keys", "runtime_keys")


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What an expectation has to be given.

    Args:
        reach: The part of the table that decides.
        columns: Columns that the table has and the expectation names, in its own words or in its condition.
        missing: Columns that it names and the table lacks.
    """

    reach: Reach
    columns: tuple[str, ...]
    missing: tuple[str, ...] = ()


def need_of(expectation: Any, columns: Sequence[str]) -> Need:
    """Find out what an expectation has to be given of a table with these columns."""
    named = columns_of(expectation)
    mentioned, free = _mentioned(getattr(expectation, "row_condition", None), columns)
    reach = _reach(expectation)
    if reach in (Reach.NAMES, Reach.TABLE):
        return Need(reach=reach, columns=tuple(columns))
    if free and reach is not Reach.COLUMNS:
        reach = Reach.COLUMNS  # a condition in the words of pandas may speak of a whole column
    elif mentioned and reach in (Reach.VALUES, Reach.DISTINCT):
        reach = Reach.ROWS if reach is Reach.VALUES else Reach.COLUMNS
    return Need(
        reach=reach,
        columns=tuple(dict.fromkeys(name for name in (*named, *mentioned) if name in columns)),
        missing=tuple(name for name in named if name not in columns),
    )


def columns_of(expectation: Any) -> list[str]:
    """Columns that an expectation is about."""
    single = [getattr(expectation, name, None) for name in ("column", "column_A", "column_B")]
    return [
        name
        for name in (*single, *(getattr(expectation, "column_list", None) or ()))
        if isinstance(name, str)
    ]


def kind_of(expectation: Any) -> str:
    """Name of the expectation's class as Great Expectations has it; empty for one that somebody else wrote.

    A class that only presets the arguments of another is of that one's kind.
    """
    kind = type(expectation)
    core = next((base for base in kind.__mro__ if base.__module__.startswith(_CORE)), None)
    return "" if core is None or not _presets(kind, core) else str(core.__name__)


def _reach(expectation: Any) -> Reach:
    return _REACH.get(kind_of(expectation), Reach.TABLE)


def _presets(kind: type, core: type) -> bool:
    """Whether a class adds nothing to another but values for its arguments."""
    between = kind.__mro__[: kind.__mro__.index(core)]
    defined = [value for base in between for name, value in vars(base).items() if not _is_generated(name)]
    return not any(
        callable(value) or isinstance(value, classmethod | staticmethod | property) for value in defined
    ) and all(getattr(kind, name, None) == getattr(core, name, None) for name in _SETTINGS)


def _is_generated(name: str) -> bool:
    return name.startswith("__") or name == "_abc_impl"


def _mentioned(condition: Any, columns: Sequence[str]) -> tuple[list[str], bool]:
    """Columns that a condition may read, and whether it is written in the free words of pandas."""
    if condition is None:
        return [], False
    words = condition if isinstance(condition, str) else getattr(condition, "pass_through_filter", None)
    if isinstance(words, str):
        return [name for name in columns if name in words], True
    known = set(_names_in(condition))
    return [name for name in columns if name in known], False


def _names_in(condition: Any) -> Iterator[str]:
    for part in getattr(condition, "conditions", ()):
        yield from _names_in(part)
    column = getattr(condition, "column", None)
    if column is not None:
        yield column.name
