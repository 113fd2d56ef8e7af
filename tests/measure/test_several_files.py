"""A table in several files is one table: one profile, one schema, and no more memory than for one file."""

import gc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet
from typer.testing import CliRunner

from aims_pipelines.cli.main import app
from aims_pipelines.core.errors import BadInput
from aims_pipelines.core.verdict import Status
from aims_pipelines.measure import compare, profile_file, profile_table, read_profile
from aims_pipelines.stats.profile import GroupSpec

Same = Callable[..., None]
GROUPS = [GroupSpec(columns=("sex",)), GroupSpec(columns=("few",), bands={"few": (0.0, 20.0)})]


@pytest.fixture
def parts(tmp_path: Path, make_table: Callable[[int, int], pa.Table]) -> tuple[Path, pa.Table]:
    """A table in a folder of four files as Spark writes it, one without rows and one with its columns turned round."""
    table, folder = make_table(1, 4000), tmp_path / "table.parquet"
    folder.mkdir()
    for number, (start, rows) in enumerate([(0, 900), (900, 0), (900, 100), (1000, 3000)]):
        part = table.slice(start, rows)
        if number == 2:
            part = part.select(table.column_names[::-1])
        parquet.write_table(part, folder / f"part-0000{number}.snappy.parquet")
    (folder / "_SUCCESS").touch()
    (folder / ".part-00000.snappy.parquet.crc").write_bytes(b"crc")
    return folder, table


def faults_of(source: object) -> list[str]:
    with pytest.raises(BadInput) as refused:
        profile_file(source)  # type: ignore[arg-type]
    return [str(fault) for fault in refused.value.faults]


@pytest.mark.parametrize("how", ["folder", "pattern", "files"])
def test_files_are_profiled_as_the_table_that_they_are(
    how: str, parts: tuple[Path, pa.Table], assert_same_profile: Same
) -> None:
    folder, table = parts
    files = sorted(folder.glob("part-*"))
    source = {"folder": folder, "pattern": f"{folder}/part-*.parquet", "files": files}[how]
    profile = profile_file(source, groups=GROUPS, keys=[("word",)])  # type: ignore[arg-type]
    assert_same_profile(profile, profile_table(table, groups=GROUPS, keys=[("word",)]), rtol=1e-7)
    assert list(profile.columns) == table.column_names


def test_a_folder_is_compared_like_a_file(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    table = pa.table({"age": draw.integers(18, 80, 16_000), "sex": draw.choice(["f", "m"], 16_000)})
    folder = tmp_path / "may"
    folder.mkdir()
    for start in (0, 3000):
        csv.write_csv(table.slice(start, 3000 if start == 0 else 5000), folder / f"{start}.csv")
    csv.write_csv(table.slice(8000), tmp_path / "june.csv")
    comparison = compare(folder, tmp_path / "june.csv", protected=["sex", "age"])
    assert (comparison.status, comparison.reference_rows) == (Status.PASS, 8000)


def test_every_file_and_column_that_differs_is_named_before_rows_are_read(tmp_path: Path) -> None:
    def write(name: str, **columns: pa.Array) -> None:
        parquet.write_table(pa.table(columns), tmp_path / name)

    moment = pa.array([0], pa.timestamp("us"))
    write("a.parquet", n=pa.array([1]), s=pa.nulls(1), t=moment)
    write("b.parquet", n=pa.array([1.5]), s=pa.array(["x"]), t=moment.cast(pa.date32()))
    write("c.parquet", n=pa.array(["1"]), s=pa.array([1]), t=moment.cast(pa.timestamp("us", "UTC")))
    write("d.parquet", n=pa.array([1]), s=pa.array(["x"]), more=pa.array([1]))
    (tmp_path / "e.parquet").write_bytes(b"PAR1 and no more")
    first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
    assert faults_of(tmp_path) == [
        f"{tmp_path}/c.parquet: column 'n': expected int64, as in {first}, found string. "
        "Convert one of them, or profile them apart.",
        f"{tmp_path}/c.parquet: column 's': expected string, as in {second}, found int64. "
        "Convert one of them, or profile them apart.",
        f"{tmp_path}/c.parquet: column 't': expected timestamp[us], as in {first}, found timestamp[us, tz=UTC]. "
        "Convert one of them, or profile them apart.",
        f"{tmp_path}/d.parquet: expected the columns of {first}, found a table without t and with more besides. "
        "Profile it by itself.",
        f"{tmp_path}/e.parquet: expected a complete Parquet file, found 16 bytes that are cut off, damaged, or "
        "something else. Write or copy it again.",
    ]


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([], "found none"),
        (["_SUCCESS"], "found none"),
        (["a.csv", "readme.txt"], "found 'readme.txt' among them"),
        (["a.csv", "a.parquet"], "found both"),
        (["a.csv", "older/"], "found the folder 'older'"),
        (["customer=Ada Lovelace/"], "found folders by 'customer', whose values are in no file"),
        (["a.parquet", "_delta_log/"], "_delta_log, whose log says which files are in force"),
    ],
)
def test_a_folder_of_which_it_is_not_sure_what_belongs_to_the_table_is_refused(
    entries: list[str], said: str, tmp_path: Path
) -> None:
    for entry in entries:
        (tmp_path / entry).mkdir() if entry.endswith("/") else (tmp_path / entry).write_text("a\n1\n")
    (message,) = faults_of(tmp_path)
    assert message.startswith(f"{tmp_path}: expected")
    assert said in message
    assert "Lovelace" not in message


def test_a_file_counts_once_and_has_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    assert "each file once" in faults_of([tmp_path / "a.csv", tmp_path])[0]
    assert "match the pattern" in faults_of(f"{tmp_path}/b*.csv")[0]
    assert "nothing there" in faults_of([tmp_path / "b.csv"])[0]
    assert "at least one file" in faults_of([])[0]
    (tmp_path / "odd[1].csv").write_text("a\n1\n")
    assert profile_file(tmp_path / "odd[1].csv").rows == 1


def test_the_command_takes_a_folder_and_never_writes_into_its_files(
    parts: tuple[Path, pa.Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, table = parts
    monkeypatch.chdir(folder.parent)
    run = CliRunner().invoke(app, ["profile", "table.parquet", "--protected", "sex", "--out", "p.json"])
    assert run.exit_code == 0, run.output
    assert (read_profile("p.json").rows, list(read_profile("p.json").groups)) == (table.num_rows, ["sex"])
    part = "table.parquet/part-00000.snappy.parquet"
    refused = CliRunner().invoke(app, ["profile", "table.parquet", "--out", part, "--overwrite"])
    assert "found one of them" in str(refused.exception)


def test_what_counted_a_file_is_let_go_with_it_and_not_when_garbage_is_next_collected(tmp_path: Path) -> None:
    from aims_pipelines.measure.numbers import NumberTally

    draw = np.random.default_rng(1)
    times = pa.array(draw.integers(0, 10**9, 5000), pa.timestamp("s"))
    parquet.write_table(pa.table({"x": draw.normal(size=5000), "at": times}), tmp_path / "x.parquet")
    gc.collect()
    gc.disable()
    try:
        profile_file(tmp_path / "x.parquet")
        assert not [kept for kept in gc.get_objects() if isinstance(kept, NumberTally)]
    finally:
        gc.enable()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_files(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    rows = 400_000
    for number in range(6):
        numbers = {f"x{place}": draw.normal(size=rows) for place in range(6)}
        words = draw.choice([f"word {place}" for place in range(50)], rows)
        parquet.write_table(pa.table({**numbers, "word": words}), tmp_path / f"{number}.parquet")
    code = (
        "import resource, sys\n"
        "from aims_pipelines.measure import profile_file\n"
        "profile_file(sys.argv[1:])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    files = sorted(map(str, tmp_path.glob("*.parquet")))
    peaks = []
    for some in (files[:1], files):
        done = subprocess.run([sys.executable, "-c", code, *some], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] < 1.25 * peaks[0]
