"""``aims compare``: whether a table has drifted from its reference, without a pipeline."""

import json
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
from aims_pipelines.cli.outlet import names, output_faults, pairs, patience
from aims_pipelines.cli.terms import Terms
from aims_pipelines.cli.text_console import text_console
from aims_pipelines.core.errors import BadInput
from aims_pipelines.core.verdict import Finding, Status

if TYPE_CHECKING:
    from aims_pipelines.measure import Comparison
    from aims_pipelines.stats.attribution import Contribution

_SHORT_UNITS = {"standard deviations": " sd", "correlation": " r", "fraction": "", "": ""}
_FILE_WIDTH = 132
_MOST_REASONS = 12
_MOST_GROUPS = 3


def compare(  # noqa: PLR0917 - the options of a command
    reference: Annotated[Path, typer.Argument(help="Table file or saved profile to compare with.")],
    current: Annotated[Path, typer.Argument(help="Table file or saved profile that is judged.")],
    protected: Annotated[
        str | None,
        typer.Option(
            "--protected",
            help="Columns whose groups are looked into, with commas between; A&B for combinations; '' for none.",
        ),
    ] = None,
    paired: Annotated[
        str | None,
        typer.Option(
            "--pairs",
            help="Pairs of columns whose dependence on each other is judged, A:B with commas between; '' for none.",
        ),
    ] = None,
    label: Annotated[str | None, typer.Option("--label", help="Column to predict.")] = None,
    ignore: Annotated[
        str | None,
        typer.Option("--ignore", help="Columns not judged, such as running numbers and dates of events."),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", help="Dataset or policy record whose limits apply.", metavar="FILE"),
    ] = None,
    null_values: NullValuesOption = None,
    form: PageFormatOption = PageFormat.TEXT,
    out: OutOption = None,
    overwrite: OverwriteOption = False,
    show_values: Annotated[
        bool,
        typer.Option(
            "--show-values", help="Name categories of other columns than label and groups on the page."
        ),
    ] = False,
) -> None:
    """Judge whether a table has drifted from its reference: every column, and inside every group.

    Exit code 0 pass, 1 fail, 2 bad input, 3 inconclusive.
    """
    from aims_pipelines.measure.comparison import compare as judge

    inputs = [reference, current, *([policy] if policy else [])]
    if out is not None and (faults := output_faults(out, overwrite=overwrite, inputs=inputs)):
        raise BadInput(faults)
    terms = _terms(policy)
    wanted, joined = names(protected), pairs(paired)
    with patience(f"Comparing {current} with {reference}"):
        comparison = judge(
            reference,
            current,
            effect=terms.effect,
            alpha=terms.alpha,
            label=label if label is not None else terms.label,
            protected=wanted if wanted is not None else terms.protected,
            bands=terms.bands,
            pairs=joined if joined is not None else terms.pairs,
            ignore=(*(names(ignore) or ()), *terms.ignore),
            null_values=tuple(null_values or ()),
        )
    notes = (*comparison.notes, *terms.notes)
    if form is PageFormat.JSON:
        text = _json(comparison, reference, current, notes)
    elif form is PageFormat.HTML:
        from aims_pipelines.reports.drift_page import drift_page

        text = drift_page(
            comparison,
            reference_name=reference.name,
            current_name=current.name,
            day=datetime.now(UTC).date(),
            notes=notes,
            show_values=show_values,
        )
    else:
        text = _text(comparison, notes, to_file=out is not None)
    answer(text, comparison.status, out=out)


def _terms(policy: Path | None) -> Terms:
    if policy is None:
        return Terms()
    from aims_pipelines.cli.record_terms import read_terms

    return read_terms(policy)


def _json(comparison: "Comparison", reference: Path, current: Path, notes: tuple[str, ...]) -> str:
    return (
        json.dumps(
            {
                "status": comparison.status.value,
                "reference": {"file": str(reference), "rows": comparison.reference_rows},
                "current": {"file": str(current), "rows": comparison.current_rows},
                "effect": comparison.effect,
                "alpha": comparison.alpha,
                "label": comparison.label,
                "groupings": list(comparison.reference.groups),
                "pairs": [list(pair) for pair in comparison.reference.pairs],
                "rows_needed": comparison.rows_needed,
                "notes": list(notes),
                "attribution": [_contribution(one) for one in comparison.attribution],
                "findings": [_plain(finding) for finding in comparison.findings],
            },
            indent=2,
            ensure_ascii=False,
            allow_nan=False,
        )
        + "\n"
    )


def _plain(finding: Finding) -> dict[str, Any]:
    return {
        "target": finding.target,
        "measure": finding.measure,
        "status": finding.status.value,
        "reason": finding.reason,
        "observed": finding.observed,
        "limit": finding.limit,
        "unit": finding.unit,
        "n": finding.n,
        "p_value": finding.p_value,
        "p_adjusted": finding.p_adjusted,
        "rows_needed": finding.rows_needed,
        "remedy": finding.remedy,
        "part": finding.part,
    }


def _contribution(one: "Contribution") -> dict[str, Any]:
    return {
        "target": one.target,
        "subject": one.subject,
        "kind": one.kind,
        "moved": one.moved,
        "part": one.part,
        "groups": [{"group": group.group, "part": group.part, "rows": group.rows} for group in one.groups],
    }


def _text(comparison: "Comparison", notes: tuple[str, ...], *, to_file: bool) -> str:
    """A table of all findings and, below it, what each problem says; coloured only on a terminal."""
    from rich.markup import escape
    from rich.table import Table

    console, written = text_console(to_file=to_file, file_width=_FILE_WIDTH)
    table = Table(
        title=f"{comparison.current_rows:,} rows against {comparison.reference_rows:,} of the reference",
        title_justify="left",
    )
    table.add_column("verdict")
    table.add_column("column or group", overflow="fold")
    table.add_column("measure", overflow="fold")
    for heading in ("distance", "limit", "p", "adjusted p", "rows needed"):
        table.add_column(heading, justify="right")
    shown = [finding for finding in comparison.findings if not _says_nothing(finding)]
    for finding in shown:
        unit = _SHORT_UNITS.get(finding.unit, f" {finding.unit}")
        table.add_row(
            f"[{COLOURS[finding.status]}]{finding.status.value}[/]",
            escape(finding.target or "(the table)"),
            escape(finding.measure),
            _number(finding.observed, unit),
            _number(finding.limit, unit),
            _probability(finding.p_value),
            _probability(finding.p_adjusted),
            f"{finding.rows_needed:,}" if finding.rows_needed else "",
            style="dim" if finding.status is Status.PASS else "",
        )
    console.print(table)
    if complete := len(comparison.findings) - len(shown):
        console.print(f"{complete} columns have no missing values in either.")
    problems = [finding for finding in comparison.findings if finding.status is not Status.PASS]
    for finding in problems[:_MOST_REASONS]:
        line = f"{finding.status.value}: {finding.target or 'the table'}: {finding.reason}"
        console.print(line, markup=False, style=COLOURS[finding.status], soft_wrap=True)
    if len(problems) > _MOST_REASONS:
        console.print(f"… and {len(problems) - _MOST_REASONS} more, as in the table.")
    for place, one in enumerate(comparison.attribution[:_MOST_REASONS], 1):
        if place == 1:
            console.print("What carries the change:")
        console.print(f"  {place}. {_carried(one)}", markup=False, soft_wrap=True)
    for note in notes:
        console.print(f"Note: {note}", markup=False, soft_wrap=True)
    console.print(_summary(comparison), markup=False, soft_wrap=True)
    return written.getvalue()


def _carried(one: "Contribution") -> str:
    subject = {"missing": ", missing values", "sizes": ", sizes of groups"}.get(one.subject, "")
    text = (
        f"{one.target}{subject} ({one.kind}): {one.part:.0%} of all that moved, {one.moved:.1%} of the rows"
    )
    groups = [
        f"{group.group} {group.part:.0%} (of the rows {group.rows:.0%})"
        for group in one.groups[:_MOST_GROUPS]
    ]
    return f"{text}; by group {', '.join(groups)}" if groups else text


def _says_nothing(finding: Finding) -> bool:
    """Whether a finding is about missing values that there are none of."""
    return finding.status is Status.PASS and finding.measure.startswith("missing") and not finding.observed


def _summary(comparison: "Comparison") -> str:
    counts = {status: sum(one.status is status for one in comparison.findings) for status in Status}
    parts = [f"{count} {status.value}" for status, count in counts.items() if count]
    needed = comparison.rows_needed
    more = f"; it would take about {needed:,} rows to tell" if needed else ""
    return (
        f"{comparison.status.value}: {', '.join(parts)} (tolerated shift {comparison.effect:g} of the rows, "
        f"chance that an unchanged window fails {comparison.alpha:g}){more}"
    )


def _number(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.3f}{unit}" if value else f"0{unit}"


def _probability(value: float | None) -> str:
    return "" if value is None else "<0.0001" if value < 0.0001 else f"{value:.4f}"
