"""Predictions counted within groups: the same tables whatever the chunks, the order, and the files of the same rows."""

from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_pipelines.measure.frames import ArrowFrame
from aims_pipelines.measure.late_labels import LabelValues
from aims_pipelines.measure.prediction_tables import Frame
from aims_pipelines.measure.predictions import Columns, read_window
from aims_pipelines.measure.served_windows import read_served
from aims_pipelines.measure.windows import windows_of
from aims_pipelines.stats.merge import kept_levels
from aims_pipelines.stats.profile import LEVEL_CAP, MISSING, OTHER, GroupSpec
from aims_pipelines.stats.score_table import merge_scores

COLUMNS = Columns(
    score="score",
    label="label",
    values=LabelValues(),
    threshold=0.5,
    groups=(GroupSpec(columns=("team",)), GroupSpec(columns=("team", "sex"))),
)


SCHEMA = pa.schema({"score": pa.float64(), "label": pa.int64(), "team": pa.string(), "sex": pa.string()})


def rows(seed, count, teams):
    """Scores and labels of rows in so many teams, some of them missing."""
    draw = np.random.default_rng(seed)
    team = [f"t{number}" if number < teams else None for number in draw.integers(0, teams + 1, count)]
    return pd.DataFrame({
        "score": draw.integers(1, 20, count) / 20,
        "label": draw.integers(0, 2, count),
        "team": team,
        "sex": draw.choice(["f", "m"], count),
    })  # fmt: skip


class Parts(Frame):
    """Rows that are read in parts, as those of several files or row groups are."""

    def __init__(self, *chunks):
        object.__setattr__(
            self, "tables", [pa.Table.from_pandas(each, SCHEMA, preserve_index=False) for each in chunks]
        )
        super().__init__("now", ArrowFrame(pa.concat_tables(self.tables)))

    def parts(self, columns):
        return (nullcontext(windows_of(table.select(list(columns)))) for table in self.tables)


def read(*chunks):
    return read_window(Parts(*chunks), COLUMNS)


def plain(window):
    """Counts of each table, which numpy compares one by one."""
    return {
        (grouping, level): [
            part.tolist() for part in (table.bins, table.positives, table.negatives, table.counts)
        ]
        for grouping, levels in window.groups.items()
        for level, table in levels.items()
    }


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    teams=st.sampled_from([5, 63, 64, 65, 120, 300]),
    cuts=st.lists(st.integers(0, 600), max_size=8),
)
def test_groups_are_the_same_for_any_chunks_and_order_of_the_same_rows(seed, teams, cuts):
    table = rows(seed, 600, teams)
    moved = table.sample(frac=1.0, random_state=seed)
    edges = [0, *sorted(cuts), 600]
    chunks = [moved.iloc[low:high] for low, high in pairwise(edges)]
    whole = read(table)
    assert plain(read(*chunks)) == plain(whole)
    levels = whole.groups["team"]
    assert set(levels) - {OTHER, MISSING} == kept_levels(table["team"].dropna())
    assert sum(part.rows for part in levels.values()) == 600
    assert OTHER in levels or table["team"].nunique() <= LEVEL_CAP


def test_a_level_is_told_apart_in_the_reference_and_in_all_windows_or_in_none():
    windows = [rows(1, 4000, 60), rows(2, 4000, 60).replace({"team": {f"t{n}": f"u{n}" for n in range(40)}})]
    windows.append(pd.concat(windows))
    sources = [
        Frame(str(number), ArrowFrame(pa.Table.from_pandas(each, preserve_index=False)))
        for number, each in enumerate(windows)
    ]

    def served(first, others, **terms):
        return read_served(
            first, others, replace(COLUMNS, values=LabelValues()), served=replace(COLUMNS, values=LabelValues()),
            time=None, every=None, **terms,
        )  # fmt: skip

    was, now = served(sources[0], sources[1:], calibrate_on=0)
    kept = kept_levels(set(windows[2]["team"].dropna()))
    for table, window in zip(windows, (was, *now.values()), strict=True):
        assert set(window.groups["team"]) == ({*table["team"].dropna()} & kept) | {MISSING, OTHER}
    for level, both in now["2"].groups["team"].items():
        parts = [each.groups["team"][level] for each in (was, now["1"]) if level in each.groups["team"]]
        assert both.counts.tolist() == merge_scores(parts).counts.tolist()
    joined, _ = served(None, sources, calibrate_on=2)
    assert plain(joined) == plain(now["2"])
