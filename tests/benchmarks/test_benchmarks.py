"""Every benchmark can be asked for a quick run, and what they give renders."""

import importlib
import inspect
import json
import math
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import coverage, headline
from benchmarks.__main__ import main, names
from benchmarks.cost import EVIDENTLY, JUDGEMENT, WHYLOGS
from benchmarks.report import Report
from benchmarks.trials import clean
from benchmarks.wide import of_every_kind, one_a_column, write_project


@pytest.mark.parametrize("name", names())
def test_every_benchmark_takes_a_quick_run_and_says_what_it_measures(name: str):
    module = importlib.import_module(f"benchmarks.{name}")
    signature = inspect.signature(module.run)
    assert signature.parameters["quick"].kind is inspect.Parameter.KEYWORD_ONLY
    assert signature.return_annotation is Report
    assert module.__doc__


@pytest.mark.parametrize("name", ["coverage", "decisions", "judging", "run_lengths", "streaming"])
def test_a_quick_run_prints_its_tables_and_keeps_nothing(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main([name, "--quick", "--out", str(tmp_path / "results")]) == 0
    assert "goal at" in capsys.readouterr().out
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cost", "exactness", "expectations", "profile"])
def test_a_quick_run_of_the_slower_ones(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([name, "--quick", "--out", str(tmp_path / "results")]) == 0
    assert "│" in capsys.readouterr().out


def test_too_few_rows_are_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        main(["profile", "--sizes", "10"])
    assert stopped.value.code == 2
    assert "at least 1000 rows" in capsys.readouterr().err


def test_both_suites_hold_thirty_expectations_and_the_records_load(tmp_path: Path):
    from aims_pipelines.records.load import load_records

    assert len(one_a_column()) == len(of_every_kind()) == 30
    records = load_records(write_project(tmp_path / "project", label="c1", protected=("c0",), suite=True))
    assert list(records.suites) == ["suite.json"]


def test_no_interval_of_counts_goes_unmeasured_in_silence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(coverage, "TWO_RATES", {})
    assert {"newcombe", "ratio"} <= set(coverage.unmeasured())


COSTS = {
    f"1000000 | {job} | {figure}": value
    for job, cpu, peak in ((JUDGEMENT, 1.0, 0.4), (EVIDENTLY, 100.0, 2.4), (WHYLOGS, None, None))
    for figure, value in (("cpu", cpu), ("peak", peak))
}
SHARES = {
    f"10000 | {judge} | {clean('fail')}": share for judge, share in (("ours", 0.002), ("Evidently", 1.0))
}


def test_the_plot_shows_factors_and_shares_and_says_what_was_not_run():
    drawn = headline.draw(COSTS, SHARES)
    assert drawn == headline.draw(dict(reversed(COSTS.items())), SHARES)
    words = [element.text for element in ElementTree.fromstring(drawn).iter() if element.text]  # noqa: S314 - drawn here
    assert "100× (6.0×)" in words
    assert "0.2" in words
    assert words.count("not run") > 2
    assert "nan" not in drawn


def test_the_plot_is_drawn_from_kept_reports_or_not_at_all(tmp_path: Path):
    assert headline.write(tmp_path) is None
    for name, figures in (("cost", COSTS), ("decisions", SHARES)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"figures": figures}), encoding="utf-8")
    path = headline.write(tmp_path)
    assert path is not None
    assert path.read_text(encoding="utf-8") == headline.draw(COSTS, SHARES)


def test_a_kept_report_is_json_even_where_there_is_no_figure(tmp_path: Path):
    from benchmarks.report import Goal, keep

    goal = Goal(name="speed", observed=math.nan, limit=2.0, unit="times", reason="not run: no registry")
    report = Report(name="r", title="R", tables=(), goals=(goal,), figures={"cpu": math.nan})
    markdown, data = keep(report, tmp_path)
    stored = json.loads(data.read_text(encoding="utf-8"))
    assert stored["goals"][0]["observed"] is None
    assert stored["figures"] == {"cpu": None}
    assert "**not shown**: speed: not run: no registry, goal at most 2 times" in markdown.read_text(
        encoding="utf-8"
    )
