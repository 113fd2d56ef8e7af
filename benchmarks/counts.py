"""Counts of a table with everything that is hard to count, held against pandas, NumPy and Arrow."""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from aims_pipelines.measure import profile_table
from aims_pipelines.stats.profile import GroupSpec, Profile

_SEED = 20260101
_CATEGORIES = ("yes", "no", "", "Ünïcode", "(missing)", "a | b")


def compare_counts(rows: int) -> tuple[int, int]:
    """How many counts of a table were held against pandas, and how many were wrong."""
    rng = np.random.default_rng(_SEED)
    number = rng.standard_normal(rows)
    number[rng.random(rows) < 0.1] = math.nan
    number[rng.random(rows) < 0.05] = math.inf
    label = rng.choice(_CATEGORIES, rows)
    table = pa.table(
        {
            "number": pa.array(number, mask=rng.random(rows) < 0.1),
            "integer": pa.array(rng.integers(-1000, 1000, rows), mask=rng.random(rows) < 0.3),
            "truth": pa.array(rng.random(rows) < 0.3),
            "label": pa.array(label.tolist(), mask=rng.random(rows) < 0.2),
            "nothing": pa.nulls(rows, pa.float64()),
        }
    )
    profile = profile_table(table, groups=(GroupSpec(columns=("label",)),))
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    told = list(_compared(profile, table, frame))
    return len(told), sum(bool(ours != theirs) for ours, theirs in told)


def _compared(profile: Profile, table: pa.Table, frame: pd.DataFrame) -> Iterator[tuple[object, object]]:
    yield profile.rows, table.num_rows
    for name, column in profile.columns.items():
        yield column.nulls, table[name].null_count
        yield column.rows, table.num_rows
    number = table["number"].drop_null().to_numpy()
    finite = number[np.isfinite(number)]
    told = profile.columns["number"]
    yield told.nans, int(np.isnan(number).sum())
    assert told.moments is not None
    assert told.distribution is not None
    yield told.moments.count, finite.size
    yield told.moments.minimum, finite.min()
    yield told.moments.maximum, finite.max()
    yield told.distribution.total, int((~np.isnan(number)).sum())
    yield (
        int(told.distribution.counts[np.isposinf(told.distribution.points)].sum()),
        int(np.isposinf(number).sum()),
    )
    integer = profile.columns["integer"].distribution
    assert integer is not None
    values, counts = np.unique(table["integer"].drop_null().to_numpy(), return_counts=True)
    if integer.exact:
        yield integer.points.tolist(), values.tolist()
        yield integer.counts.tolist(), counts.tolist()
    yield integer.total, int(counts.sum())
    for name in ("truth", "label"):
        categories = profile.columns[name].categories
        assert categories is not None
        yield from _same_counts(
            categories.counts,
            frame[name].dropna().astype(str).str.lower() if name == "truth" else frame[name].dropna(),
        )
    sizes = frame["label"].value_counts()
    for level, group in profile.groups["label"].items():
        if level in sizes.index and level != "(missing)":
            yield group.rows, int(sizes[level])


def _same_counts(ours: Mapping[str, int], theirs: "pd.Series[str]") -> Iterator[tuple[object, object]]:
    counted = theirs.value_counts()
    yield sorted(ours), sorted(map(str, counted.index))
    for level, count in counted.items():
        yield ours.get(str(level)), int(count)
