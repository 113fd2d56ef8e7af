"""Governed assets: a user's asset with the gate on the path to its output.

The step admits its inputs, runs the user's function, judges what comes back, records the answers, and only then
hands the value to the IO manager. A refused candidate leaves its verdicts and nothing else.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from aims_pipelines import _dagster_compat as compat
from aims_pipelines.assets.step import Gate, GateStep
from aims_pipelines.assets.wrapping import in_place_of, parameters_with_context, source_digest
from aims_pipelines.checks.catalogue import DATASET_CHECKS
from aims_pipelines.core.errors import AimsError, BadInput, Fault
from aims_pipelines.resources.aims import RESOURCE_KEY

if TYPE_CHECKING:
    from aims_pipelines.records.load import Records

DATASET_METADATA = "aims/dataset"

Publish = Callable[[dg.AssetExecutionContext, Any], None]


def governed_asset(
    *, dataset: str, publish: Publish | None = None, **asset_options: Any
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Declare an asset whose table is published only with passing verdicts of all dataset checks.

    Everything that ``@dagster.asset`` takes is passed on: inputs, config, resources, partitions, IO manager,
    automation. The asset needs the resource ``aims`` (``AimsResource``).

    Args:
        dataset: Id of the dataset record that it is judged by.
        publish: For data that no IO manager writes: called with the context and the judged value after the gate
            opened. Without it, the IO manager gets the value.
        asset_options: Arguments of ``@dagster.asset``.

    Returns:
        A decorator for a function that returns a pandas or Polars frame, an Arrow table, or a ``dagster.Output``
        with one.

    Raises:
        BadInput: The arguments do not go together.
    """

    def decorate(function: Callable[..., Any]) -> dg.AssetsDefinition:
        return _govern_one(dg.asset(**asset_options)(function), dataset=dataset, publish=publish)

    return decorate


def govern(defs: dg.Definitions, records: str | Path) -> dg.Definitions:
    """Put the gate in front of the assets of an existing code location, without touching their code.

    Every asset whose key a dataset record claims is governed; the others stay as they are and ``uncovered`` lists
    them.

    Args:
        defs: The code location. It must provide the resource ``aims``.
        records: The records folder.

    Returns:
        New definitions; those given are left alone.

    Raises:
        RecordsInvalid: A record holds a fault.
        BadInput: A record claims an asset that cannot be governed, such as one of several made by one function.
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
    claimed = {
        key: record for key in assets.keys if (record := records.for_asset(key.to_user_string())) is not None
    }
    if not claimed or any(DATASET_METADATA in assets.specs_by_key[key].metadata for key in claimed):
        return assets
    if compat.decorated_function(assets) is None or len(assets.keys) != 1:
        faults.extend(
            Fault(
                where=f"dataset record {record.id!r}",
                expected="an asset made by a function of its own",
                found=f"{key.to_user_string()!r}, which comes from a graph, an external source or a multi-asset",
                remedy="Give it a function of its own (@asset), or take the record out.",
            )
            for key, record in claimed.items()
        )
        return assets
    ((_, record),) = claimed.items()
    return _govern_one(assets, dataset=record.id, publish=None)


def _govern_one(assets: dg.AssetsDefinition, *, dataset: str, publish: Publish | None) -> dg.AssetsDefinition:
    function = compat.decorated_function(assets)
    if function is None:
        raise BadInput(
            Fault(
                where=f"asset of dataset {dataset!r}",
                expected="a function",
                found="a graph or external asset",
            )
        )
    key = assets.key
    own_checks = tuple(check.name for check in assets.check_keys)
    taken = sorted(set(own_checks) & {check.name for check in DATASET_CHECKS})
    if taken:
        raise BadInput(
            Fault(
                where=f"asset {key.to_user_string()!r}: check_specs",
                expected="names that no check of the gate has",
                found=", ".join(taken),
                remedy="Give the asset's own checks other names.",
            )
        )
    gate = Gate(
        dataset=dataset,
        inputs=compat.input_names(assets),
        own_checks=own_checks,
        code_version=assets.specs_by_key[key].code_version or source_digest(function),
        publish=publish,
    )
    return compat.rebuild(
        assets,
        _gated(function, gate),
        check_specs=[
            dg.AssetCheckSpec(check.name, asset=key, description=check.description, blocking=True)
            for check in DATASET_CHECKS
        ],
        resource_keys=frozenset({RESOURCE_KEY}),
        spec_changes=lambda spec: spec.merge_attributes(metadata={DATASET_METADATA: dataset}),
    )


def _gated(function: Callable[..., Any], gate: Gate) -> Callable[..., Any]:
    """A generator function with the user's parameters, the context first, that runs the user's behind the gate."""
    parameters = parameters_with_context(function)
    with_context = compat.takes_context(function)

    def call(context: dg.AssetExecutionContext, arguments: Mapping[str, Any]) -> Any:
        return function(context, **arguments) if with_context else function(**arguments)

    def run(context: dg.AssetExecutionContext, **arguments: Any) -> Iterator[Any]:
        step = GateStep(gate, context)
        try:
            result = call(context, step.admit(arguments))
            events = list(result) if inspect.isgenerator(result) else [result]
            returned, judged = step.judge(events)
        except AimsError as error:
            yield from step.give_up(error)
            return
        yield from step.finish(returned, judged)

    async def run_async(context: dg.AssetExecutionContext, **arguments: Any) -> AsyncIterator[Any]:
        step = GateStep(gate, context)
        try:
            result = call(context, step.admit(arguments))
            events = [event async for event in result] if inspect.isasyncgen(result) else [await result]
            returned, judged = step.judge(events)
        except AimsError as error:
            for event in step.give_up(error):
                yield event
            return
        for event in step.finish(returned, judged):
            yield event

    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    return in_place_of(function, run_async if is_async else run, parameters)
