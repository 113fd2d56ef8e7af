"""The pinned split: a row's side follows from what it says, however the table is stored, cut or sorted."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_pipelines.core.errors import BadInput
from aims_pipelines.measure.split import split_rows


def people(rows):
    return pa.table({"person": [f"p{number // 3}" for number in range(rows)], "row": range(rows)})


@settings(deadline=None)  # the first run imports
@given(st.permutations(range(60)), st.integers(1, 60))
def test_a_rows_side_depends_on_nothing_but_the_row(order, chunk):
    table = people(60)
    shuffled = pa.concat_tables(
        table.take(list(order)).slice(start, chunk) for start in range(0, len(order), chunk)
    )
    sides = [set(part["row"].to_pylist()) for part in split_rows(table, by=["person"])]
    assert [set(part["row"].to_pylist()) for part in split_rows(shuffled, by=["person"])] == sides


def test_nobody_is_on_both_sides_and_the_share_is_kept():
    training, holdout = split_rows(people(30_000), by=["person"], holdout=0.3)
    assert not set(training["person"].to_pylist()) & set(holdout["person"].to_pylist())
    assert holdout.num_rows / 30_000 == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 10_000))


def test_a_struct_decides_by_its_fields():
    fields = pa.StructArray.from_arrays([pa.array(range(2_000)), pa.array(["x", None] * 1_000)], ["a", "b"])
    nested = pa.table({"s": fields, "row": range(2_000)})
    flat = nested.flatten()
    of_nested, of_flat = split_rows(nested, by=["s"]), split_rows(flat, by=["s.a", "s.b"])
    assert [part["row"].to_pylist() for part in of_nested] == [part["row"].to_pylist() for part in of_flat]
    assert min(part.num_rows for part in of_nested) > 400


def test_views_which_arrow_picks_no_rows_from_split_like_texts():
    plain = people(2_000)
    fields = pa.StructArray.from_arrays([plain["person"].combine_chunks().cast(pa.string_view())], ["v"])
    views = plain.set_column(0, "person", plain["person"].cast(pa.string_view()))
    views = views.append_column("raw", plain["person"].cast(pa.binary()).cast(pa.binary_view()))
    views = views.append_column("s", fields)
    sides = [part["row"].to_pylist() for part in split_rows(plain, by=["person"])]
    split = split_rows(views, by=["person"])
    assert [part["row"].to_pylist() for part in split] == sides
    assert split[0]["s"].to_pylist()[0] == {"v": split[0]["person"].to_pylist()[0]}


def test_what_cannot_decide_is_refused():
    table = pa.table({"list": [[1], [2]], "x": [1, 2]})
    with pytest.raises(BadInput, match="the type list<"):
        split_rows(table, by=["list"])
    with pytest.raises(BadInput) as refused:
        split_rows(table, by=["y"], holdout=1.5)
    assert len(refused.value.faults) == 2
