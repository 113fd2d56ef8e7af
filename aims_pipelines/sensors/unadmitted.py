"""Notice materialisations of governed assets that no gate admitted.

Dagster accepts a materialisation from anybody who may write its event log. It brings nobody past a gate, because
consumers look for evidence about the rows themselves; but it makes the asset's page say what is not so. This
sensor says so on the page, and opens a case in the ledger.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from aims_pipelines._dagster_compat import AssetCheckEvaluation, metadata_value
from aims_pipelines.core.errors import BadInput, LedgerBroken
from aims_pipelines.core.verdict import Status
from aims_pipelines.resources.aims import AimsResource
from aims_pipelines.resources.asset_metadata import DATASET_METADATA

if TYPE_CHECKING:
    from aims_pipelines.resources.project import Project

_MOST_PER_TICK = 200
_ENTRY = re.compile(r"e-\d{1,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unadmitted:
    """A materialisation without evidence: of which asset, the event's number, and what is missing."""

    asset: dg.AssetKey
    event: int
    reason: str


def unadmitted_sensor(
    *,
    name: str = "aims_unadmitted_materialisations",
    minimum_interval_seconds: int = 60,
    default_status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.RUNNING,
) -> dg.SensorDefinition:
    """Build the sensor. It needs the resource ``aims`` and watches every governed asset of its code location.

    Args:
        name: Name of the sensor.
        minimum_interval_seconds: Shortest time between two looks, in seconds.
        default_status: Whether it runs without being switched on.
    """

    @dg.sensor(
        name=name,
        minimum_interval_seconds=minimum_interval_seconds,
        default_status=default_status,
        description="Reports materialisations of governed assets that no gate admitted.",
    )
    def sensor(context: dg.SensorEvaluationContext, aims: AimsResource) -> dg.SensorResult:
        seen: dict[str, int] = json.loads(context.cursor or "{}")
        graph = context.repository_def.asset_graph if context.repository_def else None
        governed = [
            key
            for key in (graph.materializable_asset_keys if graph else ())
            if DATASET_METADATA in graph.get(key).metadata  # type: ignore[union-attr]  # keys come from it
        ]
        project = aims.project
        found: list[Unadmitted] = []
        for key in sorted(governed, key=lambda key: key.to_user_string()):
            records = context.instance.fetch_materializations(
                dg.AssetRecordsFilter(asset_key=key, after_storage_id=seen.get(key.to_user_string())),
                limit=_MOST_PER_TICK,
                ascending=True,
            ).records
            dataset = str(graph.get(key).metadata[DATASET_METADATA])  # type: ignore[union-attr]  # as above
            found.extend(unadmitted(records, dataset=dataset, project=project))
            if records:
                seen[key.to_user_string()] = records[-1].storage_id
        _open_cases(found, project, at=datetime.now(UTC))
        return dg.SensorResult(
            asset_events=[_evaluation(item) for item in found],
            cursor=json.dumps(seen, sort_keys=True),
            skip_reason=None if found else dg.SkipReason("Every materialisation carries evidence."),
        )

    return sensor


def unadmitted(records: Sequence[dg.EventLogRecord], *, dataset: str, project: "Project") -> list[Unadmitted]:
    """Pick the materialisations that carry no passing verdict about the data version that they claim."""
    found = []
    for record in records:
        event = record.asset_materialization
        if event is None:
            continue
        evidence = metadata_value(event.metadata.get("aims/evidence"))
        version = (event.tags or {}).get("dagster/data_version", "")
        reason = _shortcoming(evidence, version, dataset=dataset, project=project)
        if reason:
            found.append(Unadmitted(asset=event.asset_key, event=record.storage_id, reason=reason))
    return found


def _shortcoming(evidence: object, version: str, *, dataset: str, project: "Project") -> str:
    """Why an entry is no evidence for a data version of a dataset; empty if it is."""
    if not isinstance(evidence, str):
        return "it names no evidence"
    if not _ENTRY.fullmatch(evidence):  # whatever it is, it is not ours to keep for good
        return "what it names as evidence is no entry of a ledger"
    try:
        entry = project.ledger.get(evidence)
    except BadInput:
        return f"it names evidence {evidence}, which the ledger does not have"
    except LedgerBroken:
        return f"it names evidence {evidence}, which does not verify"
    if entry.subject_id != dataset or entry.digests.get("content") != version:
        return f"it names evidence {evidence}, which is about something else"
    if entry.outcome is not Status.PASS:
        return f"it names evidence {evidence}, which refused it"
    return ""


def _evaluation(item: Unadmitted) -> AssetCheckEvaluation:
    return AssetCheckEvaluation(
        asset_key=item.asset,
        check_name="provenance",
        passed=False,
        description=(
            f"Materialisation event {item.event} went around the gate: {item.reason}. Consumers do not admit it."
        ),
        metadata={"aims/status": str(Status.FAIL)},
    )


def _open_cases(found: Sequence[Unadmitted], project: "Project", *, at: datetime) -> None:
    from aims_pipelines.storage.ledger import EntryDraft

    project.ledger.append(
        [
            EntryDraft(
                kind="case",
                actor="sensor:unadmitted",
                subject_kind="asset",
                subject_id=item.asset.to_user_string(),
                digests={},
                body={
                    "case": "nonconformity",
                    "state": "open",
                    "materialisation": item.event,
                    "reason": item.reason,
                },
                at=at,
            )
            for item in found
        ]
    )
