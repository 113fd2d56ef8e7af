"""Putting a function in the place of a user's without Dagster noticing: same parameters, the context first."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from aims_pipelines import _dagster_compat as compat
from aims_pipelines.core.digest import sha256_digest


def parameters_with_context(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a user's function, with Dagster's context before them if it does not take it itself."""
    parameters = list(inspect.signature(function).parameters.values())
    if not compat.takes_context(function):
        parameters.insert(0, inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD))
    return parameters


def in_place_of(
    function: Callable[..., Any], wrapper: Callable[..., Any], parameters: Sequence[inspect.Parameter]
) -> Callable[..., Any]:
    """Give a wrapper the name, documentation and place of a user's function, and the parameters that Dagster sees."""
    disguised: Any = wrapper
    for name in ("__name__", "__doc__", "__module__"):
        setattr(disguised, name, getattr(function, name))
    disguised.__signature__ = inspect.Signature(parameters)
    disguised.__annotations__ = {
        parameter.name: parameter.annotation
        for parameter in parameters
        if parameter.annotation is not inspect.Parameter.empty
    }
    return wrapper


def source_digest(function: Callable[..., Any]) -> str:
    """Digest of a function's source text, which stands for its code version; empty if the text is not to be had."""
    try:
        return sha256_digest(inspect.getsource(function).encode())
    except (OSError, TypeError):
        return ""
