"""A process killed while it appends leaves all of its batch or nothing, and a chain that verifies."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aims_pipelines.storage.database import open_database
from aims_pipelines.storage.evidence import EvidenceStore
from aims_pipelines.storage.ledger import EntryDraft, Ledger
from aims_pipelines.storage.ledger_audit import audit_ledger

Draft = Callable[..., EntryDraft]
Python = Callable[..., "subprocess.CompletedProcess[str]"]
pytestmark = pytest.mark.crash

# Kills itself when it comes to the given step: before and after each statement, before and after the commit.
STEPPER = """
import os, signal, sys
from datetime import UTC, datetime
import sqlalchemy as sa
from aims_pipelines.storage.database import open_database
from aims_pipelines.storage.ledger import EntryDraft, Ledger

address, fatal = sys.argv[1], int(sys.argv[2])
steps = 0

def step(*_arguments):
    global steps
    steps += 1
    if steps == fatal:
        os.kill(os.getpid(), signal.SIGKILL)

ledger = Ledger(open_database(address))
engine = ledger.database.engine
for name in ("begin", "before_cursor_execute", "after_cursor_execute", "commit"):
    sa.event.listen(engine, name, step)
ledger.append([
    EntryDraft(kind="observation", actor="a", subject_kind="b", subject_id="c", digests={}, body={"n": n},
               at=datetime.now(UTC))
    for n in range(3)
])
step()
"""


def test_killed_at_each_step_of_an_append(address: str, draft: Draft, python: Python) -> None:
    ledger = Ledger(open_database(address))
    ledger.append([draft(), draft()])
    before, outcomes = 2, []
    for step in range(1, 60):
        ran = python(STEPPER, address, step)
        entries = [entry.seq for entry in ledger.entries()]
        assert entries == list(range(1, len(entries) + 1))
        assert len(entries) - before in (0, 3), f"killed at step {step}"
        assert audit_ledger(ledger).intact
        outcomes.append((ran.returncode == -signal.SIGKILL, len(entries) - before))
        before = len(entries)
        if ran.returncode == 0:
            break
    assert outcomes[-1] == (False, 3), "the last run is not killed"
    assert outcomes[-2] == (True, 3), "killed after the commit: everything is there"
    assert outcomes[0] == (True, 0), "killed before the first statement: nothing is there"
    assert len(outcomes) > 6


APPENDER = """
import sys
from datetime import UTC, datetime
from aims_pipelines.storage.database import open_database
from aims_pipelines.storage.ledger import EntryDraft, Ledger

ledger = Ledger(open_database(sys.argv[1]))
print("ready", flush=True)
batch = 0
while True:
    ledger.append([
        EntryDraft(kind="observation", actor="a", subject_kind="b", subject_id=sys.argv[2], digests={},
                   body={"batch": batch, "part": part, "text": "x" * 2000}, at=datetime.now(UTC))
        for part in range(5)
    ])
    print(batch, flush=True)
    batch += 1
"""


def test_killed_at_random_moments_while_others_write(address: str) -> None:
    chance = random.Random(7)  # noqa: S311 - moments to kill at, not secrets
    open_database(address)
    for turn in range(5):
        names = [f"{turn}-{number}" for number in range(2)]
        command = [sys.executable, "-c", APPENDER, address]
        writers = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in names]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.01, 0.25))
        told: dict[str, int] = {}
        for name, writer in zip(names, writers, strict=True):
            writer.kill()
            out, _ = writer.communicate()
            told[name] = len(out.split())
        ledger = Ledger(open_database(address))
        assert audit_ledger(ledger).intact
        for name in names:
            parts = [
                (each.body["batch"], each.body["part"])
                for each in ledger.entries()
                if each.subject_id == name
            ]
            assert parts == [(batch, part) for batch in range(len(parts) // 5) for part in range(5)]
            assert len(parts) // 5 in (told[name], told[name] + 1), "what was told as appended is there"


# Kills itself at the given event of the kind that Python reports to its audit hooks: opening, renaming, …
KEEPER = """
import os, signal, sys
from pathlib import Path
from aims_pipelines.storage.evidence import EvidenceStore

store, fatal, events = EvidenceStore(Path(sys.argv[1])), int(sys.argv[2]), 0

def step(event, _arguments):
    global events
    if event == "open" or event.startswith("os."):
        events += 1
        if events == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(step)
store.put(b"report" * 100_000)
"""


def test_killed_at_each_step_of_keeping_evidence(tmp_path: Path, python: Python) -> None:
    folder = tmp_path / "evidence"
    for step in range(1, 40):
        ran = python(KEEPER, folder, step)
        store = EvidenceStore(folder)
        kept = [file for file in folder.rglob("*") if file.is_file() and not file.name.startswith(".")]
        for file in kept:
            assert store.open(f"sha256:{file.name}").read() == b"report" * 100_000
            file.unlink()
        if ran.returncode == 0:
            assert kept
            break
        assert ran.returncode == -signal.SIGKILL
    else:
        pytest.fail("it was killed at every step")
    assert step > 4
