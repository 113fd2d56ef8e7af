"""Ours: two table files profiled and compared for drift, as ``aims compare`` does, inside two groups, too.

python -m benchmarks.jobs.comparison REFERENCE CURRENT
"""

import sys

from aims_pipelines.measure import compare
from benchmarks.jobs.stopwatch import measure

LABEL, PROTECTED = "c1", "c0"


def compared(reference: str, current: str) -> str:
    """The answer."""
    return str(compare(reference, current, label=LABEL, protected=[PROTECTED]).status)


if __name__ == "__main__":
    measure(lambda: compared(*sys.argv[1:]))
