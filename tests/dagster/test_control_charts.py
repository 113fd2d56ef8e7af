"""Control charts at the gate, as runs of Dagster go, and what a replay tells of them."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from aims_pipelines import governed_asset
from aims_pipelines.assets.replay import replay_project
from aims_pipelines.core.verdict import Status
from aims_pipelines.resources.project import Project

CHARTS = """\
control_charts:
  statistics: ["mean(amount)", "missing(amount)"]
  chart: shewhart
  reference: 5
"""


def table(seed: int, shift: float = 0.0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "number": np.arange(400),
            "amount": draw.normal(400 + shift, 100, 400).clip(0, 1000).round(2),
            "colour": draw.choice(["red", "green", "blue"], 400),
        }
    )


def test_what_moves_against_its_history_is_refused_with_a_chart_to_look_at(
    add_record: Any, resources: dict[str, Any], project: Project, instance: dg.DagsterInstance
) -> None:
    add_record("loans", more=CHARTS)
    waiting = iter([*(table(seed) for seed in range(7)), table(20, shift=60.0), table(8)])

    @governed_asset(dataset="loans")
    def loans() -> pd.DataFrame:
        return next(waiting)

    results = [
        dg.materialize([loans], resources=resources, instance=instance, raise_on_error=False)
        for _ in range(9)
    ]
    assert [result.success for result in results] == [True] * 7 + [False, True]
    answers = [
        next(item for item in result.get_asset_check_evaluations() if item.check_name == "control_charts")
        for result in results
    ]
    assert [item.passed for item in answers] == [True] * 7 + [False, True]
    page = Path(str(answers[7].metadata["aims/report"].value)).read_text(encoding="utf-8")
    assert "mean(amount) is no longer as before" in page
    refused = next(
        entry for entry in project.ledger.entries() if "charts.html" in str(entry.body.get("evidence"))
    )
    verdicts = {item["check"]: item for item in refused.body["judgement"]["verdicts"]}
    assert verdicts["control_charts"]["status"] == "fail"

    replayed = replay_project(project, now=refused.at, datasets=("loans",))
    told = [window.now.answer("control_charts") for window in replayed.datasets[0].windows]
    statuses = [None if answer is None else answer.status for answer in told]
    assert statuses == [None] * 5 + [Status.PASS, Status.PASS, Status.FAIL, Status.PASS]
