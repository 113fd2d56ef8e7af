"""What a user asks ``aims init`` for, held against the table that it names."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from aims_pipelines.core.errors import Fault
from aims_pipelines.records.parts import Scalar
from aims_pipelines.records.validation import did_you_mean
from aims_pipelines.scaffold.values import Column

if TYPE_CHECKING:
    import pyarrow as pa

FEWEST_ROWS = 200
#: Share of the rows that the model is judged by.
HOLDOUT_SHARE = 0.3
MOST_CLASSES = 20
MOST_GROUPS = 50
FEWEST_SUBJECTS = 20
_NO_CONTRACT = ("binary", "large_binary", "fixed_size_binary", "time32", "time64", "duration")  # Arrow types
_YES_AND_NO = (("true", "false"), ("1", "0"), ("1.0", "0.0"), ("yes", "no"), ("y", "n"), ("t", "f"))

Task = Literal["classification", "regression"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the new project is to be about.

    Args:
        folder: The folder to make; its last part names the project.
        data: The source file as the user wrote it.
        label: Column to predict.
        protected: Columns whose groups must not be treated worse.
        subject: Column that identifies the person a row is about, if there is one.
        time: Column with the event time, if there is one.
        task: Kind of prediction; told from the label if absent.
        positive: The favourable or flagged value of the label, as text; if absent, the one that says yes, or
            the rarer class.
        null_values: Texts that mean missing, besides the empty field.
        today: The day of the request, from which review dates are counted.
    """

    folder: Path
    data: Path
    label: str
    protected: tuple[str, ...]
    today: date
    subject: str | None = None
    time: str | None = None
    task: Task | None = None
    positive: str | None = None
    null_values: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """The project's name as a part of record ids and of Python names."""
        slug = re.sub(r"\W+", "_", self.folder.name.lower(), flags=re.ASCII).strip("_")
        return slug if slug[:1].isalpha() else f"data_{slug}"


def folder_faults(folder: Path) -> Iterator[Fault]:
    """Yield what is wrong with the folder to make."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}", folder.name):
        yield Fault(
            where="NAME",
            expected="a folder name of at most 60 letters, digits, '-', '_', '.' and spaces",
            found=repr(folder.name or str(folder)),
        )
    elif folder.is_dir() and any(folder.iterdir()):
        yield Fault(
            where=f"NAME {folder}",
            expected="a new or empty folder",
            found="a folder with files in it",
            remedy="Choose another name, or move what is there.",
        )
    elif folder.exists() and not folder.is_dir():
        yield Fault(where=f"NAME {folder}", expected="a new folder", found="a file of that name")
    elif not folder.parent.is_dir():
        yield Fault(where=f"NAME {folder}", expected=f"an existing folder {folder.parent}", found="none")


def nested_faults(schema: "pa.Schema") -> Iterator[Fault]:
    """Yield the columns that hold several values a cell: gates measure their fields, but no contract describes them."""
    from pyarrow import types

    for field in schema:
        if types.is_struct(field.type):
            yield Fault(
                where=f"column {field.name!r}",
                expected="one value a cell",
                found=f"the fields {_some([inner.name for inner in field.type])} in each",
                remedy="Give each field its own column at the source (in Arrow: table.flatten()), or leave it out.",
            )


def option_faults(request: Request, columns: dict[str, Column], rows: int) -> Iterator[Fault]:
    """Yield what is wrong with the options, given the table."""
    if rows < FEWEST_ROWS:
        yield Fault(
            where=str(request.data),
            expected=f"at least {FEWEST_ROWS} rows to learn limits from and to split",
            found=f"{rows} {'row' if rows == 1 else 'rows'}",
        )
        return
    named = _named(request)
    for option, name in named:
        if name not in columns:
            yield Fault(
                where=f"{option} {name}",
                expected=f"a column of {request.data.name}",
                found="none of that name",
                remedy=did_you_mean(name, columns) or f"There are: {_some(list(columns))}.",
            )
    yield from _double(named)
    for column in columns.values():
        yield from _content_faults(column)
    if not request.protected:
        yield Fault(where="--protected", expected="at least one column", found="none")
    if request.label in columns:
        yield from _label_faults(request, columns[request.label])
    for name in request.protected:
        if name in columns and name != request.label:
            yield from _protected_faults(columns[name])
    if request.subject in columns and columns[request.subject].distinct < FEWEST_SUBJECTS:
        yield Fault(
            where=f"--subject {request.subject}",
            expected="a column that tells people apart",
            found=f"{columns[request.subject].distinct} distinct values in {rows:,} rows",
            remedy="Leave --subject out if each row is about somebody else.",
        )
    if request.time in columns and not columns[request.time].is_temporal:
        yield Fault(
            where=f"--time {request.time}",
            expected="dates or times, such as 2026-01-31 or 2026-01-31T12:00:00",
            found=f"a column of {columns[request.time].storage_type}",
            remedy="Write it in ISO format at the source, or leave --time out.",
        )


def task_of(request: Request, label: Column) -> Task:
    """The kind of prediction: as asked for, else told from the label."""
    if request.task is not None:
        return request.task
    if label.is_numeric and (label.distinct > MOST_CLASSES or not label.is_whole):
        return "regression"
    return "classification"


def positive_of(request: Request, label: Column) -> Scalar | None:
    """The positive value of a classification label; ``None`` if not in it.

    As asked for; else the one that says yes, such as true of true and false or 1 of 0 and 1; else the rarer class.
    """
    classes = label.values or {}
    if request.positive is None:
        if says_yes := affirmative(label):
            return says_yes[0]
        return min(classes, key=lambda value: (classes[value], str(value)), default=None)
    return next((value for value in classes if _text(value) == request.positive), None)


def affirmative(label: Column) -> tuple[Scalar, ...]:
    """The class that says yes, where the other one says no; empty where the classes say something else."""
    by_text = {_text(value).lower(): value for value in label.values or {}}
    return tuple(by_text[yes] for yes, no in _YES_AND_NO if by_text.keys() == {yes, no})


def _named(request: Request) -> list[tuple[str, str]]:
    named = [("--label", request.label), *(("--protected", name) for name in request.protected)]
    named += [("--subject", request.subject)] if request.subject is not None else []
    return named + ([("--time", request.time)] if request.time is not None else [])


def _double(named: Sequence[tuple[str, str]]) -> Iterator[Fault]:
    first: dict[str, str] = {}
    for option, name in named:
        if name in first:
            yield Fault(
                where=f"{option} {name}",
                expected="another column",
                found=f"the one named by {first[name]}",
                remedy="A column plays one part: label, protected attribute, subject or time.",
            )
        first.setdefault(name, option)


def _label_faults(request: Request, label: Column) -> Iterator[Fault]:
    where = f"--label {label.name}"
    if label.known == 0:
        yield Fault(where=where, expected="a column with values", found="only missing ones")
        return
    if label.distinct == 1:
        yield Fault(
            where=where, expected="at least two different values", found="the same value in every row"
        )
        return
    if task_of(request, label) == "regression":
        if not label.is_numeric:
            yield Fault(
                where=where, expected="numbers, for a regression", found=f"a column of {label.storage_type}"
            )
        if request.positive is not None:
            yield Fault(
                where="--positive",
                expected="no positive value for a regression",
                found=repr(request.positive),
            )
        return
    if label.values is None or label.distinct > MOST_CLASSES:
        yield Fault(
            where=where,
            expected=f"at most {MOST_CLASSES} classes",
            found=f"{label.distinct:,} distinct values",
            remedy="For a quantity, add: --task regression"
            if label.is_numeric
            else "Merge rare classes at the source.",
        )
    elif positive_of(request, label) is None:
        choices = [_text(value) for value in label.values]
        yield Fault(
            where=f"--positive {request.positive}",
            expected=f"a value of '{label.name}': {_some(choices)}",
            found="none like it",
            remedy=did_you_mean(request.positive, choices),
        )


def _protected_faults(column: Column) -> Iterator[Fault]:
    where = f"--protected {column.name}"
    if column.known == 0:
        yield Fault(where=where, expected="a column with values", found="only missing ones")
    elif column.distinct == 1:
        yield Fault(where=where, expected="at least two groups", found="the same value in every row")
    elif column.is_temporal:
        yield Fault(
            where=where,
            expected="a column of groups, or numbers to put in bands",
            found="dates",
            remedy="Add a column such as the age in years to the source.",
        )
    elif not column.is_numeric and (column.values is None or column.distinct > MOST_GROUPS):
        yield Fault(
            where=where,
            expected=f"at most {MOST_GROUPS} groups",
            found=f"{column.distinct:,} distinct values",
            remedy="Merge rare values at the source.",
        )


def _content_faults(column: Column) -> Iterator[Fault]:
    """What no contract can describe, or no model learn from."""
    if column.storage_type.startswith(_NO_CONTRACT):
        yield Fault(
            where=f"column {column.name!r}",
            expected="numbers, texts, booleans, dates or timestamps",
            found=f"the type {column.storage_type}",
            remedy="Write it as a number or a text at the source, or leave it out.",
        )
    elif column.infinite:
        yield Fault(
            where=f"column {column.name!r}",
            expected="finite numbers",
            found=f"{column.infinite:,} infinite {'value' if column.infinite == 1 else 'values'}",
            remedy="Leave the cell empty at the source where there is no number.",
        )


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:12])
    return shown if len(names) <= 12 else f"{shown}, … ({len(names)} in all)"
