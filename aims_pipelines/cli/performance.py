"""``aims performance``: whether a model in service is still right, before and after its labels arrive."""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aims_pipelines.cli.answers import (
    COLOURS,
    NullValuesOption,
    OutOption,
    OverwriteOption,
    PageFormat,
    PageFormatOption,
    answer,
)
from aims_pipelines.cli.outlet import names, output_faults, patience
from aims_pipelines.cli.text_console import text_console
from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.core.verdict import Finding, Status

if TYPE_CHECKING:
    from rich.console import Console

    from aims_pipelines.reports.performance_story import Line
    from aims_pipelines.stats.performance_series import PerformanceSeries
    from aims_pipelines.stats.window_performance import WindowPerformance

_FILE_WIDTH = 156
_MOST_REASONS = 12


def performance(  # noqa: PLR0917 - the options of a command
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Predictions with labels that the scores are calibrated on, a file or folder; then predictions in "
            "service: each file is a window, in order of name within a folder.",
            metavar="REFERENCE WINDOW…",
        ),
    ],
    score: Annotated[str, typer.Option("--score", help="Column with the probability of the positive class.")],
    label: Annotated[
        str, typer.Option("--label", help="Column with the outcome; empty where it is not known yet.")
    ],
    positive: Annotated[
        str | None,
        typer.Option(
            "--positive",
            metavar="VALUE",
            help="Outcome that the score is the probability of; 1 or true if absent.",
        ),
    ] = None,
    threshold: Annotated[
        float, typer.Option("--threshold", help="Scores at or above it are decided as positive.")
    ] = 0.5,
    ident: Annotated[
        str | None, typer.Option("--id", metavar="COLUMN", help="Column that identifies a prediction.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="FILE", help="Labels that arrived later, joined by --id."),
    ] = None,
    protected: Annotated[
        str | None,
        typer.Option(
            "--protected",
            help="Columns whose groups are looked into, with commas between; A&B for combinations.",
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            "--time", metavar="COLUMN", help="Cut the rows of all files into periods by this column."
        ),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option("--every", help="Length of a period: hour, day, week, month, quarter or year."),
    ] = None,
    pending: Annotated[
        int, typer.Option("--pending", help="Number of last windows whose labels are not due yet.")
    ] = 0,
    coverage: Annotated[
        float,
        typer.Option(
            "--coverage",
            help="Share of a window's rows that must have a score, and of those a label, to judge it.",
        ),
    ] = 0.8,
    tolerance: Annotated[
        float, typer.Option("--tolerance", help="Largest acceptable difference between labels and scores.")
    ] = 0.05,
    charted: Annotated[
        str, typer.Option("--chart", help="What is charted: error rate, log loss or roc auc.")
    ] = "error rate",
    baseline: Annotated[
        int, typer.Option("--baseline", help="First judged windows that the chart takes as in control.")
    ] = 10,
    calibrate_on: Annotated[
        int,
        typer.Option(
            "--calibrate-on",
            metavar="N",
            help="Take the first N windows as the reference, instead of a file.",
        ),
    ] = 0,
    null_values: NullValuesOption = None,
    form: PageFormatOption = PageFormat.TEXT,
    out: OutOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Estimate a model's performance where labels are not known, measure it where they are, and judge the windows.

    Exit code 0 labels are as the scores promise, 1 they are not or the chart signals, 2 bad input, 3 inconclusive.
    """
    from aims_pipelines.measure.in_service import performance as judge

    inputs = [*files, *([labels] if labels else [])]
    faults = output_faults(out, overwrite=overwrite, inputs=inputs) if out is not None else []
    reference, windows = (None, files) if calibrate_on > 0 else (files[0], files[1:])
    if calibrate_on < 0:
        fault = Fault(where="--calibrate-on", expected="a number of windows from 0", found=str(calibrate_on))
        raise BadInput([*faults, fault])
    if not windows:
        remedy = (
            "Name them after the reference, or take the first N windows as the reference: --calibrate-on N."
        )
        fault = Fault(where="WINDOW", expected="predictions in service", found="none", remedy=remedy)
        raise BadInput([*faults, fault])
    try:
        with patience("Reading predictions"):
            series = judge(
                reference,
                windows,
                score=score,
                label=label,
                positive=positive,
                threshold=threshold,
                ident=ident,
                labels=labels,
                protected=names(protected) or (),
                time=time,
                every=every,
                pending=pending,
                coverage=coverage,
                tolerance=tolerance,
                charted=charted,
                baseline=baseline,
                calibrate_on=max(0, calibrate_on),
                null_values=tuple(null_values or ()),
            )
    except BadInput as error:
        raise BadInput([*faults, *error.faults]) from error
    if faults:
        raise BadInput(faults)
    text = _printed(series, form, to_file=out is not None)
    answer(text, series.status, out=out)


def _printed(series: "PerformanceSeries", form: PageFormat, *, to_file: bool) -> str:
    if form is PageFormat.HTML:
        from aims_pipelines.reports.performance_page import performance_page

        return performance_page(series, day=datetime.now(UTC).date())
    return _json(series) if form is PageFormat.JSON else _text(series, to_file=to_file)


def _text(series: "PerformanceSeries", *, to_file: bool) -> str:
    """A table of windows, one of groups, and what did not pass; coloured only on a terminal."""
    from aims_pipelines.reports import performance_story as story

    console, written = text_console(to_file=to_file, file_width=_FILE_WIDTH)
    lines, groups = story.lines(series), story.group_lines(series)
    _table(console, lines)
    if groups:
        _table(console, story.telling(groups))
    if any(line.basis is story.Basis.ESTIMATED for line in lines):
        console.print("≈ estimated from the scores, as labels are not known well enough.")
    problems = [line for line in lines if line.status not in (None, Status.PASS)]
    problems += [line for line in groups if line.status is Status.FAIL]
    problems.sort(key=lambda line: line.status is not Status.FAIL)
    for line in problems[:_MOST_REASONS]:
        needed = f" (it would take about {line.rows_needed:,} rows with labels)" if line.rows_needed else ""
        console.print(
            f"{line.answer}: {line.name}: {line.reason}{needed}",
            markup=False,
            style=_style(line),
            soft_wrap=True,
        )
    if len(problems) > _MOST_REASONS:
        console.print(f"… and {len(problems) - _MOST_REASONS} more, as in the table.")
    for remark in story.remarks(series):
        console.print(f"Note: {remark}", markup=False, soft_wrap=True)
    console.print(
        f"{series.status.value}: {story.headline(series)}",
        markup=False,
        style=COLOURS[series.status],
        soft_wrap=True,
    )
    if step := story.next_step(series):
        console.print(f"Next: {step}", markup=False, soft_wrap=True)
    return written.getvalue()


def _table(console: "Console", lines: "Sequence[Line]") -> None:
    from rich.markup import escape
    from rich.table import Table

    from aims_pipelines.reports import performance_story as story
    from aims_pipelines.stats.realised_performance import Measure

    grouped = any(line.group for line in lines)
    table = Table()
    if grouped:
        table.add_column("group", overflow="fold")
    table.add_column("window", overflow="fold")
    for heading in ("rows", "labels", *(measure.value for measure in story.SHOWN)):
        table.add_column(heading, justify="right")
    for heading in ("errors", "positives"):
        table.add_column(f"extra {heading}", justify="right")
    if not grouped:
        table.add_column("chart")
    table.add_column("verdict")
    for line in lines:
        mark = "≈ " if line.basis is story.Basis.ESTIMATED else ""
        cells = [escape(line.group)] if grouped else []
        cells += [escape(line.window), f"{line.rows:,}", line.labels]
        for measure in story.SHOWN:
            figure = line.figures.get(measure)
            with_interval = measure in (Measure.ACCURACY, Measure.ROC_AUC)
            cells.append(
                "" if figure is None else f"{mark}{figure}" if with_interval else f"{mark}{figure.short}"
            )
        cells += [story.points(line.errors), story.points(line.positives)]
        if not grouped:
            cells.append(line.chart)
        table.add_row(*cells, f"[{_style(line)}]{line.answer}[/]")
    console.print(table)


def _style(line: "Line") -> str:
    return "dim" if line.status is None else COLOURS[line.status]


def _json(series: "PerformanceSeries") -> str:
    from aims_pipelines.reports import performance_story as story

    chart = series.chart
    plain = {
        "status": series.status.value,
        "headline": story.headline(series),
        "next": story.next_step(series),
        "threshold": series.threshold,
        "coverage": series.coverage,
        "tolerance": series.tolerance,
        "confidence": series.confidence,
        "assumptions": list(story.ASSUMPTIONS),
        "notes": story.remarks(series),
        "reference": _window(series.reference),
        "windows": [_window(window) for window in series.windows],
        "groups": {
            grouping: {level: [_window(window) for window in windows] for level, windows in levels.items()}
            for grouping, levels in series.groups.items()
        },
        "groups_too_small": {finding.target: _finding(finding) for finding in series.untold},
        "chart": None
        if chart is None
        else {
            "measure": series.charted.value,
            "kind": chart.kind.value,
            "run_length": chart.run_length,
            "baseline": chart.reference,
            "counts": series.chart_tells,
            "status": chart.status.value,
            "reason": chart.reason,
            "points": [
                {
                    "window": point.name,
                    "value": _finite(point.value),
                    "state": point.state.value,
                    "alarm": point.alarm,
                    "centre": _finite(point.centre),
                    "low": _finite(point.low),
                    "high": _finite(point.high),
                }
                for point in chart.points
            ],
        },
    }
    return json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _window(window: "WindowPerformance") -> dict[str, Any]:
    from aims_pipelines.reports import performance_story as story

    def figures(found: Any) -> dict[str, Any]:
        told = {str(name): story.figure(estimate) for name, estimate in found.items()}
        return {
            name: None if one is None else {"value": one.value, "low": one.low, "high": one.high}
            for name, one in told.items()
        }

    return {
        "window": window.name,
        "rows": window.rows,
        "unscored": window.unscored,
        "label_coverage": _finite(window.coverage),
        "labels_due": not window.pending,
        "status": None if window.pending else window.status.value,
        "measured": figures(window.realised),
        "estimated": figures(window.expected.figures),
        "not_estimated": {
            name: {"reason": why.reason, "rows_needed": why.rows_needed}
            for name, why in window.expected.refusals.items()
        },
        "findings": [_finding(finding) for finding in window.findings],
    }


def _finding(finding: "Finding") -> dict[str, Any]:
    return {
        "measure": finding.measure,
        "status": finding.status.value,
        "reason": finding.reason,
        "observed": finding.observed,
        "interval": None if finding.interval is None else list(finding.interval),
        "limit": finding.limit,
        "unit": finding.unit,
        "n": finding.n,
        "rows_needed": finding.rows_needed,
        "remedy": finding.remedy,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
