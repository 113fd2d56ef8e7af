"""Records from a folder: all of them valid together, or none.

The digest of the records is part of every piece of evidence: it covers each record as understood, defaults
included but for keys that are absent and say nothing, and the expectation suites that records refer to.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from aims_pipelines.core.canonical import canonical_json
from aims_pipelines.core.digest import sha256_digest
from aims_pipelines.core.errors import BadInput, Fault, RecordsInvalid
from aims_pipelines.records.crosscheck import cross_check
from aims_pipelines.records.dataset_record import DatasetRecord
from aims_pipelines.records.document import MOST_BYTES, Document, parse
from aims_pipelines.records.likeness import resolve
from aims_pipelines.records.policy_record import Limits, ModelLimits, PolicyRecord
from aims_pipelines.records.system_record import SystemRecord
from aims_pipelines.records.validation import Placed, did_you_mean, validate

_Any = TypeVar("_Any", DatasetRecord, PolicyRecord, SystemRecord)


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The governance records of a project, valid by themselves and together.

    Args:
        folder: Where they were read from; relative paths inside records start here.
        datasets: Dataset records by id.
        policies: Policy records by id.
        systems: System records by id.
        suites: Digest of each expectation suite that a record refers to, by its path in the records.
        digest: SHA-256 over the canonical JSON of all of the above, ``sha256:…``.
    """

    folder: Path
    datasets: Mapping[str, DatasetRecord]
    policies: Mapping[str, PolicyRecord]
    systems: Mapping[str, SystemRecord]
    suites: Mapping[str, str]
    digest: str

    def dataset(self, dataset_id: str) -> DatasetRecord:
        """The dataset record with an id.

        Raises:
            BadInput: There is none; the message suggests a close one.
        """
        return self._get(self.datasets, dataset_id, "dataset")

    def for_asset(self, key: str) -> DatasetRecord | None:
        """The dataset record of an asset, by its key with slashes; ``None`` if no record claims it."""
        return next((record for record in self.datasets.values() if (record.asset or record.id) == key), None)

    def policy(self, policy_id: str) -> PolicyRecord:
        """The policy record with an id.

        Raises:
            BadInput: There is none; the message suggests a close one.
        """
        return self._get(self.policies, policy_id, "policy")

    def system(self, system_id: str) -> SystemRecord:
        """The system record with an id.

        Raises:
            BadInput: There is none; the message suggests a close one.
        """
        return self._get(self.systems, system_id, "system")

    def limits_for(self, dataset_id: str, today: date) -> Limits:
        """The limits that a dataset is judged by: its policy's, or its own where it states them.

        Raises:
            BadInput: The record is unknown, or its policy is not in force on that day.
        """
        record = self.dataset(dataset_id)
        return limits_under(self.policy_in_force(record.policy, today), record)

    def model_limits_for(self, system_id: str, today: date) -> ModelLimits:
        """The limits that the model of a system is judged by: its policy's, or its own where it states them.

        Raises:
            BadInput: The record is unknown, or its policy is not in force on that day.
        """
        record = self.system(system_id)
        limits = self.policy_in_force(record.policy, today).model_limits
        return limits if record.limits is None else limits.model_copy(update=_written(record.limits))

    def policy_in_force(self, policy_id: str, today: date) -> PolicyRecord:
        """A policy that may judge on a day.

        Raises:
            BadInput: It is unknown, not yet effective, or its status is not ``in_force``.
        """
        policy = self.policy(policy_id)
        where = f"{self.folder}: policy {policy_id}"
        if policy.status != "in_force":
            raise BadInput(
                Fault(
                    where=f"{where} status",
                    expected="in_force",
                    found=policy.status,
                    remedy="Only a policy in force may judge: have it approved, or name another.",
                )
            )
        if policy.effective_from > today:
            raise BadInput(
                Fault(
                    where=f"{where} effective_from",
                    expected=f"{today.isoformat()} or earlier",
                    found=policy.effective_from.isoformat(),
                    remedy="Thresholds must predate the run that they judge.",
                )
            )
        return policy

    def digest_for_dataset(self, dataset_id: str) -> str:
        """Digest of all that a dataset is judged by: its record, its policy and its expectation suites."""
        record = self.dataset(dataset_id)
        suites = {suite.path: self.suites[suite.path] for suite in record.expectations}
        return _digest([_plain(record), _plain(self.policy(record.policy)), suites])

    def digest_for_system(self, system_id: str) -> str:
        """Digest of all that the model of a system is judged by: records of system, policy, datasets."""
        record = self.system(system_id)
        data = [self.digest_for_dataset(name) for name in (record.model.training, record.model.holdout)]
        return _digest([_plain(record), _plain(self.policy(record.policy)), *data])

    def __iter__(self) -> Iterator[DatasetRecord | PolicyRecord | SystemRecord]:
        """Go over all records, by kind and id."""
        for kind in (self.policies, self.datasets, self.systems):
            yield from (kind[name] for name in sorted(kind))

    def _get(self, kind: Mapping[str, _Any], name: str, noun: str) -> _Any:
        if name in kind:
            return kind[name]
        raise BadInput(
            Fault(
                where=str(self.folder),
                expected=f"a {noun} record with the id '{name}'",
                found=", ".join(sorted(kind)) or "none",
                remedy=did_you_mean(name, kind),
            )
        )


def limits_under(policy: PolicyRecord, record: DatasetRecord) -> Limits:
    """The limits that a policy sets for a dataset, replaced by those that the dataset states itself."""
    limits = policy.dataset_limits
    return limits if record.limits is None else limits.model_copy(update=_written(record.limits))


def load_records(folder: Path | str, *, today: date | None = None, proposed: Path | None = None) -> Records:
    """Read every ``*.yaml`` and ``*.yml`` below a folder, except in hidden folders.

    A file holds one record, or several separated by ``---``.

    Args:
        folder: The records folder.
        today: Day against which review dates are held for plausibility; the current UTC day if absent.
        proposed: A file whose records take the places of those of the same kind and id, or are added.

    Raises:
        RecordsInvalid: With every fault of every file, each with file, line and path.
    """
    folder = Path(folder)
    today = today or datetime.now(UTC).date()
    placed: list[Placed] = []
    faults: list[Fault] = []
    claimed: dict[str, set[str]] | None = {}
    for file in _with(proposed, _files(folder, faults)):
        text = _text(file, faults)
        if text is None:
            claimed = None
            continue
        reading = parse(text, name=str(file))
        faults.extend(reading.faults)
        if not reading.complete:
            claimed = None
        elif not reading.documents:
            faults.append(Fault(where=str(file), expected="a record", found="an empty file"))
        for document in reading.documents:
            answer = validate(document)
            if isinstance(answer, Placed):
                if file == proposed:
                    placed = [item for item in placed if not _gives_way(item, answer)]
                placed.append(answer)
                faults.extend(answer.faults)
            else:
                faults.extend(answer)
                _claim(document, claimed)
    suites: dict[str, str] = {}
    placed = resolve(placed, faults)
    faults.extend(cross_check(placed, folder=folder, today=today, claimed=claimed, suites=suites))
    if faults:
        raise RecordsInvalid(sorted(faults, key=_position))
    by_kind: dict[str, dict[str, Any]] = {"dataset": {}, "policy": {}, "system": {}}
    for item in placed:
        by_kind[item.record.kind][item.record.id] = item.record
    contents = {
        kind: {name: _plain(record) for name, record in group.items()} for kind, group in by_kind.items()
    }
    return Records(
        folder=folder,
        datasets=by_kind["dataset"],
        policies=by_kind["policy"],
        systems=by_kind["system"],
        suites=suites,
        digest=_digest({**contents, "suites": suites}),
    )


def _with(proposed: Path | None, files: list[Path]) -> list[Path]:
    """The files to read; a proposed one last, and only once."""
    if proposed is None:
        return files
    return [*(file for file in files if file.resolve() != proposed.resolve()), proposed]


def _gives_way(item: Placed, proposed: Placed) -> bool:
    """Whether a record gives way to one from a proposed file: two of one id in that file are a fault."""
    same = (item.record.kind, item.record.id) == (proposed.record.kind, proposed.record.id)
    return same and item.document.name != proposed.document.name


def _claim(document: Document, claimed: dict[str, set[str]] | None) -> None:
    """Note the id of a record with faults, so that references to it are not faults of their own."""
    value = document.value
    if claimed is not None and isinstance(value, dict):
        claimed.setdefault(str(value.get("kind")), set()).add(str(value.get("id")))


def _files(folder: Path, faults: list[Fault]) -> list[Path]:
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        faults.append(Fault(where=str(folder), expected="a folder of records", found=found))
        return []
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in {".yaml", ".yml"}
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not files:
        faults.append(
            Fault(
                where=str(folder), expected="at least one record, a *.yaml file", found="none", remedy=_START
            )
        )
    return files


_START = "Start a project with: aims init NAME --data FILE --label COLUMN --protected A,B"


def _text(file: Path, faults: list[Fault]) -> str | None:
    try:
        size = file.stat().st_size
        if size > MOST_BYTES:
            faults.append(
                Fault(
                    where=str(file),
                    expected=f"a record of at most {MOST_BYTES:,} bytes",
                    found=f"{size:,} bytes",
                )
            )
            return None
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        faults.append(Fault(where=f"{file}:{line}", expected="UTF-8 text", found="other bytes"))
    except OSError as error:
        faults.append(Fault(where=str(file), expected="a readable file", found=error.strerror or "an error"))
    return None


def _position(fault: Fault) -> tuple[str, int]:
    """Sort faults by file, then by line as a number."""
    place = re.match(r"(.*?):(\d+)(?: |$)", fault.where)
    return (place[1], int(place[2])) if place else (fault.where, 0)


def _written(limits: Limits | ModelLimits) -> dict[str, Any]:
    """Only the limits that the record states; the others stay the policy's."""
    return {name: getattr(limits, name) for name in limits.model_fields_set}


def _plain(record: DatasetRecord | PolicyRecord | SystemRecord) -> Any:
    said = _said(record, json.loads(record.model_dump_json()))
    if isinstance(record, PolicyRecord) or record.limits is None:
        return said
    # What stands there overrides the policy, a default or null as well; what does not stand there does not.
    stated = json.loads(record.limits.model_dump_json(exclude_unset=True))
    return {name: item for name, item in said.items() if name != "limits"} | (
        {"limits": stated} if stated else {}
    )


def _said(value: Any, plain: Any) -> Any:
    """What a record says, without what it leaves out: a key that a later version knows must not void evidence.

    Nothing and an empty list are the same as no key at all: no key has another default in their place.
    """
    if isinstance(value, BaseModel):
        said = {name: _said(getattr(value, name), item) for name, item in plain.items()}
        return {name: item for name, item in said.items() if item not in (None, [], {})}
    if isinstance(value, Mapping):
        return {name: _said(item, plain[name]) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_said(*pair) for pair in zip(value, plain, strict=True)]
    return plain


def _digest(value: Any) -> str:
    return sha256_digest(canonical_json(value))
