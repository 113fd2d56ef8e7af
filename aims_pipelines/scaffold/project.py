"""A project from a request: read, guess, rehearse, and put in place whole or not at all."""

import keyword
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.records.models import Limits, ModelLimits, Part, Scalar
from aims_pipelines.scaffold.guess import Contract, bands_for, guess_contracts
from aims_pipelines.scaffold.model_rehearsal import Trial, rehearse_model
from aims_pipelines.scaffold.rehearsal import Rehearsed, Shortfall, by_dataset, rehearse, summarised
from aims_pipelines.scaffold.render import render, yaml_text
from aims_pipelines.scaffold.request import (
    FEWEST_ROWS,
    Request,
    Task,
    folder_faults,
    option_faults,
    positive_of,
    task_of,
)
from aims_pipelines.scaffold.suite import suite_text
from aims_pipelines.scaffold.values import Column, columns_of, null_texts

if TYPE_CHECKING:
    import pyarrow as pa

HOLDOUT_SHARE = 0.3
REVIEW_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A project that was written.

    Args:
        folder: Where it is.
        files: Its files, relative to the folder.
        look: What a person should look at, one sentence each.
    """

    folder: Path
    files: tuple[str, ...]
    look: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """All that was learned about the table."""

    request: Request
    rows: int
    task: Task
    positive: Scalar | None
    columns: dict[str, Column]
    contracts: list[Contract]
    bands: dict[str, tuple[float, ...]]
    personal: tuple[str, ...]
    guessed_nulls: bool

    @property
    def source(self) -> str:
        slug = self.request.slug
        return (
            f"{slug}_data"
            if keyword.iskeyword(slug) or slug in {"aims", "defs", "dg", "pa", "pd", "split"}
            else slug
        )

    @property
    def holdout(self) -> str:
        return f"{self.source}_holdout"

    @property
    def training(self) -> str:
        return f"{self.source}_training"

    @property
    def model(self) -> str:
        return f"{self.source}_model"


def create(request: Request, *, tell: Callable[[str], None] = lambda _: None) -> Created:
    """Write a ready project for the table that a request names.

    The source is read where it is and not copied. Everything is written beside the new folder first and moved into
    place at the end, so that a stop in between leaves no half project.

    Args:
        request: What to make.
        tell: Told what is being done, for a user who waits.

    Raises:
        BadInput: The folder, the table or the options will not do; every fault at once, nothing written.
    """
    from aims_pipelines.core.digest import file_digest
    from aims_pipelines.measure import read_table

    faults = list(folder_faults(request.folder))
    tell(f"Reading {request.data.name}")
    try:
        table = read_table(request.data, null_values=request.null_values)
        nulls = () if request.null_values else null_texts(request.data, table)
        if nulls:
            table = read_table(request.data, null_values=nulls)
    except BadInput as error:
        raise BadInput([*faults, *error.faults]) from None
    columns = columns_of(table)
    faults.extend(option_faults(request, columns, table.num_rows))
    if faults:
        raise BadInput(faults)
    plan = _plan(
        replace(request, null_values=request.null_values or nulls), table, columns, guessed_nulls=bool(nulls)
    )
    if not any(item.feature for item in plan.contracts):
        raise BadInput(
            Fault(
                where=str(request.data),
                expected="at least one column that a model may learn from",
                found=f"none: {_left_out(plan)}",
            )
        )
    temporary = request.folder.parent / f".{request.folder.name}.{secrets.token_hex(4)}.tmp"
    try:
        governance = temporary / "governance"
        parts = _tables(plan, table, source_digest=file_digest(request.data))
        _write(plan, temporary, shortfalls=[], look=[])
        tell("Judging the table as its gates will")
        shortfalls = rehearse(parts, _records(governance), today=request.today)
        tell("Trying a model")
        trial = Trial(
            system=plan.model,
            code=render("rehearsal.py.jinja", _facts(plan, look=[])),
            training=parts[2].table,
            holdout=parts[1].table,
        )
        found, problem = rehearse_model(trial, _records(governance), today=request.today)
        shortfalls += found
        look = [*_choices(plan), *([problem] if problem else []), *summarised(shortfalls)]
        _write(plan, temporary, shortfalls=shortfalls, look=look)
        _records(governance)
        _put(temporary, request.folder)
    except OSError as error:
        raise BadInput(
            Fault(
                where=str(request.folder), expected="to write the project", found=error.strerror or "an error"
            )
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    files = sorted(
        str(path.relative_to(request.folder)) for path in request.folder.rglob("*") if path.is_file()
    )
    return Created(folder=request.folder, files=tuple(files), look=tuple(look))


def _records(governance: Path) -> Any:
    from aims_pipelines.records.load import load_records

    return load_records(governance)


def _put(temporary: Path, folder: Path) -> None:
    if folder.is_dir():
        folder.rmdir()  # empty, or this fails and nothing is lost
    temporary.rename(folder)


def _plan(request: Request, table: "pa.Table", columns: dict[str, Column], *, guessed_nulls: bool) -> _Plan:
    label = columns[request.label]
    task = task_of(request, label)
    personal = _personal(request, table, columns)
    limits = Limits()
    return _Plan(
        request=request,
        rows=table.num_rows,
        task=task,
        positive=positive_of(request, label) if task == "classification" else None,
        columns=columns,
        contracts=guess_contracts(columns, request, personal=personal),
        bands={
            name: bands_for(columns[name], smallest_group=limits.min_group_size, share=HOLDOUT_SHARE)
            for name in request.protected
        },
        personal=personal,
        guessed_nulls=guessed_nulls,
    )


def _personal(request: Request, table: "pa.Table", columns: dict[str, Column]) -> tuple[str, ...]:
    """Columns in which the check for personal data finds some, or which have a telling name."""
    from datetime import UTC, datetime

    from aims_pipelines.checks import personal_data
    from aims_pipelines.checks.candidate import Candidate, Inapplicable
    from aims_pipelines.core.verdict import Status
    from aims_pipelines.measure import profile_table
    from aims_pipelines.records.models import ColumnContract, DatasetRecord, Source

    record = DatasetRecord(
        kind="dataset",
        id="x",
        title="x",
        owner="x",
        status="proposed",
        purpose="x",
        source=Source(path="x", licence="x", legal_basis="x"),
        columns={name: ColumnContract(type=column.type) for name, column in columns.items()},
        subject=request.subject,
    )
    answer = personal_data.judge(
        Candidate(
            asset="x",
            record=record,
            limits=Limits(),
            digest="",
            profile=profile_table(table),
            batches=lambda: iter(table.to_batches()),
            now=datetime.now(UTC),
        )
    )
    if isinstance(answer, Inapplicable):
        return ()
    return tuple(finding.target for finding in answer if finding.target and finding.status is not Status.PASS)


def _tables(plan: _Plan, table: "pa.Table", *, source_digest: str) -> list[Rehearsed]:
    """The tables of the pipeline in the order in which it makes them."""
    import pyarrow.compute as pc

    from aims_pipelines.measure.split import split_rows

    request = plan.request
    labelled = table.filter(pc.invert(table[request.label].is_null(nan_is_null=True)))
    by = (
        [request.subject]
        if request.subject
        else [name for name in table.column_names if name != request.label]
    )
    training, holdout = split_rows(labelled, by=by, holdout=HOLDOUT_SHARE)
    if min(training.num_rows, holdout.num_rows) < FEWEST_ROWS // 10:
        raise BadInput(
            Fault(
                where=str(request.data),
                expected="rows different enough to split in two",
                found=f"{training.num_rows} rows for training, {holdout.num_rows} to judge by",
                remedy="Check for repeated rows, or name the column that tells people apart: --subject COLUMN",
            )
        )
    return [
        Rehearsed(dataset=plan.source, table=table, source_digest=source_digest),
        Rehearsed(dataset=plan.holdout, table=holdout),
        Rehearsed(dataset=plan.training, table=training),
    ]


def _write(plan: _Plan, folder: Path, *, shortfalls: list[Shortfall], look: list[str]) -> None:
    from aims_pipelines.records.schema import schema_text
    from aims_pipelines.records.validation import KINDS

    facts = _facts(plan, look=look)
    suite = suite_text(plan.source, plan.contracts, label=plan.request.label)
    texts = {
        "definitions.py": render("definitions.py.jinja", facts),
        "aims.toml": render("aims.toml.jinja", facts),
        "workspace.yaml": render("workspace.yaml.jinja", facts),
        "pyproject.toml": render("pyproject.toml.jinja", facts),
        ".gitignore": render("gitignore.jinja", facts),
        "README.md": render("README.md.jinja", facts),
        "governance/policy.yaml": render("policy.yaml.jinja", facts),
        f"governance/{plan.source}.yaml": render(
            "source.yaml.jinja", facts | _accepted(shortfalls, plan.source)
        ),
        f"governance/{plan.model}.yaml": render(
            "system.yaml.jinja", facts | _accepted(shortfalls, plan.model)
        ),
        f"governance/expectations/{plan.source}.json": suite,
        **{f"governance/.schemas/{kind}.json": schema_text(kind) for kind in KINDS},
    }
    for part in _parts(plan):
        texts[f"governance/{part['id']}.yaml"] = render(
            "part.yaml.jinja", facts | {"part": part} | _accepted(shortfalls, str(part["id"]))
        )
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _accepted(shortfalls: list[Shortfall], dataset: str) -> dict[str, Any]:
    return {"accepted": list(by_dataset(shortfalls, dataset))}


def _parts(plan: _Plan) -> list[dict[str, object]]:
    how = (
        f"Pinned by a hash of '{plan.request.subject}': nobody is on both sides, in this batch or a later one."
        if plan.request.subject
        else "Pinned by a hash of each row's features: a row is on the same side in every batch, and its copies too."
    )
    return [
        {
            "id": plan.holdout,
            "title": f"{_title(plan.request)}, held out",
            "role": "holdout",
            "purpose": "Judging every version of the model by rows that none was trained on.",
            "rationale": how,
            "controls": ["A.6.2.4", "A.7.5", "A.7.6"],
            "disjoint_from": "",
            "min_group_size": ModelLimits().min_group_size,
        },
        {
            "id": plan.training,
            "title": f"{_title(plan.request)}, for training",
            "role": "training",
            "purpose": "Training the model; never measuring how good it is.",
            "rationale": how,
            "controls": ["A.7.2", "A.7.5", "A.7.6"],
            "disjoint_from": plan.holdout,
            "min_group_size": None,
        },
    ]


def _title(request: Request) -> str:
    words = request.folder.name.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]


def _facts(plan: _Plan, *, look: list[str]) -> dict[str, Any]:
    request, today = plan.request, plan.request.today
    numbers = [item.column.name for item in plan.contracts if item.feature == "number"]
    categories = [item.column.name for item in plan.contracts if item.feature == "category"]
    regression = plan.task == "regression"
    label = plan.columns[request.label]
    return {
        "slug": plan.source,
        "source": plan.source,
        "holdout": plan.holdout,
        "training": plan.training,
        "model": plan.model,
        "title": _title(request),
        "rows": f"{plan.rows:,}",
        "today": today.isoformat(),
        "review_by": (today + REVIEW_YEAR).isoformat(),
        "purpose": f"Training and judging the model {plan.model}.",
        "path": _path(request),
        "null_values": list(request.null_values),
        "null_values_guessed": plan.guessed_nulls,
        "licence": f"For a trial only; the licence was not stated when the project was started on {today}.",
        "legal_basis": f"For a trial only; the basis was not stated when the project was started on {today}.",
        "subject": request.subject,
        "time": request.time,
        "label": request.label,
        "task": plan.task,
        "positive": plan.positive,
        "positive_note": ""
        if request.positive is not None
        else "  # the rarer class; is it the favourable or flagged one?",
        "protected": [{"column": name, "bands": list(plan.bands[name])} for name in request.protected],
        "intersections": list(request.protected[:2]) if len(request.protected) > 1 else [],
        "expectations": f"expectations/{plan.source}.json",
        "contracts": [
            {"name": item.column.name, "rules": item.rules, "note": item.note} for item in plan.contracts
        ],
        "dataset_limits": _limits(Limits(), {}),
        "model_limits": _limits(*_model_limits(plan)),
        "model_title": f"Model of {request.label}" + (f" = {plan.positive}" if not regression else ""),
        "model_purpose": f"Estimate {request.label} from the other columns of {plan.source}."
        if regression
        else f"Estimate how likely {request.label} is {plan.positive}, from the other columns of {plan.source}.",
        "model_doc": f"A linear model of {label.name} that a person can read."
        if regression
        else f"A logistic regression of {label.name} that a person can read.",
        "estimator": "Ridge" if regression else "LogisticRegression",
        "estimator_call": "Ridge(alpha=1.0)" if regression else "LogisticRegression(max_iter=2_000)",
        "exclude": [
            item.column.name for item in plan.contracts if not item.feature and item.why_not != "the label"
        ],
        "numbers": numbers,
        "categories": categories,
        "wide_numbers": len(repr(numbers)) > 98,
        "wide_categories": len(repr(categories)) > 95,
        "left_out": _left_out(plan),
        "split_doc": f"Split by a hash of {request.subject}: nobody is on both sides, in this batch or a later one."
        if request.subject
        else "Split by a hash of each row's features: equal rows are on the same side, in this batch and later ones.",
        "look": look or ["Nothing stood out. The texts for people in the records are still to be written."],
    }


def _path(request: Request) -> str:
    """The source as the record names it: relative to the project if the user wrote it so, else absolute."""
    if request.data.is_absolute():
        return str(request.data)
    return Path(
        os.path.relpath(request.data.resolve(), request.folder.parent.resolve() / request.folder.name)
    ).as_posix()


def _left_out(plan: _Plan) -> str:
    reasons: dict[str, list[str]] = {}
    for item in plan.contracts:
        if item.why_not:
            reasons.setdefault(item.why_not, []).append(item.column.name)
    return "; ".join(f"{', '.join(names)} ({reason})" for reason, names in reasons.items())


def _limits(limits: Part, notes: dict[str, str]) -> list[dict[str, object]]:
    """Limits with their descriptions; those that are off are left out."""
    fields = type(limits).model_fields
    return [
        {
            "name": name,
            "value": getattr(value, "value", value),
            "description": fields[name].description,
            "note": notes.get(name, ""),
        }
        for name in fields
        if (value := getattr(limits, name)) is not None
    ]


def _model_limits(plan: _Plan) -> tuple[ModelLimits, dict[str, str]]:
    limits, notes = ModelLimits(), {}
    if plan.task == "regression":
        limits = limits.model_copy(update={"metric": "r2", "min_metric": 0.3})
        notes["min_metric"] = "Chosen before any model was trained; set it to what the model's use needs."
    expected = plan.rows * HOLDOUT_SHARE
    if expected * 0.8 < limits.min_holdout_rows:
        limits = limits.model_copy(update={"min_holdout_rows": int(expected * 0.8)})
        notes["min_holdout_rows"] = (
            "Less than the default of 500, as the table is small: expect wide intervals."
        )
    return limits, notes


def _choices(plan: _Plan) -> Iterator[str]:
    """What was chosen for the user and may be wrong."""
    request, source = plan.request, f"governance/{plan.source}.yaml"
    yield f"{source}: licence and legal basis of the data are not stated yet; it says 'for a trial only'."
    yield f"governance/{plan.model}.yaml: intended use, people affected and risk are still to be written."
    if plan.guessed_nulls:
        yield f"{source}: {', '.join(map(repr, request.null_values))} in the file was taken to mean missing."
    if plan.task == "classification" and request.positive is None:
        yield (
            f"{source}: the positive value of '{request.label}' is {yaml_text(plan.positive)}, the rarer class. "
            "Is it the outcome that is favourable or flagged?"
        )
    for name, edges in plan.bands.items():
        if edges:
            yield f"{source}: '{name}' is judged in bands with the edges {', '.join(f'{edge:g}' for edge in edges)}."
    for name in plan.personal:
        yield f"{source}: '{name}' looks like personal data, so it is declared personal and is no feature."
    for item in plan.contracts:
        if item.why_not in {"it holds no values", "free text", "a date"}:
            yield f"definitions.py: '{item.column.name}' is no feature ({item.why_not})."
    for name in _model_limits(plan)[1]:
        yield f"governance/policy.yaml: {name} is not the default; see the comment there."
