"""The sensor that notices what went around the gate."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pandas as pd

from aims_pipelines import governed_asset
from aims_pipelines.resources.project import Project
from aims_pipelines.sensors.unadmitted import unadmitted_sensor


def look(
    defs: dg.Definitions, instance: dg.DagsterInstance, resources: dict[str, Any], cursor: str | None = None
) -> Any:
    context = dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        definitions=defs,
        resources={"aims": resources["aims"]},
        sensor_name="aims_unadmitted_materialisations",
    )
    return defs.resolve_sensor_def("aims_unadmitted_materialisations")(context)


def definitions(table: pd.DataFrame, resources: dict[str, Any]) -> dg.Definitions:
    @governed_asset(dataset="raw", name="raw")
    def raw() -> pd.DataFrame:
        return table

    return dg.Definitions(assets=[raw], sensors=[unadmitted_sensor()], resources=resources)


def test_it_reports_a_hand_made_materialisation_once_and_leaves_admitted_ones_alone(
    good: Callable[..., pd.DataFrame],
    resources: dict[str, Any],
    project: Project,
    instance: dg.DagsterInstance,
) -> None:
    defs = definitions(good(), resources)
    assert defs.resolve_implicit_global_asset_job_def().execute_in_process(instance=instance).success
    first = look(defs, instance, resources)
    assert first.asset_events == []

    instance.report_runless_asset_event(dg.AssetMaterialization(asset_key="raw"))
    second = look(defs, instance, resources, first.cursor)
    (event,) = second.asset_events
    assert not event.passed
    assert "names no evidence" in event.description
    case = project.ledger.latest("asset", "raw")
    assert case is not None
    assert (case.kind, case.body["case"], case.body["state"]) == ("case", "nonconformity", "open")

    assert look(defs, instance, resources, second.cursor).asset_events == []


def test_it_is_not_fooled_by_borrowed_evidence(
    good: Callable[..., pd.DataFrame],
    resources: dict[str, Any],
    project: Project,
    instance: dg.DagsterInstance,
) -> None:
    defs = definitions(good(), resources)
    assert defs.resolve_implicit_global_asset_job_def().execute_in_process(instance=instance).success
    cursor = look(defs, instance, resources).cursor
    for evidence in ("e-1", "e-999", "Ada Lovelace " * 2_000_000):
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                asset_key="raw",
                metadata={"aims/evidence": evidence},
                tags={"dagster/data_version": "sha256:" + "0" * 64},
            )
        )
    events = look(defs, instance, resources, cursor).asset_events
    assert len(events) == 3
    case = project.ledger.latest("asset", "raw")
    assert case is not None
    assert case.body["reason"] == "what it names as evidence is no entry of a ledger"
    assert not any("Ada" in (event.description or "") for event in events)
