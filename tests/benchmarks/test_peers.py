"""Peers: pinned environments made on demand, and tables that name whoever could not run."""

import math
import re
from pathlib import Path

import pytest

from benchmarks import cost, decisions
from benchmarks.peers.environments import Unavailable, interpreter, version_of
from benchmarks.processes import Limits, Stopped, Took
from benchmarks.trials import clean, clean_pair, found, passed, single, tally
from benchmarks.windows import FAULTS, JOINT_FAULT

PINS = Path(cost.__file__).parent / "peers"
LIMITS = Limits(seconds=300.0, gigabytes=12.0)


@pytest.mark.parametrize("name", ["nannyml", "whylogs"])
def test_every_dependency_of_a_peer_is_pinned_and_none_has_an_address(name: str):
    lines = (PINS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 20
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][\w.]*( ; .+)?", line), line
    assert f"{name}=={version_of(name)}" in lines


def test_an_environment_is_made_once_and_again_when_its_pins_change(tmp_path: Path):
    pins, home = tmp_path / "pins", tmp_path / "home"
    pins.mkdir()
    (pins / "peer.txt").write_text("# nothing is needed\n", encoding="utf-8")
    python = interpreter("peer", home=home, pins=pins)
    assert isinstance(python, Path)
    mark = python.parent / "mark"
    mark.write_text("still the same", encoding="utf-8")
    assert interpreter("peer", home=home, pins=pins) == python
    assert mark.exists()
    (pins / "peer.txt").write_text("# nothing is needed, in other words\n", encoding="utf-8")
    assert interpreter("peer", home=home, pins=pins) == python
    assert not mark.exists()


def test_an_environment_that_cannot_be_made_is_a_reason_and_leaves_nothing_behind(tmp_path: Path):
    (tmp_path / "peer.txt").write_text("./not-there-1.0-py3-none-any.whl\n", encoding="utf-8")
    answer = interpreter("peer", home=tmp_path / "home", pins=tmp_path)
    assert isinstance(answer, Unavailable)
    assert "its environment cannot be made" in answer.reason
    assert "not-there" in answer.reason
    assert not (tmp_path / "home" / "peer").exists()


def took(cpu: float, peak: float = 1.0) -> Took:
    return Took(wall=cpu, cpu=cpu, peak=peak, answer={"schema": "pass"})


def runs(**others: list[Took] | Stopped) -> cost.Runs:
    names = {name: re.sub(r"\W+", "_", name.split(",")[0]).lower() for name in cost.JOBS}
    return {name: others.get(short, [took(1.0)]) for name, short in names.items()}


def test_a_peer_that_cannot_run_is_named_with_the_reason_and_its_goal_is_not_shown():
    report = cost.report_of(
        {1_000_000: runs(nannyml=Stopped(reason="not run: no registry"), evidently=[took(250.0)])}, LIMITS
    )
    (row,) = [row for row in report.tables[0].rows if row[0] == cost.NANNYML]
    assert row[1] == "not run: no registry"
    outcomes = {goal.name: goal.outcome for goal in report.goals}
    assert [what for name, what in outcomes.items() if "NannyML" in name] == ["not shown"] * 2
    assert [what for name, what in outcomes.items() if "Evidently" in name] == ["reached"] * 2
    assert [what for name, what in outcomes.items() if "whylogs" in name] == ["missed"] * 2
    assert math.isnan(report.figures[f"1000000 | {cost.NANNYML} | cpu"])


def test_what_ran_into_a_limit_or_would_is_not_tried_with_more_rows():
    few, many = (
        runs(evidently=[took(10.0)], whylogs=[took(5.0, 0.4)]),
        runs(
            evidently=[took(100.0)],
            whylogs=[took(50.0, 1.3)],
            nannyml=Stopped(reason="killed above 12 GB", over=True),
        ),
    )
    measured = {100_000: few, 1_000_000: many}
    assert cost.hopeless(cost.EVIDENTLY, measured, 10_000_000, LIMITS) == (
        "not run: about 17 minutes and 1 GB by the smaller sizes"
    )
    assert (
        cost.hopeless(cost.NANNYML, measured, 10_000_000, LIMITS) == "not run: too much at fewer rows already"
    )
    assert "8 minutes and 10 GB" in cost.hopeless(cost.WHYLOGS, measured, 10_000_000, LIMITS)
    assert not cost.hopeless(cost.JUDGEMENT, measured, 10_000_000, LIMITS)
    assert not cost.hopeless(cost.EVIDENTLY, {}, 10_000_000, LIMITS)
    assert not cost.hopeless(cost.EVIDENTLY, {100_000: few}, 1_000_000, LIMITS)


def outcome(*, fails: bool, finds: bool) -> dict[str, bool]:
    told = {clean("fail"): fails, clean("pass"): not fails, clean("inconclusive"): False}
    told |= {clean_pair("fail"): fails, clean_pair("pass"): not fails}
    faults = (*FAULTS, JOINT_FAULT)
    return told | {found(fault): finds for fault in faults} | {passed(fault): False for fault in faults}


def test_decisions_are_shown_with_intervals_and_name_the_peer_that_gave_none():
    ours = tally([outcome(fails=False, finds=True)] * 400)
    report = decisions.report_of(
        {1_000: ours, 10_000: ours, 100_000: ours},
        ours,
        {
            1_000: {
                "Evidently": tally([outcome(fails=True, finds=False)] * 5),
                "whylogs": Stopped(reason="killed"),
            }
        },
    )
    (beside,) = [table for table in report.tables if table.title.startswith("Beside")]
    assert beside.columns == ("", "ours", "Evidently", "whylogs")
    assert beside.rows[0] == ("windows of each kind", "400", "5", "killed")
    assert ("clean window fails", "0 % (0–1)", "100 % (56.6–100)", "–") in beside.rows
    assert all(goal.met and goal.interval is not None for goal in report.goals)
    sized = {goal.name for goal in report.goals}
    assert {f"clean windows that fail, {rows} rows" for rows in ("1,000", "10,000", "100,000")} <= sized
    assert sum("found, 10,000" in name for name in sized) == len(FAULTS) + 1


def test_trials_answer_the_same_on_one_core_and_on_several(monkeypatch: pytest.MonkeyPatch):
    several = single(1_000, 3)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert single(1_000, 3) == several
    assert several[clean("fail")].trials == 3
