"""Governed models: a user's training function with the gate between it and the model registry.

The step admits training and holdout, runs the user's function, judges the fitted estimator on the holdout, records
the answers, and only then registers a version with its card. A refused model leaves its verdicts and nothing else.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dagster as dg

from aims_pipelines import _dagster_compat as compat
from aims_pipelines.assets.admission import own_copy
from aims_pipelines.assets.model_step import ModelGate, ModelStep
from aims_pipelines.assets.wrapping import in_place_of, parameters_with_context, source_digest
from aims_pipelines.checks.model_catalogue import MODEL_CHECKS
from aims_pipelines.core.errors import AimsError, BadInput, Fault
from aims_pipelines.resources.aims import RESOURCE_KEY
from aims_pipelines.resources.asset_metadata import SYSTEM_METADATA

_HOLDOUT_PARAMETER = "aims_holdout"


def governed_model(
    *, system: str, training: str = "training", holdout: str = "holdout", **asset_options: Any
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Declare a model asset that registers a version only with passing verdicts of all model checks.

    The decorated function gets the training table in the parameter that is named like the last part of its asset
    key, or ``training``; it returns a fitted estimator that follows scikit-learn's conventions. It gets the whole
    table: label, protected attributes and excluded columns are there, and which columns the estimator was fitted on
    is checked afterwards. Config and resources work as in ``@dagster.asset``; further inputs must be tables of governed
    assets, too, and are admitted by their evidence. The asset needs the resource ``aims`` (``AimsResource``).

    Args:
        system: Id of the system record.
        training: Key of the asset that the model is fitted on, parts joined by ``/``.
        holdout: Key of the asset that it is judged on; the function does not get it.
        asset_options: Arguments of ``@dagster.asset``.

    Returns:
        A decorator. The asset's materialisation carries the version in its metadata; load the model with
        ``aims_pipelines.resources.model_loading.load_verified``.

    Raises:
        BadInput: The function has no parameter for the training table, asks for the holdout or is asynchronous, or
            the asset brings checks of its own.
    """

    def decorate(function: Callable[..., Any]) -> dg.AssetsDefinition:
        parameters = inspect.signature(function).parameters
        parameter = next((name for name in (_last(training), "training") if name in parameters), None)
        if parameter is None:
            raise BadInput(
                Fault(
                    where=f"model function {function.__name__!r}",
                    expected=f"a parameter named {_last(training)!r} for the training table",
                    found=", ".join(parameters) or "no parameter",
                )
            )
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise BadInput(
                Fault(
                    where=f"model function {function.__name__!r}",
                    expected="a function that trains when it is called",
                    found="async def",
                    remedy="Write def; call what is asynchronous with asyncio.run.",
                )
            )
        gate = ModelGate(
            system=system,
            training=training,
            holdout=holdout,
            parameter=parameter,
            code_version=asset_options.get("code_version") or source_digest(function),
        )
        name = asset_options.get("name") or function.__name__
        prefix = asset_options.get("key_prefix") or ()
        key = dg.AssetKey([*([prefix] if isinstance(prefix, str) else prefix), name])
        if asset_options.get("key") is not None:
            key = dg.AssetKey.from_coercible(asset_options["key"])
        _keep_apart(function, holdout, asset_options.get("ins") or {})
        if asset_options.get("check_specs"):
            raise BadInput(
                Fault(
                    where=f"model function {function.__name__!r}: check_specs",
                    expected="no checks of its own: a model is registered by its gate alone",
                    found=", ".join(check.name for check in asset_options["check_specs"]),
                    remedy="Ask what they ask in a @dg.asset_check of this asset, or of its training data.",
                )
            )
        options: dict[str, Any] = {
            **asset_options,
            "ins": {
                **(asset_options.get("ins") or {}),
                parameter: dg.AssetIn(key=dg.AssetKey.from_user_string(training)),
                _HOLDOUT_PARAMETER: dg.AssetIn(key=dg.AssetKey.from_user_string(holdout)),
            },
            "metadata": {**(asset_options.get("metadata") or {}), SYSTEM_METADATA: system},
            **_resources(asset_options),
            "check_specs": [
                dg.AssetCheckSpec(check.name, asset=key, description=check.description, blocking=True)
                for check in MODEL_CHECKS
            ],
        }
        by_key = "required_resource_keys" in options
        assets: dg.AssetsDefinition = dg.asset(**options)(_gated(function, gate, resource_by_key=by_key))
        return assets

    return decorate


def _keep_apart(function: Callable[..., Any], holdout: str, ins: Mapping[str, dg.AssetIn]) -> None:
    for name in inspect.signature(function).parameters:
        declared = ins.get(name, dg.AssetIn())
        key = declared.key or dg.AssetKey([*(declared.key_prefix or ()), name])
        if key == dg.AssetKey.from_user_string(holdout):
            raise BadInput(
                Fault(
                    where=f"model function {function.__name__!r}: parameter {name!r}",
                    expected="no access to the holdout, which tells how the model does on rows it has not seen",
                    found=f"the asset {holdout!r}",
                    remedy="Split off rows of the training table for what the function has to compare.",
                )
            )


def _resources(asset_options: Mapping[str, Any]) -> dict[str, Any]:
    """Name our resource the way the user names his: Dagster lets an asset name them by key or by parameter only."""
    keys = asset_options.get("required_resource_keys")
    return {"required_resource_keys": {*keys, RESOURCE_KEY}} if keys else {}


def _gated(function: Callable[..., Any], gate: ModelGate, *, resource_by_key: bool) -> Callable[..., Any]:
    """A generator function with the user's parameters, the context first, the holdout and our resource last."""
    signature = inspect.signature(function)
    parameters = parameters_with_context(function)
    with_context = compat.takes_context(function)
    kind = signature.parameters[gate.parameter].annotation
    parameters.append(
        inspect.Parameter(_HOLDOUT_PARAMETER, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=kind)
    )

    adds_resource = not resource_by_key and RESOURCE_KEY not in signature.parameters
    if adds_resource:
        parameters.append(
            inspect.Parameter(
                RESOURCE_KEY, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=dg.ResourceParam[object]
            )
        )

    def run(context: dg.AssetExecutionContext, **arguments: Any) -> Iterator[Any]:
        step = ModelStep(gate, context)
        holdout = arguments.pop(_HOLDOUT_PARAMETER)
        if adds_resource:
            del arguments[RESOURCE_KEY]

        training = arguments[gate.parameter]
        loaded = compat.asset_inputs(context.assets_def)
        further = {name: arguments[name] for name in loaded if name in arguments and name != gate.parameter}

        def fit() -> Any:
            taken = {gate.parameter: training, **further}
            given = {**arguments, **{name: own_copy(value) for name, value in taken.items()}}
            return function(context, **given) if with_context else function(**given)

        try:
            inputs = step.admit(training, holdout, further)
            judged, version = step.run(inputs, fit)
        except AimsError as error:
            yield from step.give_up(error)
            return
        yield from step.finish(judged, version)

    return in_place_of(function, run, parameters)


def _last(key: str) -> str:
    return key.rpartition("/")[2]
