"""What the drift check says of simulated windows: one trial after the other, each from its own seed, on all cores.

A trial draws a reference and a clean current window, judges it, and judges it again with each planted fault. Its
seed is its number, so that the tallies do not depend on how many cores there are.
"""

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import numpy as np

from aims_pipelines.checks import drift
from aims_pipelines.checks.candidate import Candidate, Inapplicable
from aims_pipelines.core.verdict import Finding, Status, worst
from aims_pipelines.records.dataset_record import DatasetRecord, Label, Source
from aims_pipelines.records.policy_record import Inconclusive, Limits
from aims_pipelines.stats.drift import compare
from aims_pipelines.stats.intervals import wilson
from aims_pipelines.stats.pairs import pair_name
from aims_pipelines.stats.profile import Profile
from benchmarks.windows import FAULTS, JITTER, JOINT_FAULT, PAIR, Fault, Window, draw, plant

SEED = 20260101
#: Windows that are pooled, rows of each, and rows of the reference that they are held against.
POOLED, POOLED_ROWS, POOLED_REFERENCE = 10, 1_000, 10_000

_RECORD = DatasetRecord(
    kind="dataset",
    id="window",
    title="Simulated windows",
    owner="Benchmark",
    status="admitted",
    purpose="Measuring",
    source=Source(licence="none needed", legal_basis="no personal data", origin="made here"),
    label=Label(column="label", positive=True),
)
_POOLING = Limits(drift_inconclusive=Inconclusive.POOL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How often something happened among trials."""

    hits: int
    trials: int

    @property
    def value(self) -> float:
        """The share; NaN of no trials."""
        return self.hits / self.trials if self.trials else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the chance."""
        return wilson(self.hits, self.trials)

    @property
    def text(self) -> str:
        """Percent, with the interval."""
        low, high = self.interval
        return f"{_percent(self.value)} % ({_percent(low)}–{_percent(high)})"


Tally = dict[str, Share]


def clean(status: Status | str) -> str:
    """Name of the outcome that a clean window gets an answer."""
    return f"clean: {status}"


def clean_pair(status: Status | str) -> str:
    """Name of the outcome that a clean window gets an answer where a pair is judged too."""
    return f"clean with a pair: {status}"


def found(fault: Fault) -> str:
    """Name of the outcome that the column with a fault fails."""
    return f"found: {fault.name}"


def passed(fault: Fault) -> str:
    """Name of the outcome that a window with a fault passes as a whole."""
    return f"passed: {fault.name}"


def tally(outcomes: Iterable[dict[str, bool]]) -> Tally:
    """Count the outcomes of trials."""
    hits: Counter[str] = Counter()
    trials: Counter[str] = Counter()
    for outcome in outcomes:
        hits.update(name for name, happened in outcome.items() if happened)
        trials.update(outcome.keys())
    return {name: Share(hits=hits[name], trials=number) for name, number in trials.items()}


def single(rows: int, trials: int) -> Tally:
    """Judge windows one by one, reference and current of as many rows."""
    return tally(_everywhere(partial(_single, rows), range(trials)))


def pooled(trials: int) -> Tally:
    """Judge the last of ten windows with the policy ``pool``: alone, then with those before it."""
    return tally(_everywhere(_pooled, range(trials)))


def _everywhere(trial: Callable[[int], dict[str, bool]], numbers: Sequence[int]) -> list[dict[str, bool]]:
    """Run trials on all cores; one or two are not worth starting processes."""
    cores = os.cpu_count() or 1
    if cores == 1 or len(numbers) <= 2:
        return [trial(number) for number in numbers]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, mp_context=context) as pool:
        return list(pool.map(trial, numbers, chunksize=max(1, len(numbers) // (8 * cores))))


def _single(rows: int, number: int) -> dict[str, bool]:
    rng = np.random.default_rng([SEED, rows, number])
    reference, current = draw(rng, rows), draw(rng, rows, jitter=JITTER)

    def judged(window: Window, *, paired: bool = False) -> Sequence[Finding]:
        before, after = (
            one.profile if paired else replace(one.profile, pairs={}) for one in (reference, window)
        )
        return compare(before, after, effect=0.1, alpha=0.01, labels=("label",))

    outcome = _of_clean(judged(current)) | _of_clean_pair(judged(current, paired=True))
    for fault in (*FAULTS, JOINT_FAULT):
        outcome |= _of_faulty(fault, judged(plant(rng, current, fault), paired=fault.pair))
    return outcome


def _pooled(number: int) -> dict[str, bool]:
    rng = np.random.default_rng([SEED, POOLED, number])
    reference = draw(rng, POOLED_REFERENCE).profile
    windows = [draw(rng, POOLED_ROWS, jitter=JITTER) for _ in range(POOLED)]
    clean_ones = [window.profile for window in windows]
    outcome = _of_clean(_with_those_before(reference, clean_ones))
    outcome |= _of_clean_pair(_with_those_before(reference, clean_ones, paired=True))
    for fault in (*FAULTS, JOINT_FAULT):
        faulty = [plant(rng, window, fault).profile for window in windows]
        outcome |= _of_faulty(fault, _with_those_before(reference, faulty, paired=fault.pair))
    return outcome


def _with_those_before(
    reference: Profile, windows: Sequence[Profile], *, paired: bool = False
) -> Sequence[Finding]:
    newest, *before = reversed(windows)
    answer = drift.judge(
        Candidate(
            asset="window",
            record=_RECORD.model_copy(update={"pairs": (PAIR,) if paired else ()}),
            limits=_POOLING,
            digest="",
            profile=newest,
            batches=lambda columns=None: iter(()),  # noqa: ARG005 - of profiles alone
            now=datetime(2026, 1, 1, tzinfo=UTC),
            reference=reference,
            preceding=tuple(before),
        )
    )
    assert not isinstance(answer, Inapplicable)
    return answer


def _of_clean(findings: Sequence[Finding]) -> dict[str, bool]:
    answer = worst(finding.status for finding in findings)
    return {clean(status): status is answer for status in Status}


def _of_clean_pair(findings: Sequence[Finding]) -> dict[str, bool]:
    answer = worst(finding.status for finding in findings)
    return {clean_pair(status): status is answer for status in (Status.FAIL, Status.PASS)}


def _of_faulty(fault: Fault, findings: Sequence[Finding]) -> dict[str, bool]:
    targets = {finding.target for finding in findings if finding.status is Status.FAIL}
    return {
        found(fault): bool(_places(fault) & targets),
        passed(fault): worst(finding.status for finding in findings) is Status.PASS,
    }


def _places(fault: Fault) -> set[str]:
    """Targets of which any is where the fault is."""
    inside = f"group=group 0: {fault.column}"
    if fault.pair:
        return {pair_name(PAIR)}
    return {inside} if fault.group else {fault.column, inside}


def _percent(share: float) -> str:
    return f"{100.0 * share:.1f}".removesuffix(".0")
