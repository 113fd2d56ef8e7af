"""fairlearn: four rates by group with bootstrap intervals.

python -m benchmarks.jobs.groups_fairlearn CURRENT BOOTSTRAPS
"""

import sys

import pandas as pd
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
from sklearn.metrics import accuracy_score

from benchmarks.jobs.stopwatch import measure


def asked(current: str, bootstraps: int) -> dict[str, list[list[float]]]:
    """Intervals of each rate, group by group in the order of their names."""
    table = pd.read_parquet(current, columns=["c0", "c1", "n0"])
    frame = MetricFrame(
        metrics={
            "selection rate": selection_rate,
            "true positive rate": true_positive_rate,
            "false positive rate": false_positive_rate,
            "accuracy": accuracy_score,
        },
        y_true=(table["c1"] == "value 1").to_numpy(int),
        y_pred=(table["n0"] > 0.0).to_numpy(int),
        sensitive_features=table["c0"],
        n_boot=bootstraps,
        ci_quantiles=[0.025, 0.975],
        random_state=20260101,
    )
    low, high = frame.by_group_ci
    return {
        rate: [[float(low[rate][group]), float(high[rate][group])] for group in sorted(low.index)]
        for rate in low.columns
    }


if __name__ == "__main__":
    measure(lambda: asked(sys.argv[1], int(sys.argv[2])))
