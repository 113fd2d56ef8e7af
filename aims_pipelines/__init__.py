"""Controls of an AI management system (ISO/IEC 42001) as gates inside Dagster.

Importing this package loads nothing heavy: names are resolved on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aims_pipelines.assets.adoption import govern as govern
    from aims_pipelines.assets.coverage import uncovered as uncovered
    from aims_pipelines.assets.governed import governed_asset as governed_asset
    from aims_pipelines.assets.governed import governed_multi_asset as governed_multi_asset
    from aims_pipelines.assets.model import governed_model as governed_model
    from aims_pipelines.resources.aims import AimsResource as AimsResource
    from aims_pipelines.resources.io_manager import DatasetIOManager as DatasetIOManager
    from aims_pipelines.sensors.unadmitted import unadmitted_sensor as unadmitted_sensor

__version__ = "0.1.0"

_HOMES = {
    "AimsResource": "aims_pipelines.resources.aims",
    "DatasetIOManager": "aims_pipelines.resources.io_manager",
    "govern": "aims_pipelines.assets.adoption",
    "governed_asset": "aims_pipelines.assets.governed",
    "governed_multi_asset": "aims_pipelines.assets.governed",
    "governed_model": "aims_pipelines.assets.model",
    "unadmitted_sensor": "aims_pipelines.sensors.unadmitted",
    "uncovered": "aims_pipelines.assets.coverage",
}

__all__ = [*_HOMES, "__version__"]  # noqa: PLE0604 - the names are strings, kept once


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'aims_pipelines' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
