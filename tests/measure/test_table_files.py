"""Files are read for what they say, and what is wrong with them is answered by place and remedy."""

import gzip
import random
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from aims_pipelines.core.errors import BadInput
from aims_pipelines.measure import (
    content_digest,
    measure_file,
    open_batches,
    profile_file,
    read_table,
    to_bytes,
)
from aims_pipelines.stats.profile import GroupSpec


@pytest.fixture
def write(tmp_path: Path):
    def write(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def types_of(path: Path, **options: object) -> dict[str, str]:
    return {field.name: str(field.type) for field in read_table(path, **options).schema}


def faults_of(path: Path) -> list[str]:
    with pytest.raises(BadInput) as refused:
        read_table(path)
    with pytest.raises(BadInput):
        profile_file(path)
    return [str(fault) for fault in refused.value.faults]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "-2", "0"], "int64"),
        (["+4930123", "1"], "string"),
        (["1", "2.5", "1e3", "-.5"], "double"),
        (["1", "NaN", "inf"], "double"),
        (["007", "8"], "string"),
        (["0", "0.5", "00"], "string"),
        (["0x1F", "1"], "string"),
        (["12345678901234567890", "1"], "string"),
        (["1234567890123456", "1.5"], "string"),
        (["1234567890123456", "1"], "int64"),
        (["true", "False", "TRUE"], "bool"),
        (["true", "1"], "string"),
        (["2024-01-31", "1969-12-31"], "date32[day]"),
        (["2024-01-31", "2024-01-31 12:00:00"], "timestamp[us]"),
        (["2024-01-31T12:00:00Z", "2024-01-31T12:00:00+02:00"], "timestamp[us, tz=UTC]"),
        (["2024-01-31T12:00:00Z", "2024-01-31T12:00:00"], "string"),
        (["2024-13-31"], "string"),
        (["1", "x"], "string"),
        (["", ""], "null"),
        ([" 1", "2 "], "int64"),
    ],
)
def test_the_type_of_a_column_follows_from_all_its_cells(write, cells: list[str], kind: str) -> None:
    for order in (cells, cells[::-1]):
        path = write("t.csv", "k,v\n" + "".join(f"k,{cell}\n" for cell in order))
        assert types_of(path)["v"] == kind


def test_a_type_does_not_depend_on_where_blocks_end(write, monkeypatch: pytest.MonkeyPatch) -> None:
    from aims_pipelines.measure import csv_reader

    rows = [f"{number},{number},{number}" for number in range(2000)] + ["0.5,x,"]
    path = write("t.csv", "\n".join(["a,b,c", *rows]) + "\n")
    whole = read_table(path)
    monkeypatch.setattr(csv_reader, "_BLOCK_BYTES", 500)
    assert {field.name: str(field.type) for field in whole.schema} == {
        "a": "double",
        "b": "string",
        "c": "int64",
    }
    assert content_digest(read_table(path)) == content_digest(whole)
    assert sum(batch.num_rows for batch in open_batches(path)) == 2001


def test_missing_cells_are_empty_ones_and_those_that_are_declared(write) -> None:
    path = write("t.csv", 'a,b\n1,x\n,""\n?,?\n')
    assert read_table(path, null_values=("?",)).to_pydict() == {"a": [1, None, None], "b": ["x", None, None]}
    assert types_of(path) == {"a": "string", "b": "string"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", "a,b\n1,x\n2,y\n"),
        ("no-last-newline.csv", "a,b\n1,x\n2,y"),
        ("windows.csv", "a,b\r\n1,x\r\n2,y\r\n"),
        ("mark.csv", "\ufeffa,b\n1,x\n2,y\n"),
        ("blank-lines.csv", "a,b\n\n1,x\n\n2,y\n\n"),
        ("quoted.csv", '"a","b"\n"1","x"\n"2","y"\n'),
        ("tabs.tsv", "a\tb\n1\tx\n2\ty\n"),
        ("old.csv", b"a,b\r1,x\r2,y\r"),
        ("packed.csv.gz", gzip.compress(b"a,b\n1,x\n2,y\n", mtime=0)),
        ("CAPITAL.CSV", "a,b\n1,x\n2,y\n"),
        ("CAPITAL.TSV", "a\tb\n1\tx\n2\ty\n"),
        ("CAPITAL.CSV.GZ", gzip.compress(b"a,b\n1,x\n2,y\n", mtime=0)),
    ],
)
def test_the_same_table_in_many_dresses(write, name: str, content: bytes | str) -> None:
    assert read_table(write(name, content)).to_pydict() == {"a": [1, 2], "b": ["x", "y"]}


def test_cells_may_hold_separators_quotes_and_line_ends(write) -> None:
    path = write("t.csv", 'a,b\n"x, y","he said ""no"""\n"two\nlines",z\n')
    assert read_table(path).to_pydict() == {"a": ["x, y", "two\nlines"], "b": ['he said "no"', "z"]}


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_a_quote_that_is_never_closed_swallows_no_rows_in_silence(write, name: str) -> None:
    rows = [f"{number},x" for number in range(1000)]
    good = "\n".join(["a,b", *rows, '1000,"two\nlines"', ""])
    rows[500] = '500,"x'
    bad = "\n".join(["a,b", *rows, ""])
    packed = gzip.compress if name.endswith("gz") else bytes
    assert read_table(write(name, packed(good.encode()))).num_rows == 1001
    (fault,) = faults_of(write(name, packed(bad.encode())))
    assert "a closing quote" in fault
    assert "500 lines" in fault


def test_a_file_of_one_column_keeps_its_missing_cells(write) -> None:
    assert read_table(write("t.csv", "a\n1\n\n3\n")).to_pydict() == {"a": [1, None, 3]}


@pytest.mark.parametrize("content", ["a,b\n", "a,b", "a,b\r\n\r\n"])
def test_a_header_alone_is_a_table_without_rows(write, content: str) -> None:
    path = write("t.csv", content)
    table = read_table(path)
    assert (table.num_rows, table.column_names) == (0, ["a", "b"])
    profile = profile_file(path, groups=[GroupSpec(columns=("a",))])
    assert (profile.rows, list(profile.columns)) == (0, ["a", "b"])


@pytest.mark.parametrize("content", ["", "\n\n", "  \n"])
def test_an_empty_csv_is_refused(write, content: str) -> None:
    assert "an empty file" in faults_of(write("t.csv", content))[0]


def test_all_rows_of_the_wrong_length_are_named_by_their_place(write) -> None:
    faults = faults_of(write("t.csv", "a,b\n1,2\n3\n4,5,6\n7,8\n"))
    assert ["record 3" in faults[0], "expected 2 cells" in faults[0], "found 1" in faults[0]] == [True] * 3
    assert ["record 4" in faults[1], "found 3" in faults[1]] == [True] * 2


def test_a_thousand_such_rows_are_counted_not_listed(write) -> None:
    faults = faults_of(write("t.csv", "a,b\n" + "1\n" * 1000))
    assert len(faults) == 21
    assert "980 more" in faults[-1]


@pytest.mark.parametrize("before", [0, 70_000, 1_500_000])
def test_text_in_another_encoding_is_refused_at_its_byte(write, before: int) -> None:
    head = b"a,b\n" + b"1,\xc3\xa9\n" * (before // 5)
    path = write("t.csv", head + b"2,caf\xe9\n")
    (fault,) = faults_of(path)
    line = head.count(b"\n") + 1
    assert f"line {line}, byte {len(head) + 5}" in fault
    assert "0xe9" in fault


def test_cell_values_stay_out_of_messages(write) -> None:
    for content in (b"name,x\nSecretPerson,1,2\n", b"name,x\nSecretPerson\xff,1\n"):
        assert "Secret" not in " ".join(faults_of(write("t.csv", content)))


def test_utf16_is_called_by_its_name(write) -> None:
    assert "UTF-16" in faults_of(write("t.csv", "a,b\n1,2\n".encode("utf-16")))[0]
    assert "not text" in faults_of(write("t.csv", b"\0" * 100))[0]


def test_column_names_have_to_be_there_and_to_differ(write) -> None:
    faults = faults_of(write("t.csv", "a,,a\n1,2,3\n"))
    assert ["column 2" in faults[0], "column 'a'" in faults[1]] == [True, True]


def test_other_separators_are_recognised(write) -> None:
    assert "semicolons" in faults_of(write("t.csv", "a;b\n1;2\n"))[0]


def test_a_damaged_gzip_file_is_refused(write) -> None:
    whole = bytearray(gzip.compress(b"a,b\n" + random.Random(1).randbytes(100_000).hex().encode()))  # noqa: S311
    whole[len(whole) // 2 : len(whole) // 2 + 200] = bytes(200)
    assert "gzip" in faults_of(write("t.csv.gz", bytes(whole)))[0]


def test_a_cut_off_gzip_file_is_refused(write) -> None:
    whole = gzip.compress(b"a,b\n" + b"1,x\n" * 100_000)
    assert "gzip" in faults_of(write("t.csv.gz", whole[: len(whole) // 2]))[0]


def test_what_is_no_table_file_is_refused(write, tmp_path: Path) -> None:
    assert "a folder" in faults_of(tmp_path)[0]
    assert "nothing there" in faults_of(tmp_path / "none.csv")[0]
    assert ".parquet" in faults_of(write("t.xlsx", b"PK"))[0]
    assert "an empty file" in faults_of(write("t.parquet", b""))[0]
    assert "something else" in faults_of(write("u.parquet", b"a,b\n1,2\n"))[0]


@pytest.fixture
def table() -> pa.Table:
    return pa.table(
        {"x": [float(number) for number in range(5000)], "s": [f"{number % 7}" for number in range(5000)]}
    )


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_cut_off_parquet_file_is_refused(table: pa.Table, tmp_path: Path, share: float) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(table, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert "cut off" in faults_of(path)[0]


def test_damage_inside_a_parquet_file_is_refused(table: pa.Table, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(table, path)
    data = bytearray(path.read_bytes())
    data[100:6000] = b"\xff" * 5900
    path.write_bytes(bytes(data))
    assert "damaged" in faults_of(path)[0]


def test_rows_of_a_file_with_texts_in_views_can_be_picked(tmp_path: Path) -> None:
    views = pa.table({"word": pa.array(["a", "b", None], pa.string_view())})
    parquet.write_table(views, tmp_path / "t.parquet")
    read = read_table(tmp_path / "t.parquet")
    assert read.filter(pa.array([False, True, True]))["word"].to_pylist() == ["b", None]
    assert content_digest(read) == content_digest(views)


@pytest.mark.parametrize("row_group_size", [100, 1000, 5000])
@pytest.mark.parametrize("use_dictionary", [True, False])
def test_a_parquet_file_is_measured_like_the_table_in_it(
    make_table, tmp_path: Path, row_group_size: int, use_dictionary: bool
) -> None:
    from aims_pipelines.measure import measure

    table = make_table(4, 3000)
    nested = pa.table(
        {**{name: table[name] for name in table.column_names}, "z": [{"a": {"b": 1}, "c": "x"}] * 3000}
    )
    path = tmp_path / "t.parquet"
    parquet.write_table(nested, path, row_group_size=row_group_size, use_dictionary=use_dictionary)
    groups = [GroupSpec(columns=("sex",)), GroupSpec(columns=("z.c", "yes"))]
    from_file, from_table = measure_file(path, groups=groups), measure(read_table(path), groups=groups)
    assert from_file.digest == from_table.digest == measure(nested).digest
    assert to_bytes(from_file.profile) == to_bytes(from_table.profile)


def test_real_files_have_the_types_that_people_would_give_them(real_data) -> None:
    types = types_of(real_data / "adult-train.csv", null_values=("?",))
    assert {name for name, kind in types.items() if kind == "int64"} == {
        *("age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week")
    }
    assert types_of(real_data / "bike-hour.csv")["dteday"] == "date32[day]"
    assert set(types_of(real_data / "credit-card-clients.csv").values()) == {"int64"}
