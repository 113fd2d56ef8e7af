"""Whether gates cry wolf or sleep: share of clean windows refused, and of planted faults found."""

import logging
import os
import warnings
from collections.abc import Sequence

import numpy as np

from aims_pipelines.core.verdict import Finding, Status, worst
from aims_pipelines.stats.drift import compare
from benchmarks.report import Goal, Report, Table
from benchmarks.windows import FAULTS, JITTER, Fault, Window, draw, plant

_SEED = 20260101
_RUNS = {1_000: 400, 10_000: 300, 100_000: 40}
_PEER_RUNS = 5


def run(*, quick: bool) -> Report:
    """Simulate windows; about fifteen minutes on one idle core."""
    runs = {1_000: 4} if quick else _RUNS
    tallies = {rows: _tally(rows, count) for rows, count in runs.items()}
    peers = {} if quick else {rows: _evidently(rows, _PEER_RUNS) for rows in (1_000, 10_000)}
    faults = [fault.name for fault in FAULTS]
    shown = {f"{size:,} rows": (tally, runs[size]) for size, tally in tallies.items()}
    shown |= {f"Evidently, {size:,}": (tally, _PEER_RUNS) for size, tally in peers.items()}
    lines = {
        "clean window fails": "fail",
        "clean window passes": "pass",
        "clean window inconclusive": "inconclusive",
        **{f"found: {name}": name for name in faults},
    }
    rows = [("windows of each kind", *(str(count) for _, count in shown.values()))]
    rows += [
        (line, *(_percent(tally[key]) if key in tally else "–" for tally, _ in shown.values()))
        for line, key in lines.items()
    ]
    goals = [
        Goal(
            name=f"clean windows that fail, {size:,} rows",
            observed=tally["fail"],
            limit=0.01,
            unit="of windows",
        )
        for size, tally in tallies.items()
    ]
    if 10_000 in tallies:
        tally = tallies[10_000]
        goals.append(
            Goal(
                name="clean windows that pass, 10,000 rows",
                observed=tally["pass"],
                limit=0.95,
                unit="of windows",
                at_least=True,
            )
        )
    goals += [
        Goal(
            name=f"{name} found, {size:,} rows",
            observed=tallies[size][name],
            limit=goal,
            unit="of windows",
            at_least=True,
        )
        for size, goal in ((10_000, 0.95), (100_000, 0.99))
        if size in tallies
        for name in faults
    ]
    return Report(
        name="decisions",
        title="Decision quality of the drift check at its defaults",
        tables=(
            Table(
                title="Clean windows judged, and planted faults found",
                columns=("", *shown),
                rows=tuple(rows),
            ),
        ),
        goals=tuple(goals),
        notes=(
            f"30 columns of ten numeric shapes and ten category tables, a label and five groups; reference and current "
            f"window of the same size; every numeric column of every current window jitters by {JITTER} sd (normal), "
            "but for the column with a shifted mean, which carries exactly that. The group with planted faults holds a "
            "tenth of the rows. A fault counts as found where its own column fails; for us inside its group, where it "
            "is confined to one.",
        ),
    )


def _tally(rows: int, runs: int) -> dict[str, float]:
    rng = np.random.default_rng([_SEED, rows])
    seen: dict[str, list[bool]] = {str(status): [] for status in Status}
    seen |= {fault.name: [] for fault in FAULTS}
    for _ in range(runs):
        reference, clean = draw(rng, rows), draw(rng, rows, jitter=JITTER)
        answer = worst(finding.status for finding in _judged(reference, clean))
        for status in Status:
            seen[str(status)].append(status is answer)
        for fault in FAULTS:
            seen[fault.name].append(_found(fault, _judged(reference, plant(rng, clean, fault))))
    return {name: float(np.mean(values)) for name, values in seen.items()}


def _judged(reference: Window, current: Window) -> Sequence[Finding]:
    return compare(reference.profile, current.profile, effect=0.1, alpha=0.01, labels=("label",))


def _found(fault: Fault, findings: Sequence[Finding]) -> bool:
    targets = {finding.target for finding in findings if finding.status is Status.FAIL}
    inside = f"group=group 0: {fault.column}"
    return inside in targets if fault.group else fault.column in targets or inside in targets


def _evidently(rows: int, runs: int) -> dict[str, float]:
    os.environ.setdefault("DO_NOT_TRACK", "1")
    logging.disable(logging.WARNING)
    from evidently import Report as EvidentlyReport
    from evidently.presets import DataDriftPreset

    rng = np.random.default_rng([_SEED, rows, 1])
    seen: dict[str, list[bool]] = {"fail": []} | {fault.name: [] for fault in FAULTS}

    def drifted(reference: Window, current: Window) -> set[str]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            report = EvidentlyReport([DataDriftPreset()], include_tests=True).run(
                current.table.to_pandas(), reference.table.to_pandas()
            )
        found = set()
        for test in report.dict()["tests"]:
            column = test["metric_config"]["params"].get("column")
            if column and test["status"] == "FAIL":
                found.add(column)
        return found

    for _ in range(runs):
        reference, clean = draw(rng, rows), draw(rng, rows, jitter=JITTER)
        seen["fail"].append(bool(drifted(reference, clean)))
        for fault in FAULTS:
            seen[fault.name].append(fault.column in drifted(reference, plant(rng, clean, fault)))
    seen["pass"] = [not value for value in seen["fail"]]
    return {name: float(np.mean(values)) for name, values in seen.items()}


def _percent(share: float) -> str:
    return f"{100.0 * share:.1f} %".replace(".0 %", " %")
