"""Reads the terms of a comparison from a dataset or policy record."""

from dataclasses import dataclass
from pathlib import Path

from aims_pipelines.cli.terms import Terms
from aims_pipelines.core.errors import BadInput, Fault, RecordsInvalid
from aims_pipelines.records.dataset_record import DatasetRecord
from aims_pipelines.records.document import MOST_BYTES, parse
from aims_pipelines.records.likeness import resolve
from aims_pipelines.records.load import limits_under
from aims_pipelines.records.policy_record import Limits, PolicyRecord
from aims_pipelines.records.validation import Placed, validate


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What a file says about how drift is judged.

    Args:
        record: The dataset record, if the file holds one.
        limits: The limits that apply.
        notes: What a reader ought to know about the record.
    """

    record: DatasetRecord | None
    limits: Limits
    notes: tuple[str, ...]


def read_terms(path: Path) -> Terms:
    """Read the terms from a file with a dataset or a policy record.

    A dataset is judged by its own limits, then by those of its policy, which may lie in any YAML file beside it; its
    label, protected attributes, pairs, running numbers and times count too.

    Raises:
        RecordsInvalid: The record has faults; all of them are named.
        BadInput: The file cannot be read, holds neither record or several, or the policy of the dataset is not found.
    """
    stated = read_stated(path)
    record, limits = stated.record, stated.limits
    if record is None:
        return Terms(effect=limits.drift_effect, alpha=limits.drift_alpha, notes=stated.notes)
    running = [name for name, contract in record.columns.items() if contract.unique]
    named = [name for name in (record.subject, record.time) if name]
    return Terms(
        effect=limits.drift_effect,
        alpha=limits.drift_alpha,
        label=record.label.column if record.label is not None else None,
        protected=(
            *(item.column for item in record.protected),
            *(" & ".join(names) for names in record.intersections),
        )
        or None,
        bands={item.column: item.bands for item in record.protected if item.bands},
        pairs=record.pairs or None,
        ignore=tuple(dict.fromkeys((*running, *named))),
        notes=stated.notes,
    )


def read_stated(path: Path) -> Stated:
    """Read a dataset record with its limits, or the limits of a policy record.

    Raises:
        RecordsInvalid: The record has faults; all of them are named.
        BadInput: The file cannot be read, holds neither record or several, or the policy of the dataset is not found.
    """
    mine = _records(path, strict=True)
    datasets = [item for item in mine if isinstance(item.record, DatasetRecord)]
    policies = [item.record for item in mine if isinstance(item.record, PolicyRecord)]
    chosen = datasets or policies
    if len(chosen) != 1:
        names = ", ".join(item.record.id for item in datasets) or ", ".join(item.id for item in policies)
        raise BadInput(
            Fault(
                where=str(path),
                expected="one dataset record or one policy record",
                found=f"several: {names}" if names else "none",
                remedy="Keep each record in a file of its own." if names else "",
            )
        )
    if not datasets:
        return Stated(record=None, limits=policies[0].dataset_limits, notes=_notes(policies[0]))
    beside = [
        item
        for file in sorted((*path.parent.glob("*.yaml"), *path.parent.glob("*.yml")))
        if file.resolve() != path.resolve()
        for item in _records(file, strict=False)
    ]
    faults: list[Fault] = []
    record = next(
        item.record for item in resolve([*mine, *beside], faults) if item.record.id == datasets[0].record.id
    )
    if faults or not isinstance(record, DatasetRecord):
        raise RecordsInvalid(faults)
    policies += [item.record for item in beside if isinstance(item.record, PolicyRecord)]
    policy = next((item for item in policies if item.id == record.policy), None)
    own = record.limits if record.limits is not None else Limits()
    if policy is not None:
        return Stated(record=record, limits=limits_under(policy, record), notes=_notes(policy))
    if not {"drift_effect", "drift_alpha"} <= own.model_fields_set:
        raise BadInput(
            Fault(
                where=f"{path}: policy",
                expected=f"the policy record '{record.policy}' in a file beside it",
                found="none",
                remedy="Give the policy's file, or state drift_effect and drift_alpha in the dataset's limits.",
            )
        )
    return Stated(record=record, limits=own, notes=())


def _notes(policy: PolicyRecord) -> tuple[str, ...]:
    if policy.status == "in_force":
        return ()
    return (f"The limits are those of policy '{policy.id}', which is not in force but {policy.status}.",)


def _records(path: Path, *, strict: bool) -> list[Placed]:
    """The records of a file that are valid; in a strict reading, faults are raised."""
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        if not strict:
            return []
        found = "other bytes" if isinstance(error, UnicodeDecodeError) else error.strerror or "an error"
        raise BadInput(Fault(where=str(path), expected="a record in YAML", found=found)) from error
    if len(data) > MOST_BYTES:
        if strict:
            raise BadInput(
                Fault(where=str(path), expected=f"at most {MOST_BYTES:,} bytes", found=f"{len(data):,} bytes")
            )
        return []
    reading = parse(text, name=str(path))
    answers = [validate(document) for document in reading.documents]
    placed = [answer for answer in answers if isinstance(answer, Placed)]
    faults = [*reading.faults, *(fault for item in placed for fault in item.faults)]
    faults += [fault for answer in answers if not isinstance(answer, Placed) for fault in answer]
    if strict and faults:
        raise RecordsInvalid(faults)
    return [item for item in placed if not item.faults]
