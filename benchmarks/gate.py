"""What the gate costs an asset of a million rows: digest, profile, 15 checks, evidence and publication.

The same table comes out of a plain asset that records as many passing checks and out of a governed one, both with an
IO manager that only keeps it. What the governed run takes longer is held against decoding the same file with Arrow.
"""

import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
from pyarrow import parquet

from aims_pipelines import AimsResource, governed_asset
from aims_pipelines.checks.catalogue import DATASET_CHECKS
from benchmarks.report import Goal, Report, Table
from benchmarks.timing import calls
from benchmarks.wide import CATEGORICAL, NUMERIC, write_project, write_table


class _Kept(dg.IOManager):
    """Keeps the value: writing is not what is measured."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:  # noqa: ARG002 - Dagster's signature
        self.value = obj

    def load_input(self, context: dg.InputContext) -> Any:  # noqa: ARG002 - Dagster's signature
        return self.value


def run(*, quick: bool) -> Report:
    """Measure decoding, plain runs and a governed run in turn."""
    rows, repeats = (50_000, 1) if quick else (1_000_000, 9)
    with tempfile.TemporaryDirectory() as name, dg.DagsterInstance.local_temp() as instance:
        folder = Path(name)
        write_project(folder, label="c0", protected=("c1", "c2"))
        windows = [folder / "reference.parquet", folder / "window.parquet"]
        for seed, path in enumerate(windows):
            write_table(path, rows, seed=seed)
        tables = [_decode(path) for path in windows]
        given = iter([tables[0], *[tables[1]] * (repeats + 1)])
        plain = _job(_plain(tables[1]), instance)
        checked = _job(_checked(tables[1]), instance)
        governed = _job(
            governed_asset(dataset="wide", name="wide")(lambda: next(given)),
            instance,
            aims=AimsResource(folder=str(folder)),
        )
        governed()  # publishes the reference, so that every measured window is judged for drift, too
        times = calls(
            {
                "decode": lambda: _decode(windows[1]),
                "plain run": plain,
                "plain run that records 15 checks": checked,
                "governed run": governed,
            },
            repeats=repeats,
        )
    pairs = zip(times["governed run"], times["plain run that records 15 checks"], strict=True)
    gate = [over - under for over, under in pairs]
    cost = statistics.median(extra / floor for extra, floor in zip(gate, times["decode"], strict=True))
    shown = {**times, "the gate: governed run less the one before": gate}
    return Report(
        name="gate",
        title=f"The gate on {rows:,} rows of {NUMERIC + CATEGORICAL} columns",
        tables=(
            Table(
                title="Wall clock, in process",
                columns=("", "median", "fastest"),
                rows=tuple(
                    (name, f"{1_000 * statistics.median(taken):.0f} ms", f"{1_000 * min(taken):.0f} ms")
                    for name, taken in shown.items()
                ),
            ),
        ),
        goals=(Goal(name="gate over decoding the same Parquet", observed=cost, limit=2.5, unit="times"),),
        notes=(
            f"Medians of {repeats} interleaved turns. The gate digests and profiles every column within two "
            "groupings (4 and 8 groups), answers 15 checks, drift against a stored reference included, writes the "
            "evidence and publishes; each window passes.",
        ),
    )


def _decode(path: Path) -> pa.Table:
    return parquet.read_table(path)


def _plain(table: pa.Table) -> dg.AssetsDefinition:
    @dg.asset
    def wide() -> pa.Table:
        return table

    return wide


def _checked(table: pa.Table) -> dg.AssetsDefinition:
    specs = [dg.AssetCheckSpec(check.name, asset="wide", blocking=True) for check in DATASET_CHECKS]

    @dg.asset(check_specs=specs)
    def wide() -> Iterator[dg.Output[pa.Table] | dg.AssetCheckResult]:
        yield dg.Output(table)
        for check in DATASET_CHECKS:
            yield dg.AssetCheckResult(check_name=check.name, passed=True)

    return wide


def _job(asset: dg.AssetsDefinition, instance: dg.DagsterInstance, **resources: Any) -> Callable[[], None]:
    definitions = dg.Definitions(assets=[asset], resources={"io_manager": _Kept(), **resources})
    job = definitions.resolve_implicit_global_asset_job_def()
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

    def once() -> None:
        result = job.execute_in_process(instance=instance, run_config=quiet, raise_on_error=False)
        if not result.success:
            raise RuntimeError(
                "\n".join(_reason(event) for event in result.all_events if event.is_step_failure)
            )

    return once


def _reason(event: dg.DagsterEvent) -> str:
    refused = event.step_failure_data.user_failure_data
    return (refused.description if refused is not None else None) or str(event.message)
