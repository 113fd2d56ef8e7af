"""Evidently's drift report as one self-contained HTML page, for people to look at beside the drift verdict.

It judges nothing here. It shows each column by itself, so it needs no rows: it is made from values that are laid out
as the profiles of the two tables say, ``MOST_VALUES`` at most. So it takes the same seconds at any table size, and
there is one also when the rows of the reference are kept elsewhere or are gone.

What it must not show stays out: personal columns, the subject, keys and free text altogether; categories that fewer
rows than a group needs have in common, by name; the values of the outermost ``TAIL`` rows.
"""

import warnings
from typing import TYPE_CHECKING, Final

from aims_pipelines.records.dataset_record import DatasetRecord
from aims_pipelines.stats.profile import Categories, ColumnProfile, Distribution, Kind, Profile

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

MOST_VALUES: Final = 5_000
#: A column of more distinct texts than this is free text or a key rather than a set of categories.
MOST_CATEGORIES: Final = 50
#: Rows at either end of a column of numbers whose values are drawn in to the next one.
TAIL: Final = 10

#: Evidently writes names into a script as they are, which any of them could end, and begin one of its own.
_HARMLESS: Final = str.maketrans("<>", "‹›")

_NOTE: Final = (
    '<p style="margin: 1em; font-family: sans-serif">Up to {values:,} values a column, laid out as the profiles of the '
    "reference ({before:,} rows) and of the candidate ({after:,} rows) say, each column by itself. Not shown: personal "
    "columns, keys, free text, dates; names of categories of fewer than {fewest:,} rows; values of the {tail} "
    "outermost rows at either end. This page judges nothing: the verdict is that of the drift check.</p>"
)


def drift_report(reference: Profile, current: Profile, record: DatasetRecord, *, fewest: int) -> bytes | None:
    """Render how a table differs from its reference.

    Args:
        reference: Profile of the reference version.
        current: Profile of the candidate.
        record: The dataset's record, which says what must not be shown.
        fewest: Rows that a category needs in one of the tables for its name to be shown, at least 1.

    Returns:
        UTF-8 HTML that loads nothing from elsewhere; ``None`` if there is no column that both tables have values of
        and that may be shown.
    """
    import pandas as pd

    before: dict[str, pd.Series] = {}
    after: dict[str, pd.Series] = {}
    numbers: list[str] = []
    for place, name in enumerate(_shown(reference, current, record)):
        columns = reference.columns[name], current.columns[name]
        if columns[0].kind is Kind.NUMERIC:
            numbers.append(name.translate(_HARMLESS))
            drawn = [_numbers(column, MOST_VALUES, seed=place) for column in columns]
        else:
            drawn = _categories(*columns, fewest, MOST_VALUES, seed=place)
        shown = name.translate(_HARMLESS)
        before[shown], after[shown] = drawn
    if not before:
        return None
    page = _render(pd.DataFrame(before), pd.DataFrame(after), numbers)
    note = _NOTE.format(
        values=MOST_VALUES, before=reference.rows, after=current.rows, fewest=fewest, tail=TAIL
    )
    head, body, rest = page.partition("<body>")
    return (head + body + note + rest if body else note + page).encode()


def _render(before: "pd.DataFrame", after: "pd.DataFrame", numbers: list[str]) -> str:
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    categories = [name for name in before.columns if name not in numbers]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its tests warn about constant columns, which the drift check judges
        snapshot = Report([DataDriftPreset()]).run(
            Dataset.from_pandas(after, data_definition=definition),
            Dataset.from_pandas(before, data_definition=definition),
        )
        page: str = snapshot.get_html_str(as_iframe=False)
    return page


def _shown(reference: Profile, current: Profile, record: DatasetRecord) -> list[str]:
    """Columns of both tables that may be shown and that Evidently can compare."""
    hidden = {name for name, contract in record.columns.items() if contract.personal or contract.unique}
    hidden |= {record.subject} if record.subject else set()
    return [
        name
        for name, column in reference.columns.items()
        if name in current.columns
        and name in record.columns
        and name not in hidden
        and column.kind is current.columns[name].kind
        and all(_has_values(side) for side in (column, current.columns[name]))
    ]


def _has_values(column: ColumnProfile) -> bool:
    if column.kind is Kind.NUMERIC:
        return column.distribution is not None and bool(_finite(column.distribution)[1].sum())
    categories = column.categories
    return categories is not None and categories.exact and 0 < len(categories.counts) <= MOST_CATEGORIES


def _finite(distribution: Distribution) -> "tuple[NDArray[np.float64], NDArray[np.int64]]":
    import numpy as np

    finite = np.isfinite(distribution.points)
    return distribution.points[finite], distribution.counts[finite]


def _numbers(column: ColumnProfile, values: int, *, seed: int) -> "pd.Series":
    """Evenly spaced quantiles of a column, its outermost values drawn in, in an order that means nothing."""
    import numpy as np
    import pandas as pd

    assert column.distribution is not None  # noqa: S101 - only such columns are shown
    points, counts = _finite(column.distribution)
    total = int(counts.sum())
    size = min(values, column.rows)
    present = max(1, round(size * total / column.rows))
    upto = counts.cumsum()
    tail = min(TAIL, (total - 1) // 2)
    low, high = points[upto.searchsorted([tail, total - 1 - tail], side="right")]
    ranks = ((np.arange(present) + 0.5) * total / present).astype(np.int64)
    drawn = points[upto.searchsorted(ranks, side="right")].clip(low, high)
    laid_out = np.concatenate([drawn, np.full(size - present, np.nan)])
    return pd.Series(np.random.default_rng(seed).permutation(laid_out))


def _categories(
    before: ColumnProfile, after: ColumnProfile, fewest: int, values: int, *, seed: int
) -> "list[pd.Series]":
    """The categories of a column on both sides in their shares, those that are rare on both under one name."""
    sides = [column.categories for column in (before, after)]
    assert all(isinstance(side, Categories) for side in sides)  # noqa: S101 - only such columns are shown
    counts = [dict(side.counts) for side in sides if side is not None]
    names = list(dict.fromkeys(name for side in counts for name in side))
    rare = {name for name in names if max(side.get(name, 0) for side in counts) < fewest}
    together = f"(categories of fewer than {fewest:,} rows)"
    return [
        _spread(side, column.rows, values, dict.fromkeys(rare, together), seed=seed)
        for side, column in zip(counts, (before, after), strict=True)
    ]


def _spread(
    counts: dict[str, int], rows: int, values: int, names: dict[str, str], *, seed: int
) -> "pd.Series":
    import numpy as np
    import pandas as pd

    labels = [*(names.get(name, name).translate(_HARMLESS) for name in counts), None]
    each = np.array([*counts.values(), rows - sum(counts.values())])
    size = min(values, rows)
    ranks = ((np.arange(size) + 0.5) * rows / size).astype(np.int64)
    places = each.cumsum().searchsorted(ranks, side="right")
    return pd.Series(
        np.array(labels, dtype=object)[np.random.default_rng(seed).permutation(places)], dtype=object
    )
