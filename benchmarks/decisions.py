"""Whether gates cry wolf or sleep: share of clean windows refused, and of planted faults found."""

import math
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aims_pipelines.core.verdict import Status
from benchmarks.peers.answers import PEERS, ask, write_windows
from benchmarks.processes import Limits, Stopped, memory_limit
from benchmarks.report import Goal, Report, Table
from benchmarks.trials import (
    POOLED,
    POOLED_REFERENCE,
    POOLED_ROWS,
    Share,
    Tally,
    clean,
    clean_pair,
    found,
    passed,
    pooled,
    single,
)
from benchmarks.windows import FAULTS, JITTER, JOINT_FAULT, PAIR

_TRIALS = {1_000: 600, 10_000: 600, 100_000: 400}
_POOLED_TRIALS = 150
_PEER_TRIALS = {1_000: 20, 10_000: 10, 100_000: 3}
_PEER_LIMITS = Limits(seconds=900.0, gigabytes=memory_limit())
_OURS = "ours"

_LINES = {
    "clean window fails": clean(Status.FAIL),
    "clean window passes": clean(Status.PASS),
    "clean window inconclusive": clean(Status.INCONCLUSIVE),
    "clean window fails, a pair judged too": clean_pair(Status.FAIL),
    "clean window passes, a pair judged too": clean_pair(Status.PASS),
    **{f"found: {fault.name}": found(fault) for fault in (*FAULTS, JOINT_FAULT)},
    **{f"passes with: {fault.name}": passed(fault) for fault in (*FAULTS, JOINT_FAULT)},
}


def run(*, quick: bool) -> Report:
    """Simulate windows; about fifteen minutes on two idle cores."""
    trials = {1_000: 2} if quick else _TRIALS
    tallies = {rows: single(rows, count) for rows, count in trials.items()}
    together = pooled(1 if quick else _POOLED_TRIALS)
    peers = {} if quick else {rows: _peers(rows, count) for rows, count in _PEER_TRIALS.items()}
    return report_of(tallies, together, peers)


def report_of(
    tallies: Mapping[int, Tally], together: Tally, peers: Mapping[int, Mapping[str, Tally | Stopped]]
) -> Report:
    """Put tallies into a report.

    Args:
        tallies: Ours by number of rows.
        together: Ours of pooled windows.
        peers: Those of other libraries by number of rows, or why there is none.
    """
    windows = f"up to {POOLED} of {POOLED_ROWS:,} pooled"
    own = {f"{rows:,} rows": tally for rows, tally in tallies.items()} | {windows: together}
    return Report(
        name="decisions",
        title="Decision quality of the drift check at its defaults",
        tables=(
            _table("Share of windows, with 95 % intervals", own),
            *(
                _table(
                    f"Beside other libraries at their defaults, {rows:,} rows",
                    {_OURS: tallies[rows], **answers},
                )
                for rows, answers in peers.items()
            ),
        ),
        goals=_goals(tallies, together),
        notes=(
            "30 columns of ten numeric shapes and ten category tables, a label and five groups; reference and current "
            f"window of the same size; every numeric column of every current window jitters by {JITTER} sd (normal), "
            "but for the column with a shifted mean, which carries exactly that. The group with planted faults holds a "
            "tenth of the rows. The shapes and shares are not those on which our defaults were tuned.",
            "A fault counts as found where its own column fails; for us inside its group, where it is confined to one. "
            "Peers that do not look inside groups are credited with the column as a whole.",
            f"Pooled: {POOLED} windows of {POOLED_ROWS:,} rows one after the other, each with a jitter of its own (and "
            f"the fault, if any), against a reference of {POOLED_REFERENCE:,} rows, under the policy 'pool'. It takes "
            "in as many of them as make the answer conclusive, and up to twice as many, here all ten.",
            f"With a pair, {PAIR[0]} and {PAIR[1]} are declared, which have nothing to do with each other; the fault "
            "gives them a correlation of 0.2 and leaves both as they are. All other lines are without it.",
            "Peers judge windows of the same kind, fewer of them since they take their time: read the intervals. They "
            "have two answers, so that what does not fail passes. NannyML cuts each window into ten chunks.",
        ),
        figures=_figures(tallies, together, peers),
    )


def _peers(rows: int, trials: int) -> dict[str, Tally | Stopped]:
    with tempfile.TemporaryDirectory() as name:
        windows = write_windows(Path(name), rows, trials)
        with ThreadPoolExecutor(2) as pool:  # each asks a process of its own
            answers = pool.map(lambda peer: ask(peer, windows, limits=_PEER_LIMITS), PEERS)
            return dict(zip(PEERS, answers, strict=True))


def _table(title: str, columns: Mapping[str, Tally | Stopped]) -> Table:
    tallies = {name: tally for name, tally in columns.items() if not isinstance(tally, Stopped)}
    lines = {line: key for line, key in _LINES.items() if any(key in tally for tally in tallies.values())}
    if _OURS in columns:  # beside two-valued answers
        lines = {line: key for line, key in lines.items() if not line.startswith("passes with")}
    counts = [
        tally.reason if isinstance(tally, Stopped) else str(tally[clean(Status.FAIL)].trials)
        for tally in columns.values()
    ]
    return Table(
        title=title,
        columns=("", *columns),
        rows=(
            ("windows of each kind", *counts),
            *((line, *(_cell(tally, key) for tally in columns.values())) for line, key in lines.items()),
        ),
    )


def _cell(tally: Tally | Stopped, key: str) -> str:
    return tally[key].text if not isinstance(tally, Stopped) and key in tally else "–"


def _goals(tallies: Mapping[int, Tally], together: Tally) -> tuple[Goal, ...]:
    goals = [
        _goal(f"clean windows that fail, {rows:,} rows", tally[clean(Status.FAIL)], at_most=0.01)
        for rows, tally in tallies.items()
    ]
    if 10_000 in tallies:
        share = tallies[10_000][clean(Status.PASS)]
        goals.append(_goal("clean windows that pass, 10,000 rows", share, at_least=0.95))
    goals += [
        _goal(f"{fault.name} found, {rows:,} rows", tallies[rows][found(fault)], at_least=limit)
        for rows, limit in ((10_000, 0.95), (100_000, 0.99))
        if rows in tallies
        for fault in (*FAULTS, JOINT_FAULT)
    ]
    goals += [
        _goal(
            f"clean windows that fail with a pair, {rows:,} rows",
            tally[clean_pair(Status.FAIL)],
            at_most=0.01,
        )
        for rows, tally in tallies.items()
    ]
    if 1_000 in tallies:
        goals += [
            _goal(
                f"windows that pass with {fault.name}, 1,000 rows", tallies[1_000][passed(fault)], at_most=0.0
            )
            for fault in (*FAULTS, JOINT_FAULT)
        ]
    goals.append(_goal("clean windows that fail, pooled", together[clean(Status.FAIL)], at_most=0.01))
    return tuple(goals)


def _goal(name: str, share: Share, *, at_most: float = math.nan, at_least: float = math.nan) -> Goal:
    floor = math.isnan(at_most)
    return Goal(
        name=name,
        observed=share.value,
        limit=at_least if floor else at_most,
        unit="of windows",
        at_least=floor,
        interval=share.interval,
    )


def _figures(
    tallies: Mapping[int, Tally], together: Tally, peers: Mapping[int, Mapping[str, Tally | Stopped]]
) -> dict[str, float]:
    """Shares by size, who judged, and outcome: ``10000 | NannyML | clean: fail``."""
    told: dict[str, Tally | Stopped] = {f"{rows} | {_OURS}": tally for rows, tally in tallies.items()}
    told[f"pooled | {_OURS}"] = together
    told |= {f"{rows} | {peer}": tally for rows, answers in peers.items() for peer, tally in answers.items()}
    return {
        f"{who} | {outcome}": share.value
        for who, tally in told.items()
        if not isinstance(tally, Stopped)
        for outcome, share in tally.items()
    }
