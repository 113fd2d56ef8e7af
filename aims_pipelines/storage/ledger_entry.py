"""Entries: what is fit to be appended, and what was read back intact."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aims_pipelines.core.canonical import CanonicalError
from aims_pipelines.core.chain import ENTRY, LONGEST_LINE, Sealed, entry_content, seal
from aims_pipelines.core.digest import is_digest
from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.core.verdict import Severity, Status

OBSERVATION = "observation"
#: The digest, among an entry's, that names the subject's own version; the others name what it rests on.
CONTENT = "content"
_LONGEST_NAME = 500
_EVIDENCE_MEMBERS = frozenset({"digest", "media_type", "name"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDraft:
    """What is to be appended.

    Args:
        kind: Kind of event: ``observation``, ``decision``, ``case``, ``action``, ``attestation`` …
        actor: Who or what says so.
        subject_kind: Kind of the subject, such as ``dataset`` or ``model``.
        subject_id: Its name.
        digests: Digests of what the entry is about, by role: ``content`` names the subject's own version, others
            name what it rests on, such as ``policy``.
        body: What is said; JSON. ``judgement`` holds a judgement; ``evidence`` lists evidence files, each with
            ``name``, ``digest`` and ``media_type``.
        at: When, aware.
    """

    kind: str
    actor: str
    subject_kind: str
    subject_id: str
    digests: Mapping[str, str]
    body: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of the ledger, found intact.

    Args:
        seq: Its number: 1, 2, 3 …
        kind: Kind of event.
        actor: Who or what says so.
        subject_kind: Kind of the subject.
        subject_id: Its name.
        digests: Digests of what it is about, by role.
        body: What is said.
        at: When, aware UTC.
        prev: Hash of the entry before it; of the header, for the first.
        hash: Its own hash.
    """

    seq: int
    kind: str
    actor: str
    subject_kind: str
    subject_id: str
    digests: Mapping[str, str]
    body: Mapping[str, Any] = field(repr=False)
    at: datetime
    prev: str
    hash: str

    @property
    def id(self) -> str:
        """Its name for people and other records."""
        return f"e-{self.seq}"

    @property
    def outcome(self) -> Status | None:
        """Whether the subject passed, for an observation with a judgement."""
        return outcome_of(self.kind, self.body)


def draft_faults(draft: EntryDraft, *, where: str) -> Iterator[Fault]:
    """Tell everything that keeps a draft out of the ledger. Values are never repeated: they may be personal."""
    for name in ("kind", "actor", "subject_kind", "subject_id"):
        value = getattr(draft, name)
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NAME or not value.isprintable():
            yield Fault(
                where=f"{where}.{name}",
                expected=f"1 to {_LONGEST_NAME} printable characters",
                found=f"{len(value)} characters" if isinstance(value, str) else type(value).__name__,
            )
    if not isinstance(draft.at, datetime) or draft.at.tzinfo is None:
        yield Fault(where=f"{where}.at", expected="a time with a time zone", found="one without")
    digests: object = draft.digests
    if not isinstance(digests, Mapping):
        yield Fault(where=f"{where}.digests", expected="an object", found=type(digests).__name__)
        return
    for name, digest in digests.items():
        if not isinstance(name, str) or not name.isprintable() or not is_digest(digest):
            yield Fault(
                where=f"{where}.digests.{name}",
                expected="sha256: and 64 hexadecimal digits",
                found="other text",
            )
    body: object = draft.body
    if not isinstance(body, Mapping):
        yield Fault(where=f"{where}.body", expected="an object", found=type(body).__name__)
        return
    yield from _judgement_faults(draft, where=f"{where}.body.judgement")
    yield from _evidence_faults(draft.body.get("evidence", ()), where=f"{where}.body.evidence")


def sealed_entry(draft: EntryDraft, *, seq: int, prev: str, where: str) -> tuple[bytes, str]:
    """Seal a draft as the entry with this number, after the line with this hash.

    Returns:
        The line, and its hash.

    Raises:
        BadInput: The draft cannot be written as canonical JSON, or is too large.
    """
    subject = {"digests": draft.digests, "id": draft.subject_id, "kind": draft.subject_kind}
    content = entry_content(
        seq=seq, prev=prev, at=draft.at, actor=draft.actor, kind=draft.kind, subject=subject, body=draft.body
    )
    try:
        line, digest = seal(ENTRY, content)
    except CanonicalError as error:
        raise BadInput(Fault(where=where, expected="JSON", found=str(error))) from error
    if len(line) >= LONGEST_LINE:
        raise BadInput(
            Fault(
                where=where,
                expected=f"an entry below {LONGEST_LINE // 2**20} MiB",
                found=f"{len(line)} bytes",
                remedy="Put large results into an evidence file and refer to it.",
            )
        )
    return line, digest


def entry_of(sealed: Sealed) -> Entry:
    """Take an entry out of its sealed line."""
    content = sealed.content
    subject = content["subject"]
    return Entry(
        seq=content["seq"],
        kind=content["kind"],
        actor=content["actor"],
        subject_kind=subject["kind"],
        subject_id=subject["id"],
        digests=subject["digests"],
        body=content["body"],
        at=datetime.fromisoformat(content["at"]),
        prev=content["prev"],
        hash=sealed.hash,
    )


def columns_of(sealed: Sealed) -> dict[str, object]:
    """Tell what the columns beside a sealed line have to say."""
    subject, kind = sealed.content["subject"], sealed.content["kind"]
    outcome = outcome_of(kind, sealed.content["body"])
    return {
        "seq": sealed.content["seq"],
        "kind": kind,
        "subject_kind": subject["kind"],
        "subject_id": subject["id"],
        "subject_digest": subject["digests"].get(CONTENT),
        "outcome": None if outcome is None else str(outcome),
    }


def outcome_of(kind: str, body: Mapping[str, Any]) -> Status | None:
    """Read what an observation's judgement came to; ``None`` for everything that judges nothing."""
    judgement = body.get("judgement") if kind == OBSERVATION else None
    return None if judgement is None else Status(judgement["status"])


def _judgement_faults(draft: EntryDraft, *, where: str) -> Iterator[Fault]:
    """A judgement must say a known status, and a pass must follow from the verdicts that it lists."""
    judgement = draft.body.get("judgement")
    if judgement is None:
        return
    if not isinstance(judgement, Mapping) or judgement.get("status") not in set(Status):
        yield Fault(
            where=where, expected=f"an object with a status of {', '.join(Status)}", found="something else"
        )
        return
    if draft.kind == OBSERVATION and CONTENT not in draft.digests:
        yield Fault(
            where=where,
            expected=f"the digest of the judged content under digests.{CONTENT}",
            found="none, so nobody could tell what was judged",
        )
    if judgement["status"] == Status.PASS and not _rests_on_passing_verdicts(judgement):
        yield Fault(
            where=where,
            expected="a pass that rests on a passing verdict for every gating and every required check",
            found="none, or one that is missing or did not pass",
        )


def _rests_on_passing_verdicts(judgement: Mapping[str, Any]) -> bool:
    verdicts = judgement.get("verdicts") or ()
    if not all(isinstance(item, Mapping) for item in verdicts):
        return False
    gating = [item for item in verdicts if item.get("severity") == Severity.ERROR]
    answered = {item.get("check") for item in [*verdicts, *(judgement.get("not_applicable") or ())]}
    return (
        bool(gating)
        and all(item.get("status") == Status.PASS for item in gating)
        and answered.issuperset(judgement.get("required") or ())
    )


def _evidence_faults(listed: object, *, where: str) -> Iterator[Fault]:
    if not isinstance(listed, (list, tuple)):
        yield Fault(where=where, expected="a list", found=type(listed).__name__)
        return
    for number, item in enumerate(listed):
        proper = isinstance(item, Mapping) and item.keys() == _EVIDENCE_MEMBERS and is_digest(item["digest"])
        if not proper:
            yield Fault(
                where=f"{where}[{number}]",
                expected="an object with name, digest and media_type",
                found="something else",
            )
