"""Ours: every check of the catalogue answers for a table file, drift against a stored reference profile included.

    python -m benchmarks.jobs.judgement RECORDS REFERENCE CURRENT [--no-digest]

As the gate does it, without Dagster: records read, file digested and profiled in one pass, checks judged. RECORDS is
the folder of the records, REFERENCE a saved profile, CURRENT a table file. The digest is evidence that no peer keeps;
without it a made-up one stands in its place.
"""

import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from aims_pipelines.assets.measuring import groups_of, keys_of
from aims_pipelines.checks.candidate import Candidate
from aims_pipelines.checks.catalogue import DATASET_CHECKS, judge_dataset
from aims_pipelines.checks.rows import batches_of
from aims_pipelines.measure import measure_file, open_batches, read_profile
from aims_pipelines.records.load import load_records
from benchmarks.jobs.stopwatch import measure

DATASET = "wide"


def judged(folder: str, stored: str, current: str, *options: str) -> dict[str, str]:
    """Answer of every check."""
    records, reference = load_records(folder), read_profile(stored)
    record, now = records.dataset(DATASET), datetime.now(UTC)
    schema = open_batches(current).schema
    digest = "--no-digest" not in options
    groups, keys = groups_of(record, schema), keys_of(record, schema)
    measured = measure_file(current, groups=groups, keys=keys, digest=digest)
    judgement = judge_dataset(
        Candidate(
            asset=DATASET,
            record=record,
            limits=records.limits_for(DATASET, now.date()),
            digest=measured.digest if digest else "sha256:" + "2" * 64,
            profile=measured.profile,
            batches=batches_of(Path(current)),
            now=now,
            code_version="1",
            source_digest="sha256:" + "0" * 64,
            reference=reference,
            reference_digest="sha256:" + "1" * 64,
            current_rows=reference.rows,
            records_dir=Path(folder),
        )
    )
    answers = {verdict.check: str(verdict.status) for verdict in judgement.verdicts}
    return {**answers, "all together": str(judgement.status)}


if __name__ == "__main__":
    lazily = (
        "pyarrow.parquet",
        "scipy.special",
        *(f"aims_pipelines.checks.{one.name}" for one in DATASET_CHECKS),
    )
    for module in lazily:  # imports are not counted
        import_module(module)
    measure(lambda: judged(*sys.argv[1:]))
