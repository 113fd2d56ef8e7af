"""What a well-typed record can still get wrong by itself: parts of it that cannot all hold."""

from collections.abc import Iterator
from datetime import date, timedelta

from aims_pipelines.core.errors import Fault
from aims_pipelines.records.charted import chart_faults
from aims_pipelines.records.credentials import credential_in
from aims_pipelines.records.dataset_record import ColumnContract, ColumnType, DatasetRecord, Label, Source
from aims_pipelines.records.document import Document, shown
from aims_pipelines.records.parts import Accepted, Scalar
from aims_pipelines.records.patterns import problem_with
from aims_pipelines.records.policy_record import (
    DATASET_CHECK_NAMES,
    MODEL_CHECK_NAMES,
    ModelLimits,
    PolicyRecord,
)
from aims_pipelines.records.system_record import SystemRecord
from aims_pipelines.records.validation import did_you_mean

_NUMERIC = {ColumnType.INTEGER, ColumnType.NUMBER}
_DAYS_ACCEPTABLE = 731


def contradictions(
    record: DatasetRecord | PolicyRecord | SystemRecord, document: Document, *, today: date
) -> Iterator[Fault]:
    """Yield every fault of one record that its types do not show."""
    if isinstance(record, DatasetRecord):
        yield from _dataset(record, document, today)
    elif isinstance(record, PolicyRecord):
        yield from _policy(record, document)
    else:
        yield from _system(record, document, today)


def _dataset(record: DatasetRecord, document: Document, today: date) -> Iterator[Fault]:
    if not record.columns:
        yield Fault(
            where=document.where(("columns",)),
            expected="the contract of at least one column",
            found="none",
            remedy="Declare the columns, or name a dataset that has the same under 'like'.",
        )
    for name, column in record.columns.items():
        yield from _column(name, column, document)
    yield from _named_columns(record, document)
    yield from _protected(record, document)
    yield from _pairs(record, document)
    if record.label is not None:
        yield from _label(record.label, record, document)
    yield from _source(record.source, document)
    yield from chart_faults(record, document)
    if record.time is None and record.limits is not None and record.limits.max_age_days is not None:
        yield Fault(
            where=document.where(("limits", "max_age_days")),
            expected="a 'time' column to judge it by",
            found="none",
        )
    time_column = record.columns.get(record.time) if record.time is not None else None
    if time_column is not None and time_column.type not in {ColumnType.DATE, ColumnType.TIMESTAMP}:
        yield Fault(
            where=document.where(("time",)),
            expected="a column of type date or timestamp",
            found=f"'{record.time}' of type {time_column.type}",
        )
    yield from _accepted(record.accepted, document, DATASET_CHECK_NAMES, today)


def _source(source: Source, document: Document) -> Iterator[Fault]:
    """The data enters by one way that can be shown, and nothing secret is written down about it."""
    if source.path is None and source.external is None and not source.upstream:
        yield Fault(
            where=document.where(("source",)),
            expected="a path, upstream datasets, or an external origin",
            found="none of them",
            remedy="Say which file, which governed assets, or which database, API, object store or stream the data "
            "comes from.",
        )
    if source.path is not None and source.external is not None:
        yield Fault(
            where=document.where(("source", "external")),
            expected="either a file or an external origin",
            found="both",
            remedy="Keep the one that the asset reads; make another dataset of the other, and name both upstream.",
        )
    if source.sha256 is not None and source.path is None:
        yield Fault(
            where=document.where(("source", "sha256")),
            expected="a file under 'source.path' that the pin is about",
            found="none",
            remedy="What is loaded from elsewhere is known by the digest of its rows, which every verdict names.",
        )
    if source.external is not None:
        for name in ("name", "locator", "retrieved_by"):
            found = credential_in(getattr(source.external, name))
            if found:
                yield Fault(
                    where=document.where(("source", "external", name)),
                    expected="no user, password, key or token: records are reviewed and shown",
                    found=found,
                    remedy="Take it out, replace it where it is valid, and let the asset get it from a resource or "
                    "the environment.",
                )


def _column(name: str, column: ColumnContract, document: Document) -> Iterator[Fault]:
    path = ("columns", name)
    for key in ("min", "max"):
        if getattr(column, key) is not None and column.type not in _NUMERIC:
            yield Fault(
                where=document.where((*path, key)),
                expected="a numeric column, for a limit on its numbers",
                found=f"type {column.type}",
            )
    if column.min is not None and column.max is not None and column.min > column.max:
        yield Fault(
            where=document.where((*path, "max")),
            expected=f"at least min, {column.min:g}",
            found=f"{column.max:g}",
        )
    if column.pattern is not None and column.type is not ColumnType.STRING:
        yield Fault(
            where=document.where((*path, "pattern")),
            expected="a column of type string",
            found=f"type {column.type}",
        )
    problem = problem_with(column.pattern) if column.pattern is not None else ""
    if problem:
        yield Fault(
            where=document.where((*path, "pattern")), expected="a safe regular expression", found=problem
        )
    if column.allowed is not None and not column.allowed:
        yield Fault(
            where=document.where((*path, "allowed")), expected="at least one value", found="an empty list"
        )
    seen: set[tuple[type, Scalar]] = set()
    for index, value in enumerate(column.allowed or ()):
        if not _fits(value, column.type):
            yield Fault(
                where=document.where((*path, "allowed", index)),
                expected=f"a value of type {column.type}",
                found=shown(value),
                remedy="Put text in quotes." if column.type is ColumnType.STRING else "",
            )
        if (type(value), value) in seen:
            yield Fault(
                where=document.where((*path, "allowed", index)),
                expected="each value once",
                found=shown(value),
            )
        seen.add((type(value), value))


def _fits(value: Scalar, kind: ColumnType) -> bool:
    if kind is ColumnType.BOOLEAN:
        return isinstance(value, bool)
    if kind is ColumnType.INTEGER:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind is ColumnType.NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str)


def _named_columns(record: DatasetRecord, document: Document) -> Iterator[Fault]:
    """Columns named elsewhere in the record are declared, and play one part each."""
    parts: list[tuple[tuple[str | int, ...], str]] = []
    if record.label is not None:
        parts.append((("label", "column"), record.label.column))
    parts.extend((("protected", index, "column"), item.column) for index, item in enumerate(record.protected))
    if record.subject is not None:
        parts.append((("subject",), record.subject))
    if record.time is not None:
        parts.append((("time",), record.time))
    first: dict[str, str] = {}
    for path, column in parts:
        if column not in record.columns:
            yield Fault(
                where=document.where(path),
                expected="a column that is declared under 'columns'",
                found=shown(column),
                remedy=did_you_mean(column, record.columns),
            )
        elif column in first:
            yield Fault(
                where=document.where(path),
                expected=f"another column than the {first[column]}'s",
                found=shown(column),
                remedy="A column plays one part: label, protected attribute, subject or time.",
            )
        first.setdefault(column, str(path[0]))


def _protected(record: DatasetRecord, document: Document) -> Iterator[Fault]:
    for index, item in enumerate(record.protected):
        column = record.columns.get(item.column)
        path = ("protected", index, "bands")
        if item.bands and column is not None and column.type not in _NUMERIC:
            yield Fault(
                where=document.where(path),
                expected="bands for a numeric column only",
                found=f"type {column.type}",
            )
        if any(low >= high for low, high in zip(item.bands, item.bands[1:], strict=False)):
            yield Fault(
                where=document.where(path),
                expected="edges in ascending order, each once",
                found=", ".join(f"{edge:g}" for edge in item.bands),
            )
    attributes = [item.column for item in record.protected]
    for index, names in enumerate(record.intersections):
        if len(set(names)) < 2:
            yield Fault(
                where=document.where(("intersections", index)),
                expected="at least two different attributes",
                found=", ".join(names) or "none",
            )
        for position, name in enumerate(names):
            if name not in attributes:
                yield Fault(
                    where=document.where(("intersections", index, position)),
                    expected="a column that is declared under 'protected'",
                    found=shown(name),
                    remedy=did_you_mean(name, attributes),
                )


def _pairs(record: DatasetRecord, document: Document) -> Iterator[Fault]:
    """Pairs are of two declared columns that hold values which may come again."""
    seen: dict[frozenset[str], int] = {}
    for index, pair in enumerate(record.pairs):
        path = ("pairs", index)
        if pair[0] == pair[1]:
            yield Fault(
                where=document.where(path), expected="two different columns", found=f"{shown(pair[0])} twice"
            )
        elif frozenset(pair) in seen:
            yield Fault(
                where=document.where(path),
                expected="each pair once",
                found=f"the pair of {seen[frozenset(pair)]}",
            )
        seen.setdefault(frozenset(pair), index)
        for position, name in enumerate(dict.fromkeys(pair)):
            column = record.columns.get(name)
            if column is None:
                yield Fault(
                    where=document.where((*path, position)),
                    expected="a column that is declared under 'columns'",
                    found=shown(name),
                    remedy=did_you_mean(name, record.columns),
                )
            elif column.type in {ColumnType.DATE, ColumnType.TIMESTAMP} or name == record.time:
                yield Fault(
                    where=document.where((*path, position)),
                    expected="a column of numbers or categories",
                    found=f"{shown(name)}, which holds times",
                    remedy="Times move by design. Pair the hour, the weekday or the age, as a column of its own.",
                )
            elif column.unique or not column.drift or name == record.subject:
                yield Fault(
                    where=document.where((*path, position)),
                    expected="a column whose values come again",
                    found=f"{shown(name)}, which is a key",
                    remedy="Of a key nothing can be told but that it is one.",
                )


def _label(label: Label, record: DatasetRecord, document: Document) -> Iterator[Fault]:
    column = record.columns.get(label.column)
    if label.task == "regression":
        if label.positive is not None:
            yield Fault(
                where=document.where(("label", "positive")),
                expected="no positive value for a regression",
                found=shown(label.positive),
            )
        if column is not None and column.type not in _NUMERIC:
            yield Fault(
                where=document.where(("label", "task")),
                expected="a numeric label for a regression",
                found=f"type {column.type}",
            )
        return
    if label.positive is None:
        yield Fault(
            where=document.where(("label", "positive")),
            expected="the value that is the favourable or flagged outcome",
            found="nothing",
            remedy="Add 'positive': the label rate gap and the model's score are about this value.",
        )
    elif column is not None and not _fits(label.positive, column.type):
        yield Fault(
            where=document.where(("label", "positive")),
            expected=f"a value of type {column.type}, like the label column",
            found=shown(label.positive),
        )
    elif column is not None and column.allowed is not None and label.positive not in column.allowed:
        yield Fault(
            where=document.where(("label", "positive")),
            expected=f"one of the allowed values of '{label.column}'",
            found=shown(label.positive),
            remedy=did_you_mean(label.positive, column.allowed),
        )


def _accepted(
    accepted: tuple[Accepted, ...], document: Document, checks: tuple[str, ...], today: date
) -> Iterator[Fault]:
    seen: set[tuple[str, str, str]] = set()
    for index, item in enumerate(accepted):
        if item.check not in checks:
            yield Fault(
                where=document.where(("accepted", index, "check")),
                expected=f"one of {', '.join(checks)}",
                found=shown(item.check),
                remedy=did_you_mean(item.check, checks),
            )
        if (named := (item.check, item.target, item.measure)) in seen:
            yield Fault(
                where=document.where(("accepted", index)),
                expected="one entry for each check, target and measure",
                found=f"another for {item.check} of {item.target or 'the whole'}",
            )
        seen.add(named)
        if item.review_by > today + timedelta(days=_DAYS_ACCEPTABLE):
            yield Fault(
                where=document.where(("accepted", index, "review_by")),
                expected="a review within two years",
                found=item.review_by.isoformat(),
                remedy="A shortfall is accepted for a time, not for good.",
            )


def _policy(record: PolicyRecord, document: Document) -> Iterator[Fault]:
    known = tuple(dict.fromkeys((*DATASET_CHECK_NAMES, *MODEL_CHECK_NAMES)))
    for name in record.stages:
        if name not in known:
            yield Fault(
                where=document.where(("stages", name)),
                expected=f"one of {', '.join(known)}",
                found=shown(name),
                remedy=did_you_mean(name, known),
            )
    yield from _model_limits(record.model_limits, document, "model_limits")


def _system(record: SystemRecord, document: Document, today: date) -> Iterator[Fault]:
    if record.model.training == record.model.holdout:
        yield Fault(
            where=document.where(("model", "holdout")),
            expected="another dataset than the one for training",
            found=shown(record.model.holdout),
        )
    if record.limits is not None:
        yield from _model_limits(record.limits, document, "limits")
    yield from _accepted(record.accepted, document, MODEL_CHECK_NAMES, today)


def _model_limits(limits: ModelLimits, document: Document, key: str) -> Iterator[Fault]:
    if limits.metric == "mae" and limits.max_metric is None:
        yield Fault(
            where=document.where((key, "max_metric")),
            expected="the largest acceptable error for mae",
            found="nothing",
        )
    if limits.metric not in {"mae"} and limits.min_metric > 1:
        yield Fault(
            where=document.where((key, "min_metric")),
            expected=f"at most 1, the best possible {limits.metric}",
            found=f"{limits.min_metric:g}",
        )
