"""A stranger with the format document alone verifies what we export; its example and its verifier are run here."""

import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aims_pipelines.core.chain import FORMAT, unseal
from aims_pipelines.core.digest import sha256_digest
from aims_pipelines.storage.audit import audit_export
from aims_pipelines.storage.evidence import EvidenceStore
from aims_pipelines.storage.export import export_ledger
from aims_pipelines.storage.ledger import EntryDraft, Ledger
from aims_pipelines.storage.ledger_audit import record_checkpoint

AT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def blocks(repository: Path) -> dict[str, str]:
    """The document's code blocks by language."""
    text = (repository / "docs" / "reference" / "ledger-format.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def strangers(blocks: dict[str, str]) -> Callable[[Path], tuple[int, str]]:
    """The function ``verify`` of the document's verifier."""
    names: dict[str, Any] = {"__name__": "document"}
    exec(compile(blocks["python"], "ledger-format.md", "exec"), names)  # noqa: S102 - our own document
    verify: Callable[[Path], tuple[int, str]] = names["verify"]
    return verify


@pytest.fixture
def example(blocks: dict[str, str], tmp_path: Path) -> Path:
    page = blocks["html"].encode()
    with zipfile.ZipFile(tmp_path / "example.zip", "w") as archive:
        archive.writestr("ledger.jsonl", blocks["jsonl"].encode())
        archive.writestr(f"evidence/{sha256_digest(page)[7:]}", page)
    return tmp_path / "example.zip"


def test_the_example_is_intact_by_our_verifier_and_by_the_documents(
    example: Path, strangers: Callable[[Path], tuple[int, str]]
) -> None:
    report = audit_export(example)
    assert report.intact, report.breaks
    assert (report.checkpoint.count, report.evidence) == (2, 1)
    assert strangers(example) == (2, report.checkpoint.head)


def test_the_example_is_of_the_format_that_we_write(blocks: dict[str, str]) -> None:
    header, *_ = blocks["jsonl"].encode().splitlines()
    assert unseal(header).content["format"] == FORMAT


def test_the_documents_verifier_agrees_with_ours_on_a_real_export_and_on_any_damage_to_it(
    ledger: Ledger,
    evidence: EvidenceStore,
    draft: Callable[..., EntryDraft],
    tmp_path: Path,
    strangers: Callable[[Path], tuple[int, str]],
) -> None:
    files = [{"name": "a", "digest": evidence.put(b"page"), "media_type": "text/html"}]
    ledger.append(
        [
            draft(),
            draft("fail", "b"),
            draft(None, body={"evidence": files, "text": "ä … \U0001f600", "small": [3e-8, 1e21, 0.1]}),
        ]
    )
    record_checkpoint(ledger, actor="auditor", at=AT)
    path = tmp_path / "ledger.zip"
    export_ledger(ledger, evidence, path, at=AT)
    assert strangers(path)[0] == 4
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    text = members["ledger.jsonl"]
    lines = text.splitlines(keepends=True)
    page = next(name for name in members if name != "ledger.jsonl")
    damages: list[dict[str, bytes]] = [
        {"ledger.jsonl": text.replace(b'"fail"', b'"pass"')},
        {"ledger.jsonl": text.replace(b'"seq":2', b'"seq": 2')},
        {"ledger.jsonl": b"".join(lines[:2] + lines[3:])},
        {"ledger.jsonl": b"".join([*lines[:2], lines[3], lines[2], *lines[4:]])},
        {"ledger.jsonl": b"".join([*lines[:3], *lines[2:]])},
        {"ledger.jsonl": b"".join(lines[:-1])},
        {"ledger.jsonl": b"".join([*lines[:-2], lines[-1]])},
        {"ledger.jsonl": b"".join(lines[1:])},
        {"ledger.jsonl": text[:-1]},
        {page: b"other"},
        {"extra": b""},
    ]
    for damage in damages:
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in {**members, **damage}.items():
                archive.writestr(name, data)
        assert not audit_export(path).intact
        with pytest.raises((AssertionError, ValueError, KeyError, IndexError)):
            strangers(path)
