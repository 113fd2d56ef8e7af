"""A model in service judged from its predictions alone: tables in, a series of windows out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.measure.frames import ArrowFrame, to_arrow
from aims_pipelines.measure.groupings import Table, choose_groups, unknown_column
from aims_pipelines.measure.late_labels import LabelValues, LateLabels
from aims_pipelines.measure.periods import Period, period_of
from aims_pipelines.measure.prediction_tables import Files, Frame, Source
from aims_pipelines.measure.predictions import Columns, column_faults
from aims_pipelines.measure.served_windows import read_served, tried
from aims_pipelines.measure.table_files import TableFiles, files_of
from aims_pipelines.stats.charted_windows import FEWEST_KNOWN
from aims_pipelines.stats.performance_series import (
    BASELINE,
    CHARTED,
    COVERAGE,
    TOLERANCE,
    PerformanceSeries,
    performance_series,
)
from aims_pipelines.stats.profile import GroupSpec
from aims_pipelines.stats.realised_performance import Measure

_Made = TypeVar("_Made")


def performance(
    reference: object | None,
    windows: object,
    *,
    score: str,
    label: str,
    positive: str | int | bool | None = None,
    threshold: float = 0.5,
    ident: str | None = None,
    labels: Path | str | None = None,
    protected: Sequence[str] = (),
    time: str | None = None,
    every: Period | str | None = None,
    pending: int = 0,
    coverage: float = COVERAGE,
    tolerance: float = TOLERANCE,
    charted: Measure | str = Measure.ERROR_RATE,
    baseline: int = BASELINE,
    calibrate_on: int = 0,
    null_values: Sequence[str] = (),
) -> PerformanceSeries:
    """Estimate a model's performance where labels are not known, measure it where they are, and judge the series.

    Args:
        reference: Predictions with labels that the scores are calibrated on: a table file, a folder or pattern of files
            that are one table, or a data frame as of :func:`aims_pipelines.measure.to_arrow`; ``None`` with
            ``calibrate_on``.
        windows: Predictions in service: one path, or several; or frames by name. Each file or frame is a window, in
            the order given; with ``time`` all are one table, cut into periods.
        score: Column with the probability of the positive class, in [0, 1].
        label: Column with the outcome, in the predictions (empty where not known), in ``labels``, or both.
        positive: The outcome that the score is the probability of; 1 or true if ``None``.
        threshold: Scores at or above it are decided as positive, in (0, 1).
        ident: Column that identifies a prediction, in the predictions and in ``labels``.
        labels: File or folder of labels that arrived later.
        protected: Columns, and combinations joined by ``&``, whose groups are looked into.
        time: Column of times.
        every: Length of a period.
        pending: The last windows whose labels are not due yet; they are estimated, not judged.
        coverage: Share of a window's rows that must have a score, and of those that must have a label, for it to be
            judged, in (0, 1].
        tolerance: Largest acceptable difference between labels and scores, a fraction in (0, 1).
        charted: ``error rate``, ``log loss`` or ``roc auc``.
        baseline: First judged windows that the chart takes as in control, at least 5.
        calibrate_on: First windows that are the reference, where there is no table of it.
        null_values: Texts that mean missing in CSV files, besides the empty one.

    Raises:
        BadInput: An option or a table will not do; all faults are named.
    """
    faults = _option_faults(
        threshold=threshold,
        pending=pending,
        coverage=coverage,
        tolerance=tolerance,
        charted=charted,
        baseline=baseline,
        ident=ident,
        labels=labels,
        time=time,
        every=every,
    )
    if (reference is None) is not (calibrate_on > 0):
        found = "neither" if reference is None else "both"
        faults.append(Fault(where="reference", expected="a table, or a number of first windows", found=found))
    nulls = tuple(null_values)
    period = tried(faults, partial(period_of, every)) if every is not None else None
    outcome = None if positive is None else _text(positive)
    values, served = LabelValues(outcome), LabelValues(outcome)
    calibration = (
        None if reference is None else tried(faults, partial(_source, "reference", reference, nulls))
    )
    sources = tried(faults, lambda: _sources(windows, nulls, together=time is not None)) or []
    late = None
    if labels is not None and ident is not None:
        late = tried(
            faults, lambda: LateLabels(labels, ident=ident, label=label, values=served, null_values=nulls)
        )
    first = calibration if reference is not None else next(iter(sources), None)
    if first is None or (labels is not None and late is None and ident is not None):
        raise BadInput(faults)
    groups = tried(faults, partial(_groups, first, protected)) or ()
    columns = Columns(score=score, label=label, values=values, threshold=threshold, groups=groups, late=late)
    for source in sources:
        faults += column_faults(source, columns, time=time, labelled=False)
    if calibration is not None:
        faults += [fault for source in sources for fault in _shared(calibration, source)]
        faults += column_faults(calibration, columns, time=None, labelled=True)
    if faults:
        raise BadInput(faults)
    was, now = read_served(
        calibration,
        sources,
        columns,
        served=replace(columns, values=served),
        time=time,
        every=period,
        calibrate_on=calibrate_on,
    )
    return performance_series(
        was.whole,
        {name: window.whole for name, window in now.items()},
        reference_groups=was.groups,
        groups={name: window.groups for name, window in now.items()},
        pending=pending,
        coverage=coverage,
        tolerance=tolerance,
        charted=Measure(charted),
        baseline=baseline,
    )


def _option_faults(
    *,
    threshold: float,
    pending: int,
    coverage: float,
    tolerance: float,
    charted: str,
    baseline: int,
    ident: str | None,
    labels: object,
    time: str | None,
    every: object,
) -> list[Fault]:
    between = "a number between 0 and 1"
    wrong = [
        ("threshold", between, threshold, 0.0 < threshold < 1.0),
        ("tolerance", between, tolerance, 0.0 < tolerance < 1.0),
        ("coverage", "a share above 0, at most 1", coverage, 0.0 < coverage <= 1.0),
        ("pending", "a number of windows from 0 on", pending, pending >= 0),
        ("baseline", f"at least {FEWEST_KNOWN} windows", baseline, baseline >= FEWEST_KNOWN),
        ("chart", f"one of {', '.join(CHARTED)}", repr(str(charted)), charted in tuple(CHARTED)),
    ]
    faults = [
        Fault(where=name, expected=expected, found=f"{found}")
        for name, expected, found, fits in wrong
        if not fits
    ]
    for one, other, values in (("id", "labels", (ident, labels)), ("time", "every", (time, every))):
        if (values[0] is None) != (values[1] is None):
            faults.append(
                Fault(
                    where=f"{one}, {other}",
                    expected="both or neither",
                    found=f"{one if values[0] else other} alone",
                )
            )
    return faults


def _shared(reference: Source, window: Source) -> list[Fault]:
    """Files of a window that are the reference's too: what the scores were calibrated on says nothing new."""
    if not isinstance(reference, Files) or not isinstance(window, Files):
        return []
    own = {file.resolve() for file in reference.table.files}
    return [
        Fault(where=str(file), expected="another file than the reference", found="it")
        for file in window.table.files
        if file.resolve() in own
    ]


def _text(positive: str | int | bool) -> str:
    return str(positive).lower() if isinstance(positive, bool) else str(positive)


def _source(name: str, given: object, nulls: tuple[str, ...]) -> Source:
    if isinstance(given, Path | str):
        return Files(str(given), TableFiles(given, null_values=nulls))
    return Frame(name, ArrowFrame(to_arrow(given)))


def _sources(given: object, nulls: tuple[str, ...], *, together: bool) -> list[Source]:
    """The windows, or the one table that they are together."""
    if isinstance(given, Mapping):
        frames: list[Source] = [_source(str(name), frame, nulls) for name, frame in given.items()]
        return frames
    if not isinstance(given, Path | str | Sequence):
        return [_source("windows", given, nulls)]
    paths: Path | str | Sequence[Path | str] = given
    if together:
        return [Files("windows", TableFiles(paths, null_values=nulls))]
    faults: list[Fault] = []
    files = files_of(paths)
    short = len({file.stem for file in files}) == len(files)
    tables = [tried(faults, partial(TableFiles, file, null_values=nulls)) for file in files]
    if faults:
        raise BadInput(faults)
    return [
        Files(file.stem if short else str(file), table)
        for file, table in zip(files, tables, strict=True)
        if table is not None
    ]


def _groups(reference: Source, protected: Sequence[str]) -> tuple[GroupSpec, ...]:
    """Groupings with bands as the reference suggests."""
    if not protected:
        return ()
    names = [part.strip() for name in protected for part in name.split("&")]
    lacking = [
        unknown_column(f"{reference.where}: protected", name, reference.schema.names)
        for name in dict.fromkeys(names)
        if name not in reference.schema.names
    ]
    if lacking:
        raise BadInput(lacking)
    rows = (
        reference.table
        if isinstance(reference, Files)
        else reference.frame
        if isinstance(reference, Frame)
        else None
    )
    assert rows is not None  # noqa: S101 - there are no other sources
    return choose_groups([Table(name=reference.name, source=rows)], protected)
