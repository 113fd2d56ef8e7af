"""The hash chain: how entries are sealed, so that none can be changed, dropped, moved or added unnoticed.

A ledger is a list of sealed lines. Each line is canonical JSON with two members: its content, named by the
kind of line (``header``, ``entry``, ``checkpoint``), and ``seal``, the digest of the content's bytes. An entry's
content names the hash of the line before it in ``prev``; the first entry names the header's.
"""

from __future__ import annotations  # the verifier printed for auditors runs on Python 3.9

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, NamedTuple

from aims_pipelines.core.canonical import CanonicalError, canonical_json, parse_canonical
from aims_pipelines.core.digest import is_digest, sha256_digest

FORMAT = "aims-ledger/1"
HEADER, ENTRY, CHECKPOINT = "header", "entry", "checkpoint"
LONGEST_LINE = 16 * 1024 * 1024  # bytes; what is larger belongs into an evidence file

_SEAL_LENGTH = len(',"seal":"sha256:"}') + 64
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_LINE = re.compile(rb'\{"(header|entry|checkpoint)":')
_ENTRY_MEMBERS = frozenset({"actor", "at", "body", "kind", "prev", "seq", "subject"})
_SUBJECT_MEMBERS = frozenset({"digests", "id", "kind"})
_CHECKPOINT_MEMBERS = frozenset({"at", "count", "head", "root"})
_HEADER_MEMBERS = frozenset({"created", "format", "ledger"})


class LineError(ValueError):
    """A line that is not one of this format."""


class Sealed(NamedTuple):
    """A line of the ledger, read or written.

    Args:
        kind: ``header``, ``entry`` or ``checkpoint``.
        content: What the line says.
        hash: The hash that the line states.
        computed: The hash that its content has; another one means that the content was edited.
    """

    kind: str
    content: Mapping[str, Any]
    hash: str
    computed: str


@dataclass(frozen=True)
class Checkpoint:
    """What a ledger was at some point; kept elsewhere, it shows later that nothing before it changed.

    Args:
        count: Number of entries.
        head: Hash of the last entry; of the header, where there are none.
        root: Merkle tree hash (RFC 6962) over the hashes of all entries, each as 32 bytes.
    """

    count: int
    head: str
    root: str


def seal(kind: str, content: Mapping[str, object]) -> tuple[bytes, str]:
    """Seal a line.

    Returns:
        The line without its end, and its hash.

    Raises:
        CanonicalError: The content has no canonical form.
    """
    data = canonical_json(content)
    digest = sha256_digest(data)
    return b'{"%s":%s,"seal":"%s"}' % (kind.encode(), data, digest.encode()), digest


def unseal(line: bytes) -> Sealed:
    """Read a line. Whether the stated hash is the computed one is for the caller to compare.

    Raises:
        LineError: The line is not canonical JSON, or not a line of this format.
    """
    try:
        parsed = parse_canonical(line)
    except CanonicalError as error:
        raise LineError(str(error)) from error
    match = _LINE.match(line)
    if match is None or not isinstance(parsed, dict) or len(parsed) != 2 or not is_digest(parsed.get("seal")):
        raise LineError('JSON, but not an object of one "header", "entry" or "checkpoint" and one "seal"')
    kind = match.group(1).decode()
    fault = _content_fault(kind, parsed[kind])
    if fault:
        raise LineError(f"a line whose {kind} {fault}")
    return Sealed(kind, parsed[kind], parsed["seal"], sha256_digest(line[match.end() : -_SEAL_LENGTH]))


def entry_content(
    *,
    seq: int,
    prev: str,
    at: datetime,
    actor: str,
    kind: str,
    subject: Mapping[str, object],
    body: Mapping[str, object],
) -> dict[str, object]:
    """Put together what an entry says.

    Args:
        seq: Its number: 1, 2, 3 …
        prev: Hash of the line before it.
        at: When, aware.
        actor: Who or what says so.
        kind: Kind of event, such as ``observation``.
        subject: ``kind``, ``id`` and ``digests`` of what it is about.
        body: What is said.
    """
    return {
        "actor": actor,
        "at": timestamp(at),
        "body": body,
        "kind": kind,
        "prev": prev,
        "seq": seq,
        "subject": subject,
    }


def checkpoint_content(checkpoint: Checkpoint, *, at: datetime) -> dict[str, object]:
    """Put together what a closing checkpoint says."""
    return {
        "at": timestamp(at),
        "count": checkpoint.count,
        "head": checkpoint.head,
        "root": checkpoint.root,
    }


def timestamp(at: datetime) -> str:
    """Write a point in time as the format does: UTC, microseconds, ``Z``."""
    if at.tzinfo is None:
        raise ValueError("a time without a time zone")
    utc = at.astimezone(timezone.utc)  # noqa: UP017 - Python 3.9 has no datetime.UTC
    return utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def evidence_of(body: Mapping[str, Any]) -> Sequence[str]:
    """Digests of the evidence files that the body of a sound entry refers to."""
    listed: Sequence[Mapping[str, str]] = body.get("evidence", ())
    return [item["digest"] for item in listed]


def _content_fault(kind: str, content: object) -> str:
    if not isinstance(content, dict):
        return "is not an object"
    members, check = {
        HEADER: (_HEADER_MEMBERS, _header_fault),
        ENTRY: (_ENTRY_MEMBERS, _entry_fault),
        CHECKPOINT: (_CHECKPOINT_MEMBERS, _checkpoint_fault),
    }[kind]
    if content.keys() != members:
        return f"has other members than {', '.join(sorted(members))}"
    return check(content)


def _header_fault(content: Mapping[str, Any]) -> str:
    return "" if content["format"] == FORMAT else f"is not of the format {FORMAT}"


def _entry_fault(content: Mapping[str, Any]) -> str:
    subject = content["subject"]
    if type(content["seq"]) is not int or not is_digest(content["prev"]):
        return "has no proper seq and prev"
    if not isinstance(content["at"], str) or _TIME.fullmatch(content["at"]) is None:
        return "has no proper time"
    if not isinstance(content["actor"], str) or not isinstance(content["kind"], str):
        return "has no proper actor and kind"
    if not isinstance(subject, dict) or subject.keys() != _SUBJECT_MEMBERS:
        return "has no proper subject"
    if not isinstance(subject["id"], str) or not isinstance(subject["kind"], str):
        return "has no proper subject"
    if not isinstance(subject["digests"], dict) or not all(map(is_digest, subject["digests"].values())):
        return "has no proper digests"
    if not isinstance(content["body"], dict):
        return "has no proper body"
    return "" if _is_evidence(content["body"].get("evidence", [])) else "has no proper evidence"


def _is_evidence(listed: object) -> bool:
    return isinstance(listed, list) and all(
        isinstance(item, dict)
        and is_digest(item.get("digest"))
        and isinstance(item.get("name"), str)
        and isinstance(item.get("media_type"), str)
        for item in listed
    )


def _checkpoint_fault(content: Mapping[str, Any]) -> str:
    if type(content["count"]) is not int or not is_digest(content["head"]) or not is_digest(content["root"]):
        return "has no proper count, head and root"
    return ""
