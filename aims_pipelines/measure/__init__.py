"""Rows to profiles: the Arrow kernel, and readers for files and frames.

The names below are loaded when they are first used, so that importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aims_pipelines.measure.charting import StatisticChart, chart
    from aims_pipelines.measure.comparison import Comparison, compare
    from aims_pipelines.measure.frames import profile_frame, to_arrow
    from aims_pipelines.measure.in_service import performance
    from aims_pipelines.measure.kernel import Measured, content_digest, measure, profile_table
    from aims_pipelines.measure.periods import profile_periods
    from aims_pipelines.measure.readers import measure_file, open_batches, read_table
    from aims_pipelines.measure.saved import read_profile, write_profile
    from aims_pipelines.measure.serialise import from_bytes, to_bytes, without_rows
    from aims_pipelines.measure.spark import profile_spark
    from aims_pipelines.measure.table_files import profile_file
    from aims_pipelines.stats.merge import empty_profile, merge, merge_all

__all__ = [
    "Comparison",
    "Measured",
    "StatisticChart",
    "chart",
    "compare",
    "content_digest",
    "empty_profile",
    "from_bytes",
    "measure",
    "measure_file",
    "merge",
    "merge_all",
    "open_batches",
    "performance",
    "profile_file",
    "profile_frame",
    "profile_periods",
    "profile_spark",
    "profile_table",
    "read_profile",
    "read_table",
    "to_arrow",
    "to_bytes",
    "without_rows",
    "write_profile",
]

_HOMES = {
    "StatisticChart": "aims_pipelines.measure.charting",
    "chart": "aims_pipelines.measure.charting",
    "Comparison": "aims_pipelines.measure.comparison",
    "compare": "aims_pipelines.measure.comparison",
    "Measured": "aims_pipelines.measure.kernel",
    "content_digest": "aims_pipelines.measure.kernel",
    "empty_profile": "aims_pipelines.stats.merge",
    "from_bytes": "aims_pipelines.measure.serialise",
    "measure": "aims_pipelines.measure.kernel",
    "measure_file": "aims_pipelines.measure.readers",
    "merge": "aims_pipelines.stats.merge",
    "merge_all": "aims_pipelines.stats.merge",
    "performance": "aims_pipelines.measure.in_service",
    "open_batches": "aims_pipelines.measure.readers",
    "profile_file": "aims_pipelines.measure.table_files",
    "profile_frame": "aims_pipelines.measure.frames",
    "profile_periods": "aims_pipelines.measure.periods",
    "profile_spark": "aims_pipelines.measure.spark",
    "profile_table": "aims_pipelines.measure.kernel",
    "read_profile": "aims_pipelines.measure.saved",
    "read_table": "aims_pipelines.measure.readers",
    "to_arrow": "aims_pipelines.measure.frames",
    "to_bytes": "aims_pipelines.measure.serialise",
    "without_rows": "aims_pipelines.measure.serialise",
    "write_profile": "aims_pipelines.measure.saved",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
