"""aims chart, and the folder of profiles that aims profile makes for it, as a user runs them."""

import json
import math
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from aims_pipelines.cli.main import app
from aims_pipelines.core.errors import BadInput
from aims_pipelines.measure import merge_all, profile_file, read_profile, to_bytes
from aims_pipelines.resources.project import find_project
from aims_pipelines.storage.dataset_tables import Version


def loans(months: int, *, moved_from: int = 99) -> pd.DataFrame:
    draw = np.random.default_rng(5)
    parts = []
    for number in range(months):
        rows = int(draw.integers(300, 600))
        start = pd.Timestamp("2023-01-01") + pd.DateOffset(months=number)
        parts.append(
            pd.DataFrame(
                {
                    "day": (start + pd.to_timedelta(draw.integers(0, 28, rows), unit="D")).strftime(
                        "%Y-%m-%d"
                    ),
                    "amount": draw.normal(100 + (10 if number >= moved_from else 0), 20, rows).round(3),
                    "sex": draw.choice(["f", "m"], rows),
                }
            )
        )
    return pd.concat(parts)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Tables of two years, one without and one with a shift, and their months' profiles."""
    folder = tmp_path_factory.mktemp("loans")
    for name, moved_from in (("steady", 99), ("moved", 18)):
        loans(24, moved_from=moved_from).to_csv(folder / f"{name}.csv", index=False)
        made = CliRunner().invoke(
            app,
            [
                *("profile", str(folder / f"{name}.csv"), "--time", "day", "--every", "month"),
                *("--protected", "sex", "--out", str(folder / name)),
            ],
        )
        assert made.exit_code == 0, made.output
    return folder


@pytest.fixture
def folder(written, monkeypatch):
    monkeypatch.chdir(written)
    return written


@pytest.fixture
def run():
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def fault_of(result) -> str:
    assert isinstance(result.exception, BadInput), result.output
    return str(result.exception)


def test_a_profile_a_period_comes_out_and_together_they_are_the_table(folder, run):
    names = sorted(path.name for path in (folder / "steady").iterdir())
    assert names == [f"{year}-{month:02}.profile" for year in (2023, 2024) for month in range(1, 13)]
    whole = merge_all(read_profile(folder / "steady" / name) for name in names)
    table = profile_file(folder / "steady.csv", rows=False)
    assert whole.rows == table.rows
    assert math.isclose(whole.columns["amount"].moments.mean, table.columns["amount"].moments.mean)


def test_periods_that_are_there_already_are_not_overwritten_by_accident(folder, run):
    before = (folder / "steady" / "2023-01.profile").read_bytes()
    again = ("profile", "moved.csv", "--time", "day", "--every", "month", "--out", "steady")
    assert "expected new periods only, found steady/2023-01.profile, " in fault_of(run(*again))
    assert (folder / "steady" / "2023-01.profile").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--time", "day"], "--time: expected --every beside it"),
        (["--every", "month"], "--every: expected --time beside it"),
        (["--time", "amount", "--every", "month"], "a column of dates or timestamps (day)"),
        (["--time", "day", "--every", "fortnight"], "one of hour, day, week"),
        (["--time", "day", "--every", "month", "--label", "sex"], "--label: expected it without --every"),
    ],
)
def test_a_period_that_cannot_be_told_is_bad_input_and_nothing_is_written(options, said, folder, run):
    assert said in fault_of(run("profile", "steady.csv", *options, "--out", "nowhere"))
    assert not (folder / "nowhere").exists()


def test_rows_without_a_time_are_counted(tmp_path, run):
    rows = loans(2)
    rows.iloc[:7, 0] = None
    rows.to_csv(tmp_path / "holes.csv", index=False)
    made = run(
        "profile", tmp_path / "holes.csv", "--time", "day", "--every", "week", "--out", tmp_path / "weeks"
    )
    assert made.exit_code == 0
    assert "7 rows without a time are in no period." in made.output


@pytest.mark.parametrize(
    ("arguments", "code", "last"),
    [
        (("steady",), 0, "pass: in control at the last of 14 windows after the reference"),
        (("moved",), 1, "fail: in alarm since 2024-"),
        (("moved", "--chart", "cusum"), 1, "fail: in alarm since 2024-"),
        (("steady", "--reference", "24"), 3, "inconclusive: no window follows the reference of 24"),
    ],
)
def test_the_exit_code_is_the_answer(arguments, code, last, folder, run):
    result = run("chart", *arguments, "--of", "mean(amount)")
    assert result.exit_code == code, result.output
    assert any(line.startswith(last) for line in result.output.splitlines())


def test_the_small_chart_has_a_sign_for_each_window(folder, run):
    lines = run("chart", "moved", "--of", "mean(amount)").output.splitlines()
    drawn = "".join(line.partition("|")[2] for line in lines if "|" in line)
    assert drawn.count("o") == 10
    assert drawn.count("*") + drawn.count("X") + drawn.count("+") == 14
    assert drawn.count("X") == sum(line.startswith("signal: ") for line in lines)


def test_json_has_all_points_and_no_nan(folder, run):
    result = run("chart", "moved", "--of", "mean(amount)", "--of", "rows", "--arl", "100", "--format", "json")
    told = json.loads(result.output)
    assert (told["status"], told["run_length"]) == ("fail", 100)
    first, _ = told["charts"]
    assert first["run_length"] == 200
    assert len(first["points"]) == 24
    assert first["points"][0]["centre"] is None
    assert first["signals"] == [point["name"] for point in first["points"] if point["state"] == "signal"]


def test_html_is_one_page_without_scripts_or_other_files(folder, run):
    result = run("chart", "moved", "--of", "mean(amount)", "--of", "missing(amount)", "--format", "html")
    assert result.exit_code == 1
    assert "<h1>mean(amount) is no longer as before</h1>" in result.output
    assert not re.search(r"<script|<link|src=|href=", result.output)
    assert "a false alarm once in 370 windows on average" in result.output


def test_names_of_files_and_statistics_are_escaped(tmp_path, folder, run):
    for number, file in enumerate(sorted((folder / "moved").iterdir())):
        (tmp_path / f"{number:02}<b>&.profile").write_bytes(file.read_bytes())
    for form in ("html", "svg"):
        page = run("chart", tmp_path, "--of", 'mean("amount" | sex=f)', "--format", form).output
        assert "<b>&" not in page
        assert "&lt;b&gt;&amp;" in page


def test_a_folder_that_cannot_be_written_to_is_bad_input(folder, run, tmp_path):
    (tmp_path / "taken").write_text("")
    out = tmp_path / "taken"
    assert "found a file" in fault_of(
        run("profile", "steady.csv", "--time", "day", "--every", "month", "--out", out)
    )
    assert "no folder" in fault_of(
        run("profile", "steady.csv", "--time", "day", "--every", "month", "--out", tmp_path / "a" / "b")
    )
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_svg_is_one_well_formed_picture(folder, run):
    result = run("chart", "moved", "--of", "mean(amount | sex=f)", "--format", "svg")
    picture = ET.fromstring(result.output)  # noqa: S314 - our own
    assert "mean(amount | sex=f) over 24 windows. Beyond the limits: 2024-" in picture.attrib["aria-label"]
    fault = fault_of(run("chart", "moved", "--of", "rows", "--of", "mean(amount)", "--format", "svg"))
    assert "expected one --of, found 2" in fault


def test_results_go_to_a_file_that_is_not_overwritten_by_accident(folder, run):
    command = ("chart", "steady", "--of", "mean(amount)", "--format", "html", "--out", "chart.html")
    assert run(*command).output.strip() == "chart.html: pass"
    assert "expected a new file" in fault_of(run(*command))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--of", "rows"), "SERIES: expected saved profiles or folders of them, or --dataset, found neither"),
        (("steady", "--dataset", "x", "--of", "rows"), "found both"),
        (("nothing.profile", "--of", "rows"), "nothing.profile: expected a saved profile"),
        (("steady.csv", "--of", "rows"), "If it is a table, profile it first"),
        ((".", "--of", "rows"), "expected a folder of saved profiles, found none in it"),
        (("steady", "--of", "mean(day)"), "expected a column of numbers (amount), found 'day'"),
        (("steady", "--of", "rows", "--arl", "nan"), "run length: expected at least 10 windows"),
        (("steady", "--of", "rows", "--reference", "2"), "reference: expected at least 5 windows, found 2"),
    ],
)
def test_bad_input_says_what_was_expected(arguments, said, folder, run):
    assert said in fault_of(run("chart", *arguments))


def test_files_of_a_folder_are_taken_as_people_count(tmp_path, folder, run):
    for number in (1, 2, 9, 10, 11, 12):
        source = folder / "steady" / "2023-01.profile"
        (tmp_path / f"w{number}.profile").write_bytes(source.read_bytes())
    told = json.loads(run("chart", tmp_path, "--of", "rows", "--format", "json").output)
    assert [point["name"] for point in told["charts"][0]["points"]] == ["w1", "w2", "w9", "w10", "w11", "w12"]
    assert told["status"] == "inconclusive"


def published(project, partition: str, number: int, profile) -> None:
    """Publish a version of ``loans`` whose rows nobody has."""
    head = project.store.head("loans", partition)
    version = Version(
        dataset="loans", partition=partition, number=number, digest=f"sha256:{partition}-{number}",
        rows=profile.rows, evidence="e", run_id="r", published_at=datetime.now(UTC),
    )  # fmt: skip
    with (
        project.store.claimed("loans", partition, expect=head, run_id="r"),
        project.database.write() as connection,
    ):
        project.store.describe_content(
            "loans", version.digest, schema=pa.schema([]), profile=to_bytes(profile), connection=connection
        )
        project.store.publish(version, expect=head, connection=connection)


@pytest.mark.parametrize("partitioned", [False, True])
def test_published_versions_or_current_partitions_of_a_dataset_are_charted(
    partitioned, written, tmp_path, monkeypatch, run
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "aims.toml").write_text("")
    project = find_project()
    files = sorted((written / "moved").iterdir())
    if partitioned:
        published(project, files[0].stem, 1, read_profile(files[-1]))  # superseded below
    for number, file in enumerate(files):
        made = read_profile(file)
        published(project, file.stem if partitioned else "", 2 if partitioned else number + 1, made)
    result = run("chart", "--dataset", "loans", "--of", "mean(amount)", "--format", "json")
    assert result.exit_code == 1, result.output
    points = json.loads(result.output)["charts"][0]["points"]
    assert [point["name"] for point in points] == [
        file.stem if partitioned else f"version {number}" for number, file in enumerate(files, 1)
    ]
    means = [read_profile(file).columns["amount"].moments.mean for file in files]
    assert [point["value"] for point in points] == means
