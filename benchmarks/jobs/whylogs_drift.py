"""whylogs: both sides profiled, then its drift scores with their default thresholds."""

import warnings
from typing import TYPE_CHECKING

import whylogs as why
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

from benchmarks.jobs import drifting

if TYPE_CHECKING:
    import pandas as pd


def drifted(reference: "pd.DataFrame", current: "pd.DataFrame") -> set[str]:
    """Name the columns whose score says ``DRIFT``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, after = why.log(reference).view(), why.log(current).view()
        scores = calculate_drift_scores(after, before, with_thresholds=True)
    return {column for column, score in scores.items() if score and score.get("drift_category") == "DRIFT"}


if __name__ == "__main__":
    drifting.run(drifted)
