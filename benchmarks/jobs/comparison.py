"""Ours: two table files profiled and compared for drift, as ``aims compare`` does, inside two groups, too.

python -m benchmarks.jobs.comparison REFERENCE CURRENT
"""

import sys
from importlib import import_module

from aims_pipelines.measure import compare
from benchmarks.jobs.stopwatch import measure

LABEL, PROTECTED = "c1", "c0"


def compared(reference: str, current: str) -> str:
    """The answer."""
    return str(compare(reference, current, label=LABEL, protected=[PROTECTED]).status)


if __name__ == "__main__":
    for module in ("pyarrow.parquet", "scipy.special"):  # imports are not counted
        import_module(module)
    measure(lambda: compared(*sys.argv[1:]))
