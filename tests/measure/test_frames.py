"""Data frames become Arrow tables without losing or inventing anything, or are refused with every fault."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from aims_pipelines.core.errors import BadInput
from aims_pipelines.measure import profile_frame, to_arrow


def faults_of(frame: object) -> list[tuple[str, str]]:
    with pytest.raises(BadInput) as refused:
        to_arrow(frame)
    return [(fault.where, fault.found) for fault in refused.value.faults]


def test_pandas_missing_values_are_missing() -> None:
    frame = pd.DataFrame({"x": [1.5, np.nan], "s": ["a", None], "t": [pd.Timestamp("2024-01-01"), pd.NaT]})
    assert [column.null_count for column in to_arrow(frame).columns] == [1, 1, 1]


def test_named_index_levels_are_columns_and_a_nameless_index_is_not() -> None:
    frame = pd.DataFrame({"x": [1, 2]}, index=pd.Index(["a", "b"], name="id"))
    assert to_arrow(frame).to_pydict() == {"id": ["a", "b"], "x": [1, 2]}
    assert to_arrow(frame.reset_index()[lambda f: f.x > 1]).to_pydict() == {"id": ["b"], "x": [2]}


def test_categories_of_pandas_are_categories() -> None:
    profile = profile_frame(pd.DataFrame({"c": pd.Categorical(["x", "y", None, "x"])}))
    categories = profile.columns["c"].categories
    assert categories is not None
    assert (dict(categories.counts), profile.columns["c"].nulls) == ({"x": 2, "y": 1}, 1)


def test_all_faults_of_a_frame_are_named_without_its_values() -> None:
    frame = pd.DataFrame({"mixed": [1, "secret"], "dicts": [{"a": 1}, [2]], "ok": [1, 2]})
    faults = faults_of(frame)
    assert [where for where, _ in faults] == ["column 'mixed'", "column 'dicts'"]
    assert "int, str" in faults[0][1]
    assert "secret" not in str(faults)


def test_names_have_to_be_texts_and_to_differ() -> None:
    assert [where for where, _ in faults_of(pd.DataFrame([[1, 2]]))] == ["column 1", "column 2"]
    assert faults_of(pd.DataFrame([[1, 2]], columns=["a", "a"]))[0][0] == "column 'a'"
    assert faults_of(pd.DataFrame([[1, 2]], columns=["a", ""]))[0][0] == "column 2"
    index = pd.Index([7], name="a")
    assert faults_of(pd.DataFrame({"a": [1]}, index=index))[0][0] == "column 'a'"


def test_lists_in_cells_are_refused() -> None:
    assert "list" in faults_of(pd.DataFrame({"a": [[1], [2]]}))[0][1]


@pytest.mark.parametrize("thing", [None, 7, "table", [1, 2], {"a": [1]}])
def test_what_is_no_frame_is_refused(thing: object) -> None:
    assert faults_of(thing)[0][0] == "data frame"


def test_polars_comes_by_way_of_arrow_without_being_imported() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(
        {"x": [1.5, None], "s": ["a", "b"], "c": polars.Series(["u", "u"], dtype=polars.Categorical)}
    )
    profile = profile_frame(frame)
    assert [column.nulls for column in profile.columns.values()] == [1, 0, 0]
    assert profile.columns["c"].categories is not None
    with pytest.raises(BadInput, match="Collect"):
        to_arrow(frame.lazy())


def test_arrow_in_every_form_is_taken() -> None:
    table = pa.table({"a": [1, 2]})
    for form in (table, table.to_batches()[0], table.to_reader()):
        assert to_arrow(form).equals(table)


def test_a_frame_without_rows_or_columns_is_a_table_without_them() -> None:
    assert to_arrow(pd.DataFrame({"a": pd.Series([], dtype="float64")})).num_rows == 0
    assert profile_frame(pd.DataFrame()).columns == {}


def test_importing_the_package_loads_neither_arrow_nor_pandas() -> None:
    heavy = "{'pyarrow', 'pandas', 'polars', 'scipy'}"
    code = f"import sys, aims_pipelines.measure; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
