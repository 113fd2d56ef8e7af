"""The command line under rough handling: odd terminals, closed pipes, wrong partitions, an impatient user."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aims_pipelines.resources.project import load_project

POLICY = """\
kind: policy
id: default
title: Limits
owner: data steward
status: in_force
effective_from: 2020-01-01
dataset_limits: {min_rows: 50, drift_inconclusive: accept}
"""
RECORD = """\
kind: dataset
id: orders
title: Orders
owner: data steward
status: admitted
review_by: REVIEW
purpose: tests
source: {path: orders.csv, licence: CC0-1.0, legal_basis: no personal data}
columns:
  number: {type: integer}
"""
DEFINITIONS = """\
import os
import time

import dagster as dg
import pyarrow as pa

from aims_pipelines import AimsResource, DatasetIOManager, governed_asset

aims = AimsResource(folder=os.path.dirname(__file__))


@governed_asset(dataset="orders", name="orders")
def orders(aims: AimsResource) -> pa.Table:
    return aims.read_source("orders")


resources = {"aims": aims, "io_manager": DatasetIOManager(aims=aims)}
defs = dg.Definitions(assets=[orders], resources=resources)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "my prôject"
    (root / "governance").mkdir(parents=True)
    (root / "aims.toml").write_text("")
    (root / "definitions.py").write_text(DEFINITIONS)
    (root / "governance" / "policy.yaml").write_text(POLICY)
    review = datetime.now(UTC).date() + timedelta(days=30)
    (root / "governance" / "orders.yaml").write_text(RECORD.replace("REVIEW", str(review)))
    (root / "orders.csv").write_text("number\n" + "\n".join(map(str, range(300))) + "\n")
    return root


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "aims_pipelines.cli.main", *arguments]


def surroundings(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    return kept | {"COLUMNS": "200"} | changes


def aims(*arguments: str, cwd: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=surroundings(**changes),
        capture_output=True,
        text=True,
        check=False,
    )


def change(folder: Path, before: str, after: str) -> None:
    file = folder / "definitions.py"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))


def test_a_terminal_that_cannot_show_a_letter_gets_it_escaped(folder: Path) -> None:
    for name in ("materialize", "status"):
        result = aims(name, cwd=folder, PYTHONIOENCODING="ascii")
        assert result.returncode == 0, result.stderr
        assert "pr\\xf4ject" in result.stdout


def test_a_reader_that_goes_away_is_neither_success_nor_refusal(folder: Path) -> None:
    with subprocess.Popen(
        command("status"), cwd=folder, env=surroundings(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize("home", ["/nowhere/at/all", "relative"])
def test_a_dagster_home_that_is_not_there_is_bad_input(folder: Path, home: str) -> None:
    result = aims("materialize", cwd=folder, DAGSTER_HOME=home)
    assert result.returncode == 2
    assert result.stderr.startswith("DAGSTER_HOME: expected")


PARTITIONED = 'name="orders", partitions_def=dg.StaticPartitionsDefinition(["monday"])'


def test_a_partition_that_an_asset_does_not_have_is_bad_input(folder: Path) -> None:
    none = aims("materialize", "--partition", "monday", cwd=folder)
    assert (none.returncode, none.stderr.startswith("--partition: expected none")) == (2, True)
    change(folder, 'name="orders"', PARTITIONED)
    wrong = aims("materialize", "--partition", "someday", cwd=folder)
    assert (wrong.returncode, wrong.stderr.startswith("--partition: expected a partition key")) == (2, True)
    assert aims("materialize", "--partition", "monday", cwd=folder).returncode == 0
    change(folder, 'StaticPartitionsDefinition(["monday"])', 'DailyPartitionsDefinition("2024-01-01")')
    no_date = aims("materialize", "--partition", "monday", cwd=folder)
    assert (no_date.returncode, "Traceback" in no_date.stderr) == (2, False)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('{"aims": aims, ', "{", "resource with key 'aims'"),
        ("import time\n", "raise SystemExit(1)\n", "SystemExit"),
    ],
)
def test_definitions_that_do_not_fit_together_are_bad_input(
    folder: Path, before: str, after: str, says: str
) -> None:
    change(folder, before, after)
    result = aims("materialize", cwd=folder)
    assert result.returncode == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "definitions",
    [
        "@dg.definitions\ndef defs():\n    return dg.Definitions(",
        "other = defs = dg.Definitions(",
    ],
)
def test_every_way_to_write_definitions_is_found(folder: Path, definitions: str) -> None:
    change(folder, "defs = dg.Definitions(", definitions)
    result = aims("materialize", cwd=folder)
    assert result.returncode == 0, result.stderr


def test_a_store_that_cannot_be_written_is_told_in_our_words(folder: Path) -> None:
    (folder / "aims.toml").write_text('store = "orders.csv"')
    result = aims("materialize", cwd=folder)
    assert result.returncode == 2
    assert "Cannot write" in result.stdout
    assert "Check the folder's permissions" in result.stdout


CLOSED = """\
class Warehouse(dg.ConfigurableResource):
    def setup_for_execution(self, context):
        raise RuntimeError("the warehouse is closed")


resources = {"warehouse": Warehouse(), """
NEEDS_A_DAY = """\
class Day(dg.Config):
    day: str


@governed_asset"""


def test_a_run_that_fails_before_any_step_is_no_refusal_and_says_why(folder: Path) -> None:
    change(folder, "resources = {", CLOSED)
    change(
        folder,
        "def orders(aims: AimsResource)",
        "def orders(aims: AimsResource, warehouse: dg.ResourceParam[object])",
    )
    result = aims("materialize", cwd=folder)
    assert result.returncode == 2
    assert "The run failed: RuntimeError: the warehouse is closed" in result.stdout
    assert "definitions.py" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
    shown = json.loads(aims("materialize", "--format", "json", cwd=folder).stdout)
    assert (shown["exit_code"], shown["assets"][0]["outcome"]) == (2, "not run")
    assert "the warehouse is closed" in shown["failure"]


def test_run_config_that_is_asked_for_comes_from_a_file_and_its_absence_is_bad_input(folder: Path) -> None:
    change(folder, "@governed_asset", NEEDS_A_DAY)
    change(folder, "def orders(aims: AimsResource)", "def orders(aims: AimsResource, config: Day)")
    without = aims("materialize", cwd=folder)
    assert without.returncode == 2
    assert "{'ops': {'orders': {'config': {'day': '...'}}}}" in without.stderr
    assert "--config" in without.stderr
    assert "Traceback" not in without.stderr
    (folder / "run.yaml").write_text("ops: {orders: {config: {day: 2026-01-31}}}\n")
    result = aims("materialize", "--config", "run.yaml", cwd=folder)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("text", "place"),
    [(None, "run.yaml"), ("ops: [\n", "run.yaml:2"), ("- ops\n", "run.yaml"), ("\xff", "run.yaml")],
)
def test_a_file_that_is_no_run_config_is_bad_input_and_nothing_runs(
    folder: Path, text: str | None, place: str
) -> None:
    if text is not None:
        (folder / "run.yaml").write_bytes(text.encode("latin-1"))
    result = aims("materialize", "--config", "run.yaml", cwd=folder)
    assert result.returncode == 2
    assert result.stderr.startswith(f"{place}: expected Dagster's run config")
    assert not (folder / ".aims" / "dagster").exists()


def test_an_error_that_nobody_expected_is_no_refusal_either(folder: Path) -> None:
    change(
        folder,
        "defs = dg.Definitions(assets=[orders], resources=resources)",
        """\
import sys

sys.modules["rich.table"] = None
defs = dg.Definitions(assets=[orders], resources=resources)
""",
    )
    quiet, loud = aims("materialize", cwd=folder), aims("materialize", cwd=folder, AIMS_TRACEBACK="1")
    assert (quiet.returncode, loud.returncode) == (2, 2)
    assert "ModuleNotFoundError at aims_pipelines/cli/materialize.py:" in quiet.stderr
    assert "This was not expected" in quiet.stderr
    assert "Traceback" not in quiet.stderr
    assert "halted" not in quiet.stderr, "the words of an error may quote values"
    assert "Traceback" in loud.stderr


def test_an_error_of_definitions_that_are_made_late_is_told_with_its_place(folder: Path) -> None:
    change(
        folder,
        "defs = dg.Definitions(assets=[orders], resources=resources)",
        """\
@dg.definitions
def defs():
    raise ValueError("of the user's own")
""",
    )
    result = aims("materialize", cwd=folder)
    assert result.returncode == 2
    assert "expected definitions that import, found ValueError: of the user's own" in result.stderr
    assert "definitions.py:" in result.stderr


def test_one_of_several_assets_of_a_function_names_those_that_belong_to_it(folder: Path) -> None:
    change(
        folder,
        "defs = dg.Definitions(assets=[orders]",
        "@dg.multi_asset(outs={'good': dg.AssetOut(), 'bad': dg.AssetOut()})\ndef both():\n    return 1, 2\n\n\n"
        "defs = dg.Definitions(assets=[orders, both]",
    )
    result = aims("materialize", "--select", "bad", cwd=folder)
    assert result.returncode == 2
    assert result.stderr.startswith("--select: expected bad together with good")
    assert len(result.stderr) < 300


@pytest.mark.parametrize("selection", ["key:orders or key:more", "offers or orders"])
def test_a_selection_of_several_is_answered_with_how_to_write_one(folder: Path, selection: str) -> None:
    result = aims("materialize", "--select", selection, cwd=folder)
    if selection.startswith("key:"):
        assert result.returncode == 0, result.stderr
    else:
        assert result.returncode == 2
        assert "key:offers or key:customers+" in result.stderr


def test_the_status_of_partitions_does_not_hide_one_that_was_refused(folder: Path) -> None:
    change(
        folder, 'name="orders")', 'name="orders", partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))'
    )
    change(
        folder,
        "def orders(aims: AimsResource) -> pa.Table:\n",
        "def orders(context: dg.AssetExecutionContext, aims: AimsResource) -> pa.Table:\n"
        "    if context.partition_key == 'a' and os.environ.get('BAD'):\n"
        "        return pa.table({'number': [1, None] * 100})\n",
    )
    assert aims("materialize", "--partition", "a", cwd=folder, BAD="1").returncode == 1
    assert aims("materialize", "--partition", "b", cwd=folder).returncode == 0
    (row,) = json.loads(aims("status", "--format", "json", cwd=folder).stdout)
    assert row["last_verdict"] == "fail"
    assert "a: completeness" in row["not_passed"]
    assert aims("materialize", "--partition", "a", cwd=folder).returncode == 0
    (row,) = json.loads(aims("status", "--format", "json", cwd=folder).stdout)
    assert (row["last_verdict"], row["not_passed"]) == ("pass", [])


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_no_traceback_and_nothing_that_goes_on_or_blocks_the_next_one(
    folder: Path, sent: signal.Signals
) -> None:
    change(
        folder,
        "    return aims.read",
        "    open('begun', 'w').close()\n    time.sleep(60)\n    return aims.read",
    )
    with subprocess.Popen(
        command("materialize"),
        cwd=folder,
        env=surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not (folder / "begun").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(sent)
        _, told = process.communicate(timeout=30)
    assert process.returncode == (130 if sent is signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in told
    assert load_project(folder).store.versions() == []
    if sent is signal.SIGINT:
        assert statuses(folder) == ["CANCELED"]
    change(folder, "    time.sleep(60)\n", "")
    assert aims("materialize", cwd=folder).returncode == 0
    assert statuses(folder) == ["CANCELED", "SUCCESS"]


def statuses(folder: Path) -> list[str]:
    """What Dagster says became of the runs, the oldest first."""
    code = (
        "import dagster as dg\n"
        "with dg.DagsterInstance.get() as instance:\n"
        "    print(*reversed([run.status.value for run in instance.get_runs()]))"
    )
    home = str(folder / ".aims" / "dagster")
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env=surroundings(DAGSTER_HOME=home),
        capture_output=True,
        text=True,
        check=True,
    )
    return shown.stdout.split()
