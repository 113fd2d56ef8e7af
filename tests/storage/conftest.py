"""Databases to test with: SQLite files and a real PostgreSQL server, and what tests of the ledger share."""

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aims_pipelines.storage.database import Database, open_database
from aims_pipelines.storage.evidence import EvidenceStore
from aims_pipelines.storage.ledger import EntryDraft, Ledger

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _binaries() -> Path | None:
    """Folder of PostgreSQL's server programs, the newest there are."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a PostgreSQL server of our own, on a socket in a temporary folder; add ``&schema=NAME``."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("needs PostgreSQL's server programs (initdb, pg_ctl), which are not installed")
    pytest.importorskip("psycopg", reason="needs psycopg, the extra 'postgres'")
    folder = Path(tempfile.mkdtemp(prefix="aims-pg-"))
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        if shutil.which("setpriv") is None:
            pytest.skip("PostgreSQL does not run as root, and setpriv is not there to change the user")
        shutil.chown(folder, "nobody")
        as_user = ["setpriv", "--reuid=nobody", "--clear-groups"]
    folder.chmod(0o755)
    data = folder / "data"

    def run(program: str, *arguments: str) -> None:
        command = [*as_user, str(binaries / program), *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=50"
    try:
        run("initdb", "-D", str(data), "-U", "tester", "--auth=trust", "--no-sync", "-E", "UTF8")
        # pg_ctl's own output must not hold our pipe open, or we would wait for the server to end
        run("pg_ctl", "-D", str(data), "-l", str(folder / "log"), "-w", "-o", options, "start")
        yield f"postgresql+psycopg://tester@/postgres?host={folder}"
        run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a fresh place for a database, on each kind that we support."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'aims.db'}"
    server: str = request.getfixturevalue("postgres")
    return f"{server}&schema=t{uuid.uuid4().hex}"


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    opened = open_database(address)
    yield opened
    opened.close()


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database)


@pytest.fixture
def evidence(tmp_path: Path) -> EvidenceStore:
    return EvidenceStore(tmp_path / "evidence")


def digest_of(letter: str) -> str:
    return "sha256:" + letter * 64


@pytest.fixture
def draft() -> Callable[..., EntryDraft]:
    """Make a draft: an observation about ``applications`` that passed, unless told otherwise."""

    def make(status: str | None = "pass", content: str = "a", **changes: Any) -> EntryDraft:
        body: dict[str, Any] = {"note": "none"}
        if status is not None:
            verdict = {"check": "completeness", "severity": "error", "status": status}
            body = {"judgement": {"status": status, "required": ["completeness"], "verdicts": [verdict]}}
        values: dict[str, Any] = {
            "kind": "observation",
            "actor": "run:1",
            "subject_kind": "dataset",
            "subject_id": "applications",
            "digests": {"content": digest_of(content)},
            "body": body,
            "at": AT,
        }
        return EntryDraft(**{**values, **changes})

    return make


@pytest.fixture
def python() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run a piece of Python in a process of its own."""

    def run(code: str, *arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", code, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **options)

    return run
