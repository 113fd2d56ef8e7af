"""What a judgement costs beside what other libraries take for theirs, on the same files.

Every job is a fresh process that reads Parquet files and ends with its answer. A job that runs into the limits of
time or memory is a result, too; one that cannot be run here is named with the reason.
"""

import math
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers.environments import ENVIRONMENTS, Unavailable, interpreter, version_of
from benchmarks.processes import Limits, Stopped, Took, figures_of, in_turns, memory_limit, run_job
from benchmarks.report import Goal, Report, Table
from benchmarks.wide import one_a_column, write_project, write_suite, write_table

SIZES = (100_000, 1_000_000, 10_000_000)
LABEL, PROTECTED = "c1", "c0"
JUDGEMENT, UNDIGESTED = "full judgement against a stored profile", "the same without the content digest"
RATES = "four rates by group, with intervals"
EVIDENTLY, NANNYML, WHYLOGS = (
    "Evidently, DataDriftPreset",
    "NannyML, univariate drift",
    "whylogs, drift scores",
)
GREAT_EXPECTATIONS, FAIRLEARN = "Great Expectations, 30 on pandas", "fairlearn, the same by bootstrap"
_SECONDS = 300.0
#: Jobs slower than this, in seconds, are run once.
_ONCE_ABOVE = 15.0
#: How far beyond the limits a run must be by extrapolation not to be tried.
_HOPELESS = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What the jobs read.

    Args:
        reference: Reference window, Parquet.
        current: Current window, Parquet.
        profile: Saved profile of the reference.
        records: Folder of records.
        suite: Suite of Great Expectations.
        bootstraps: Bootstrap samples, for whoever takes some.
    """

    reference: Path
    current: Path
    profile: Path
    records: Path
    suite: Path
    bootstraps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One line of the table.

    Args:
        module: Module of ``benchmarks.jobs``.
        arguments: Its arguments.
        beside: Job of ours that it is held against.
        environment: Environment that it needs; empty for that of the benchmarks.
    """

    module: str
    arguments: Callable[[Files], tuple[str | Path, ...]]
    beside: str = JUDGEMENT
    environment: str = ""


def _both(files: Files) -> tuple[Path, Path]:
    return files.reference, files.current


JOBS: Mapping[str, Job] = {
    "decode (the floor)": Job(module="one_pass", arguments=lambda files: ("decode", "0", files.current)),
    JUDGEMENT: Job(module="judgement", arguments=lambda files: (files.records, files.profile, files.current)),
    UNDIGESTED: Job(
        module="judgement",
        arguments=lambda files: (files.records, files.profile, files.current, "--no-digest"),
    ),
    "drift alone, both files profiled": Job(module="comparison", arguments=_both),
    EVIDENTLY: Job(module="evidently_drift", arguments=_both),
    NANNYML: Job(module="nannyml_drift", arguments=_both, environment="nannyml"),
    WHYLOGS: Job(module="whylogs_drift", arguments=_both, environment="whylogs"),
    GREAT_EXPECTATIONS: Job(
        module="suite_great_expectations", arguments=lambda files: (files.suite, files.current)
    ),
    "scipy, one test a column": Job(module="scipy_drift", arguments=_both),
    RATES: Job(module="groups_ours", arguments=lambda files: (files.current,), beside=RATES),
    FAIRLEARN: Job(
        module="groups_fairlearn",
        arguments=lambda files: (files.current, str(files.bootstraps)),
        beside=RATES,
    ),
}
#: How many times less processor time the full judgement should take at a million rows.
GOALS = {EVIDENTLY: 200.0, NANNYML: 40.0, WHYLOGS: 40.0, GREAT_EXPECTATIONS: 12.0}

Runs = dict[str, list[Took] | Stopped]


def run(*, quick: bool, sizes: Sequence[int] = ()) -> Report:
    """Measure at several numbers of rows; about fifteen minutes on two idle cores."""
    chosen = sorted(sizes or ((10_000,) if quick else SIZES))
    limits = Limits(seconds=60.0 if quick else _SECONDS, gigabytes=memory_limit())
    pythons = {job.environment: _python(job.environment, quick=quick) for job in JOBS.values()}
    measured: dict[int, Runs] = {}
    for size in chosen:
        with tempfile.TemporaryDirectory() as folder:
            files = _write(Path(folder), size, bootstraps=2 if quick else 100)
            jobs = {
                name: _runner(
                    job, files, pythons[job.environment], limits, hopeless(name, measured, size, limits)
                )
                for name, job in JOBS.items()
            }
            measured[size] = in_turns(jobs, repeats=1 if quick else 3, once_above=_ONCE_ABOVE)
        _check_answers(measured[size])
    return report_of(measured, limits)


def report_of(measured: Mapping[int, Runs], limits: Limits) -> Report:
    """Put what was measured, by number of rows, into a report."""
    return Report(
        name="cost",
        title="A judgement of 30 columns, beside other libraries",
        tables=tuple(
            Table(
                title=f"{size:,} rows",
                columns=("job", "wall, s", "CPU, s", "CPU beside ours", "peak GB", "beside ours"),
                rows=tuple(_row(name, runs) for name in JOBS),
            )
            for size, runs in measured.items()
        ),
        goals=tuple(_goals(measured[1_000_000])) if 1_000_000 in measured else (),
        notes=_notes(limits),
        figures=_figures(measured),
    )


def _python(environment: str, *, quick: bool) -> Path | Unavailable:
    if quick and environment and not (ENVIRONMENTS / environment).exists():
        return Unavailable(reason="a quick run makes no environments")
    return interpreter(environment)


def _write(folder: Path, size: int, *, bootstraps: int) -> Files:
    from aims_pipelines.assets.measuring import groups_of
    from aims_pipelines.measure import open_batches, profile_file, without_rows, write_profile
    from aims_pipelines.records.load import load_records

    files = Files(
        reference=folder / "reference.parquet",
        current=folder / "current.parquet",
        profile=folder / "reference.profile",
        records=write_project(folder / "project", label=LABEL, protected=(PROTECTED,)),
        suite=folder / "suite.json",
        bootstraps=bootstraps,
    )
    for seed, path in enumerate((files.reference, files.current)):
        write_table(path, size, seed=seed)
    write_suite(files.suite, one_a_column())
    groups = groups_of(load_records(files.records).dataset("wide"), open_batches(files.reference).schema)
    write_profile(without_rows(profile_file(files.reference, groups=groups)), files.profile)
    return files


def _runner(
    job: Job, files: Files, python: Path | Unavailable, limits: Limits, refusal: str
) -> Callable[[], Took | Stopped]:
    def once() -> Took | Stopped:
        if isinstance(python, Unavailable):
            return Stopped(reason=f"not run: {python.reason}")
        if refusal:
            return Stopped(reason=refusal, over=True)
        return run_job(python, job.module, *job.arguments(files), limits=limits)

    return once


def hopeless(name: str, measured: Mapping[int, Runs], size: int, limits: Limits) -> str:
    """Say why a job is not tried: by what it took at fewer rows, it would take far more than the limits allow."""
    before = [(rows, runs[name]) for rows, runs in measured.items()]
    if any(isinstance(runs, Stopped) and runs.over for _, runs in before):
        return "not run: too much at fewer rows already"
    points = [(rows, runs) for rows, runs in before if not isinstance(runs, Stopped)]
    if not points:
        return ""
    seconds = _extrapolated([(0, 0.0), *((rows, _median(runs, "wall")) for rows, runs in points)], size)
    gigabytes = _extrapolated([(rows, _median(runs, "peak")) for rows, runs in points], size)
    if seconds <= _HOPELESS * limits.seconds and gigabytes <= _HOPELESS * limits.gigabytes:
        return ""
    return f"not run: about {seconds / 60:.0f} minutes and {gigabytes:.2g} GB by the smaller sizes"


def _extrapolated(points: Sequence[tuple[int, float]], size: int) -> float:
    """Go on straight through the last two points; one point tells nothing of growth."""
    if len(points) < 2:
        return points[-1][1]
    (few, small), (many, large) = points[-2:]
    return large + (large - small) * (size - many) / (many - few)


def _median(runs: list[Took], figure: str) -> float:
    return float(statistics.median(getattr(run, figure) for run in runs))


def _check_answers(runs: Runs) -> None:
    """Stop if our judgement was not that the clean table is clean: a fast wrong answer is no answer."""
    answers = figures_of(JUDGEMENT, runs[JUDGEMENT])[0].answer
    if "fail" in answers.values():
        raise RuntimeError(f"the clean table was refused: {answers}")


def _row(name: str, runs: Runs) -> tuple[str, ...]:
    taken, beside = runs[name], JOBS[name].beside
    ours = figures_of(beside, runs[beside])
    if isinstance(taken, Stopped):
        return (name, taken.reason, "", "", "", "")
    cpu, peak = _median(taken, "cpu"), _median(taken, "peak")
    return (
        name,
        _seconds(_median(taken, "wall")),
        _seconds(cpu),
        _times(cpu / _median(ours, "cpu")),
        f"{peak:.2f}",
        _times(peak / _median(ours, "peak")),
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= 100 else f"{seconds:.3g}"


def _times(factor: float) -> str:
    return f"{factor:.0f}×" if factor >= 10 else f"{factor:.2g}×"


def _goals(runs: Runs) -> list[Goal]:
    return [
        Goal(
            name=f"CPU of {name} over that of {called}, 1M rows",
            observed=math.nan
            if isinstance(taken := runs[name], Stopped)
            else _median(taken, "cpu") / _median(figures_of(ours, runs[ours]), "cpu"),
            limit=limit,
            unit="times",
            at_least=True,
            reason=taken.reason if isinstance(taken, Stopped) else "",
        )
        for ours, called in ((JUDGEMENT, f"the {JUDGEMENT}"), (UNDIGESTED, UNDIGESTED))
        for name, limit in GOALS.items()
    ]


def _figures(measured: Mapping[int, Runs]) -> dict[str, float]:
    """CPU seconds and gigabytes, by size, job and measure: ``1000000 | job | cpu``."""
    return {
        f"{size} | {name} | {figure}": math.nan if isinstance(taken, Stopped) else _median(taken, figure)
        for size, runs in measured.items()
        for name, taken in runs.items()
        for figure in ("cpu", "peak")
    }


def _notes(limits: Limits) -> tuple[str, ...]:
    versions = {
        "Evidently": version("evidently"),
        "NannyML": version_of("nannyml"),
        "whylogs": version_of("whylogs"),
        "Great Expectations": version("great_expectations"),
        "fairlearn": version("fairlearn"),
        "scipy": version("scipy"),
    }
    return (
        ", ".join(f"{name} {number}" for name, number in versions.items())
        + "; each at its defaults, in an environment with versions of its dependencies that it works with.",
        "Medians of three interleaved fresh processes; a job of more than "
        f"{_ONCE_ABOVE:.0f} s is run once. Imports are not counted, for anyone; reading the Parquet files is. CPU is "
        "user and system time of all threads, the peak is of the whole process. A process is killed after "
        f"{limits.seconds / 60:g} minutes or above {limits.gigabytes:g} GB.",
        "The jobs are not the same work. The full judgement reads the current table only, since the reference is a "
        "stored profile: it digests and profiles it inside two groups, and answers 11 checks: quality, bias, privacy "
        "and drift inside the groups. Beside it stands drift alone with both tables read. Evidently also prepares its "
        "page, which is part of what its users wait for; NannyML judges ten chunks of each window; Great Expectations "
        "is asked one expectation a column; whylogs keeps sketches that merge, as we do. fairlearn's intervals come "
        "from 100 bootstrap samples, ours from counts.",
    )
