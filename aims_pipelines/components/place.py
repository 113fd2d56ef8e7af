"""Where a component finds its project and the user's functions."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.resources.aims import RESOURCE_KEY, AimsResource
from aims_pipelines.resources.io_manager import DatasetIOManager
from aims_pipelines.resources.project import find_project

IO_MANAGER_KEY = "aims_io_manager"


def project_folder(component: Path, project: str | None) -> Path:
    """The project folder: as given, relative to the component, else the nearest one around it with an ``aims.toml``.

    Raises:
        BadInput: There is none.
    """
    start = component / project if project is not None else component
    return find_project(start).locations.root


@cache
def resources(folder: Path) -> Mapping[str, Any]:
    """The resources that governed assets of a project need; the same objects for all its components.

    The user's own ``io_manager`` is left alone: components keep their tables under another key.
    """
    aims = AimsResource(folder=str(folder))
    return {RESOURCE_KEY: aims, IO_MANAGER_KEY: DatasetIOManager(aims=aims)}


def load_function(reference: str, *, where: str) -> Callable[..., Any]:
    """Import a function that a component names as ``module:function``.

    Raises:
        BadInput: It is not written so, cannot be imported, or is no function.
    """
    module_name, _, name = reference.partition(":")
    expected = "a function as module:function, importable where Dagster runs"
    if not module_name or not name:
        raise BadInput(Fault(where=where, expected=expected, found=repr(reference)))
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise BadInput(Fault(where=where, expected=expected, found=f"{reference!r} ({error})")) from error
    function = getattr(module, name, None)
    if not callable(function):
        raise BadInput(
            Fault(where=where, expected=expected, found=f"no function {name!r} in the module {module_name!r}")
        )
    return function  # type: ignore[no-any-return]  # checked to be callable


def asset_key(key: str) -> dg.AssetKey:
    """The key of an asset from its parts joined by slashes."""
    return dg.AssetKey.from_user_string(key)
