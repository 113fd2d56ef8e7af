"""Evidently's DataDriftPreset with its tests, at its defaults."""

import logging
import warnings
from typing import TYPE_CHECKING

from evidently import Report
from evidently.presets import DataDriftPreset

from benchmarks.jobs import drifting

if TYPE_CHECKING:
    import pandas as pd


def drifted(reference: "pd.DataFrame", current: "pd.DataFrame") -> set[str]:
    """Name the columns that fail."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        snapshot = Report([DataDriftPreset()], include_tests=True).run(current, reference)
    found = set()
    for test in snapshot.dict()["tests"]:
        column = test["metric_config"]["params"].get("column")
        if column and test["status"] == "FAIL":
            found.add(column)
    return found


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    drifting.run(drifted)
