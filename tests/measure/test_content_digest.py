"""The content digest names what a table says, not how it lies in memory."""

import datetime as dt
import hashlib
import pickle
import struct
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from aims_pipelines.measure import content_digest, measure, measure_file, to_arrow


@pytest.fixture
def table() -> pa.Table:
    return pa.table(
        {
            "n": pa.array([1, None, 3, 4], pa.int32()),
            "x": [0.5, -0.0, None, float("inf")],
            "s": ["a", "", None, "ß"],
            "b": [True, None, False, True],
            "d": [dt.date(2024, 1, 1), None, dt.date(1950, 1, 1), dt.date(2024, 1, 1)],
            "t": pa.array([0, 1, None, 2], pa.timestamp("us", "UTC")),
            "m": pa.array([Decimal("1.10"), None, Decimal("-2.00"), Decimal("0.00")], pa.decimal128(9, 2)),
            "y": pa.array([b"\x00", None, b"", b"xyz"]),
        }
    )


def with_column(table: pa.Table, name: str, column: object) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


SAME = {
    "chunks": lambda t: pa.concat_tables([t.slice(0, 1), t.slice(1, 0), t.slice(1, 3)]),
    "a slice of a larger table": lambda t: pa.concat_tables([t, t, t]).combine_chunks().slice(4, 4),
    "dictionary": lambda t: with_column(t, "s", t["s"].dictionary_encode()),
    "dictionary in another order": lambda t: with_column(
        t,
        "s",
        pa.DictionaryArray.from_arrays(pa.array([3, 0, None, 1], pa.int8()), pa.array(["", "ß", "?", "a"])),
    ),
    "large offsets": lambda t: with_column(
        with_column(t, "s", t["s"].cast(pa.large_string())), "y", t["y"].cast(pa.large_binary())
    ),
    "views": lambda t: with_column(
        with_column(t, "s", t["s"].cast(pa.string_view())), "y", t["y"].cast(pa.binary_view())
    ),
    "bytes under nulls": lambda t: with_column(
        t,
        "n",
        pa.Array.from_buffers(
            pa.int32(), 4, [pa.py_buffer(b"\x0d"), pa.py_buffer(struct.pack("<4i", 1, 99, 3, 4))]
        ),
    ),
    "run ends": lambda t: with_column(
        t, "n", pa.RunEndEncodedArray.from_arrays([1, 2, 3, 4], pa.array([1, None, 3, 4], pa.int32()))
    ),
    "metadata": lambda t: t.replace_schema_metadata({"written by": "somebody"}),
    "batches": lambda t: iter(t.to_batches(max_chunksize=1)),
    "a reader": lambda t: t.to_reader(max_chunksize=3),
}

OTHER = {
    "a value": lambda t: with_column(t, "x", pa.chunked_array([[0.5, -0.0, None, 7.0]])),
    "the sign of zero": lambda t: with_column(t, "x", pa.chunked_array([[0.5, 0.0, None, float("inf")]])),
    "a null that becomes NaN": lambda t: with_column(
        t, "x", pa.chunked_array([[0.5, -0.0, float("nan"), float("inf")]])
    ),
    "a null that becomes empty": lambda t: with_column(t, "s", pa.chunked_array([["a", "", "", "ß"]])),
    "a null that moves": lambda t: with_column(t, "s", pa.chunked_array([["a", None, "", "ß"]])),
    "a boundary between texts": lambda t: with_column(
        t, "y", pa.chunked_array([[b"\x00", None, b"x", b"yz"]])
    ),
    "a column name": lambda t: t.rename_columns(["N", *t.column_names[1:]]),
    "column order": lambda t: t.select(list(reversed(t.column_names))),
    "a type": lambda t: with_column(t, "n", t["n"].cast(pa.int64())),
    "a unit": lambda t: with_column(t, "t", t["t"].cast(pa.timestamp("ns", "UTC"))),
    "a zone": lambda t: with_column(t, "t", t["t"].cast(pa.timestamp("us", "Europe/Paris"))),
    "row order": lambda t: t.take([3, 2, 1, 0]),
    "a row more": lambda t: pa.concat_tables([t, t.slice(0, 1)]),
    "a column less": lambda t: t.drop_columns(["y"]),
    "no rows": lambda t: t.slice(0, 0),
}


@pytest.mark.parametrize("change", SAME)
def test_the_digest_stays_with(table: pa.Table, change: str) -> None:
    assert content_digest(SAME[change](table)) == content_digest(table)


@pytest.mark.parametrize("change", OTHER)
def test_the_digest_changes_with(table: pa.Table, change: str) -> None:
    assert content_digest(OTHER[change](table)) != content_digest(table)


def test_all_changes_give_different_digests(table: pa.Table) -> None:
    digests = [content_digest(change(table)) for change in OTHER.values()]
    assert len(set(digests)) == len(OTHER)


def test_every_nan_is_the_same_nan() -> None:
    quiet, payload = struct.pack("<d", float("nan")), struct.pack("<Q", 0xFFF8000000000123)
    columns = [
        pa.Array.from_buffers(pa.float64(), 1, [None, pa.py_buffer(bits)]) for bits in (quiet, payload)
    ]
    assert len({content_digest(pa.table({"x": column})) for column in columns}) == 1


def test_the_digest_survives_parquet(table: pa.Table, tmp_path) -> None:
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=3)
    assert measure_file(tmp_path / "t.parquet").digest == content_digest(table)


def test_the_digest_survives_pickled_pandas(table: pa.Table) -> None:
    frame = to_arrow(table.select(["x", "s", "t"]).to_pandas())
    again = to_arrow(pickle.loads(pickle.dumps(frame.to_pandas())))  # noqa: S301 - our own bytes, a moment ago
    assert content_digest(again) == content_digest(frame)


def test_the_digest_survives_polars(table: pa.Table) -> None:
    polars = pytest.importorskip("polars")
    chosen = table.select(["n", "x", "s", "b", "d", "t"])
    assert content_digest(to_arrow(polars.from_arrow(chosen))) == content_digest(chosen)


def test_one_pass_gives_the_digest_and_the_profile(table: pa.Table) -> None:
    both = measure(table)
    assert both.digest == content_digest(table)
    assert both.profile.rows == 4


def test_the_format_is_as_documented() -> None:
    """Built by hand from the documented format, with nothing but hashlib."""
    table = pa.table({"n": pa.array([7, None, -1], pa.int16()), "s": ["é", None, ""]})

    def sha(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    def column(name: bytes, kind: bytes, lengths: bytes, values: bytes) -> bytes:
        head = (
            struct.pack("<Q", len(name))
            + name
            + struct.pack("<Q", len(kind))
            + kind
            + struct.pack("<QQ", 3, 1)
        )
        return sha(head + sha(struct.pack("<Q", 1)) + sha(lengths) + sha(values))

    parts = column(b"n", b"int16", b"", struct.pack("<hh", 7, -1))
    parts += column(b"s", b"string", struct.pack("<II", 2, 0), "é".encode())
    expected = sha(b"aims table 1\n" + struct.pack("<QQ", 2, 3) + parts).hex()
    assert content_digest(table) == f"sha256:{expected}"


def test_windows_do_not_show_in_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    from aims_pipelines.measure import windows

    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "x": pa.array(rng.normal(size=1000), mask=rng.random(1000) < 0.1),
            "s": [str(n) for n in range(1000)],
        }
    )
    whole = content_digest(table)
    monkeypatch.setattr(windows, "SLICE_ROWS", 37)
    assert content_digest(table) == whole
