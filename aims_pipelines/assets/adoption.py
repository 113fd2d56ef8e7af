"""Adopting a code location: gates in front of the assets that records claim, without touching their code."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from aims_pipelines import _dagster_compat as compat
from aims_pipelines.assets.governed import put_gates
from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.resources.asset_metadata import DATASET_METADATA

if TYPE_CHECKING:
    from aims_pipelines.records.load import Records


def govern(defs: dg.Definitions, records: str | Path) -> dg.Definitions:
    """Put the gate in front of the assets of an existing code location, without touching their code.

    Every asset whose key a dataset record claims is governed, those of multi-assets each by its own record; the
    others stay as they are and ``uncovered`` lists them. External and observed assets stay as they are, too: nothing
    here makes them, and what reads them admits their rows only with evidence.

    Args:
        defs: The code location. It must provide the resource ``aims``.
        records: The records folder.

    Returns:
        New definitions; those given are left alone.

    Raises:
        RecordsInvalid: A record holds a fault.
        BadInput: A record claims an asset that cannot be governed, such as one that a graph of ops makes.
    """
    from aims_pipelines.records.load import load_records

    loaded = load_records(records)
    faults: list[Fault] = []
    assets = [
        _adopt(item, loaded, faults) if isinstance(item, dg.AssetsDefinition) else item
        for item in defs.assets or ()
    ]
    faults.extend(_resolved_jobs(defs, loaded))
    if faults:
        raise BadInput(faults)
    return dg.Definitions(
        assets=assets,
        schedules=defs.schedules,
        sensors=defs.sensors,
        jobs=defs.jobs,
        resources=defs.resources,
        executor=defs.executor,
        loggers=defs.loggers,
        asset_checks=defs.asset_checks,
        metadata=defs.metadata,
        component_tree=defs.component_tree,
    )


def _resolved_jobs(defs: dg.Definitions, records: "Records") -> Iterator[Fault]:
    """Jobs that already hold the assets as they were, which would run without a gate under the same names."""
    jobs = [*(defs.jobs or ()), *compat.targeted_jobs([*(defs.schedules or ()), *(defs.sensors or ())])]
    for name, job in {job.name: job for job in jobs if isinstance(job, dg.JobDefinition)}.items():
        held = sorted(
            key.to_user_string()
            for key in job.asset_layer.executable_asset_keys
            if DATASET_METADATA not in job.asset_layer.get(key).metadata
        )
        claimed = [key for key in held if records.for_asset(key) is not None]
        if claimed:
            yield Fault(
                where=f"job {name!r}",
                expected="a job that finds its assets by a selection",
                found=f"one that already holds {', '.join(claimed)} as they were before the gate",
                remedy="Define it with define_asset_job, and do not resolve it before govern.",
            )


def _adopt(assets: dg.AssetsDefinition, records: "Records", faults: list[Fault]) -> dg.AssetsDefinition:
    if not compat.is_made_here(assets):
        return assets
    governed = {spec.key for spec in assets.specs if DATASET_METADATA in spec.metadata}
    datasets = {
        key: record.id
        for key in compat.asset_outputs(assets).values()
        if key in assets.keys and (record := records.for_asset(key.to_user_string())) is not None
    }
    if governed:
        faults.extend(
            Fault(
                where=f"asset {key.to_user_string()!r}",
                expected="a gate, as a dataset record claims it",
                found="none, although other assets of the same function have one",
                remedy="Name it in datasets= of its @governed_multi_asset.",
            )
            for key in datasets
            if key not in governed
        )
        return assets
    if not datasets:
        return assets
    try:
        return put_gates(assets, datasets=datasets, publish={})
    except BadInput as error:
        faults.extend(error.faults)
        return assets
