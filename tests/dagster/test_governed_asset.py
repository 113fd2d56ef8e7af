"""The gate on the path to the output: what a refused asset leaves, what a consumer admits."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from aims_pipelines import AimsResource, governed_asset
from aims_pipelines.core.verdict import Status
from aims_pipelines.resources.project import Project
from aims_pipelines.storage.ledger_audit import audit_ledger

Tables = Callable[..., pd.DataFrame]


class Spy(dg.IOManager):
    """A user's own IO manager: keeps values in memory."""

    def __init__(self) -> None:
        self.written: dict[str, Any] = {}

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        self.written[context.asset_key.to_user_string()] = obj

    def load_input(self, context: dg.InputContext) -> Any:
        return self.written[context.asset_key.to_user_string()]


def asset_of(table: Any, *, dataset: str = "raw", **options: Any) -> dg.AssetsDefinition:
    @governed_asset(dataset=dataset, name=dataset, **options)
    def made() -> Any:
        return table

    return made


def offers_asset() -> dg.AssetsDefinition:
    @governed_asset(dataset="offers", name="offers")
    def offers(raw: pd.DataFrame) -> pd.DataFrame:
        return raw.assign(amount=raw["amount"] / 2)

    return offers


def run(assets: list[Any], resources: dict[str, Any], instance: dg.DagsterInstance, **options: Any) -> Any:
    return dg.materialize(assets, resources=resources, instance=instance, raise_on_error=False, **options)


def failure_of(result: Any, step: str) -> dg.Failure:
    data = next(
        event for event in result.get_step_failure_events() if event.step_key == step
    ).step_failure_data
    assert data.user_failure_data is not None
    return dg.Failure(data.user_failure_data.description, metadata=data.user_failure_data.metadata)


def failing_checks(result: Any) -> set[str]:
    return {
        event.check_name
        for event in result.get_asset_check_evaluations()
        if not event.passed and event.metadata["aims/status"].value == "fail"
    }


def test_an_asset_whose_checks_pass_is_written_and_its_checks_point_at_the_new_version(
    good: Tables, aims: AimsResource, project: Project, instance: dg.DagsterInstance
) -> None:
    spy = Spy()
    result = run([asset_of(good())], {"aims": aims, "io_manager": spy}, instance)
    assert result.success
    assert list(spy.written) == ["raw"]
    (event,) = result.get_asset_materialization_events()
    evaluations = result.get_asset_check_evaluations()
    assert all(item.passed for item in evaluations)
    assert {item.target_materialization_data.run_id for item in evaluations} == {result.run_id}
    head = project.store.head("raw")
    assert head is not None
    assert head.number == 1
    assert head.digest == event.materialization.metadata["aims/data_version"].value
    entry = project.ledger.passing("raw", head.digest)
    assert entry is not None
    assert entry.id == event.materialization.metadata["aims/evidence"].value


def test_a_refused_asset_leaves_nothing_but_its_verdicts(
    bad: Tables, aims: AimsResource, project: Project, instance: dg.DagsterInstance
) -> None:
    spy = Spy()
    result = run([asset_of(bad())], {"aims": aims, "io_manager": spy}, instance)
    assert not result.success
    assert spy.written == {}
    assert result.get_asset_materialization_events() == []
    assert failing_checks(result) == {"completeness"}
    assert len(result.get_asset_check_evaluations()) == 15
    assert project.store.versions() == []
    entry = project.ledger.latest("dataset", "raw")
    assert entry is not None
    assert entry.outcome is Status.FAIL
    assert "completeness[amount]: fail" in str(failure_of(result, "raw").description)


def test_the_last_good_version_stays_current_after_a_refusal(
    good: Tables, bad: Tables, resources: dict[str, Any], project: Project, instance: dg.DagsterInstance
) -> None:
    assert run([asset_of(good())], resources, instance).success
    before = project.store.head("raw")
    result = run([asset_of(bad(seed=2))], resources, instance)
    assert not result.success
    assert before is not None
    assert project.store.head("raw") == before
    assert "version 1" in str(failure_of(result, "raw").description)
    assert project.store.read("raw", before.digest).num_rows == 400


def test_a_refused_candidate_is_kept_in_quarantine(
    bad: Tables, resources: dict[str, Any], project: Project, instance: dg.DagsterInstance
) -> None:
    run([asset_of(bad())], resources, instance)
    (item,) = project.store.quarantine_list("raw")
    assert item.reason == "completeness"
    assert (project.locations.store / item.path).is_file()


def test_a_downstream_asset_takes_an_admitted_input(
    good: Tables, resources: dict[str, Any], project: Project, instance: dg.DagsterInstance
) -> None:
    result = run([asset_of(good()), offers_asset()], resources, instance)
    assert result.success
    entry = project.ledger.latest("dataset", "offers")
    head = project.store.head("raw")
    assert entry is not None
    assert head is not None
    assert [item["digest"] for item in entry.body["inputs"]] == [head.digest]


def test_a_downstream_asset_launched_alone_after_a_refusal_is_refused(
    bad: Tables, aims: AimsResource, instance: dg.DagsterInstance
) -> None:
    """The user's own code wrote the refused rows where the IO manager finds them: no verdict lets them in."""
    spy = Spy()
    spy.written["raw"] = bad()
    resources = {"aims": aims, "io_manager": spy}
    assert not run([asset_of(bad()), offers_asset()], resources, instance).success
    later = run([asset_of(bad()), offers_asset()], resources, instance, selection="offers")
    assert not later.success
    assert later.get_asset_materialization_events() == []
    failure = failure_of(later, "offers")
    assert "not admitted" in str(failure.description)
    assert failure.metadata["aims/outcome"].value == "refused"


def test_a_hand_made_materialisation_is_not_admitted(
    good: Tables, aims: AimsResource, instance: dg.DagsterInstance
) -> None:
    spy = Spy()
    resources = {"aims": aims, "io_manager": spy}
    assert run([asset_of(good())], resources, instance).success
    spy.written["raw"] = good(seed=9)  # other rows, put there by hand
    instance.report_runless_asset_event(dg.AssetMaterialization(asset_key="raw"))
    assert not run([asset_of(good()), offers_asset()], resources, instance, selection="offers").success


def test_evidence_no_longer_counts_once_the_records_change(
    good: Tables, resources: dict[str, Any], folder: Path, instance: dg.DagsterInstance
) -> None:
    assert run([asset_of(good())], resources, instance).success
    record = folder / "governance" / "raw.yaml"
    record.write_text(record.read_text().replace("max: 1000", "max: 5"))
    result = run([asset_of(good()), offers_asset()], resources, instance, selection="offers")
    assert not result.success
    assert "records have changed" in str(failure_of(result, "offers").description)


def test_an_input_that_no_record_claims_is_a_missing_hop(
    good: Tables, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    spy = Spy()

    @dg.asset(io_manager_key="own")
    def somewhere() -> pd.DataFrame:
        return good()

    @governed_asset(dataset="raw", name="raw")
    def raw(somewhere: pd.DataFrame) -> pd.DataFrame:
        return somewhere

    result = run([somewhere, raw], {**resources, "own": spy}, instance)
    assert not result.success
    assert failing_checks(result) == {"provenance"}


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "reader", "output", "generator"])
def test_every_kind_of_table_a_function_may_return_is_judged(
    kind: str, good: Tables, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    table = pa.Table.from_pandas(good(), preserve_index=False)

    @governed_asset(dataset="raw", name="raw")
    def raw() -> Any:
        match kind:
            case "pandas":
                return good()
            case "polars":
                return pl.from_arrow(table)
            case "arrow":
                return table
            case "reader":
                return table.to_reader()
            case "output":
                return dg.Output(table, metadata={"mine": 1})
        return None

    @governed_asset(dataset="raw", name="raw")
    def yielding() -> Iterator[Any]:
        yield dg.AssetObservation("raw", metadata={"seen": 1})
        yield dg.Output(table)

    result = run([yielding if kind == "generator" else raw], resources, instance)
    assert result.success
    metadata = result.get_asset_materialization_events()[0].materialization.metadata
    assert metadata["dagster/row_count"].value == 400
    assert ("mine" in metadata) is (kind == "output")


def test_async_functions_are_judged_too(
    good: Tables, bad: Tables, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    @governed_asset(dataset="raw", name="raw")
    async def coroutine() -> pd.DataFrame:
        return good()

    @governed_asset(dataset="raw", name="raw")
    async def generator() -> Any:  # Dagster takes no AsyncIterator here
        yield dg.Output(bad(seed=3))

    assert run([coroutine], resources, instance).success
    refused = run([generator], resources, instance)
    assert not refused.success
    assert "completeness" in failing_checks(refused)


def test_config_resources_and_context_stay_the_users_own(
    good: Tables, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    class Seed(dg.Config):
        seed: int

    class Maker(dg.ConfigurableResource["Maker"]):
        rows: int

        def make(self, seed: int) -> pd.DataFrame:
            return good(seed, self.rows)

    @governed_asset(dataset="raw", name="raw", group_name="mine", owners=["team:data"], kinds={"python"})
    def raw(context: dg.AssetExecutionContext, config: Seed, maker: Maker) -> pd.DataFrame:
        context.log.info("computing")
        return maker.make(config.seed)

    spec = raw.specs_by_key[dg.AssetKey("raw")]
    assert (spec.group_name, spec.owners, spec.metadata["aims/dataset"]) == ("mine", ["team:data"], "raw")
    config = {"ops": {"raw": {"config": {"seed": 5}}}}
    result = run([raw], {**resources, "maker": Maker(rows=200)}, instance, run_config=config)
    assert result.success
    assert (
        result.get_asset_materialization_events()[0].materialization.metadata["dagster/row_count"].value
        == 200
    )


def test_each_partition_is_judged_published_and_admitted_by_itself(
    good: Tables, bad: Tables, resources: dict[str, Any], project: Project, instance: dg.DagsterInstance
) -> None:
    days = dg.StaticPartitionsDefinition(["monday", "tuesday"])

    @governed_asset(dataset="raw", name="raw", partitions_def=days)
    def raw(context: dg.AssetExecutionContext) -> pd.DataFrame:
        return good() if context.partition_key == "monday" else bad()

    @governed_asset(dataset="offers", name="offers", partitions_def=days)
    def offers(raw: pd.DataFrame) -> pd.DataFrame:
        return raw

    assert run([raw, offers], resources, instance, partition_key="monday").success
    assert not run([raw, offers], resources, instance, partition_key="tuesday").success
    assert project.store.head("raw", "monday") is not None
    assert project.store.head("raw", "tuesday") is None
    assert project.store.head("offers", "monday") is not None


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.Table])
def test_a_run_for_a_partition_takes_assets_without_along_and_they_have_one_line_of_versions(
    kind: type, good: Tables, resources: dict[str, Any], project: Project, instance: dg.DagsterInstance
) -> None:
    seeds = iter([1, 2, 3])

    @governed_asset(
        dataset="raw", name="raw", partitions_def=dg.StaticPartitionsDefinition(["monday", "tuesday"])
    )
    def raw() -> pd.DataFrame:
        return good(next(seeds))

    @governed_asset(dataset="offers", name="offers")
    def offers(raw: dict[str, kind]) -> kind:  # type: ignore[valid-type]
        assert {type(table) for table in raw.values()} == {kind}  # type: ignore[attr-defined]
        return raw["tuesday"]  # type: ignore[index]

    assert run([raw], resources, instance, partition_key="monday").success
    for number, partition in enumerate(["tuesday", "tuesday"], start=1):
        assert run([raw, offers], resources, instance, partition_key=partition).success
        head, source = project.store.head("offers"), project.store.head("raw", partition)
        assert head is not None
        assert source is not None
        assert (head.number, head.digest) == (number, source.digest)
    assert project.store.head("offers", "tuesday") is None


def test_a_value_that_is_no_table_is_bad_input_and_says_so(
    resources: dict[str, Any], project: Project, instance: dg.DagsterInstance
) -> None:
    result = run([asset_of(42)], resources, instance)
    assert failure_of(result, "raw").metadata["aims/outcome"].value == "bad input"
    entry = project.ledger.latest("dataset", "raw")
    assert entry is not None
    assert entry.body["event"] == "refused before judgement"
    assert entry.outcome is None


def test_a_function_that_returns_nothing_is_refused(
    resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    result = run([asset_of(None)], resources, instance)
    assert "so that it can be judged before it is written" in str(failure_of(result, "raw").description)


def test_a_record_of_another_asset_cannot_be_borrowed(
    good: Tables, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    @governed_asset(dataset="raw", name="something_else")
    def something_else() -> pd.DataFrame:
        return good()

    result = run([something_else], resources, instance)
    assert "asset: something_else" in str(failure_of(result, "something_else").description)


def test_a_failed_check_of_the_users_own_keeps_the_gate_shut(
    good: Tables, resources: dict[str, Any], instance: dg.DagsterInstance, project: Project
) -> None:
    @governed_asset(dataset="raw", name="raw", check_specs=[dg.AssetCheckSpec("mine", asset="raw")])
    def raw() -> Iterator[Any]:
        yield dg.AssetCheckResult(check_name="mine", passed=False, description="Ada Lovelace is in it twice")
        yield dg.Output(good())

    result = run([raw], resources, instance)
    assert not result.success
    assert failing_checks(result) == {"mine"}
    assert project.store.versions() == []
    entry = project.ledger.latest("dataset", "raw")
    assert entry is not None
    assert "the asset's own code failed it" in str(entry.body)
    assert "Ada" not in str(entry.body), "its words may quote rows, and evidence is for good"


def test_publish_is_called_after_the_gate_and_only_if_it_opened(
    good: Tables, bad: Tables, aims: AimsResource, project: Project, instance: dg.DagsterInstance
) -> None:
    published: list[int] = []

    def publish(context: dg.AssetExecutionContext, value: pd.DataFrame) -> None:
        published.append(len(value))

    assert run([asset_of(good(), publish=publish)], {"aims": aims}, instance).success
    assert not run([asset_of(bad(seed=4), publish=publish)], {"aims": aims}, instance).success
    assert published == [400]
    assert [version.number for version in project.store.versions("raw")] == [1]


def test_a_refusal_is_not_retried(
    bad: Tables, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    calls = []

    @governed_asset(dataset="raw", name="raw", retry_policy=dg.RetryPolicy(max_retries=3))
    def raw() -> pd.DataFrame:
        calls.append(1)
        return bad()

    result = run([raw], resources, instance)
    assert not result.success
    assert len(calls) == 1
    run_record = instance.get_run_by_id(result.run_id)
    assert run_record is not None
    assert run_record.tags["dagster/retry_on_asset_or_op_failure"] == "false"


def test_an_io_manager_that_fails_leaves_the_last_version_current(
    good: Tables,
    aims: AimsResource,
    resources: dict[str, Any],
    project: Project,
    instance: dg.DagsterInstance,
) -> None:
    class Broken(Spy):
        def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
            raise OSError("disk full")

    assert run([asset_of(good())], resources, instance).success
    before = project.store.head("raw")
    assert not run([asset_of(good(seed=8))], {"aims": aims, "io_manager": Broken()}, instance).success
    assert project.store.head("raw") == before
    assert run([asset_of(good(seed=8))], resources, instance).success


def test_two_runs_at_once_publish_one_after_the_other_or_one_is_told_why(
    good: Tables, resources: dict[str, Any], project: Project, instance: dg.DagsterInstance
) -> None:
    """While one candidate is being computed, another run publishes: its verdicts are about an older state."""

    @governed_asset(dataset="raw", name="raw")
    def raw() -> pd.DataFrame:
        return good()

    overtaken: list[Any] = []

    def judge_late(context: dg.AssetExecutionContext, value: pd.DataFrame) -> None:
        overtaken.append(run([asset_of(good(seed=2))], resources, dg.DagsterInstance.ephemeral()))

    first = run([asset_of(good(seed=3), publish=judge_late)], resources, instance)
    assert first.success  # it held the claim
    assert not overtaken[0].success
    assert "is publishing it right now" in str(failure_of(overtaken[0], "raw").description)
    assert [version.number for version in project.store.versions("raw")] == [1]


def test_the_ledger_still_verifies_after_all_this(
    good: Tables, bad: Tables, resources: dict[str, Any], project: Project, instance: dg.DagsterInstance
) -> None:
    run([asset_of(good()), offers_asset()], resources, instance)
    run([asset_of(bad(seed=2)), offers_asset()], resources, instance)
    assert audit_ledger(project.ledger, project.evidence).intact
    assert [entry.subject_kind for entry in project.ledger.entries()] == [
        "dataset",
        "publication",
        "dataset",
        "publication",
        "dataset",
    ]


def test_no_cell_value_reaches_the_ledger_or_dagsters_log(
    resources: dict[str, Any], project: Project, instance: dg.DagsterInstance, good: Tables
) -> None:
    table = good()
    table.loc[5, "colour"] = "Erika Mustermann"
    result = run([asset_of(table)], resources, instance)
    assert not result.success
    assert "Erika" not in "".join(str(entry.body) for entry in project.ledger.entries())
    assert "Erika" not in "".join(str(record) for record in instance.all_logs(result.run_id))


def test_drift_that_refuses_comes_with_a_page_to_look_at(
    good: Tables, resources: dict[str, Any], project: Project, instance: dg.DagsterInstance
) -> None:
    assert run([asset_of(good(rows=3000))], resources, instance).success
    shifted = good(seed=2, rows=3000)
    shifted["amount"] = shifted["amount"] * 0.5
    result = run([asset_of(shifted)], resources, instance)
    assert "drift" in failing_checks(result)
    assert "drift.html" in str(failure_of(result, "raw").description)
    (evaluation,) = (item for item in result.get_asset_check_evaluations() if item.check_name == "drift")
    page = Path(str(evaluation.metadata["aims/report"].value))
    assert page.read_bytes().lstrip().lower().startswith((b"<!doctype html", b"<html"))
    entry = project.ledger.latest("dataset", "raw")
    assert entry is not None
    assert {item["name"] for item in entry.body["evidence"]} == {"findings.json", "drift.html"}


class Elsewhere(dg.IOManager):
    """Keeps tables where no store of ours is."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        self.kept = obj

    def load_input(self, context: dg.InputContext) -> Any:
        return self.kept


def test_drift_that_only_warns_comes_with_a_page_too_and_needs_no_rows_of_the_reference(
    good: Tables, folder: Path, aims: AimsResource, project: Project, instance: dg.DagsterInstance
) -> None:
    policy = folder / "governance" / "policy.yaml"
    policy.write_text(f"{policy.read_text(encoding='utf-8')}stages: {{drift: warn}}\n", encoding="utf-8")
    elsewhere = {"aims": aims, "io_manager": Elsewhere()}
    assert run([asset_of(good(rows=3000))], elsewhere, instance).success
    shifted = good(seed=2, rows=3000)
    shifted["amount"] = shifted["amount"] * 0.5
    result = run([asset_of(shifted)], elsewhere, instance)
    assert result.success
    (evaluation,) = (item for item in result.get_asset_check_evaluations() if item.check_name == "drift")
    assert not evaluation.passed
    assert Path(str(evaluation.metadata["aims/report"].value)).stat().st_size > 100_000
