"""A table's periods are profiled each by itself, and are its profile together."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import csv, parquet

from aims_pipelines.core.errors import BadInput
from aims_pipelines.measure import merge_all, profile_file, profile_periods, profile_table
from aims_pipelines.measure.periods import Period, period_name, period_numbers
from aims_pipelines.stats.profile import GroupSpec

Same = Callable[..., None]
PANDAS = {"hour": "h", "day": "D", "month": "M", "quarter": "Q", "year": "Y"}


@given(st.integers(-(2**34), 2**34), st.sampled_from(sorted(PANDAS)))
def test_periods_are_named_as_pandas_names_them(second: int, every: str) -> None:
    period = pd.Period(pd.Timestamp(second, unit="s"), PANDAS[every])
    expected = str(period).replace("Q", "-Q").replace(" ", "T").removesuffix(":00")
    (number,) = period_numbers(np.array([float(second)]), Period(every)).tolist()
    assert period_name(number, Period(every)) == expected


@given(st.integers(-(2**34), 2**34))
def test_weeks_are_those_of_iso_8601(second: int) -> None:
    year, week, _ = pd.Timestamp(second, unit="s").date().isocalendar()
    (number,) = period_numbers(np.array([float(second)]), Period.WEEK).tolist()
    assert period_name(number, Period.WEEK) == f"{year}-W{week:02}"


@pytest.mark.parametrize("ordered", [True, False], ids=["in order of time", "in any order"])
def test_each_period_has_the_profile_of_its_rows(
    ordered: bool, tmp_path: Path, make_table: Callable[[int, int], pa.Table], assert_same_profile: Same
) -> None:
    table = make_table(3, 4000)
    if ordered:
        table = table.sort_by("when")
    for number, (start, rows) in enumerate([(0, 1500), (1500, 2500)]):
        parquet.write_table(table.slice(start, rows), tmp_path / f"part-{number}.parquet")
    groups = [GroupSpec(columns=("sex",))]
    found = profile_periods(tmp_path, time="when", every="year", groups=groups, keys=[("word",)])
    years = table["when"].to_pandas().dt.year.to_numpy()
    assert list(found) == [*map(str, sorted({int(year) for year in years[~np.isnan(years)]})), "(missing)"]
    for name, profile in found.items():
        mine = np.isnan(years) if name == "(missing)" else years == float(name)
        expected = profile_table(table.filter(pa.array(mine)), groups=groups, keys=[("word",)])
        assert_same_profile(profile, expected, rtol=1e-7)
    whole = profile_file(tmp_path, groups=groups, keys=[("word",)])
    assert_same_profile(merge_all(found.values()), whole, rtol=1e-7)


def test_texts_in_views_are_told_by_period_too(tmp_path: Path) -> None:
    days = pa.array([1, None, 400, 2] * 50, pa.int32()).cast(pa.date32())
    table = pa.table({"day": days, "word": pa.array(["a", "b", "c", "d"] * 50, pa.string_view())})
    parquet.write_table(table, tmp_path / "views.parquet")
    found = profile_periods(tmp_path / "views.parquet", time="day", every="year")
    assert {name: dict(profile.columns["word"].categories.counts) for name, profile in found.items()} == {
        "1970": {"a": 50, "d": 50},
        "1971": {"c": 50},
        "(missing)": {"b": 50},
    }


def test_days_in_a_csv_become_months(tmp_path: Path) -> None:
    days = pd.date_range("2011-01-30", "2011-03-02").strftime("%Y-%m-%d")
    csv.write_csv(pa.table({"day": list(days), "n": list(range(len(days)))}), tmp_path / "rides.csv")
    found = profile_periods(tmp_path / "rides.csv", time="day", every=Period.MONTH)
    assert {name: profile.rows for name, profile in found.items()} == {
        "2011-01": 2,
        "2011-02": 28,
        "2011-03": 2,
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"time": "n", "every": "day"},
            "expected a column of dates or timestamps (at), found the type int64",
        ),
        (
            {"time": "when", "every": "day"},
            "expected a column of dates or timestamps (at), found no such column",
        ),
        ({"time": "at", "every": "fortnight"}, "expected one of hour, day, week, month, quarter, year"),
        ({"time": "at", "every": "hour"}, "expected at most 2,000 periods"),
    ],
)
def test_what_cannot_be_split_is_refused_in_words(tmp_path: Path, options: dict[str, str], said: str) -> None:
    at = pa.array(np.arange(3000) * 3600, pa.timestamp("s"))
    parquet.write_table(pa.table({"n": range(3000), "at": at}), tmp_path / "a.parquet")
    with pytest.raises(BadInput) as refused:
        profile_periods(tmp_path / "a.parquet", **options)  # type: ignore[arg-type]
    assert said in str(refused.value)
