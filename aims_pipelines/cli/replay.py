"""``aims replay``: what a policy would have done to past windows, before it is put in force."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from aims_pipelines.cli.answers import OutOption, OverwriteOption, answer
from aims_pipelines.cli.outlet import names, output_faults, patience
from aims_pipelines.core.errors import BadInput, Fault

if TYPE_CHECKING:
    from aims_pipelines.stats.replay import Replay

_Read = TypeVar("_Read")
#: Limits that profiles alone can be judged by.
_OF_DRIFT = (
    "drift_alpha",
    "drift_effect",
    "drift_inconclusive",
    "drift_reference",
    "false_alarm_budget",
    "confidence",
)
_DAYS = re.compile(r"([1-9][0-9]{0,4})d")


class Format(StrEnum):
    """How a result is printed."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"
    MARKDOWN = "markdown"


def replay(  # noqa: PLR0917 - the options of a command
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="With --profiles: saved profiles in order, the first as reference."),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option("--dataset", metavar="ID", help="Dataset to replay; may be repeated; all if absent."),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            metavar="FILE",
            help="Records to try: policies, datasets, or both. With --profiles: the record whose limits apply.",
        ),
    ] = None,
    limits: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="LIMIT=VALUE", help="Limit to try, over all others; may be repeated."),
    ] = None,
    stages: Annotated[
        list[str] | None,
        typer.Option("--stage", metavar="CHECK=STAGE", help="Stage to try: block or warn; may be repeated."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="90d|DATE", help="Leave out what was judged before; all if absent."),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget",
            help="Largest acceptable share of false alarms, such as 0.01; 'false_alarm_budget' of the limits "
            "if absent.",
        ),
    ] = None,
    with_rows: Annotated[
        bool,
        typer.Option("--with-rows", help="Read stored rows for what profiles cannot tell; takes longer."),
    ] = False,
    profiles: Annotated[
        bool, typer.Option("--profiles", help="Replay saved profiles instead of a project: drift only.")
    ] = False,
    rolling: Annotated[
        bool,
        typer.Option(
            "--rolling", help="With --profiles: judge each against the one before it, not the first."
        ),
    ] = False,
    label: Annotated[str | None, typer.Option("--label", help="With --profiles: column to predict.")] = None,
    ignore: Annotated[
        str | None,
        typer.Option("--ignore", help="With --profiles: columns not judged, such as running numbers."),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to print the result.")] = Format.TEXT,
    out: OutOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Judge past windows again, each as it was: by the records as they are now, and by a change of them.

    Exit code 0 if nothing is newly blocked (or the budget is kept), 1 if something is (or the budget is exceeded),
    2 bad input, 3 if the past cannot tell.
    """
    now = datetime.now(UTC)
    faults = _faults(now=now, since=since, budget=budget)
    if profiles:
        only_project = {
            "--dataset": dataset,
            "--stage": stages,
            "--since": since,
            "--with-rows": with_rows,
        }
        faults += _misplaced(only_project, "a replay of a project, without --profiles")
    else:
        faults += _misplaced(
            {"--rolling": rolling, "--label": label, "--ignore": ignore}, "a replay of --profiles"
        )
        faults += [
            Fault(
                where=str(file),
                expected="no file, unless with --profiles",
                found="one",
                remedy=f"Name a dataset with --dataset {file}, or say --profiles before saved profiles.",
            )
            for file in files or []
        ]
    if out is not None:
        inputs = [*(files or []), *([policy] if policy else [])]
        faults += output_faults(out, overwrite=overwrite, inputs=inputs)
    if faults:
        raise BadInput(faults)
    if profiles:
        made = _of_profiles(
            files or [],
            policy=policy,
            settings=tuple(limits or ()),
            budget=budget,
            rolling=rolling,
            label=label,
            ignore=names(ignore) or (),
            now=now,
        )
    else:
        made = _of_project(
            tuple(dict.fromkeys(dataset or ())),
            policy=policy,
            settings=tuple(limits or ()),
            stages=tuple(stages or ()),
            since=since,
            budget=budget,
            with_rows=with_rows,
            now=now,
        )
    text = _printed(made, form, to_file=out is not None)
    answer(text, made.status, out=out)


def _of_project(
    datasets: tuple[str, ...],
    *,
    policy: Path | None,
    settings: tuple[str, ...],
    stages: tuple[str, ...],
    since: str | None,
    budget: float | None,
    with_rows: bool,
    now: datetime,
) -> "Replay":
    from aims_pipelines.assets.replay import replay_project
    from aims_pipelines.records.proposal import read_proposal
    from aims_pipelines.resources.project import find_project

    project = find_project()
    records = project.records()
    faults: list[Fault] = []
    for name in datasets:
        _collected(faults, partial(records.dataset, name))
    proposal = _collected(faults, lambda: read_proposal(records, file=policy, limits=settings, stages=stages))
    if faults:
        raise BadInput(faults)
    with patience("Judging past windows again"):
        return replay_project(
            project,
            now=now,
            datasets=datasets,
            proposal=proposal,
            since=None if since is None else _start(since, now),
            budget=budget,
            with_rows=with_rows,
        )


def _of_profiles(
    files: list[Path],
    *,
    policy: Path | None,
    settings: tuple[str, ...],
    budget: float | None,
    rolling: bool,
    label: str | None,
    ignore: tuple[str, ...],
    now: datetime,
) -> "Replay":
    from aims_pipelines.assets.profile_series import read_series, replay_profiles
    from aims_pipelines.cli.record_terms import read_stated
    from aims_pipelines.records.policy_record import Limits, Reference
    from aims_pipelines.records.proposal import read_limits
    from aims_pipelines.stats.replay import Replay

    faults: list[Fault] = []
    tried = _collected(faults, lambda: read_limits(settings))
    faults += [
        Fault(
            where=f"--set {name}",
            expected=f"a limit of drift, as profiles are judged for nothing else: {', '.join(_OF_DRIFT)}",
            found="one of another check",
            remedy="Replay the project instead, which has the rows' verdicts: leave --profiles out.",
        )
        for name in tried or {}
        if name not in _OF_DRIFT
    ]
    stated = None if policy is None else _collected(faults, lambda: read_stated(policy))
    series = _collected(faults, lambda: read_series(files))
    if faults or series is None:
        raise BadInput(faults)
    limits = Limits() if stated is None else stated.limits
    if rolling:
        limits = limits.model_copy(update={"drift_reference": Reference.PREVIOUS})
    with patience("Judging profiles again"):
        made = replay_profiles(
            series,
            limits=limits,
            now=now,
            proposed=limits.model_copy(update=tried) if tried else None,
            record=None if stated is None else stated.record,
            label=label,
            ignore=ignore,
            budget=budget,
            notes=() if stated is None else stated.notes,
        )
    return Replay(datasets=(made,), at=now)


def _collected(faults: list[Fault], read: Callable[[], _Read]) -> _Read | None:
    """What is read; or ``None``, its faults added to the others."""
    try:
        return read()
    except BadInput as error:
        faults += error.faults
        return None


def _printed(made: "Replay", form: Format, *, to_file: bool) -> str:
    if form is Format.HTML:
        from aims_pipelines.reports.replay_page import replay_page

        return replay_page(made)
    if form is Format.JSON:
        from aims_pipelines.cli.replay_json import replay_json

        return replay_json(made)
    from aims_pipelines.cli.replay_text import markdown, text

    return markdown(made) if form is Format.MARKDOWN else text(made, to_file=to_file)


def _faults(*, now: datetime, since: str | None, budget: float | None) -> list[Fault]:
    faults = []
    start = None if since is None else _start(since, now)
    if since is not None and start is None:
        faults.append(
            Fault(
                where="--since",
                expected="days, such as 90d, or a date, such as 2026-01-31",
                found=repr(since),
            )
        )
    elif start is not None and start > now:
        faults.append(Fault(where="--since", expected="a day of the past", found=repr(since)))
    if budget is not None and not 0.0 < budget < 1.0:
        faults.append(
            Fault(
                where="--budget",
                expected="a share of the windows between 0 and 1, such as 0.01",
                found=f"{budget:g}",
                remedy="No number of windows shows that there will never be a false alarm."
                if budget == 0
                else "",
            )
        )
    return faults


def _misplaced(options: Mapping[str, object], place: str) -> list[Fault]:
    """Options that say something about another kind of replay."""
    return [
        Fault(where=name, expected=f"it only in {place}", found="it here")
        for name, value in options.items()
        if value
    ]


def _start(since: str, now: datetime) -> datetime | None:
    """The moment that a period starts; ``None`` if it cannot be read."""
    days = _DAYS.fullmatch(since.strip())
    if days:
        return now - timedelta(days=int(days[1]))
    try:
        day = datetime.strptime(since.strip(), "%Y-%m-%d")  # noqa: DTZ007 - the zone is given below
    except ValueError:
        return None
    return day.replace(tzinfo=UTC)
