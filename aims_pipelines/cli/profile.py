"""``aims profile``: what one pass over the rows of some files keeps, saved to compare with later.

Of a project's dataset it is at hand already: the profiles of its published versions are added up instead.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aims_pipelines.cli.answers import NullValuesOption, OverwriteOption
from aims_pipelines.cli.outlet import names, output_faults, pairs, patience
from aims_pipelines.cli.profile_periods import folder_faults, save_periods
from aims_pipelines.core.errors import BadInput, Fault

if TYPE_CHECKING:
    from aims_pipelines.measure.table_files import TableFiles
    from aims_pipelines.stats.profile import ColumnProfile, GroupSpec, Profile

_MOST_LEVELS = 12


def profile(  # noqa: PLR0917 - the options of a command
    out: Annotated[
        Path,
        typer.Option("--out", help="File to save the profile to; with --every, the folder for one a period."),
    ],
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="CSV or Parquet files of one table, or folders of them.", metavar="FILE…"),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset",
            help="Dataset of this project whose current versions' profile to save, without its rows.",
        ),
    ] = None,
    partition: Annotated[
        str | None, typer.Option("--partition", help="The dataset's partition; all together if absent.")
    ] = None,
    protected: Annotated[
        str | None,
        typer.Option(
            "--protected",
            help="Columns whose groups are profiled too, with commas between; A&B for combinations.",
        ),
    ] = None,
    paired: Annotated[
        str | None,
        typer.Option(
            "--pairs",
            help="Pairs of columns that are counted together, A:B with commas between, so that a change of how they "
            "depend on each other is found.",
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", help="Column to predict; its rates in each group are shown.")
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(
            "--like", help="Saved profile whose groups, bands and pairs to use, so that both can be compared."
        ),
    ] = None,
    null_values: NullValuesOption = None,
    time: Annotated[
        str | None, typer.Option("--time", metavar="COLUMN", help="With --every: column of dates or times.")
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(
            "--every",
            metavar="PERIOD",
            help="Save one profile a period into a folder: hour, day, week, month, quarter or year.",
        ),
    ] = None,
    keep_rows: Annotated[
        bool,
        typer.Option("--keep-rows", help="Also keep hashes of rows, which say something about single rows."),
    ] = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Measure tables in one pass and save what is kept: no rows, but enough to compare with later.

    All files are profiled as one table, or each period of it by itself. Exit code 2 if a file will not do; then
    nothing is written.
    """
    from aims_pipelines.measure.groupings import unknown_column
    from aims_pipelines.measure.saved import write_profile

    files = files or []
    faults = _misused(
        dataset,
        {
            "FILE": bool(files),
            "--protected": protected is not None,
            "--pairs": paired is not None,
            "--like": like is not None,
            "--null-values": bool(null_values),
            "--time": time is not None,
            "--every": every is not None,
        },
        partition=partition,
    )
    faults += [
        Fault(where=option, expected="either it or --like", found="both")
        for option, given in (("--protected", protected), ("--pairs", paired))
        if given is not None and like is not None
    ]
    inputs, unfit = _inputs(files)
    faults += unfit
    if (time is None) is not (every is None):
        given, other = ("--time", "--every") if every is None else ("--every", "--time")
        faults.append(Fault(where=given, expected=f"{other} beside it", found="none"))
    if every is not None and label is not None:
        faults.append(
            Fault(where="--label", expected="it without --every, as no groups are printed", found="both")
        )
    if every is None:
        faults += output_faults(out, overwrite=overwrite, inputs=[*inputs, *([like] if like else [])])
    else:
        faults += folder_faults(out, inputs=inputs)
    if faults:
        raise BadInput(faults)
    if dataset is not None:
        made = _published(dataset, partition, keep_rows=keep_rows)
    else:
        table = _opened(files, names(protected) or (), pairs(paired) or (), like, tuple(null_values or ()))
        if time is not None and every is not None:
            save_periods(table.periods(time, every, keep_rows=keep_rows), out, overwrite=overwrite)
            return
        made = table.profile(keep_rows=keep_rows)
    if label is not None and label not in made.columns:
        raise BadInput(unknown_column("--label", label, list(made.columns)))
    size = write_profile(made, out)
    _print(made, label)
    typer.echo(f"{out}: {size:,} bytes" + ("" if keep_rows else ", without hashes of rows"))


def _misused(dataset: str | None, others: dict[str, bool], *, partition: str | None) -> list[Fault]:
    """Options that do not go together."""
    if dataset is None:
        faults = (
            [] if others["FILE"] else [Fault(where="FILE", expected="files, or --dataset", found="neither")]
        )
        if partition is not None:
            faults.append(Fault(where="--partition", expected="--dataset beside it", found="none"))
        return faults
    return [
        Fault(
            where=name,
            expected="either it or --dataset",
            found="both",
            remedy="" if name == "FILE" else "A published version was profiled as its record said.",
        )
        for name, given in others.items()
        if given
    ]


def _inputs(files: list[Path]) -> tuple[list[Path], tuple[Fault, ...]]:
    """The files that will be read, and what is wrong with the choice of them."""
    from aims_pipelines.measure.table_files import files_of

    try:
        return (list(files_of(files)), ()) if files else ([], ())
    except BadInput as error:
        return files, error.faults


def _published(dataset: str, partition: str | None, *, keep_rows: bool) -> "Profile":
    """The profile of the current version of a partition of a dataset, or of all together."""
    from aims_pipelines.measure.serialise import without_rows
    from aims_pipelines.resources.project import find_project
    from aims_pipelines.resources.published_profiles import merged_profile, profile_in, published_versions

    project = find_project()
    versions = published_versions(project, dataset, partition)
    with patience(f"Adding up {len(versions)} profiles"):
        whole = merged_profile(versions, partial(profile_in, project.store, dataset))
    for version in versions:
        place = f" of partition {version.partition}" if version.partition else ""
        typer.echo(f"version {version.number}{place}: {version.rows:,} rows, {version.digest}")
    return whole if keep_rows else without_rows(whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """Files and what is to be kept of them."""

    rows: "TableFiles"
    groups: "tuple[GroupSpec, ...]"
    pairs: tuple[tuple[str, str], ...]

    def profile(self, *, keep_rows: bool) -> "Profile":
        """All rows together."""
        return self.rows.profile(self.groups, rows=keep_rows, pairs=self.pairs)

    def periods(self, time: str, every: str, *, keep_rows: bool) -> "dict[str, Profile]":
        """Each period by itself."""
        from aims_pipelines.measure.periods import periods_of

        return periods_of(
            self.rows, time=time, every=every, groups=self.groups, rows=keep_rows, pairs=self.pairs
        )


def _opened(
    files: list[Path],
    protected: tuple[str, ...],
    paired: tuple[tuple[str, str], ...],
    like: Path | None,
    null_values: tuple[str, ...],
) -> _Opened:
    from aims_pipelines.measure.groupings import Table, choose_groups, groups_of
    from aims_pipelines.measure.saved import is_saved_profile, read_profile
    from aims_pipelines.measure.table_files import TableFiles

    faults = [
        Fault(
            where=str(file),
            expected="a table file",
            found="a saved profile",
            remedy="Compare it as it is: aims compare.",
        )
        for file in files
        if is_saved_profile(file)
    ]
    if faults:
        raise BadInput(faults)
    rows = TableFiles(files, null_values=null_values, each=lambda file: patience(f"Reading {file}"))
    name = ", ".join(str(file) for file in files[:3]) + (" …" if len(files) > 3 else "")
    if like is not None:
        model = read_profile(like)
        return _Opened(rows=rows, groups=groups_of(model), pairs=tuple(model.pairs))
    specs = choose_groups([Table(name=name, source=rows)], protected)
    return _Opened(rows=rows, groups=specs, pairs=paired)


def _print(made: "Profile", label: str | None) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table as Printed

    console = Console()
    table = Printed(title=f"{made.rows:,} rows, {len(made.columns)} columns", title_justify="left")
    for heading in ("column", "kind"):
        table.add_column(heading, overflow="fold")
    for heading in ("missing", "distinct", "from", "to"):
        table.add_column(heading, justify="right", overflow="fold")
    for name, column in made.columns.items():
        table.add_row(escape(name), column.kind.value, _missing(column), _distinct(column), *_range(column))
    console.print(table)
    for grouping, levels in made.groups.items():
        table = Printed(title=f"groups by {escape(grouping)}", title_justify="left")
        table.add_column("group", overflow="fold")
        table.add_column("rows", justify="right")
        table.add_column("share", justify="right")
        rates = _rated(made, label)
        for rate in rates:
            table.add_column(f"{escape(label or '')} = {escape(rate)}", justify="right", overflow="fold")
        largest = sorted(levels.items(), key=lambda item: -item[1].rows)
        for level, group in largest[:_MOST_LEVELS]:
            shares = [_rate(group.columns.get(label or ""), rate) for rate in rates]
            table.add_row(escape(level), f"{group.rows:,}", f"{group.rows / max(made.rows, 1):.1%}", *shares)
        if len(largest) > _MOST_LEVELS:
            table.add_row(f"and {len(largest) - _MOST_LEVELS} more", "", "", *("" for _ in rates))
        console.print(table)
    if made.pairs:
        from aims_pipelines.stats.pairs import pair_name

        together = ", ".join(pair_name(pair) for pair in made.pairs)
        console.print(f"counted together: {together}", markup=False, soft_wrap=True)


def _missing(column: "ColumnProfile") -> str:
    return f"{column.missing / column.rows:.1%}" if column.missing else "none" if column.rows else ""


def _distinct(column: "ColumnProfile") -> str:
    if column.categories is not None:
        return f"{'' if column.categories.exact else 'about '}{column.categories.distinct:,}"
    if column.distribution is None:
        return ""
    return f"{'' if column.distribution.exact else 'over '}{len(column.distribution.points):,}"


def _range(column: "ColumnProfile") -> tuple[str, str]:
    """Smallest and largest number or day; texts are not shown."""
    from datetime import UTC, datetime

    from aims_pipelines.stats.profile import Kind

    moments = column.moments
    if moments is None or not moments.count:
        return "", ""
    if column.kind is not Kind.TEMPORAL:
        return f"{moments.minimum:,.6g}", f"{moments.maximum:,.6g}"
    try:
        ends = [
            datetime.fromtimestamp(at, UTC).date().isoformat() for at in (moments.minimum, moments.maximum)
        ]
    except (OverflowError, ValueError, OSError):  # beyond the years that can be written
        return "", ""
    return ends[0], ends[1]


def _values(column: "ColumnProfile | None") -> dict[str, int]:
    """How often each value of a label occurs; nothing where the values are many."""
    from aims_pipelines.stats.number_labels import number_label
    from aims_pipelines.stats.profile import NARROW

    if column is None:
        return {}
    if column.categories is not None:
        return dict(column.categories.counts) if column.categories.exact else {}
    if column.distribution is None or not column.distribution.exact:
        return {}
    pairs = zip(column.distribution.points.tolist(), column.distribution.counts.tolist(), strict=True)
    return {number_label(point, NARROW.get(column.storage_type)): count for point, count in pairs}


def _rated(made: "Profile", label: str | None) -> list[str]:
    """The values of the label whose rates are shown: the rarer of two, all of a few, none of many."""
    values = _values(made.columns.get(label or ""))
    if len(values) == 2:
        return [min(values, key=lambda value: (values[value], value))]
    return sorted(values) if 2 < len(values) <= 4 else []


def _rate(column: "ColumnProfile | None", value: str) -> str:
    values = _values(column)
    return f"{values.get(value, 0) / total:.1%}" if (total := sum(values.values())) else ""
