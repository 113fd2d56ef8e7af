"""A project from a request: read, guess, rehearse, and put in place whole or not at all."""

import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.scaffold.facts import choices, facts_of, parts_of
from aims_pipelines.scaffold.model_rehearsal import Trial, rehearse_model
from aims_pipelines.scaffold.plan import Plan, left_out, make_plan, tables_of
from aims_pipelines.scaffold.rehearsal import rehearse, too_small_for_drift
from aims_pipelines.scaffold.render import render
from aims_pipelines.scaffold.request import Request, folder_faults, nested_faults, option_faults
from aims_pipelines.scaffold.shortfalls import Shortfall, by_dataset
from aims_pipelines.scaffold.suite import suite_text
from aims_pipelines.scaffold.summary import summarised
from aims_pipelines.scaffold.values import columns_of, null_texts

if TYPE_CHECKING:
    import pyarrow as pa

    from aims_pipelines.records.load import Records


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
    if nested := list(nested_faults(table.schema)):
        raise BadInput([*faults, *nested])
    columns = columns_of(table)
    for fault in option_faults(request, columns, table.num_rows):
        about_values = fault.where.startswith(("--label", "--protected")) and not fault.remedy
        faults.append(replace(fault, remedy=_taken_for_missing(nulls)) if nulls and about_values else fault)
    if faults:
        raise BadInput(faults)
    plan = make_plan(
        replace(request, null_values=request.null_values or nulls), table, columns, guessed_nulls=bool(nulls)
    )
    if not any(item.feature for item in plan.contracts):
        raise BadInput(
            Fault(
                where=str(request.data),
                expected="at least one column that a model may learn from",
                found=f"none: {left_out(plan)}",
            )
        )
    temporary = request.folder.parent / f".{request.folder.name}.{secrets.token_hex(4)}.tmp"
    try:
        look = _prepare(plan, table, temporary, tell)
        _put(temporary, request.folder)
    except OSError as error:
        found = error.strerror or "an error"
        raise BadInput(
            Fault(where=str(request.folder), expected="to write the project", found=found)
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    files = sorted(
        str(path.relative_to(request.folder)) for path in request.folder.rglob("*") if path.is_file()
    )
    return Created(folder=request.folder, files=tuple(files), look=tuple(look))


def _taken_for_missing(texts: tuple[str, ...]) -> str:
    named = ", ".join(map(repr, texts))
    return f"By custom, {named} was taken to mean missing; if it is a value, say with --null-values what means missing."


def _prepare(plan: Plan, table: "pa.Table", folder: Path, tell: Callable[[str], None]) -> list[str]:
    """Write the project to a folder, rehearse it there, and write what came of that; return what to look at."""
    from aims_pipelines.core.digest import file_digest

    governance, today = folder / "governance", plan.request.today
    tables = tables_of(plan, table, source_digest=file_digest(plan.request.data))
    _write(plan, folder, shortfalls=[], look=[])
    tell("Judging the table as its gates will")
    small = too_small_for_drift(tables, _records(governance), today=today)
    shortfalls = rehearse(tables, _records(governance), today=today)
    tell("Trying a model")
    trial = Trial(
        system=plan.model,
        code=render("rehearsal.py.jinja", facts_of(plan, look=[])),
        training=tables[2].table,
        holdout=tables[1].table,
    )
    found, problem = rehearse_model(trial, _records(governance), today=today)
    plan, shortfalls = replace(plan, small=small), [*shortfalls, *found]
    look = [*choices(plan), *([problem] if problem else []), *summarised(shortfalls)]
    _write(plan, folder, shortfalls=shortfalls, look=look)
    _records(governance)  # what was written must load
    return look


def _records(governance: Path) -> "Records":
    from aims_pipelines.records.load import load_records

    return load_records(governance)


def _put(temporary: Path, folder: Path) -> None:
    if folder.is_dir():
        folder.rmdir()  # empty, or this fails and nothing is lost
    temporary.rename(folder)


def _write(plan: Plan, folder: Path, *, shortfalls: list[Shortfall], look: list[str]) -> None:
    from aims_pipelines.records.schema import schema_text
    from aims_pipelines.records.validation import KINDS

    facts = facts_of(plan, look=look)
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
    for part in parts_of(plan):
        texts[f"governance/{part['id']}.yaml"] = render(
            "part.yaml.jinja", facts | {"part": part} | _accepted(shortfalls, str(part["id"]))
        )
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _accepted(shortfalls: list[Shortfall], dataset: str) -> dict[str, Any]:
    return {"accepted": list(by_dataset(shortfalls, dataset))}
