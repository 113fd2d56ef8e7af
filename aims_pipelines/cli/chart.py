"""``aims chart``: a statistic over time, with limits that keep a stated number of false alarms."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aims_pipelines.cli.answers import OutOption, OverwriteOption, answer
from aims_pipelines.cli.outlet import output_faults, patience
from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.core.verdict import Status

if TYPE_CHECKING:
    from aims_pipelines.measure.charting import StatisticChart
    from aims_pipelines.stats.profile import Profile


class Format(StrEnum):
    """How a result is printed."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"
    SVG = "svg"


class Kind(StrEnum):
    """What a chart adds up, without loading the module that charts."""

    EWMA = "ewma"
    CUSUM = "cusum"
    SHEWHART = "shewhart"


def chart(  # noqa: PLR0917 - the options of a command
    of: Annotated[
        list[str],
        typer.Option(
            "--of",
            metavar="STATISTIC",
            help="What to chart, such as 'mean(amount)' or 'rate(outcome=default | sex=female)'; may be repeated.",
        ),
    ],
    series: Annotated[
        list[Path] | None,
        typer.Argument(help="Saved profiles, in order, or folders of them.", metavar="SERIES…"),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset", help="Dataset of this project whose published versions, or partitions, to chart."
        ),
    ] = None,
    kind: Annotated[
        Kind,
        typer.Option("--chart", help="ewma and cusum find small lasting shifts, shewhart large sudden ones."),
    ] = Kind.EWMA,
    run_length: Annotated[
        float,
        typer.Option("--arl", help="Windows up to a false alarm, on average; of all charts together."),
    ] = 370.0,
    reference: Annotated[
        int, typer.Option("--reference", help="Windows at the beginning that are taken as in control.")
    ] = 10,
    hysteresis: Annotated[
        int, typer.Option("--hysteresis", help="Windows in a row within the limits that end an alarm.")
    ] = 3,
    smoothing: Annotated[
        float, typer.Option("--smoothing", help="Of an ewma: weight of the newest window.")
    ] = 0.1,
    allowance: Annotated[
        float, typer.Option("--allowance", help="Of a cusum: shift to let pass, in standard deviations.")
    ] = 0.5,
    form: Annotated[Format, typer.Option("--format", help="How to print the result.")] = Format.TEXT,
    out: OutOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Watch a statistic over a series of profiles: is it in control, and since when not?

    Exit code 0 in control, 1 in alarm, 2 bad input, 3 inconclusive.
    """
    from aims_pipelines.measure.charting import Charting, charts, status_of
    from aims_pipelines.stats.run_lengths import ChartKind

    series = series or []
    faults = list(_faults(series, dataset, of, form))
    if out is not None:
        faults += output_faults(out, overwrite=overwrite, inputs=[path for path in series if path.is_file()])
    if faults:
        raise BadInput(faults)
    how = Charting(
        kind=ChartKind(kind.value),
        run_length=run_length,
        reference=reference,
        hysteresis=hysteresis,
        smoothing=smoothing,
        allowance=allowance,
    )
    with patience("Reading profiles"):
        source, windows = _published(dataset) if dataset is not None else _saved(series)
        made = charts(windows, of, how, where="--of")
    status = status_of(made)
    text = _printed(made, form, source=source, status=status, run_length=run_length, to_file=out is not None)
    answer(text, status, out=out)


def _faults(series: Sequence[Path], dataset: str | None, of: Sequence[str], form: Format) -> Iterator[Fault]:
    """Options that do not go together."""
    if bool(series) == (dataset is not None):
        yield Fault(
            where="SERIES",
            expected="saved profiles or folders of them, or --dataset",
            found="both" if series else "neither",
        )
    if form is Format.SVG and len(dict.fromkeys(of)) > 1:
        yield Fault(
            where="--format svg", expected="one --of", found=str(len(of)), remedy="Use --format html."
        )


def _saved(series: Sequence[Path]) -> "tuple[str, dict[str, Profile]]":
    """The profiles of files and folders, by names that tell them apart."""
    from aims_pipelines.assets.profile_series import read_series, series_files

    saved = read_series(series_files(series))
    stems = [Path(item.name).stem for item in saved]
    names = stems if len(set(stems)) == len(stems) else [item.name for item in saved]
    source = ", ".join(str(path) for path in series[:3]) + (" …" if len(series) > 3 else "")
    return source, {name: item.profile for name, item in zip(names, saved, strict=True)}


def _published(dataset: str) -> "tuple[str, dict[str, Profile]]":
    """The profiles of the published versions of a dataset; of a partitioned one, of each partition's current one."""
    from aims_pipelines.resources.project import find_project
    from aims_pipelines.resources.published_profiles import profile_in, published_series

    project = find_project()
    return f"dataset {dataset}", published_series(
        project, dataset, partial(profile_in, project.store, dataset)
    )


def _printed(
    made: "Sequence[StatisticChart]",
    form: Format,
    *,
    source: str,
    status: Status,
    run_length: float,
    to_file: bool,
) -> str:
    if form is Format.HTML:
        from aims_pipelines.reports.chart_page import chart_page

        return chart_page(made, source=source, run_length=run_length, day=datetime.now(UTC).date())
    if form is Format.SVG:
        from aims_pipelines.reports.chart_picture import chart_picture

        return chart_picture(made[0].chart, title=made[0].statistic.text) + "\n"
    from aims_pipelines.cli.chart_text import as_json, text

    if form is Format.JSON:
        return as_json(made, source=source, status=status, run_length=run_length)
    return text(made, run_length=run_length, to_file=to_file)
