"""Governed assets: a user's asset, or several of one function, with the gate on the path to each output.

The step admits its inputs, runs the user's function, judges what comes back, records the answers, and only then
hands values to the IO manager. A refused candidate leaves its verdicts and nothing else.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import dagster as dg

from aims_pipelines import _dagster_compat as compat
from aims_pipelines.assets.output_gate import Gate
from aims_pipelines.assets.returned import as_yielded
from aims_pipelines.assets.step import Gates, GateStep
from aims_pipelines.assets.wrapping import in_place_of, parameters_with_context, source_digest
from aims_pipelines.checks.catalogue import DATASET_CHECKS
from aims_pipelines.core.errors import AimsError, BadInput, Fault
from aims_pipelines.resources.aims import RESOURCE_KEY
from aims_pipelines.resources.asset_metadata import DATASET_METADATA

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
        assets = dg.asset(**asset_options)(function)
        return put_gates(
            assets,
            datasets={assets.key: dataset},
            publish={} if publish is None else {assets.key: publish},
        )

    return decorate


def governed_multi_asset(
    *, datasets: Mapping[str, str], publish: Mapping[str, Publish] | None = None, **asset_options: Any
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Declare several assets of one function, each published only with passing verdicts of its own.

    All values are judged before the first is published. If one is refused, it leaves its verdicts and nothing else;
    those that passed become current, unless they were made from it; and the step fails, so that Dagster starts
    nothing below any of them in this run.

    Everything that ``@dagster.multi_asset`` takes is passed on, ``can_subset`` included. The assets need the resource
    ``aims`` (``AimsResource``).

    Args:
        datasets: By asset key, parts joined by ``/``: id of the dataset record that the asset is judged by. Assets
            that are not named have no gate; ``uncovered`` lists them.
        publish: By asset key: for data that no IO manager writes, called with the context and the judged value after
            the gate opened.
        asset_options: Arguments of ``@dagster.multi_asset``.

    Returns:
        A decorator for a function that returns a tuple of tables, or yields a ``dagster.Output`` or
        ``dagster.MaterializeResult`` with one for each.

    Raises:
        BadInput: The arguments do not go together.
    """

    def decorate(function: Callable[..., Any]) -> dg.AssetsDefinition:
        return put_gates(
            dg.multi_asset(**asset_options)(function),
            datasets={dg.AssetKey.from_user_string(key): dataset for key, dataset in datasets.items()},
            publish={dg.AssetKey.from_user_string(key): write for key, write in (publish or {}).items()},
        )

    return decorate


def put_gates(
    assets: dg.AssetsDefinition,
    *,
    datasets: Mapping[dg.AssetKey, str],
    publish: Mapping[dg.AssetKey, Publish],
) -> dg.AssetsDefinition:
    """Put gates in front of the outputs of a function.

    Args:
        assets: The asset, or several, of one function.
        datasets: Dataset record of each asset to govern.
        publish: Writers of values that no IO manager writes.

    Returns:
        New definitions; those given are left alone.

    Raises:
        BadInput: There is no such function or asset, or it cannot be judged before it is written; every fault at
            once.
    """
    function = compat.decorated_function(assets)
    faults = list(_faults(assets, datasets, publish))
    if faults or function is None:
        raise BadInput(faults)
    own_checks: dict[dg.AssetKey, list[str]] = {}
    for check in assets.check_specs:
        own_checks.setdefault(check.asset_key, []).append(check.name)
    gates = Gates(
        by_output={
            output: Gate(
                dataset=datasets[key],
                own_checks=tuple(own_checks.get(key, ())),
                code_version=assets.specs_by_key[key].code_version or source_digest(function),
                publish=publish.get(key),
            )
            for output, key in compat.asset_outputs(assets).items()
            if key in datasets
        },
        inputs=compat.input_names(assets),
    )
    return compat.rebuild(
        assets,
        _gated(function, gates),
        check_specs=[
            dg.AssetCheckSpec(check.name, asset=key, description=check.description, blocking=True)
            for key in datasets
            for check in DATASET_CHECKS
        ],
        resource_keys=frozenset({RESOURCE_KEY}),
        spec_changes=lambda spec: (
            spec.merge_attributes(metadata={DATASET_METADATA: datasets[spec.key]})
            if spec.key in datasets
            else spec
        ),
    )


def _faults(
    assets: dg.AssetsDefinition,
    datasets: Mapping[dg.AssetKey, str],
    publish: Mapping[dg.AssetKey, Publish],
) -> Iterator[Fault]:
    known = sorted(key.to_user_string() for key in assets.keys)
    if compat.decorated_function(assets) is None:
        yield Fault(
            where=f"asset {', '.join(map(repr, known))}",
            expected="assets that a function makes (@asset or @multi_asset), so that its value can be judged first",
            found="a graph of ops, or an asset that this code location does not make",
            remedy="Let a governed asset below it take its value: the graph stages, the asset's gate judges, and only "
            "then is anything published.",
        )
        return
    if not datasets:
        yield Fault(where="datasets", expected="the dataset record of at least one asset", found="none")
    names = {("datasets", key) for key in datasets} | {("publish", key) for key in publish}
    for argument, key in sorted(names, key=str):
        if key not in (assets.keys if argument == "datasets" else datasets):
            yield Fault(
                where=f"{argument}: {key.to_user_string()!r}",
                expected=f"one of {', '.join(known)}"
                if argument == "datasets"
                else "an asset that 'datasets' names",
                found="something else",
            )
    outputs = {key: output for output, key in compat.asset_outputs(assets).items()}
    gate_checks = {check.name for check in DATASET_CHECKS}
    for key in datasets:
        if key not in outputs:
            continue
        if key not in publish and not compat.keeps_value(assets, outputs[key]):
            yield Fault(
                where=f"asset {key.to_user_string()!r}",
                expected="an asset with a value, which is judged before anything stores it",
                found="one that gives Dagster no value, so that its function has to write by itself",
                remedy="Declare it with an IO manager; or return the table, and give the function that writes it to "
                "publish= of @governed_asset or @governed_multi_asset.",
            )
        taken = [check.name for check in assets.check_specs if check.asset_key == key]
        taken = [name for name in taken if name in gate_checks]
        if taken:
            yield Fault(
                where=f"asset {key.to_user_string()!r}: check_specs",
                expected="names that no check of the gate has",
                found=", ".join(taken),
                remedy="Give the asset's own checks other names.",
            )


def _gated(function: Callable[..., Any], gates: Gates) -> Callable[..., Any]:
    """A generator function with the user's parameters, the context first, that runs the user's behind the gates."""
    parameters = parameters_with_context(function)
    with_context = compat.takes_context(function)

    def call(context: dg.AssetExecutionContext, arguments: Mapping[str, Any]) -> Any:
        return function(context, **arguments) if with_context else function(**arguments)

    def run(context: dg.AssetExecutionContext, **arguments: Any) -> Iterator[Any]:
        step = GateStep(gates, context)
        try:
            result = call(context, step.admit(arguments))
            step.judge([as_yielded(event) for event in result] if inspect.isgenerator(result) else result)
        except AimsError as error:
            yield from step.give_up(error)
            return
        yield from step.finish()

    async def run_async(context: dg.AssetExecutionContext, **arguments: Any) -> AsyncIterator[Any]:
        step = GateStep(gates, context)
        try:
            result = call(context, step.admit(arguments))
            step.judge(
                [as_yielded(event) async for event in result] if inspect.isasyncgen(result) else await result
            )
        except AimsError as error:
            for event in step.give_up(error):
                yield event
            return
        for event in step.finish():
            yield event

    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    return in_place_of(function, run_async if is_async else run, parameters)
