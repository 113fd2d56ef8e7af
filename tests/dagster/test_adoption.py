"""Adopting an existing code location, finding what no gate covers, and running in several processes."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from aims_pipelines import AimsResource, DatasetIOManager, govern, uncovered
from aims_pipelines.core.errors import BadInput
from aims_pipelines.resources.project import load_project
from aims_pipelines.storage.ledger_audit import audit_ledger

Tables = Callable[..., pd.DataFrame]


def location(folder: Path, raw_table: pd.DataFrame) -> dg.Definitions:
    """A code location as somebody wrote it before this package."""
    aims = AimsResource(folder=str(folder))

    class Factor(dg.Config):
        factor: float = 2.0

    @dg.asset(group_name="landing", tags={"team": "data"}, kinds={"pandas"})
    def raw() -> pd.DataFrame:
        """Where data enters."""
        return raw_table

    @dg.asset(deps=[raw], retry_policy=dg.RetryPolicy(max_retries=1))
    def side_effect() -> None:
        """Nobody's business."""

    @dg.asset
    def offers(context: dg.AssetExecutionContext, config: Factor, raw: pd.DataFrame) -> pd.DataFrame:
        return raw.assign(amount=raw["amount"] / config.factor)

    return dg.Definitions(
        assets=[raw, side_effect, offers],
        jobs=[dg.define_asset_job("everything")],
        resources={"aims": aims, "io_manager": DatasetIOManager(aims=aims)},
    )


def materialize(defs: dg.Definitions, **options: Any) -> dg.ExecuteInProcessResult:
    return defs.resolve_job_def("everything").execute_in_process(
        instance=dg.DagsterInstance.ephemeral(), raise_on_error=False, **options
    )


def test_assets_that_a_record_claims_are_governed_and_the_others_left_alone(
    folder: Path, good: Tables
) -> None:
    before = location(folder, good())
    after = govern(before, folder / "governance")
    graph = after.resolve_asset_graph()
    raw = graph.get(dg.AssetKey("raw"))
    assert raw.metadata["aims/dataset"] == "raw"
    assert (raw.group_name, raw.tags["team"], raw.kinds) == ("landing", "data", {"pandas"})
    assert raw.description == "Where data enters."
    assert len(graph.get_check_keys_for_assets({dg.AssetKey("raw")})) == 15
    assert uncovered(after) == [dg.AssetKey("side_effect")]
    assert uncovered(before) == [dg.AssetKey("offers"), dg.AssetKey("raw"), dg.AssetKey("side_effect")]


def test_an_adopted_location_runs_with_its_config_and_is_gated(
    folder: Path, good: Tables, bad: Tables
) -> None:
    result = materialize(govern(location(folder, good()), folder / "governance"))
    assert result.success
    store = load_project(folder).store
    assert [version.dataset for version in store.versions()] == ["raw", "offers"]
    refused = materialize(govern(location(folder, bad(seed=2)), folder / "governance"))
    assert not refused.success
    assert [version.dataset for version in store.versions()] == ["raw", "offers"]


def test_governing_twice_changes_nothing(folder: Path, good: Tables) -> None:
    once = govern(location(folder, good()), folder / "governance")
    twice = govern(once, folder / "governance")
    assert len(twice.resolve_asset_graph().get_check_keys_for_assets({dg.AssetKey("raw")})) == 15


def test_a_job_that_still_holds_the_assets_without_a_gate_is_told(folder: Path, good: Tables) -> None:
    before = location(folder, good())
    resolved = before.resolve_job_def("everything")
    again = dg.Definitions(assets=before.assets, jobs=[resolved], resources=before.resources)
    with pytest.raises(BadInput, match=r"'everything'.*offers, raw"):
        govern(again, folder / "governance")
    schedule = dg.ScheduleDefinition(job=resolved, cron_schedule="@daily")
    by_schedule = dg.Definitions(assets=before.assets, schedules=[schedule], resources=before.resources)
    with pytest.raises(BadInput, match="'everything'"):
        govern(by_schedule, folder / "governance")
    gated = govern(before, folder / "governance")
    resolved_later = dg.Definitions(
        assets=gated.assets, jobs=[gated.resolve_job_def("everything")], resources=before.resources
    )
    assert govern(resolved_later, folder / "governance").jobs == resolved_later.jobs
    sensor = dg.SensorDefinition(name="watch", job=resolved, evaluation_fn=lambda _: None)
    by_sensor = dg.Definitions(assets=before.assets, sensors=[sensor], resources=before.resources)
    with pytest.raises(BadInput, match="'everything'"):
        govern(by_sensor, folder / "governance")


MULTIPROCESS = """
import sys
from pathlib import Path
import dagster as dg
import pandas as pd
from aims_pipelines import AimsResource, DatasetIOManager, governed_asset, governed_multi_asset

aims = AimsResource(folder={folder!r})

@governed_asset(dataset="raw", name="raw")
def raw() -> pd.DataFrame:
    return pd.read_parquet({table!r})

@governed_multi_asset(
    datasets={{"offers": "offers", "prices": "prices"}},
    outs={{"offers": dg.AssetOut(), "prices": dg.AssetOut()}},
    internal_asset_deps={{"offers": {{dg.AssetKey("raw")}}, "prices": {{dg.AssetKey("offers")}}}},
)
def both(raw: pd.DataFrame):
    yield dg.Output(raw, output_name="offers")
    yield dg.Output(pd.read_parquet({prices!r}), output_name="prices")

defs = dg.Definitions(
    assets=[raw, both],
    jobs=[dg.define_asset_job("everything")],
    resources={{"aims": aims, "io_manager": DatasetIOManager(aims=aims)}},
    executor=dg.multiprocess_executor,
)

def job():
    return defs.resolve_job_def("everything")

if __name__ == "__main__":
    with dg.DagsterInstance.get() as instance:
        result = dg.execute_job(dg.reconstructable(job), instance=instance)
        print("RESULT", result.success)
"""


@pytest.mark.slow
def test_steps_in_processes_of_their_own_are_gated_alike(
    folder: Path, good: Tables, bad: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import subprocess

    home = tmp_path / "dagster_home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    script, table, prices = tmp_path / "located.py", tmp_path / "table.parquet", tmp_path / "prices.parquet"
    script.write_text(MULTIPROCESS.format(folder=str(folder), table=str(table), prices=str(prices)))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    store = load_project(folder).store

    good().to_parquet(table)
    bad(seed=2).to_parquet(prices)
    first = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert "RESULT False" in first.stdout, first.stderr[-3000:]
    assert [version.dataset for version in store.versions()] == ["raw", "offers"]

    good(seed=3).to_parquet(prices)
    second = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert "RESULT True" in second.stdout, second.stderr[-3000:]
    assert [version.dataset for version in store.versions()] == ["raw", "offers", "raw", "offers", "prices"]

    bad(seed=2).to_parquet(table)
    third = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert "RESULT False" in third.stdout, third.stderr[-3000:]
    assert len(store.versions()) == 5
    project = load_project(folder)
    assert audit_ledger(project.ledger, project.evidence).intact
