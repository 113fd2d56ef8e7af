"""What records get wrong about each other: ids, references, lineage, controls and files."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from aims_pipelines.core.digest import sha256_digest
from aims_pipelines.core.errors import Fault
from aims_pipelines.records.catalogue import catalogue
from aims_pipelines.records.contradictions import contradictions
from aims_pipelines.records.dataset_record import DatasetRecord
from aims_pipelines.records.document import MOST_BYTES, Document, shown
from aims_pipelines.records.system_record import SystemRecord
from aims_pipelines.records.validation import Placed, did_you_mean


def cross_check(
    placed: Sequence[Placed],
    *,
    folder: Path,
    today: date,
    claimed: Mapping[str, Collection[str]] | None,
    suites: dict[str, str],
) -> Iterator[Fault]:
    """Yield every fault that well-typed records have by themselves and together.

    Args:
        placed: The records that are well typed.
        folder: Where paths inside records start.
        today: Day against which review dates are held.
        claimed: Ids, by kind, of records that hold faults: references to them are not faults of their own.
            ``None`` where files could not be read at all, so that no reference can be called unknown.
        suites: Filled with the digest of each expectation suite, by path.
    """
    first: dict[tuple[str, str], str] = {}
    for item in placed:
        record, document = item.record, item.document
        yield from _contradictions(item, today)
        place = document.where(("id",))
        earlier = first.setdefault((record.kind, record.id), place)
        if earlier != place:
            yield Fault(
                where=place,
                expected=f"an id no other {record.kind} has",
                found=f"'{record.id}', also in {earlier}",
            )
        if record.controls:
            yield from _controls(record.controls, document)
    known = {
        kind: _ids(placed, kind) | set((claimed or {}).get(kind, ()))
        for kind in ("dataset", "policy", "system")
    }
    if claimed is not None:
        for item in placed:
            yield from _references(item, known)
    datasets = {item.record.id: item for item in placed if isinstance(item.record, DatasetRecord)}
    yield from _cycles(datasets)
    for item in placed:
        if isinstance(item.record, SystemRecord):
            yield from _model_data(item.record, item.document, datasets)
    for item in datasets.values():
        yield from _suites(item, folder, suites)


def _contradictions(item: Placed, today: date) -> Iterator[Fault]:
    """Faults of one record by itself, without those of parts that were left out or come from elsewhere."""
    record = item.record
    if isinstance(record, DatasetRecord) and record.like is not None and not record.columns:
        return  # what it is like could not be read
    named = {"", *(fault.where for fault in item.faults)}
    for fault in contradictions(record, item.document, today=today):
        if fault.where not in named:
            yield fault


def _ids(placed: Sequence[Placed], kind: str) -> set[str]:
    return {item.record.id for item in placed if item.record.kind == kind}


def _controls(controls: tuple[str, ...], document: Document) -> Iterator[Fault]:
    known = catalogue()
    for index, control in enumerate(controls):
        if control not in known:
            yield Fault(
                where=document.where(("controls", index)),
                expected="a control or clause of the catalogue, such as A.7.4",
                found=shown(control),
                remedy=did_you_mean(control, known),
            )


def _references(item: Placed, known: Mapping[str, Collection[str]]) -> Iterator[Fault]:
    record = item.record
    references: list[tuple[tuple[str | int, ...], str, str]] = []
    if isinstance(record, DatasetRecord):
        if record.like is not None:
            references.append((("like",), "dataset", record.like))
        references.append((("policy",), "policy", record.policy))
        references.extend(
            (("disjoint_from", i), "dataset", name) for i, name in enumerate(record.disjoint_from)
        )
        references.extend(
            (("source", "upstream", i), "dataset", n) for i, n in enumerate(record.source.upstream)
        )
    elif isinstance(record, SystemRecord):
        references.append((("policy",), "policy", record.policy))
        references.append((("model", "training"), "dataset", record.model.training))
        references.append((("model", "holdout"), "dataset", record.model.holdout))
    for path, kind, name in references:
        if name not in known[kind]:
            yield Fault(
                where=item.document.where(path),
                expected=f"the id of a {kind} record",
                found=shown(name),
                remedy=did_you_mean(name, known[kind])
                or (f"Known: {', '.join(sorted(known[kind]))}." if known[kind] else _FIRST.get(kind, "")),
            )
        elif name == record.id and path[0] in {"disjoint_from", "like"}:
            yield Fault(where=item.document.where(path), expected="another dataset", found=shown(name))


_FIRST = {
    "policy": "There is none yet. Its shortest form, a line each: kind: policy, id: default, title: Limits, owner: "
    "Risk owner, status: in_force, effective_from: the day of today; every limit has a default.",
    "dataset": "There is none yet.",
}


def _cycles(datasets: Mapping[str, Placed]) -> Iterator[Fault]:
    """Name each loop among upstream datasets once, at its first member by id."""
    upstream = {name: item.record.source.upstream for name, item in datasets.items()}  # type: ignore[union-attr]  # datasets
    done: set[str] = set()
    for start in sorted(upstream):
        trail = [start]
        branches = [iter(upstream[start])]
        while branches:
            name = next(branches[-1], None)
            if name is None:
                done.add(trail.pop())
                branches.pop()
            elif name in trail:
                loop = [*trail[trail.index(name) :], name]
                yield Fault(
                    where=datasets[trail[-1]].document.where(("source", "upstream")),
                    expected="datasets that do not come from this one",
                    found=" from ".join(loop),
                )
            elif name in upstream and name not in done:
                trail.append(name)
                branches.append(iter(upstream[name]))


def _model_data(record: SystemRecord, document: Document, datasets: Mapping[str, Placed]) -> Iterator[Fault]:
    data: dict[str, DatasetRecord] = {}
    for role in ("training", "holdout"):
        item = datasets.get(getattr(record.model, role))
        if item is None or not isinstance(item.record, DatasetRecord):
            continue
        data[role] = item.record
        if item.record.label is None:
            yield Fault(
                where=document.where(("model", role)),
                expected="a dataset with a label",
                found=shown(item.record.id),
            )
    labels = [entry.label for entry in data.values()]
    if len(labels) == 2 and None not in labels and labels[0] != labels[1]:
        yield Fault(
            where=document.where(("model", "holdout")),
            expected="the same label as the training data",
            found="another column, positive value or task",
        )
    judged_by = data.get("holdout")
    if record.model.threshold is not None and judged_by is not None and judged_by.label is not None:
        label = judged_by.label
        if label.task != "classification" or label.positive is None:
            yield Fault(
                where=document.where(("model", "threshold")),
                expected=f"none, unless the label of '{judged_by.id}' names a positive value of a classification",
                found=shown(record.model.threshold),
                remedy="Name label.positive in the dataset record, or take the threshold out.",
            )
    training = data.get("training")
    if training is None:
        return
    for index, column in enumerate(record.model.exclude):
        if column not in training.columns:
            yield Fault(
                where=document.where(("model", "exclude", index)),
                expected=f"a column of '{training.id}'",
                found=shown(column),
                remedy=did_you_mean(column, training.columns),
            )


def _suites(item: Placed, folder: Path, suites: dict[str, str]) -> Iterator[Fault]:
    record = item.record
    if not isinstance(record, DatasetRecord):
        return
    for index, suite in enumerate(record.expectations):
        where = item.document.where(("expectations", index, "path"))
        file = (folder / suite.path).resolve()
        if not file.is_relative_to(folder.resolve()):
            yield Fault(where=where, expected="a file inside the records folder", found=shown(suite.path))
        elif not file.is_file():
            yield Fault(
                where=where,
                expected=f"a suite as JSON, relative to {folder}",
                found=f"no file {shown(suite.path)}",
            )
        else:
            try:
                with file.open("rb") as opened:
                    data = opened.read(MOST_BYTES + 1)
            except OSError as error:
                data, problem = b"", f"one that cannot be read ({error.strerror or type(error).__name__})"
            else:
                problem = _problem_with_suite(data)
            if problem:
                yield Fault(where=where, expected="a Great Expectations suite as JSON", found=problem)
            else:
                suites[suite.path] = sha256_digest(data)


def _problem_with_suite(data: bytes) -> str:
    if len(data) > MOST_BYTES:
        return f"a file larger than {MOST_BYTES:,} bytes"
    try:
        content = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        return f"{type(error).__name__} in it"
    expectations = content.get("expectations") if isinstance(content, dict) else None
    if not isinstance(expectations, list) or not expectations:
        return "no list of 'expectations', or an empty one"
    return ""
