"""Everything that reaches into Dagster beyond its public API, so that an upgrade has one place to look at.

Written against Dagster 1.13; ``tests/dagster`` notices if one of these stops behaving.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation
from dagster._core.definitions.decorators.op_decorator import DecoratedOpFunction
from dagster._core.definitions.op_definition import OpDefinition

RETRY_TAG = "dagster/retry_on_asset_or_op_failure"

__all__ = [
    "RETRY_TAG",
    "AssetCheckEvaluation",
    "asset_inputs",
    "asset_outputs",
    "decorated_function",
    "end_run",
    "has_partition",
    "input_names",
    "is_lazy_definitions",
    "is_made_here",
    "is_required",
    "keeps_value",
    "metadata_value",
    "partition_of",
    "rebuild",
    "takes_context",
    "targeted_jobs",
]


def decorated_function(assets: dg.AssetsDefinition) -> Callable[..., Any] | None:
    """The function a user decorated, or ``None`` for external and graph-backed assets."""
    if not assets.is_executable or not isinstance(assets.node_def, OpDefinition):
        return None
    compute = assets.node_def.compute_fn
    return compute.decorated_fn if isinstance(compute, DecoratedOpFunction) else None


def is_made_here(assets: dg.AssetsDefinition) -> bool:
    """Whether this code location materialises them, rather than only observing them or knowing of them."""
    return bool(assets.is_materializable)


def takes_context(function: Callable[..., Any]) -> bool:
    """Whether the function's first parameter is Dagster's context."""
    return DecoratedOpFunction(function).has_context_arg()


def input_names(assets: dg.AssetsDefinition) -> tuple[str, ...]:
    """Names of the parameters through which upstream values arrive."""
    return tuple(
        definition.name for definition in assets.node_def.input_defs if not definition.dagster_type.is_nothing
    )


def asset_inputs(assets: dg.AssetsDefinition) -> Mapping[str, dg.AssetKey]:
    """The upstream asset behind each input, ordering-only dependencies included."""
    return dict(assets.node_keys_by_input_name)


def asset_outputs(assets: dg.AssetsDefinition) -> Mapping[str, dg.AssetKey]:
    """The asset behind each output, in the order in which a function returns them, those not selected included."""
    return dict(assets.node_keys_by_output_name)


def is_required(assets: dg.AssetsDefinition, output: str) -> bool:
    """Whether the function must give the value of an output whenever its asset is selected."""
    return bool(assets.node_def.output_def_named(output).is_required)


def keeps_value(assets: dg.AssetsDefinition, output: str) -> bool:
    """Whether Dagster hands the value of an output to an IO manager."""
    return not assets.node_def.output_def_named(output).dagster_type.is_nothing


def has_partition(definition: dg.PartitionsDefinition, key: str, instance: dg.DagsterInstance) -> bool:
    """Whether partitions have a key, those that were added while running included."""
    from dagster._core.definitions.partitions.context import partition_loading_context

    with partition_loading_context(dynamic_partitions_store=instance):
        return definition.has_partition_key(key)


def metadata_value(value: Any) -> Any:
    """The value inside Dagster's metadata wrapper, or the value itself if it is not wrapped."""
    return getattr(value, "value", value)


def partition_of(context: dg.AssetExecutionContext) -> str | None:
    """The partition that a step's assets are made for, empty for assets without; ``None`` for several at once.

    A run for a partition takes assets without partitions along, and says in each of its steps that it has one.
    """
    if context.assets_def.partitions_def is None:
        return ""
    if context.has_partition_key:
        return str(context.partition_key)
    return None if context.has_partition_key_range else ""


def end_run(instance: dg.DagsterInstance, run: dg.DagsterRun, message: str) -> None:
    """Mark a run as canceled whose process does not do so itself."""
    instance.report_run_canceled(run, message)


def is_lazy_definitions(value: object) -> bool:
    """Whether a value is what ``@dagster.definitions`` makes of a function without parameters."""
    from dagster.components.definitions import LazyDefinitions

    return isinstance(value, LazyDefinitions) and not value.has_context_arg


def targeted_jobs(automations: Sequence[Any]) -> list[Any]:
    """The jobs that schedules and sensors start; those of partitioned schedules are not built yet."""
    targets: list[Any] = []
    for automation in automations:
        targets.extend(getattr(automation, "targets", None) or [getattr(automation, "target", None)])
    return [target.resolvable_to_job for target in targets if hasattr(target, "resolvable_to_job")]


def rebuild(
    assets: dg.AssetsDefinition,
    function: Callable[..., Any],
    *,
    check_specs: Sequence[dg.AssetCheckSpec],
    resource_keys: frozenset[str],
    spec_changes: Callable[[dg.AssetSpec], dg.AssetSpec],
) -> dg.AssetsDefinition:
    """Put another function behind an asset, leaving its key, inputs, config, partitions and the rest as they are.

    Args:
        assets: The asset to take over, or several of one function; must have a decorated function.
        function: What runs in its place: same parameters, with the context first.
        check_specs: Checks that the function answers, besides those the asset has already.
        resource_keys: Resources that the function needs besides those the asset has already.
        spec_changes: Applied to the spec of each asset.

    Returns:
        A new definition; the one given is left alone.
    """
    op = assets.node_def
    if not isinstance(op, OpDefinition):
        raise TypeError(f"{op.name} is not a single op")
    outs = {definition.name: dg.Out.from_definition(definition) for definition in op.output_defs}
    named = {spec.get_python_identifier(): spec for spec in check_specs}
    always = {key for name, key in asset_outputs(assets).items() if is_required(assets, name)}
    outs.update(
        {
            name: dg.Out(dagster_type=None, is_required=spec.asset_key in always and not assets.can_subset)
            for name, spec in named.items()
        }
    )
    new_op = OpDefinition.dagster_internal_init(
        name=op.name,
        ins={definition.name: dg.In.from_definition(definition) for definition in op.input_defs},
        outs=outs,
        compute_fn=DecoratedOpFunction(function),
        config_schema=op.config_schema,
        description=op.description,
        tags=op.tags,
        required_resource_keys={*op.required_resource_keys, *resource_keys},
        code_version=op.version,
        retry_policy=op.retry_policy,
        version=None,
        pool=op.pool,
    )
    attributes = assets.get_attributes_dict()
    attributes["node_def"] = new_op
    attributes["specs"] = [spec_changes(spec) for spec in attributes["specs"]]
    attributes["check_specs_by_output_name"] = {**attributes["check_specs_by_output_name"], **named}
    # None: all checks of the selected assets are selected.
    attributes["selected_asset_check_keys"] = None
    return dg.AssetsDefinition.dagster_internal_init(**attributes)
