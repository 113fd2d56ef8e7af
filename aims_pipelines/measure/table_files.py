"""One table in several files: which files those are, whether they fit together, and one pass over all of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from glob import glob
from pathlib import Path

import pyarrow as pa

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.measure.column_types import flattened, kind_of, logical_type
from aims_pipelines.measure.csv_reader import CsvFile
from aims_pipelines.measure.kernel import Pass
from aims_pipelines.measure.parquet_reader import ParquetTable
from aims_pipelines.measure.readers import CSV_SUFFIXES, PARQUET_SUFFIXES, open_table, windows_in
from aims_pipelines.measure.windows import Window
from aims_pipelines.stats.merge import empty_profile, merge
from aims_pipelines.stats.profile import GroupSpec, Kind, Profile

Paths = Path | str | Sequence[Path | str]
#: Called with the name of each file, and which of how many it is, while that is read.
Each = Callable[[str], AbstractContextManager[object]]


def profile_file(
    path: Paths,
    *,
    groups: Sequence[GroupSpec] = (),
    rows: bool = True,
    keys: Sequence[tuple[str, ...]] = (),
    pairs: Sequence[tuple[str, str]] = (),
    null_values: Sequence[str] = (),
) -> Profile:
    """Profile a table in one or more files in one pass, without ever holding the whole of one.

    Args:
        path: A table file as :func:`aims_pipelines.measure.open_batches`; a folder of such files, all Parquet or
            all CSV; a pattern such as ``may-*.csv``; or several of these, which are one table together.
        groups: Groupings to profile within.
        rows: Whether to keep row hashes, from which duplicate and shared rows are told.
        keys: Keys to keep hashes of, each one or more columns.
        pairs: Pairs of columns whose values are counted together, numbers or categories.
        null_values: Texts that mean missing in a CSV, besides the empty one; Parquet has nulls of its own.

    Returns:
        The profile of all rows. Columns come in the order of the first file.

    Raises:
        BadInput: A file will not do, or does not have the columns and kinds of values of the first; every such
            file and column is named. As for tables.
    """
    return TableFiles(path, null_values=null_values).profile(groups, rows=rows, keys=keys, pairs=pairs)


class TableFiles:
    """The files of one table, whose schemas were looked at.

    Args:
        paths: As :func:`profile_file`.
        null_values: Texts that mean missing in a CSV.
        each: Entered while a file is read, with its name; for progress.

    Raises:
        BadInput: As :func:`profile_file`.
    """

    def __init__(
        self, paths: Paths, *, null_values: Sequence[str] = (), each: Each = lambda _: nullcontext()
    ) -> None:
        self.files = files_of(paths)
        self._each = each
        self._sources: list[ParquetTable | CsvFile] = []
        faults: list[Fault] = []
        known: dict[str, _Known] = {}
        for file in self.files:
            try:
                with self._reading(file):
                    source = open_table(file, null_values)
                    self._sources.append(source)
                    faults += _misfits(str(file), source.schema, known, str(self.files[0]))
            except BadInput as error:
                faults += [_placed(fault, str(file)) for fault in error.faults]
        if faults:
            raise BadInput(faults)
        self.schema: pa.Schema = self._sources[0].schema

    def profile(
        self,
        groups: Sequence[GroupSpec] = (),
        *,
        rows: bool = True,
        keys: Sequence[tuple[str, ...]] = (),
        pairs: Sequence[tuple[str, str]] = (),
        columns: Sequence[str] | None = None,
    ) -> Profile:
        """Profile all rows: their columns, or the named top-level ones."""
        whole = empty_profile()
        run: Pass | None = None
        schema_of_run: pa.Schema | None = None
        for place in range(len(self.files)):
            with self.reading(place, columns) as (schema, windows):
                # Files of one schema are counted together: adding up a profile of each would take memory for three.
                if run is None or schema != schema_of_run:
                    whole = whole if run is None else merge(whole, run.result().profile)
                    run = Pass(schema, groups=groups, rows=rows, keys=keys, pairs=pairs)
                    schema_of_run = schema
                run.run(windows)
        return whole if run is None else merge(whole, run.result().profile)

    @contextmanager
    def reading(
        self, place: int, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[pa.Schema, Iterator[Window]]]:
        """Read one of the files: its schema and windows, all columns or the named top-level ones.

        Faults of bad input that are found inside are said to be that file's.
        """
        file, source = self.files[place], self._sources[place]
        names = source.schema.names
        places = [names.index(name) for name in (names if columns is None else columns)]
        schema = pa.schema([source.schema.field(number) for number in places])
        try:
            with self._reading(file), windows_in(source) as windows:
                yield schema, (_Chosen(window, places) for window in windows)
        except BadInput as error:
            raise BadInput(_placed(fault, str(file)) for fault in error.faults) from error

    def _reading(self, file: Path) -> AbstractContextManager[object]:
        count = len(self.files)
        place = f" ({self.files.index(file) + 1} of {count})" if count > 1 else ""
        return self._each(f"{file}{place}")


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Some columns of a window."""

    window: Window
    places: list[int]

    @property
    def rows(self) -> int:
        return self.window.rows

    def column(self, index: int) -> pa.ChunkedArray:
        return self.window.column(self.places[index])


def files_of(paths: Paths) -> tuple[Path, ...]:
    """The files of one table, each once: folders and patterns resolved, in the order of their names.

    Raises:
        BadInput: A folder or pattern holds none, or a folder holds something else besides, of which it cannot be
            told whether it belongs to the table; a file is named twice.
    """
    sources = [paths] if isinstance(paths, Path | str) else list(paths)
    faults: list[Fault] = []
    files: list[Path] = []
    if not sources:
        faults.append(Fault(where="table", expected="at least one file", found="none"))
    for source in sources:
        try:
            for place in _matches(source):
                files += _in_folder(place) if place.is_dir() else [place]
        except BadInput as error:
            faults += error.faults
        except OSError as error:
            found = error.strerror or type(error).__name__
            faults.append(Fault(where=str(source), expected="a readable folder", found=found))
    seen: set[Path] = set()
    for file in files:
        if file.resolve() in seen:
            faults.append(Fault(where=str(file), expected="each file once", found="it twice"))
        seen.add(file.resolve())
    if faults:
        raise BadInput(faults)
    return tuple(files)


def _matches(source: Path | str) -> list[Path]:
    path = Path(source)
    if path.exists() or not set("*?[") & set(str(source)):
        return [path]
    found = [Path(name) for name in sorted(glob(str(source), recursive=True))]  # noqa: PTH207 - from any folder
    if not found:
        raise BadInput(Fault(where=str(source), expected="files whose names match the pattern", found="none"))
    return found


def _in_folder(folder: Path) -> list[Path]:
    """Table files in a folder; names that start with ``_`` or ``.`` are notes of the program that wrote it."""
    entries = sorted(folder.iterdir())
    names = {entry.name for entry in entries}
    if log := sorted(names & {"_delta_log", ".hoodie"}):
        found = f"{log[0]}, whose log says which files are in force"
        remedy = "Read it with the library of its format, and profile that frame."
        raise BadInput(
            Fault(where=str(folder), expected="a folder of files alone", found=found, remedy=remedy)
        )
    shown = [entry for entry in entries if not entry.name.startswith(("_", "."))]
    parts = [entry.name for entry in shown if entry.is_dir()]
    if parts:
        key, keyed, _ = parts[0].partition("=")
        found = f"folders by {key!r}, whose values are in no file" if keyed else f"the folder {key!r}"
        remedy = (
            "Profile pyarrow.dataset.dataset(FOLDER, partitioning='hive').scanner().to_reader() with profile_table."
            if keyed
            else "Name the files."
        )
        raise BadInput(Fault(where=str(folder), expected="table files alone", found=found, remedy=remedy))
    kinds = [
        [entry for entry in shown if entry.name.lower().endswith(suffixes)]
        for suffixes in (PARQUET_SUFFIXES, CSV_SUFFIXES)
    ]
    others = [entry for entry in shown if entry not in kinds[0] and entry not in kinds[1]]
    if others or all(kinds) or not shown:
        found = f"{others[0].name!r} among them" if others else "both" if shown else "none"
        raise BadInput(
            Fault(
                where=str(folder),
                expected="Parquet files or CSV files, and nothing else",
                found=found,
                remedy="Name the files, for instance by a pattern." if shown else "",
            )
        )
    return shown


@dataclass(frozen=True, slots=True)
class _Known:
    """What the files before said of a column."""

    kind: pa.DataType
    file: str


def _misfits(file: str, schema: pa.Schema, known: dict[str, _Known], first: str) -> Iterator[Fault]:
    """What of a file's columns does not fit the files before it."""
    columns = {name: kind for name, _, kind in flattened(schema)}
    if known and columns.keys() != known.keys():
        lacking = [name for name in known if name not in columns]
        added = [name for name in columns if name not in known]
        parts = [f"without {', '.join(lacking)}"] if lacking else []
        parts += [f"with {', '.join(added)} besides"] if added else []
        yield Fault(
            where=file,
            expected=f"the columns of {first}",
            found=f"a table {' and '.join(parts)}",
            remedy="Profile it by itself.",
        )
        return
    for name, kind in columns.items():
        before = known.get(name)
        if before is None or pa.types.is_null(before.kind):
            known[name] = _Known(kind, file)
        elif not pa.types.is_null(kind) and _sort(kind) != _sort(before.kind):
            yield Fault(
                where=f"{file}: column {name!r}",
                expected=f"{logical_type(before.kind)}, as in {before.file}",
                found=str(logical_type(kind)),
                remedy="Convert one of them, or profile them apart.",
            )


def _sort(kind: pa.DataType) -> str:
    """Which values can be one column together: any numbers, any texts, days and local times, or points in time."""
    measured, kind, types = kind_of(kind), logical_type(kind), pa.types
    if measured is Kind.TEMPORAL:
        return "instant" if types.is_timestamp(kind) and kind.tz is not None else "local time"
    if measured is Kind.NUMERIC and (types.is_time(kind) or types.is_duration(kind)):
        return "time of day" if types.is_time(kind) else "duration"
    return str(measured)


def _placed(fault: Fault, name: str) -> Fault:
    where = fault.where if fault.where.startswith(name) else f"{name}: {fault.where}"
    return Fault(where=where, expected=fault.expected, found=fault.found, remedy=fault.remedy)
