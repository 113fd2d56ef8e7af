"""How benchmarks report: goals, tables on paper, and a command line that knows their names."""

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main, names
from benchmarks.report import Goal, Report, Table, keep

REPORT = Report(
    name="made-up",
    title="A made-up benchmark",
    tables=(Table(title="Times", columns=("", "median"), rows=(("a | b", "3 ms"),)),),
    goals=(Goal(name="fast", observed=3.0, limit=2.0, unit="ms"),),
)


@pytest.mark.parametrize(
    ("observed", "limit", "at_least", "met"),
    [
        (1.0, 2.0, False, True),
        (3.0, 2.0, False, False),
        (3.0, 2.0, True, True),
        (1.0, 2.0, True, False),
        (float("nan"), 2.0, False, False),
        (float("nan"), 2.0, True, False),
    ],
)
def test_a_goal_is_met_on_its_side_of_the_limit_and_never_by_nan(
    observed: float, limit: float, at_least: bool, met: bool
):
    assert Goal(name="g", observed=observed, limit=limit, unit="", at_least=at_least).met is met


def test_a_kept_report_says_which_goals_were_missed_and_what_it_was_measured_on(tmp_path: Path):
    markdown, data = keep(REPORT, tmp_path / "results")
    text = markdown.read_text(encoding="utf-8")
    assert "| a \\| b | 3 ms |" in text
    assert "**missed**: fast: 3 ms, goal at most 2 ms" in text
    stored = json.loads(data.read_text(encoding="utf-8"))
    assert stored["goals"][0]["observed"] == 3.0
    assert stored["machine"]["cores"] >= 1


def test_every_benchmark_is_found_by_name():
    assert {"loading", "gate", "ledger", "profile", "decisions"} <= set(names())
    assert not {"report", "timing", "processes", "peers", "jobs", "headline"} & set(names())


def test_an_unknown_benchmark_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        main(["gremlins"])
    assert stopped.value.code == 2
    assert "gremlins; there are cost, coverage, decisions" in capsys.readouterr().err
