"""Evidence files are kept whole, found by their digest, and never given out changed."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from aims_pipelines.core.errors import BadInput, LedgerBroken, StoreUnavailable
from aims_pipelines.storage.evidence import EvidenceStore, default_evidence_dir

PAGE = b"<html>\x00drift</html>" * 1000
DIGEST = f"sha256:{hashlib.sha256(PAGE).hexdigest()}"


def test_bytes_and_files_are_kept_under_the_digest_of_their_contents(
    evidence: EvidenceStore, tmp_path: Path
) -> None:
    source = tmp_path / "report.html"
    source.write_bytes(PAGE)
    assert evidence.put(PAGE) == evidence.put(source) == DIGEST
    with evidence.open(DIGEST) as stream:
        assert stream.read() == PAGE
    kept = [path for path in evidence.folder.rglob("*") if path.is_file()]
    assert kept == [evidence.path(DIGEST)]
    assert source.exists()


def test_the_empty_file_is_a_file(evidence: EvidenceStore) -> None:
    assert evidence.open(evidence.put(b"")).read() == b""


def test_a_changed_file_is_not_given_out_and_mended_by_putting_it_again(evidence: EvidenceStore) -> None:
    evidence.put(PAGE)
    evidence.path(DIGEST).write_bytes(PAGE + b" ")
    with pytest.raises(LedgerBroken, match="changed"):
        evidence.open(DIGEST)
    evidence.put(PAGE)
    assert evidence.open(DIGEST).read() == PAGE


def test_a_missing_file_is_told(evidence: EvidenceStore) -> None:
    with pytest.raises(LedgerBroken, match="missing"):
        evidence.open(DIGEST)
    assert evidence.actual_digest(DIGEST) is None


@pytest.mark.parametrize(
    "digest", ["", "sha256:../../etc/passwd", "../aims.db", DIGEST.upper(), DIGEST + "/x"]
)
def test_what_is_no_digest_reaches_no_file(evidence: EvidenceStore, digest: str) -> None:
    with pytest.raises(BadInput):
        evidence.open(digest)


def test_a_folder_that_cannot_be_written_is_told_and_left_clean(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="Nothing was recorded"):
        EvidenceStore(tmp_path / "file").put(PAGE)


def test_a_source_that_cannot_be_read_leaves_nothing_behind(evidence: EvidenceStore, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        evidence.put(tmp_path / "absent")
    assert list(evidence.folder.rglob("*")) == []


def test_leftovers_of_killed_processes_go_after_a_day_and_not_before(evidence: EvidenceStore) -> None:
    evidence.put(b"first")
    old, new = evidence.folder / ".old.tmp", evidence.folder / ".new.tmp"
    for leftover in (old, new):
        leftover.touch()
    os.utime(old, (time.time() - 100_000,) * 2)
    evidence.put(b"second")
    assert (old.exists(), new.exists()) == (False, True)


def test_evidence_lies_beside_a_database_file_and_must_be_named_for_a_server() -> None:
    assert default_evidence_dir("sqlite:////a/b/aims.db") == Path("/a/b/evidence")
    with pytest.raises(BadInput, match="a folder"):
        default_evidence_dir("postgresql+psycopg://host/db")
