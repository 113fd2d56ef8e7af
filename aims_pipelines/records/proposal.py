"""A change of the rules that is to be tried before it is made: a file of records, single limits, single stages."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.records.dataset_record import DatasetRecord
from aims_pipelines.records.document import Document, parse, shown
from aims_pipelines.records.load import Records, limits_under, load_records
from aims_pipelines.records.policy_record import DATASET_CHECK_NAMES, Limits, PolicyRecord, Stage
from aims_pipelines.records.validation import did_you_mean, faults_of

# What a record says to people, and what the rules hold beside it.
_NOT_JUDGED_BY = frozenset(
    {"title", "owner", "controls", "rationale", "purpose", "role", "asset", "like", "policy", "limits"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a dataset is judged by.

    Args:
        record: Its record.
        policy: The policy behind the limits and stages.
        limits: Its limits.
        stages: Stage of enforcement per check name; a check that is not named blocks.
    """

    record: DatasetRecord
    policy: PolicyRecord
    limits: Limits
    stages: Mapping[str, Stage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A change of the rules.

    Args:
        records: The records with the change of the file in place.
        substitute: A policy that takes the place of that of every dataset; ``None`` if each keeps its own.
        limits: Limits that are set for every dataset.
        stages: Stages that are set, per check name.
    """

    records: Records
    substitute: PolicyRecord | None = None
    limits: Mapping[str, object] = field(default_factory=dict)
    stages: Mapping[str, Stage] = field(default_factory=dict)

    def rules(self, dataset_id: str) -> Rules:
        """The rules for a dataset after the change."""
        rules = rules_for(self.records, dataset_id, policy=self.substitute)
        return Rules(
            record=rules.record,
            policy=rules.policy,
            limits=rules.limits.model_copy(update=self.limits),
            stages={**rules.stages, **self.stages},
        )


def rules_for(records: Records, dataset_id: str, *, policy: PolicyRecord | None = None) -> Rules:
    """What a dataset would be judged by, whether or not its policy is in force.

    Args:
        records: The records.
        dataset_id: Id of the dataset record.
        policy: A policy in place of the one that the record names.

    Raises:
        BadInput: The record is unknown.
    """
    record = records.dataset(dataset_id)
    policy = policy if policy is not None else records.policy(record.policy)
    return Rules(
        record=record, policy=policy, limits=limits_under(policy, record), stages=dict(policy.stages)
    )


def read_proposal(
    records: Records, *, file: Path | None = None, limits: Sequence[str] = (), stages: Sequence[str] = ()
) -> Proposal | None:
    """Read a change as people write it on a command line.

    Args:
        records: The records as they are.
        file: YAML file with policy and dataset records. Each takes the place of the one with its id; a policy with
            an id of its own takes the place of every dataset's policy.
        limits: ``LIMIT=VALUE``, such as ``drift_effect=0.05``; ``max_age_days=null`` takes a limit away.
        stages: ``CHECK=STAGE``, such as ``drift=block``.

    Returns:
        The change; ``None`` if nothing is to be changed.

    Raises:
        BadInput: With every fault of all of them.
    """
    if file is None and not limits and not stages:
        return None
    faults: list[Fault] = []
    set_limits = dict(_limits(limits, faults))
    set_stages = dict(_stages(stages, faults))
    changed, substitute = records, None
    if file is not None:
        try:
            changed = load_records(records.folder, proposed=file)
            substitute = _substitute(records, changed, file)
        except BadInput as error:
            faults += error.faults
    if faults:
        raise BadInput(faults)
    return Proposal(records=changed, substitute=substitute, limits=set_limits, stages=set_stages)


def read_limits(settings: Sequence[str]) -> Mapping[str, object]:
    """Read ``LIMIT=VALUE`` settings.

    Raises:
        BadInput: With every fault.
    """
    faults: list[Fault] = []
    values = dict(_limits(settings, faults))
    if faults:
        raise BadInput(faults)
    return values


def differences(before: Rules, after: Rules) -> tuple[str, ...]:
    """Say in words how two sets of rules differ, such as ``drift_effect: 0.1 → 0.05``."""
    return tuple(_differences(before, after))


def differing(before: Limits, after: Limits) -> tuple[str, ...]:
    """Say in words how two sets of limits differ, such as ``drift_effect: 0.1 → 0.05``."""
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in Limits.model_fields)
    return tuple(f"{name}: {_plain(old)} → {_plain(new)}" for name, old, new in pairs if old != new)


def differing_limits(before: Rules, after: Rules) -> frozenset[str]:
    """Names of the limits in which two sets of rules differ."""
    return frozenset(
        name for name in Limits.model_fields if getattr(before.limits, name) != getattr(after.limits, name)
    )


def differing_parts(before: Rules, after: Rules) -> tuple[str, ...]:
    """Keys of the record that a judgement rests on and in which two sets of rules differ."""
    return tuple(
        name
        for name in DatasetRecord.model_fields
        if name not in _NOT_JUDGED_BY and getattr(before.record, name) != getattr(after.record, name)
    )


def _differences(before: Rules, after: Rules) -> Iterator[str]:
    yield from differing(before.limits, after.limits)
    for check in dict.fromkeys((*before.stages, *after.stages)):
        old, new = before.stages.get(check, Stage.BLOCK), after.stages.get(check, Stage.BLOCK)
        if old is not new:
            yield f"{check}: {old.value} → {new.value}"
    parts = differing_parts(before, after)
    if parts:
        yield f"record: {', '.join(parts)}"


def _plain(value: object) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _substitute(records: Records, changed: Records, file: Path) -> PolicyRecord | None:
    """The policy of a file that no record names yet.

    Raises:
        BadInput: The file adds anything else.
    """
    new = [policy for name, policy in changed.policies.items() if name not in records.policies]
    faults = [
        Fault(
            where=str(file),
            expected=f"the id of a {kind} record that is there",
            found=shown(name),
            remedy=did_you_mean(name, known),
        )
        for kind, known, there in (
            ("dataset", records.datasets, changed.datasets),
            ("system", records.systems, changed.systems),
        )
        for name in there
        if name not in known
    ]
    if len(new) > 1:
        names = ", ".join(policy.id for policy in new)
        faults.append(
            Fault(where=str(file), expected="one policy with an id of its own at most", found=names)
        )
    if faults:
        raise BadInput(faults)
    return new[0] if new else None


def _limits(settings: Sequence[str], faults: list[Fault]) -> Iterator[tuple[str, object]]:
    """Read settings of limits: each by the rules of YAML and of the records."""
    for name, text in _pairs(settings, "--set", "LIMIT=VALUE, such as drift_effect=0.05", faults):
        reading = parse(f"{name}: {text or '~'}", name="--set")
        value: Any = reading.documents[0].value if reading.documents else None
        if reading.faults or not isinstance(value, dict) or list(value) != [name]:
            found = [fault.found for fault in reading.faults]
            faults.append(
                Fault(
                    where=f"--set {name}", expected="a plain value", found=found[0] if found else shown(text)
                )
            )
            continue
        try:
            yield name, getattr(Limits.model_validate_json(json.dumps(value)), name)
        except ValidationError as error:
            document = Document(name="--set", value=value, lines={})
            faults += [replace(fault, where=f"--set {name}") for fault in faults_of(document, Limits, error)]


def _stages(settings: Sequence[str], faults: list[Fault]) -> Iterator[tuple[str, Stage]]:
    known = [stage.value for stage in Stage]
    for name, text in _pairs(settings, "--stage", "CHECK=STAGE, such as drift=block", faults):
        if name not in DATASET_CHECK_NAMES:
            faults.append(
                Fault(
                    where=f"--stage {name}",
                    expected=f"one of {', '.join(DATASET_CHECK_NAMES)}",
                    found=shown(name),
                    remedy=did_you_mean(name, DATASET_CHECK_NAMES),
                )
            )
        if text not in known:
            faults.append(
                Fault(
                    where=f"--stage {name}",
                    expected=f"one of {', '.join(known)}",
                    found=shown(text),
                    remedy=did_you_mean(text, known),
                )
            )
        elif name in DATASET_CHECK_NAMES:
            yield name, Stage(text)


def _pairs(settings: Sequence[str], option: str, form: str, faults: list[Fault]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for setting in settings:
        name, separator, text = (part.strip() for part in setting.partition("="))
        if not separator or not name or not text:
            faults.append(Fault(where=option, expected=form, found=shown(setting)))
        elif name in seen:
            faults.append(Fault(where=f"{option} {name}", expected="each name once", found="it again"))
        else:
            yield name, text
        seen.add(name)
