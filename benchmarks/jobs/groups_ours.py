"""Ours: four rates by group with Wilson's intervals, and the simultaneous interval of their gaps.

python -m benchmarks.jobs.groups_ours CURRENT
"""

import sys

import numpy as np
from pyarrow import compute, parquet

from aims_pipelines.stats.fairness import rate_gap
from aims_pipelines.stats.groups import GroupCount
from aims_pipelines.stats.intervals import wilson
from benchmarks.jobs.stopwatch import measure


def asked(current: str) -> dict[str, list[list[float]]]:
    """Intervals of each rate, group by group in the order of their names."""
    table = parquet.read_table(current, columns=["c0", "c1", "n0"], read_dictionary=["c0", "c1"])
    groups = table["c0"].combine_chunks()
    truth = compute.equal(table["c1"].cast("string"), "value 1").to_numpy()
    selected = table["n0"].to_numpy() > 0.0
    codes, names = groups.indices.to_numpy(), groups.dictionary.to_pylist()
    cells = np.bincount(codes * 4 + truth * 2 + selected, minlength=4 * len(names)).reshape(-1, 2, 2)
    intervals = {}
    # A cell is [group, truth, selected].
    for rate, hits, members in (
        ("selection rate", cells[:, :, 1].sum(axis=1), cells.sum(axis=(1, 2))),
        ("true positive rate", cells[:, 1, 1], cells[:, 1].sum(axis=1)),
        ("false positive rate", cells[:, 0, 1], cells[:, 0].sum(axis=1)),
        ("accuracy", cells[:, 0, 0] + cells[:, 1, 1], cells.sum(axis=(1, 2))),
    ):
        counts = {
            name: GroupCount(selected=int(hit), total=int(total))
            for name, hit, total in sorted(zip(names, hits, members, strict=True))
        }
        rate_gap(counts, limit=0.1, min_group_size=50, attribute="c0", rate=rate)
        intervals[rate] = [list(wilson(count.selected, count.total)) for count in counts.values()]
    return intervals


if __name__ == "__main__":
    measure(lambda: asked(*sys.argv[1:]))
