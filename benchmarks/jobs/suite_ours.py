"""Ours: a suite of Great Expectations, run by the ``expectations`` check on a table file that was just profiled.

python -m benchmarks.jobs.suite_ours RECORDS CURRENT
"""

import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import great_expectations  # noqa: F401 - imports are not counted

from aims_pipelines.checks.candidate import Candidate, Inapplicable
from aims_pipelines.checks.expectations import judge
from aims_pipelines.checks.rows import batches_of
from aims_pipelines.measure import measure_file
from aims_pipelines.records.load import load_records
from benchmarks.jobs.judgement import DATASET
from benchmarks.jobs.stopwatch import measure


def asked(folder: str, current: str) -> dict[str, float]:
    """Findings by status, and seconds that the check took by itself."""
    records = load_records(folder)
    measured = measure_file(current)
    candidate = Candidate(
        asset=DATASET,
        record=records.dataset(DATASET),
        limits=records.limits_for(DATASET, datetime.now(UTC).date()),
        digest=measured.digest,
        profile=measured.profile,
        batches=batches_of(Path(current)),
        now=datetime.now(UTC),
        records_dir=Path(folder),
    )
    start = time.perf_counter()
    findings = judge(candidate)
    if isinstance(findings, Inapplicable):
        raise TypeError(findings.reason)
    return {
        **Counter(str(finding.status) for finding in findings),
        "check alone": time.perf_counter() - start,
    }


if __name__ == "__main__":
    measure(lambda: asked(*sys.argv[1:]))
