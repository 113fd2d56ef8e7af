"""Spark data frames: each task runs the kernel over its own rows and passes on a profile; rows stay where they are.

Tasks profile, other tasks merge their profiles, and the driver merges what those few give. A profile depends on
the rows of its task alone and Spark hands on the output of one attempt per task, so a retried or speculative
task counts once. pyspark is never imported when this module loads, and at the driver not at all.
"""

import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from aims_pipelines import __version__
from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.measure.column_types import flattened, logical_type
from aims_pipelines.measure.kernel import Pass, profile_table
from aims_pipelines.measure.serialise import from_bytes, to_bytes
from aims_pipelines.measure.windows import WINDOW_ROWS, TableWindow
from aims_pipelines.stats.merge import empty_profile, merge
from aims_pipelines.stats.profile import GroupSpec, Profile

#: Bytes of Arrow data that a task holds before it measures them; fewer rows than a window where rows are wide.
_WINDOW_BYTES = 64 << 20
_PLACE = "Spark DataFrame"
_PLAIN = {
    "void": pa.null(),
    "boolean": pa.bool_(),
    "byte": pa.int8(),
    "short": pa.int16(),
    "integer": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "char": pa.string(),
    "varchar": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"),
    "time": pa.time64("ns"),
    "daytimeinterval": pa.duration("us"),
}


def is_spark_frame(obj: object) -> bool:
    """Whether an object is a Spark DataFrame, of a session here or behind Spark Connect."""
    return any(
        kind.__name__ == "DataFrame" and kind.__module__.startswith("pyspark.sql.")
        for kind in type(obj).__mro__
    )


def profile_spark(
    df: object,
    *,
    groups: Sequence[GroupSpec] = (),
    rows: bool = True,
    keys: Sequence[tuple[str, ...]] = (),
    pairs: Sequence[tuple[str, str]] = (),
) -> Profile:
    """Profile a Spark DataFrame in one pass over its rows, on the executors.

    The profile equals that of the same rows in one table here: counts to the last one, moments up to rounding,
    whatever the partitioning. Timestamps are instants in UTC, whatever the session's time zone. There is no
    content digest: it depends on the order of rows, and rows of a DataFrame have none.

    Args:
        df: A Spark DataFrame that is not a stream.
        groups: Groupings to profile within.
        rows: Whether to keep row hashes, from which duplicate and shared rows are told.
        keys: Keys to keep hashes of, each one or more columns, from which repeated keys are told.
        pairs: Pairs of columns whose values are counted together, numbers or categories.

    Returns:
        The profile; of a DataFrame without rows it is valid and says so.

    Raises:
        BadInput: It is no such DataFrame; a column has no name, or one that occurs twice, or a type that cannot
            be measured; a grouping, key or pair names a column that is not there: all before Spark starts a job. Or
            the job failed, with what to do about it.
    """
    return SparkFrame(df).profile(groups, rows=rows, keys=keys, pairs=pairs)


class SparkFrame:
    """A Spark DataFrame whose schema was looked at.

    Args:
        df: A Spark DataFrame.

    Raises:
        BadInput: As :func:`profile_spark`.
    """

    def __init__(self, df: Any) -> None:
        if not is_spark_frame(df):
            raise BadInput(Fault(where=_PLACE, expected="a Spark DataFrame", found=type(df).__name__))
        with _told():
            streams, schema = df.isStreaming, df.schema
        if streams:
            raise BadInput(
                Fault(
                    where=_PLACE,
                    expected="rows that come to an end",
                    found="a stream",
                    remedy="Profile each micro-batch in foreachBatch, and merge the profiles.",
                )
            )
        self._frame = df
        self.schema = arrow_schema(schema)

    def profile(
        self,
        groups: Sequence[GroupSpec] = (),
        *,
        rows: bool = True,
        keys: Sequence[tuple[str, ...]] = (),
        pairs: Sequence[tuple[str, str]] = (),
        columns: Sequence[str] | None = None,
    ) -> Profile:
        """Profile the columns, or the named top-level ones, as :func:`profile_spark`."""
        names = self.schema.names
        places = [names.index(name) for name in (names if columns is None else columns)]
        schema = pa.schema([self.schema.field(place) for place in places])
        nothing = profile_table(schema.empty_table(), groups=groups, rows=rows, keys=keys, pairs=pairs)
        if not places:
            return nothing
        # Columns go by number: their names may hold dots, which Spark would take apart.
        numbered = [f"c{number}" for number in range(len(names))]
        task = _Task(
            schema=schema,
            groups=tuple(groups),
            rows=rows,
            keys=tuple(keys),
            pairs=tuple(pairs),
            version=__version__,
        )
        with _told():
            frame = self._frame.toDF(*numbered).select(*(numbered[place] for place in places))
            with _described(self._frame):
                profiles = _job(frame, task).toArrow().column("profile").to_pylist()
        whole = nothing
        for data in profiles:
            whole = merge(whole, from_bytes(data))
        return whole


def arrow_schema(schema: Any) -> pa.Schema:
    """The Arrow schema in which the rows of a Spark schema are measured.

    Raises:
        BadInput: Names are missing or occur twice, or a type cannot be measured; all such columns are named.
    """
    faults: list[Fault] = []

    def arrow_type(kind: Any, name: str) -> pa.DataType:
        if hasattr(kind, "sqlType"):  # a user-defined type
            return arrow_type(kind.sqlType(), name)
        match kind.typeName():
            case "decimal":
                return pa.decimal128(kind.precision, kind.scale)
            case "struct":
                return pa.struct(
                    [pa.field(one.name, arrow_type(one.dataType, f"{name}.{one.name}")) for one in kind]
                )
            case "array":
                return pa.list_(arrow_type(kind.elementType, name))
            case "map":
                return pa.map_(arrow_type(kind.keyType, name), arrow_type(kind.valueType, name))
        plain = _PLAIN.get(kind.typeName())
        if plain is None:
            faults.append(
                Fault(
                    where=f"column {name!r}",
                    expected="numbers, texts, booleans, dates or times, one a cell",
                    found=f"the type {kind.simpleString()}",
                    remedy="Cast it to one of those, or leave it out.",
                )
            )
        return pa.null() if plain is None else plain

    made = pa.schema([pa.field(field.name, arrow_type(field.dataType, field.name)) for field in schema])
    try:
        flattened(made)
    except BadInput as error:
        faults += error.faults
    if faults:
        raise BadInput(faults)
    return made


def _job(frame: Any, task: "_Task") -> Any:
    """The profiles of the tasks, merged by tasks: some for each reducer, as many of those as Spark finds fit."""
    profiles = frame.mapInArrow(_plain_function(task), "part int, profile binary")
    merged = profiles.repartition("part").mapInArrow(_plain_function(_merged), "part int, profile binary")
    return merged.select("profile")


def _plain_function(work: Any) -> Any:
    """What Spark takes as a function: its own code travels, what it calls is imported on the executor."""
    return lambda batches: work(batches)  # noqa: PLW0108 - Spark takes no other callable


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """What an executor does with the rows of one partition.

    Args:
        schema: The columns.
        groups: Groupings to profile within.
        rows: Whether to keep row hashes.
        keys: Keys to keep hashes of.
        pairs: Pairs of columns to count together.
        version: Version of this package at the driver.
    """

    schema: pa.Schema
    groups: tuple[GroupSpec, ...]
    rows: bool
    keys: tuple[tuple[str, ...], ...]
    pairs: tuple[tuple[str, str], ...]
    version: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Measure the batches; give one profile, or none if there are no rows."""
        if self.version != __version__:
            raise RuntimeError(f"aims-pipelines {__version__} on the executor, {self.version} at the driver")
        run = Pass(self.schema, groups=self.groups, rows=self.rows, keys=self.keys, pairs=self.pairs)
        run.run(self._windows(batches), threads=1)  # Spark decides what runs side by side
        profile = run.result().profile
        if profile.rows:
            yield _packed(profile)

    def _windows(self, batches: Iterator[pa.RecordBatch]) -> Iterator[TableWindow]:
        pool: list[pa.Table] = []
        rows = size = 0
        for batch in batches:
            pool.append(self._measurable(batch))
            rows, size = rows + batch.num_rows, size + batch.nbytes
            if rows >= WINDOW_ROWS or size >= _WINDOW_BYTES:
                yield TableWindow(pa.concat_tables(pool))
                pool, rows, size = [], 0, 0
        if rows:
            yield TableWindow(pa.concat_tables(pool))

    def _measurable(self, batch: pa.RecordBatch) -> pa.Table:
        """The columns under their own names, with times in UTC: Spark labels them with the session's time zone."""
        columns = []
        for column, field in zip(batch.columns, self.schema, strict=True):
            kind = _in_utc(column.type)
            if not _alike(kind, field.type):
                raise TypeError(f"Spark sent {kind} where the schema says {field.type}")
            columns.append(column if column.type.equals(kind) else column.cast(kind))
        return pa.Table.from_arrays(columns, names=self.schema.names)


def _in_utc(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.timestamp(kind.unit, "UTC")
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_in_utc(field.type)) for field in kind])
    return kind


def _alike(kind: pa.DataType, other: pa.DataType) -> bool:
    """Whether two types hold the same values, whatever their layout and whether they say that nothing is missing."""
    if pa.types.is_struct(kind) and pa.types.is_struct(other):
        fields = list(kind), list(other)
        return len(fields[0]) == len(fields[1]) and all(
            one.name == two.name and _alike(one.type, two.type) for one, two in zip(*fields, strict=True)
        )
    return bool(logical_type(kind).equals(logical_type(other)))


def _merged(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """One profile of those that came in; none if none did."""
    whole = empty_profile()
    for batch in batches:
        for data in batch.column(1):
            whole = merge(whole, from_bytes(data.as_py()))
    if whole.columns:
        yield _packed(whole)


def _packed(profile: Profile) -> pa.RecordBatch:
    from pyspark import TaskContext

    context = TaskContext.get()
    part = context.partitionId() if context is not None else 0
    return pa.RecordBatch.from_arrays(
        [pa.array([part], pa.int32()), pa.array([to_bytes(profile)], pa.binary())], ["part", "profile"]
    )


@contextmanager
def _described(df: Any) -> Iterator[None]:
    """Say in Spark's own pages what the job is. Spark Connect has no such description."""
    if type(df).__module__.startswith("pyspark.sql.connect."):
        yield
        return
    context = df.sparkSession.sparkContext
    before = context.getLocalProperty("spark.job.description")
    context.setJobDescription(f"aims-pipelines: profile of {len(df.columns)} columns")
    try:
        yield
    finally:
        context.setJobDescription(before)


@contextmanager
def _told() -> Iterator[None]:
    """Turn Spark's errors into one that says what to do; keep back its word on pandas, which is not used here."""
    from pyspark.errors import PySparkException

    failures: tuple[type[BaseException], ...] = (PySparkException,)
    try:
        from py4j.protocol import Py4JError  # absent where only the Connect client is installed

        failures = (PySparkException, Py4JError)
    except ImportError:
        pass
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".*does not yet fully support pandas", FutureWarning)
        try:
            yield
        except failures as error:
            raise BadInput(_fault(error)) from error


def _fault(error: BaseException) -> Fault:
    """What went wrong, by names alone: Spark's messages quote values."""
    text = str(error)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    if missing := re.search(r"No module named '((?:aims_pipelines|pyarrow|numpy)[\w.]*)'", text):
        return Fault(
            where="Spark executors",
            expected="aims-pipelines, pyarrow and numpy where Spark runs Python",
            found=f"no module {missing.group(1)!r} there",
            remedy=f"Install aims-pipelines {__version__} on every executor, or ship its wheel, named *.zip, with "
            "spark.addArtifacts(ZIP, pyfile=True). If they start another Python than the one it is installed in, "
            "set PYSPARK_PYTHON to that one before the session starts.",
        )
    if versions := re.search(r"aims-pipelines (\S+) on the executor, \S+ at the driver", text):
        return Fault(
            where="Spark executors",
            expected=f"aims-pipelines {__version__}, as at the driver",
            found=f"version {versions.group(1)}",
            remedy="Install the same version on both.",
        )
    if "PYTHON_VERSION_MISMATCH" in text:
        return Fault(
            where="Spark executors",
            expected=f"Python {python}, as at the driver",
            found="another version",
            remedy="Set PYSPARK_PYTHON to a Python of that version before the session starts.",
        )
    condition = getattr(error, "getCondition", lambda: None)() or type(error).__name__
    return Fault(
        where=_PLACE,
        expected="rows that Spark can compute",
        found=f"an error of Spark ({condition})",
        remedy="Its cause is chained, and Spark's log names the task; df.count() has to work first.",
    )
