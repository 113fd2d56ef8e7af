"""aims performance, as a user runs it: predictions in files, labels that come later."""

import json
import re
import shlex
from datetime import date
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from aims_pipelines.cli.main import app
from aims_pipelines.core.errors import BadInput
from aims_pipelines.core.verdict import Status
from aims_pipelines.measure import performance
from aims_pipelines.reports.performance_page import performance_page

TERMS = ["--score", "score", "--label", "repaid", "--positive", "no"]


def predictions(
    seed: int, rows: int = 3000, *, relation: float = 1.2, month: str = "2026-01"
) -> pd.DataFrame:
    """Scores and outcomes; with another relation the same score means something else."""
    draw = np.random.default_rng(seed)
    log_odds = draw.normal(-1.0, 1.5, rows)
    positive = draw.random(rows) < 1 / (1 + np.exp(-relation * log_odds))
    return pd.DataFrame(
        {
            "id": np.arange(rows) + 100_000 * seed,
            "score": (1 / (1 + np.exp(-log_odds))).round(6),
            "repaid": np.where(positive, "no", "yes"),
            "sex": draw.choice(["f", "m"], rows),
            "day": pd.Timestamp(f"{month}-01") + pd.to_timedelta(draw.integers(0, 28, rows), unit="D"),
        }
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What the how-to works on: a reference, months of which the last two are changed, and their labels apart."""
    predictions(7, 5000).to_csv(tmp_path / "reference.csv", index=False)
    (tmp_path / "served").mkdir()
    late, scored = [], []
    for number in range(1, 6):
        month = predictions(20 + number, 2500, relation=0.3 if number >= 4 else 1.2, month=f"2026-0{number}")
        late.append(month[["id", "repaid"]])
        scored.append(month)
        month.drop(columns="repaid").to_csv(tmp_path / "served" / f"2026-0{number}.csv", index=False)
    pd.concat(scored[:3]).to_csv(tmp_path / "scored.csv", index=False)
    pd.concat(late[:3]).to_csv(tmp_path / "by-april.csv", index=False)
    pd.concat(late[:4]).to_csv(tmp_path / "by-june.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run():
    def call(*arguments: str):
        return CliRunner().invoke(app, ["performance", *arguments])

    return call


def later(*more: str) -> list[str]:
    return ["reference.csv", "served", *TERMS, "--id", "id", *more]


def faults(result) -> str:
    assert isinstance(result.exception, BadInput), result.output
    return str(result.exception)


def test_late_labels_show_what_the_estimate_cannot(folder, run):
    before = run(*later("--labels", "by-april.csv", "--pending", "2", "--format", "json"))
    after = run(*later("--labels", "by-june.csv", "--pending", "1", "--format", "json"))
    assert [before.exit_code, after.exit_code] == [0, 1], before.output + after.output
    then, now = json.loads(before.output), json.loads(after.output)
    assert [window["window"] for window in now["windows"]] == [f"2026-0{number}" for number in range(1, 6)]
    changed = now["windows"][3]
    assert (changed["status"], changed["label_coverage"]) == ("fail", 1.0)
    assert then["windows"][3]["status"] is None
    assert then["windows"][3]["estimated"] == changed["estimated"]
    assert changed["estimated"]["accuracy"]["low"] > changed["measured"]["accuracy"]["high"]
    assert "concept drift" in now["headline"]
    assert now["assumptions"]


def test_the_table_marks_estimates_and_says_why(folder, run):
    result = run(*later("--labels", "by-april.csv", "--pending", "1"))
    assert result.exit_code == 3
    rows = [line for line in result.output.splitlines() if "2026-0" in line and "│" in line]
    assert "≈" not in rows[2]
    assert "100%" in rows[2]
    assert "pass" in rows[2]
    assert "≈" in rows[3]
    assert "inconclusive" in rows[3]
    assert "not due" in rows[4]
    assert (
        "0% of the labels are known, 80% are needed (it would take about 2,000 rows with labels)"
        in result.output
    )


def test_files_periods_and_frames_give_the_same(folder, run):
    files = [pd.read_csv(file) for file in sorted((folder / "served").iterdir())]
    labels = pd.read_csv("by-june.csv")
    joined = pd.concat(files).merge(labels, on="id", how="left")
    joined.sample(frac=1, random_state=1).to_parquet("all.parquet")
    joined["day"] = pd.to_datetime(joined["day"])
    joined.to_parquet("all.parquet")
    by_file = json.loads(
        run(*later("--labels", "by-june.csv", "--protected", "sex", "--format", "json")).output
    )
    by_period = json.loads(
        run(
            "reference.csv", "all.parquet", *TERMS, "--time", "day", "--every", "month", "--protected", "sex",
            "--format", "json",
        ).output
    )  # fmt: skip
    assert by_period == by_file
    frames = {
        name: part.drop(columns="day") for name, part in joined.groupby(joined["day"].dt.strftime("%Y-%m"))
    }
    series = performance(
        pd.read_csv("reference.csv"), frames, score="score", label="repaid", positive="no", protected=["sex"]
    )
    assert [window.realised["accuracy"].value for window in series.windows[:4]] == [
        window["measured"]["accuracy"]["value"] for window in by_file["windows"][:4]
    ]
    assert list(series.groups["sex"]) == list(by_file["groups"]["sex"]) == ["f", "m"]


@pytest.mark.parametrize("kind", ["numbers", "booleans"])
def test_outcomes_may_be_numbers_or_booleans(tmp_path, monkeypatch, run, kind):
    monkeypatch.chdir(tmp_path)
    for name, seed in (("reference", 1), ("now", 2)):
        table = predictions(seed)
        table["repaid"] = (table["repaid"] == "no") if kind == "booleans" else (table["repaid"] == "no") * 1.0
        table.to_parquet(f"{name}.parquet")
    positive = "true" if kind == "booleans" else "1"
    result = run("reference.parquet", "now.parquet", *TERMS[:-1], positive)
    assert result.exit_code == 0, result.output
    assert run("reference.parquet", "now.parquet", *TERMS[:-2]).output == result.output


def test_a_window_in_which_all_labels_are_still_empty_is_a_table_like_any_other(folder, run):
    empty = predictions(30)
    empty["repaid"] = None
    empty.to_csv("empty.csv", index=False)
    result = run("reference.csv", "empty.csv", *TERMS)
    assert result.exit_code == 3
    assert "≈" in result.output


def test_all_faults_of_columns_and_options_are_named_at_once(folder, run):
    said = faults(run(
        "reference.csv", "served", "--score", "scor", "--label", "paid", "--positive", "no", "--threshold", "1.5",
        "--id", "id", "--protected", "gender", "--every", "month", "--chart", "f1",
    ))  # fmt: skip
    for words in (
        "threshold",
        "'scor'",
        "Did you mean 'score'?",
        "'paid'",
        "'gender'",
        "id, labels",
        "time, every",
        "'f1'",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda labels: pd.concat([labels, labels.head(3)]), "3 rows that repeat one"),
        (lambda labels: labels.assign(id=labels["id"].where(labels["id"] % 50 > 0)), "rows without one"),
        (
            lambda labels: pd.concat([labels, pd.DataFrame({"id": [1, 2], "repaid": "yes"})]),
            "2 of 10,002 that belong to none",
        ),
    ],
    ids=["twice", "missing", "unknown"],
)
def test_identifiers_that_do_not_fit_are_bad_input(folder, run, change, words):
    change(pd.read_csv("by-june.csv")).to_csv("late.csv", index=False)
    said = faults(run(*later("--labels", "late.csv")))
    assert words in said
    assert "late.csv: column 'id'" in said


def test_a_prediction_made_twice_is_bad_input(folder, run):
    (folder / "served" / "2026-06.csv").write_bytes((folder / "served" / "2026-01.csv").read_bytes())
    assert "2,500 labels whose identifier several predictions have" in faults(
        run(*later("--labels", "by-june.csv"))
    )


def test_labels_that_contradict_each_other_are_bad_input(folder, run):
    month = predictions(21, 2500)
    month["repaid"] = month["repaid"].where(month.index > 9, "perhaps")
    month.to_csv(folder / "served" / "2026-01.csv", index=False)
    assert "10 rows with another label" in faults(
        run(*later("--labels", "by-june.csv", "--positive", "perhaps"))
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.assign(score=table["score"] * 100), "rows outside"),
        (lambda table: table.assign(score="high"), "found the type string"),
        (
            lambda table: table.assign(repaid="maybe"),
            "expected some labels to be 'no', the positive value, found maybe",
        ),
        (lambda table: table.assign(repaid=None), "found no labels at all"),
        (lambda table: table.drop(columns="repaid"), "'repaid'"),
    ],
    ids=["percentages", "words", "no positive", "no labels", "no column"],
)
def test_a_reference_that_will_not_do_is_bad_input(folder, run, change, words):
    change(pd.read_csv("reference.csv")).to_csv("reference.csv", index=False)
    assert words in faults(run("reference.csv", "served", *TERMS))


def test_the_first_windows_can_be_the_reference(folder, run):
    options = ["--time", "day", "--every", "month", "--protected", "sex", "--format", "json"]
    made = json.loads(run("scored.csv", *TERMS, *options, "--calibrate-on", "2").output)
    table = pd.read_csv("scored.csv")
    table[table["day"] < "2026-03-01"].to_csv("first.csv", index=False)
    table[table["day"] >= "2026-03-01"].to_csv("rest.csv", index=False)
    assert made == json.loads(run("first.csv", "rest.csv", *TERMS, *options).output)
    assert "more than the 3 of the reference" in faults(
        run("scored.csv", *TERMS, *options, "--calibrate-on", "3")
    )
    assert "--calibrate-on N" in faults(run("scored.csv", *TERMS, *options))
    assert "--calibrate-on: expected a number of windows from 0, found -3" in faults(
        run("first.csv", "rest.csv", *TERMS, *options, "--calibrate-on", "-3")
    )


def test_outcomes_written_in_another_way_are_bad_input_and_no_drift(folder, run):
    labels = pd.read_csv("by-june.csv")
    labels["repaid"] = labels["repaid"].map({"yes": 0, "no": 1})
    labels.to_csv("late.csv", index=False)
    said = faults(run(*later("--labels", "late.csv")))
    assert "column 'repaid': expected labels as in the reference (no, yes), found besides them 0, 1" in said


def test_labels_of_the_reference_may_come_late_as_well(folder, run):
    expected = run(*later("--labels", "by-june.csv", "--format", "json")).output
    reference = pd.read_csv("reference.csv")
    reference.drop(columns="repaid").to_csv("reference.csv", index=False)
    pd.concat([reference[["id", "repaid"]], pd.read_csv("by-june.csv")]).to_csv("late.csv", index=False)
    assert run(*later("--labels", "late.csv", "--format", "json")).output == expected
    assert "late.csv: column 'repaid': expected some labels to be 'maybe'" in faults(
        run(*later("--labels", "late.csv", "--positive", "maybe"))
    )


def test_identifiers_are_the_same_as_texts_and_as_numbers_of_any_type(folder, run):
    labels = pd.read_csv("by-june.csv")
    expected = run(*later("--labels", "by-june.csv")).output
    for kind in ("float64", "int32", "string", "category"):
        labels.astype({"id": kind}).to_parquet("late.parquet")
        assert run(*later("--labels", "late.parquet")).output == expected, kind


def test_values_that_are_no_texts_are_named_with_their_type(folder, run):
    table = predictions(32)
    table["repaid"] = table["repaid"].str.encode("utf-8")
    table.to_parquet("bytes.parquet")
    said = faults(run("bytes.parquet", "bytes.parquet", *TERMS))
    assert (
        "bytes.parquet: column 'repaid': expected texts, numbers or booleans, found the type binary" in said
    )


def test_a_window_without_rows_is_inconclusive_and_no_fault(folder, run):
    pd.read_csv("reference.csv").head(0).to_csv("empty.csv", index=False)
    result = run("reference.csv", "empty.csv", *TERMS)
    assert result.exit_code == 3
    assert "there are no scored rows" in result.output
    assert "found no labels at all" in faults(run("empty.csv", "reference.csv", *TERMS))


def test_groups_too_small_to_judge_keep_the_whole_from_passing(folder, run):
    windows = predictions(41)
    windows["team"] = windows["id"].mod(60).map("t{:02}".format)
    reference = predictions(42, 5000)
    reference["team"] = reference["id"].mod(60).map("t{:02}".format)
    reference.to_csv("teams.csv", index=False)
    windows.to_csv("now.csv", index=False)
    assert run("teams.csv", "now.csv", *TERMS).exit_code == 0
    told = run("teams.csv", "now.csv", *TERMS, "--protected", "team")
    assert told.exit_code == 3
    assert (
        "groups that hold 100% of the rows cannot be judged by themselves: t00, t01, t02, t03, t04 and 55 more"
        in told.output
    )
    plain = json.loads(run("teams.csv", "now.csv", *TERMS, "--protected", "team", "--format", "json").output)
    assert plain["groups_too_small"]["team"]["status"] == "inconclusive"


def test_the_reference_is_no_window(folder, run):
    said = faults(run("reference.csv", "served", "reference.csv", *TERMS))
    assert "reference.csv: expected another file than the reference, found it" in said


def test_rows_without_a_time_or_a_score_are_told(folder, run):
    table = predictions(31)
    table.loc[:4, "score"] = np.nan
    table.to_csv("months.csv", index=False)
    result = run("reference.csv", "months.csv", *TERMS, "--time", "day", "--every", "year")
    assert result.exit_code == 0
    assert "Note: 5 rows without a score are left out." in result.output
    table.loc[:2, "day"] = pd.NaT
    table.to_csv("months.csv", index=False)
    assert "months.csv: time column 'day': expected a time in each row, found 3 rows without one" in faults(
        run("reference.csv", "months.csv", *TERMS, "--time", "day", "--every", "year")
    )


def test_identifiers_and_values_stay_out_of_messages(folder, run):
    labels = pd.read_csv("by-june.csv")
    labels.loc[0, "id"] = 987_654_321
    labels.to_csv("late.csv", index=False)
    assert "987654321" not in faults(run(*later("--labels", "late.csv")))


def test_nothing_is_written_on_bad_input_and_nothing_overwritten(folder, run):
    assert "nothing there" in faults(run("gone.csv", "served", *TERMS, "--out", "page.html"))
    assert not (folder / "page.html").exists()
    (folder / "page.html").write_text("mine")
    assert "one that exists" in faults(run(*later("--labels", "by-june.csv", "--out", "page.html")))
    assert (folder / "page.html").read_text() == "mine"


class Outline(HTMLParser):
    """References to other files, and tags."""

    def __init__(self) -> None:
        super().__init__()
        self.references, self.tags = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.references += [value for name, value in attributes if name in {"src", "href"}]


def test_the_page_stands_alone_and_says_what_it_takes_for_granted(folder, run):
    result = run(
        *later(
            "--labels",
            "by-june.csv",
            "--pending",
            "1",
            "--protected",
            "sex",
            "--format",
            "html",
            "--out",
            "page.html",
        )
    )
    assert result.exit_code == 1
    assert result.output.strip() == "page.html: fail"
    text = (folder / "page.html").read_text()
    outline = Outline()
    outline.feed(text)
    assert outline.references == []
    assert "script" not in outline.tags
    for words in ("concept drift", "2026-04", "no concept drift.", "sex f", "not due", "Flagged: 2026-04."):
        assert words in text
    assert len(text) < 100_000


def test_the_page_has_the_control_chart_once_it_judges():
    draw = range(50, 63)
    windows = {f"{number}": predictions(number, 800).drop(columns="day") for number in draw}
    series = performance(predictions(7, 6000), windows, score="score", label="repaid", positive="no")
    page = performance_page(series, day=date(2026, 7, 1))
    assert "Did it move from window to window?" in page
    assert "In control at the last of 3 windows after the reference." in page
    assert "error rate over 13 windows." in page


def test_names_on_the_page_are_escaped(folder):
    window = predictions(40).drop(columns="day")
    series = performance(
        pd.read_csv("reference.csv"), {"<b>": window}, score="score", label="repaid", positive="no"
    )
    assert series.status is Status.PASS
    page = performance_page(series, day=date(2026, 7, 1))
    assert '<td class="name">&lt;b&gt;</td>' in page
    assert '<td class="name"><b>' not in page


def test_the_how_to_says_what_happens(folder, run, repository):
    text = (repository / "docs/how-to/watch-a-model-in-service.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ aims (performance .*?)(?<!\\)$(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(commands) >= 4
    for command, shown in commands:
        result = CliRunner().invoke(app, shlex.split(command.replace("\\\n", " ")))
        assert result.exit_code in (0, 1, 3), (command, result.output, result.exception)
        for line in shown.strip().splitlines():
            assert " ".join(line.split()) in " ".join(result.output.split()), (command, line, result.output)


def test_a_score_written_as_the_threshold_is_at_it_in_32_bits_too(folder, run):
    selected = {}
    for kind in ("float64", "float32"):
        for name in ("reference", "served"):
            table = pd.read_csv("scored.csv" if name == "served" else "reference.csv")
            table["score"] = table["score"].round(1).clip(0.1, 0.9).astype(kind)
            table.to_parquet(f"{name}-{kind}.parquet")
        files = [f"{name}-{kind}.parquet" for name in ("reference", "served")]
        made = json.loads(run(*files, *TERMS, "--threshold", "0.7", "--format", "json").output)
        selected[kind] = [window["measured"]["selection rate"]["value"] for window in made["windows"]]
    assert selected["float32"] == selected["float64"]
