"""What the gate costs an asset of a million rows: digest, profile, 15 checks, evidence and publication.

The same table comes out of a plain asset that records as many passing checks and out of a governed one, both with an
IO manager that only keeps it. What the governed run takes longer is held against decoding the same file with Arrow.
"""

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, repeat
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


#: Label and protected attributes: two groups, as in the benchmark of cost, and two attributes of 4 and 8 groups.
CASES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "2 groups": ("c1", ("c0",)),
    "4 and 8 groups": ("c0", ("c1", "c2")),
}
_PLAIN = "plain run that records 15 checks"


def run(*, quick: bool) -> Report:
    """Measure decoding, plain runs and governed runs in turn."""
    rows, repeats = (50_000, 1) if quick else (1_000_000, 9)
    with tempfile.TemporaryDirectory() as name, dg.DagsterInstance.local_temp() as instance:
        folder = Path(name)
        windows = [folder / "reference.parquet", folder / "window.parquet"]
        for seed, path in enumerate(windows):
            write_table(path, rows, seed=seed)
        tables = [_decode(path) for path in windows]
        governed = {
            case: _governed(folder / f"project {number}", label, protected, tables, instance)
            for number, (case, (label, protected)) in enumerate(CASES.items())
        }
        times = calls(
            {
                "decode": lambda: _decode(windows[1]),
                "plain run": _job(_plain(tables[1]), instance),
                _PLAIN: _job(_checked(tables[1]), instance),
                **{_run_of(case): job for case, job in governed.items()},
            },
            repeats=repeats,
        )
    gates = {
        case: [over - under for over, under in zip(times[_run_of(case)], times[_PLAIN], strict=True)]
        for case in CASES
    }
    shown = {**times, **{f"the gate, {case}: governed run less the plain one": gates[case] for case in CASES}}
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
        goals=tuple(
            Goal(
                name=f"gate over decoding the same Parquet, {case}",
                observed=statistics.median(
                    extra / floor for extra, floor in zip(gates[case], times["decode"], strict=True)
                ),
                limit=2.5,
                unit="times",
            )
            for case in CASES
        ),
        notes=(
            f"Medians of {repeats} interleaved turns. The gate digests and profiles every column, within the groups "
            "too, answers 15 checks, drift against a stored reference included, writes the evidence and publishes; "
            "each window passes.",
        ),
    )


def _run_of(case: str) -> str:
    return f"governed run, {case}"


def _governed(
    folder: Path,
    label: str,
    protected: tuple[str, ...],
    tables: Sequence[pa.Table],
    instance: dg.DagsterInstance,
) -> Callable[[], None]:
    """A governed run of the second table, after the first was published as the reference of drift."""
    write_project(folder, label=label, protected=protected)
    given = chain(tables[:1], repeat(tables[1]))
    job = _job(
        governed_asset(dataset="wide", name="wide")(lambda: next(given)),
        instance,
        aims=AimsResource(folder=str(folder)),
    )
    job()
    return job


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
