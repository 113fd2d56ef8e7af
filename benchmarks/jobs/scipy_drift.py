"""scipy: one test a column at 0.05, Kolmogorov-Smirnov for numbers and chi-square of homogeneity for categories."""

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from benchmarks.jobs import drifting

if TYPE_CHECKING:
    import pandas as pd


def drifted(reference: "pd.DataFrame", current: "pd.DataFrame") -> set[str]:
    """Name the columns with a p-value under 0.05."""
    return {name for name in reference.columns if _p_value(reference[name], current[name]) < 0.05}


def _p_value(before: "pd.Series", after: "pd.Series") -> float:
    if before.dtype.kind in "iuf":
        return float(stats.ks_2samp(before.dropna(), after.dropna(), method="asymp").pvalue)
    counts = [column.value_counts(dropna=False) for column in (before, after)]
    names = counts[0].index.union(counts[1].index)
    if len(names) < 2:
        return 1.0
    table = np.array([column.reindex(names, fill_value=0) for column in counts])
    return float(stats.chi2_contingency(table).pvalue)


if __name__ == "__main__":
    drifting.run(drifted)
