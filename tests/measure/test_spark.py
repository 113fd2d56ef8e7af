"""A Spark DataFrame is profiled where its rows are, and its profile is that of the same rows in one table."""

import datetime as dt
import decimal
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from aims_pipelines.core.errors import BadInput
from aims_pipelines.core.verdict import Status
from aims_pipelines.measure import (
    compare,
    empty_profile,
    merge,
    profile_frame,
    profile_spark,
    profile_table,
    to_arrow,
    to_bytes,
)
from aims_pipelines.stats.profile import GroupSpec

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("pyspark") is None,
        reason="needs pyspark: pip install 'aims-pipelines[spark]'",
    ),
]
GROUPS = (
    GroupSpec(columns=("sex",)),
    GroupSpec(columns=("sex", "heavy"), bands={"heavy": (0.0, 10.0)}),
    GroupSpec(columns=("town",)),
)
KEYS = [("word",), ("sex", "few")]
PAIRS = [("sex", "heavy"), ("word", "far")]
Same = Callable[..., None]
ATTEMPTS = 3


def java_version() -> int:
    """Major version of the Java that Spark would start, 0 if there is none."""
    home = os.environ.get("JAVA_HOME")
    java = Path(home, "bin", "java") if home else shutil.which("java")
    if java is None or not Path(java).exists():
        return 0
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', told)
    return int(found.group(1)) if found else 0


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """One session of two cores in which a task has three attempts, and whose time zone is not UTC."""
    if (java := java_version()) < 17:
        pytest.skip(f"needs Java 17 or newer, found {java or 'none'}")
    from pyspark.sql import SparkSession

    patch = pytest.MonkeyPatch()
    patch.setenv("PYSPARK_PYTHON", sys.executable)
    patch.setenv("PYSPARK_DRIVER_PYTHON", sys.executable)
    repository = str(Path(__file__).resolve().parents[2])
    patch.setenv("PYTHONPATH", os.pathsep.join([repository, os.environ.get("PYTHONPATH", "")]))
    session = (
        SparkSession.builder.master(f"local[2,{ATTEMPTS}]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.session.timeZone", "America/New_York")
        .config("spark.sql.timestampType", "TIMESTAMP_NTZ")  # of Arrow's times without a zone
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "1000")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()
    patch.undo()


@pytest.fixture
def spread(spark: Any) -> Callable[..., Any]:
    """A DataFrame of the rows of an Arrow table in a number of partitions."""

    def spread(table: pa.Table, partitions: int = 4) -> Any:
        frame = spark.createDataFrame(table)
        return frame if partitions == 0 else frame.repartition(partitions)

    return spread


def every_type() -> pa.Table:
    """A column of every type that Spark has and the kernel measures, with missing values in each."""
    zone = dt.UTC
    columns = {
        "flag": pa.array([True, False, None, True]),
        "int8": pa.array([1, -128, None, 127], pa.int8()),
        "int16": pa.array([1, -2, None, 300], pa.int16()),
        "int32": pa.array([1, -2, None, 2**31 - 1], pa.int32()),
        "int64": pa.array([2**53 + 1, -(2**63), None, 2**63 - 1], pa.int64()),
        "float": pa.array([1.5, float("nan"), None, float("-inf")], pa.float32()),
        "double": pa.array([0.1, -0.0, None, float("inf")]),
        "decimal": pa.array(
            [decimal.Decimal("1.10"), decimal.Decimal("-7.25"), None, None], pa.decimal128(12, 2)
        ),
        "text": pa.array(["ß", "", None, "a\x00b"]),
        "bytes": pa.array([b"\x00", b"", None, b"xyz"]),
        "day": pa.array([dt.date(1969, 12, 31), dt.date(2024, 2, 29), None, dt.date(1, 1, 1)]),
        "instant": pa.array(
            [
                dt.datetime(2024, 3, 10, 7, 30, tzinfo=zone),
                dt.datetime(1883, 11, 18, tzinfo=zone),
                None,
                None,
            ],
            pa.timestamp("us", "UTC"),
        ),
        "clock": pa.array([1_710_037_800_000_001, -62_135_596_800_000_000, None, None], pa.timestamp("us")),
        "while": pa.array(
            [dt.timedelta(days=1), dt.timedelta(microseconds=-1), None, None], pa.duration("us")
        ),
        "nothing": pa.nulls(4),
        "a.dotted `name`": pa.array([1, 2, 3, 4]),
        "inside": pa.array(
            [
                {"x": 1, "deep": {"t": dt.datetime(2024, 1, 1, tzinfo=zone)}},
                {"x": None, "deep": None},
                None,
                {"x": 4, "deep": {"t": None}},
            ],
            pa.struct([("x", pa.int64()), ("deep", pa.struct([("t", pa.timestamp("us", "UTC"))]))]),
        ),
    }
    return pa.table(columns)


def test_every_type_is_measured_as_in_one_table(spread: Any, assert_same_profile: Same) -> None:
    table = every_type()
    groups = [GroupSpec(columns=("flag",)), GroupSpec(columns=("instant",)), GroupSpec(columns=("inside.x",))]
    expected = profile_table(table, groups=groups, keys=[("int64",)])
    assert_same_profile(profile_spark(spread(table, 3), groups=groups, keys=[("int64",)]), expected)
    assert expected.columns["instant"].storage_type == "timestamp[us, tz=UTC]"


@pytest.mark.parametrize(("rows", "partitions"), [(0, 4), (1, 4), (9000, 5), (1000, 110)])
def test_profile_is_that_of_the_same_rows_here_however_they_are_spread(
    spread: Any, make_table: Any, assert_same_profile: Same, rows: int, partitions: int
) -> None:
    table = make_table(rows, rows)
    place = table.schema.get_field_index("when")
    table = table.set_column(place, "when", table["when"].cast(pa.timestamp("us")))  # Spark has no other unit
    groups = GROUPS if partitions < 100 else GROUPS[:1]
    whole = profile_table(table, groups=groups, keys=KEYS, pairs=PAIRS)
    measured = profile_spark(spread(table, partitions), groups=groups, keys=KEYS, pairs=PAIRS)
    assert_same_profile(measured, whole, rtol=1e-7)


def test_timestamps_are_instants_whatever_the_time_zone_of_the_session(spark: Any) -> None:
    frame = spark.range(3).selectExpr("timestamp_micros(id * 3600000000) as at")
    groups = [GroupSpec(columns=("at",))]
    here = to_bytes(profile_spark(frame, groups=groups))
    before = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", "Asia/Kathmandu")
    try:
        assert to_bytes(profile_spark(frame, groups=groups)) == here
    finally:
        spark.conf.set("spark.sql.session.timeZone", before)


def test_times_of_day_are_numbers_as_in_one_table(spark: Any, assert_same_profile: Same) -> None:
    frame = spark.sql("select time'10:30:00.5' as at from range(3)")
    profile = profile_spark(frame)
    assert_same_profile(profile, profile_table(frame.toArrow()))
    moments = profile.columns["at"].moments
    assert moments is not None
    assert moments.mean == 37800.5


def test_rows_are_told_by_sketches_only_if_asked(spread: Any) -> None:
    frame = spread(pa.table({"x": [1, 1, 2, 3]}))
    kept = profile_spark(frame, keys=[("x",)])
    assert kept.row_sketch is not None
    assert kept.row_sketch.counts.tolist() == kept.key_sketches["x"].counts.tolist()
    assert sorted(kept.row_sketch.counts.tolist()) == [1, 1, 2]
    assert profile_spark(frame, rows=False).row_sketch is None


def test_no_rows_and_no_columns_are_profiles_that_say_so(spark: Any, assert_same_profile: Same) -> None:
    empty = spark.range(0).selectExpr("id", "cast(id as string) as name")
    profile = profile_spark(empty, groups=[GroupSpec(columns=("name",))])
    assert (profile.rows, list(profile.columns)) == (0, ["id", "name"])
    some = profile_table(pa.table({"id": [1], "name": ["x"]}), groups=[GroupSpec(columns=("name",))])
    assert_same_profile(merge(profile, some), some)
    assert to_bytes(profile_spark(spark.range(2).drop("id"), rows=False)) == to_bytes(empty_profile())


def test_frames_that_cannot_be_measured_are_refused_before_any_job(spark: Any, monkeypatch: Any) -> None:
    frame = spark.sql(
        "select array(1) as many, map('a', 1) as pairs, interval 1 month as months, parse_json('1') as any, "
        "named_struct('list', array(1), 'ok', 1) as inside, 1 as twice, 2 as twice"
    )
    monkeypatch.setattr(type(frame), "mapInArrow", None)  # a job would need it
    with pytest.raises(BadInput) as refused:
        profile_spark(frame)
    assert [fault.where for fault in refused.value.faults] == [
        f"column {name!r}" for name in ("months", "any", "many", "pairs", "inside.list", "twice")
    ]
    local = pa.table({"many": pa.array([[1]], pa.list_(pa.int32()))})
    with pytest.raises(BadInput) as same:
        profile_table(local)
    with pytest.raises(BadInput) as alone:
        profile_spark(frame.select("many"))
    assert [str(fault).replace("item", "element") for fault in alone.value.faults] == [
        str(fault).replace("item", "element") for fault in same.value.faults
    ]


def test_unknown_groups_and_keys_are_refused_as_for_tables(spread: Any) -> None:
    table = pa.table({"a": [1]})
    asked = {"groups": [GroupSpec(columns=("b",))], "keys": [("c",)]}
    answers = []
    for attempt in (lambda: profile_table(table, **asked), lambda: profile_spark(spread(table), **asked)):
        with pytest.raises(BadInput) as refused:
            attempt()
        answers.append(str(refused.value))
    assert answers[0] == answers[1]


def test_a_stream_is_refused(spark: Any) -> None:
    with pytest.raises(BadInput, match="foreachBatch"):
        profile_spark(spark.readStream.format("rate").load())


def test_a_spark_frame_is_not_collected_by_accident(spread: Any) -> None:
    frame = spread(pa.table({"a": [1]}))
    with pytest.raises(BadInput, match="profile_spark"):
        to_arrow(frame)
    assert profile_frame(frame).rows == 1
    with pytest.raises(BadInput, match="a Spark DataFrame, found dict"):
        profile_spark({"a": [1]})


def _fails_at_first(partition: int, how: str) -> Any:
    """Rows of which one partition fails at its first attempt, half way."""

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        context = TaskContext.get()
        for batch in batches:
            yield batch
            if context.partitionId() == partition and (how == "always" or context.attemptNumber() == 0):
                if how == "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise ValueError("the secret cell")

    return read


@pytest.mark.parametrize("how", ["raised", "killed"])
def test_a_task_that_is_tried_again_counts_once(spark: Any, assert_same_profile: Same, how: str) -> None:
    frame = spark.range(0, 9000, 1, 4).selectExpr("id", "id % 7 as week")
    broken = frame.mapInArrow(_fails_at_first(2, how), frame.schema)
    assert_same_profile(profile_spark(broken), profile_table(frame.toArrow()))


def test_a_job_that_fails_is_told_without_its_values(spark: Any) -> None:
    frame = spark.range(0, 9000, 1, 4)
    with pytest.raises(BadInput) as failed:
        profile_spark(frame.mapInArrow(_fails_at_first(2, "always"), frame.schema))
    (fault,) = failed.value.faults
    assert fault.where == "Spark DataFrame"
    assert "an error of Spark" in fault.found
    assert "secret" not in str(failed.value)
    assert "secret" in str(failed.value.__cause__)
    with pytest.raises(BadInput, match="CAST_INVALID_INPUT") as failed:
        profile_spark(spark.createDataFrame([("secret",)], "a string").selectExpr("cast(a as int) as a"))
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize("lacking", ["aims_pipelines", "pyarrow"])
def test_executors_without_the_package_are_told_by_name(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    (tmp_path / f"{lacking}.py").write_text(f"raise ModuleNotFoundError(\"No module named '{lacking}'\")")
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\ncd "{tmp_path}"\nPYTHONPATH="{tmp_path}:$PYTHONPATH" exec "{sys.executable}" "$@"\n'
    )
    python.chmod(0o755)
    monkeypatch.setattr(spark.sparkContext, "pythonExec", str(python))
    with pytest.raises(BadInput) as refused:
        profile_spark(spark.range(4))
    (fault,) = refused.value.faults
    assert fault.where == "Spark executors"
    assert f"no module {lacking!r} there" in fault.found
    assert "PYSPARK_PYTHON" in fault.remedy


def test_another_version_on_the_executors_is_refused(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from aims_pipelines.measure import spark as module

    monkeypatch.setattr(module, "__version__", "9.9.9")  # at the driver alone
    with pytest.raises(BadInput, match=r"aims-pipelines 9\.9\.9, as at the driver"):
        profile_spark(spark.range(4))


def test_another_python_on_the_executors_is_refused(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark.sparkContext, "pythonVer", "3.2")  # what the driver says it is
    with pytest.raises(BadInput, match="PYSPARK_PYTHON"):
        profile_spark(spark.range(4))


def test_spark_shows_what_the_job_is_and_goes_back_to_what_it_showed(spark: Any) -> None:
    def told(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        for _ in batches:
            text = TaskContext.get().getLocalProperty("spark.job.description")
            yield pa.RecordBatch.from_pydict({"said": [text]})

    spark.sparkContext.setJobDescription("mine")
    try:
        categories = profile_spark(spark.range(1).mapInArrow(told, "said string")).columns["said"].categories
        assert categories is not None
        assert list(categories.counts) == ["aims-pipelines: profile of 1 columns"]
        assert spark.sparkContext.getLocalProperty("spark.job.description") == "mine"
    finally:
        spark.sparkContext.setJobDescription(None)


def people(seed: int, rows: int = 8000) -> pa.Table:
    draw = np.random.default_rng(seed)
    sex, income = draw.choice(["f", "m"], rows), np.exp(draw.normal(10, 0.5, rows))
    if seed == 3:
        income[sex == "f"] *= 1.6
    return pa.table({"age": draw.integers(18, 80, rows), "sex": sex, "income": income})


@pytest.mark.parametrize(("seed", "status"), [(2, Status.PASS), (3, Status.FAIL)])
def test_frames_are_compared_as_tables_are(spread: Any, seed: int, status: Status) -> None:
    there = compare(spread(people(1)), spread(people(seed)), protected=["sex", "age"])
    here = compare(people(1), people(seed), protected=["sex", "age"])
    assert there.status is here.status is status
    assert [(one.target, one.status) for one in there.findings] == [
        (one.target, one.status) for one in here.findings
    ]
    assert compare(there.reference, spread(people(seed))).status is status
    assert compare(people(1), spread(people(seed)), protected=["sex"]).status is status


RECORDS = """\
kind: policy
id: default
title: t
owner: o
status: in_force
effective_from: 2020-01-01
dataset_limits: {min_rows: 1}
---
kind: dataset
id: people
title: t
owner: o
status: admitted
purpose: p
source: {path: delivery.csv, licence: CC0-1.0, legal_basis: none}
columns: {age: {type: integer}, sex: {type: string}, income: {type: number}}
"""


def test_a_governed_asset_that_returns_a_frame_of_spark_is_refused_and_told_what_to_do(
    spread: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dagster as dg
    from pyspark.sql.classic.dataframe import DataFrame

    from aims_pipelines import AimsResource, DatasetIOManager, governed_asset

    (tmp_path / "aims.toml").touch()
    (tmp_path / "governance").mkdir()
    (tmp_path / "governance" / "records.yaml").write_text(RECORDS)
    frame = spread(people(1))
    for way in ("toArrow", "collect", "__arrow_c_stream__"):  # no row may come to the driver
        monkeypatch.setattr(DataFrame, way, None, raising=False)

    @governed_asset(dataset="people", name="people")
    def asset() -> Any:
        return frame

    aims = AimsResource(folder=str(tmp_path))
    run = dg.materialize(
        [asset],
        resources={"aims": aims, "io_manager": DatasetIOManager(aims=aims)},
        instance=dg.DagsterInstance.ephemeral(),
        raise_on_error=False,
    )
    (failure,) = run.get_step_failure_events()
    told = failure.step_failure_data.user_failure_data.description
    assert "found a Spark DataFrame" in told
    assert "df.toArrow()" in told
    assert "profile_spark" in told
    assert run.get_asset_materialization_events() == []
    entry = aims.project.ledger.latest("dataset", "people")
    assert entry is not None
    assert entry.body["event"] == "refused before judgement"


def test_the_how_to_works_as_it_stands(
    spark: Any, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dagster as dg
    from pyarrow import parquet

    monkeypatch.chdir(tmp_path)
    published: list[str] = []
    for month, seed in (("may", 1), ("june", 3)):
        (tmp_path / month).mkdir()
        table = people(seed).append_column("granted", pa.array(["yes", "no"] * 4000))
        parquet.write_table(table, tmp_path / month / "part.parquet")
    text = (repository / "docs" / "how-to" / "profile-with-spark.md").read_text(encoding="utf-8")
    for place in ('"may"', '"june"', 'f"staged/'):  # Spark's own working directory is another
        text = text.replace(place, place.replace('"', f'"{tmp_path}/', 1))
    names: dict[str, Any] = {"spark": spark, "publish": published.append}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)  # noqa: S102 - our own text
    assert names["comparison"].status is Status.FAIL
    run = dg.materialize(
        [names["applications"]], instance=dg.DagsterInstance.ephemeral(), raise_on_error=False
    )
    (failure,) = run.get_step_failure_events()
    assert "Not published: fail" in failure.step_failure_data.user_failure_data.description
    assert (published, run.get_asset_materialization_events()) == ([], [])


def test_nothing_of_spark_is_loaded_before_a_frame_of_it_comes() -> None:
    code = (
        "import sys, pyarrow as pa\n"
        "from aims_pipelines.measure import profile_frame, profile_spark\n"
        "profile_frame(pa.table({'a': [1]}))\n"
        "print(*[name for name in ('pyspark', 'py4j') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
