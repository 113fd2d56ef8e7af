"""Great Expectations: a suite on a pandas frame, in an ephemeral context without progress bars.

python -m benchmarks.jobs.suite_great_expectations SUITE CURRENT
"""

import json
import sys
import warnings
from collections import Counter
from pathlib import Path

import great_expectations as gx
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig

from benchmarks.jobs.stopwatch import measure


def asked(suite: str, current: str) -> dict[str, int]:
    """Expectations by outcome."""
    declared = json.loads(Path(suite).read_text(encoding="utf-8"))
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("tables").add_dataframe_asset("current")
    definition = asset.add_batch_definition_whole_dataframe("current")
    batch = definition.get_batch({"dataframe": pd.read_parquet(current)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = batch.validate(
            gx.ExpectationSuite(name=declared["name"], expectations=declared["expectations"])
        )
    return dict(Counter("met" if item.success else "not met" for item in result.results))


if __name__ == "__main__":
    measure(lambda: asked(*sys.argv[1:]))
