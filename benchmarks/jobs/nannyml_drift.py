"""NannyML's univariate drift over ten chunks, at its defaults: a column has drifted if any chunk alerts."""

import warnings
from typing import TYPE_CHECKING

import nannyml as nml

from benchmarks.jobs import drifting

if TYPE_CHECKING:
    import pandas as pd

CHUNKS = 10


def drifted(reference: "pd.DataFrame", current: "pd.DataFrame") -> set[str]:
    """Name the columns with an alert."""
    columns = list(reference.columns)
    named = [name for name in columns if not _is_number(reference[name])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        calculator = nml.UnivariateDriftCalculator(
            column_names=columns, treat_as_categorical=named, chunk_number=CHUNKS
        )
        calculator.fit(reference)
        frame = calculator.calculate(current).filter(period="analysis").to_df()
    methods = {(column, method) for column, method, _ in frame.columns if column != "chunk"}
    return {column for column, method in methods if frame[(column, method, "alert")].any()}


def _is_number(column: "pd.Series") -> bool:
    return column.dtype.kind in "iuf"


if __name__ == "__main__":
    drifting.run(drifted)
