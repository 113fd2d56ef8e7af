"""How fast evidence is appended, looked up and verified, and what memory verifying takes.

``python -m benchmarks.ledger ENTRIES`` measures with another number of entries.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.report import Goal, Report, Table
from benchmarks.timing import ROOT

ENTRIES = 1_000_000
_BATCH = 100
_AT = datetime(2026, 1, 1, tzinfo=UTC)

# Runs in a process of its own, so that its peak memory (VmHWM, as Linux tells it) is that of verifying alone.
_VERIFY = """
import json, pathlib, re, runpy, sys, time
sys.argv = sys.argv[1:]
start = time.perf_counter()
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    code = end.code
seconds, cpu = time.perf_counter() - start, time.process_time()
peak = re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]
print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_kib": int(peak), "code": code}))
"""


def run(*, quick: bool, entries: int | None = None) -> Report:
    """Append, look up, export and verify."""
    count = entries or (10_000 if quick else ENTRIES)
    with tempfile.TemporaryDirectory() as folder:
        return _measure(Path(folder), count)


def _measure(folder: Path, count: int) -> Report:
    from aims_pipelines.storage.database import open_database
    from aims_pipelines.storage.evidence import EvidenceStore
    from aims_pipelines.storage.export import export_ledger
    from aims_pipelines.storage.ledger import Ledger
    from aims_pipelines.storage.ledger_audit import audit_ledger
    from aims_pipelines.storage.verifier import verifier_source

    ledger = Ledger(open_database(f"sqlite:///{folder / 'aims.db'}"))
    appending = _seconds(lambda: _fill(ledger, count))
    single = _seconds(lambda: [ledger.append([_draft(number)]) for number in range(100)]) / 100
    lookup = _seconds(lambda: [ledger.passing(_name(number), _digest(number)) for number in range(200)]) / 200
    auditing = _seconds(lambda: _expect(audit_ledger(ledger).intact))
    small, large = folder / "small.zip", folder / "large.zip"
    evidence = EvidenceStore(folder / "evidence")
    exporting = _seconds(lambda: export_ledger(ledger, evidence, large, at=_AT))
    tenth = Ledger(open_database(f"sqlite:///{folder / 'tenth.db'}"))
    _fill(tenth, count // 10)
    export_ledger(tenth, evidence, small, at=_AT)
    script = folder / "verify.py"
    script.write_text(verifier_source(), encoding="utf-8")
    of_small, of_large = _verify(script, small), _verify(script, large)
    rows = (
        ("appended in batches of 100, entries/s", f"{count / appending:,.0f}"),
        ("appended one at a time, ms each", f"{single * 1000:.2f}"),
        ("evidence for an asset's version looked up, ms", f"{lookup * 1000:.2f}"),
        ("database verified, s", f"{auditing:.1f}"),
        ("exported, s", f"{exporting:.1f}"),
        ("export verified by the one-file script, s", f"{of_large['seconds']:.1f}"),
        ("processor time of that, s", f"{of_large['cpu']:.1f}"),
        ("peak memory of that, MiB", f"{of_large['peak_kib'] / 1024:.0f}"),
        ("peak memory with a tenth of the entries, MiB", f"{of_small['peak_kib'] / 1024:.0f}"),
        ("size of the database, MiB", f"{(folder / 'aims.db').stat().st_size / 2**20:.0f}"),
        ("size of the export, MiB", f"{large.stat().st_size / 2**20:.0f}"),
    )
    return Report(
        name="ledger",
        title="The evidence ledger",
        tables=(Table(title=f"{count:,} entries on SQLite", columns=("what", "measured"), rows=rows),),
        goals=(
            Goal(name="appends", observed=count / appending, limit=1000, unit="entries/s", at_least=True),
            Goal(name="verifying 1M entries", observed=of_large["seconds"] * 1e6 / count, limit=60, unit="s"),
            Goal(
                name="memory against a tenth of the entries",
                observed=of_large["peak_kib"] / of_small["peak_kib"],
                limit=1.1,
                unit="times",
            ),
        ),
        notes=(
            "Every transaction is on disk (fsync) before append returns. Each entry holds three verdicts.",
        ),
    )


def _name(number: int) -> str:
    return f"asset_{number % 1000}"


def _digest(number: int) -> str:
    return f"sha256:{number:064x}"


def _draft(number: int) -> Any:
    from aims_pipelines.storage.ledger import EntryDraft

    verdicts = [
        {
            "check": check,
            "version": "1",
            "severity": "error",
            "status": "pass",
            "measured": 12,
            "findings": [
                {
                    "target": "age",
                    "measure": "share",
                    "status": "pass",
                    "reason": "within limit",
                    "observed": 0.0125 * n,
                }
            ],
        }
        for n, check in enumerate(("schema", "completeness", "drift"), 1)
    ]
    body = {
        "judgement": {
            "subject": _name(number),
            "status": "pass",
            "required": ["schema"],
            "verdicts": verdicts,
        }
    }
    digests = {"content": _digest(number), "policy": _digest(1)}
    return EntryDraft(
        kind="observation",
        actor="run:benchmark",
        subject_kind="dataset",
        subject_id=_name(number),
        digests=digests,
        body=body,
        at=_AT,
    )


def _fill(ledger: Any, count: int) -> None:
    for start in range(0, count, _BATCH):
        ledger.append([_draft(number) for number in range(start, min(start + _BATCH, count))])


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _verify(script: Path, export: Path) -> dict[str, float]:
    command = [sys.executable, "-c", _VERIFY, str(script), str(export)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    _expect(told["code"] == 0)
    return told


def _expect(condition: bool) -> None:
    if not condition:
        raise RuntimeError("the ledger of the benchmark does not verify")


if __name__ == "__main__":
    from rich.console import Console

    from benchmarks.report import show

    show(run(quick=False, entries=int(sys.argv[1]) if len(sys.argv) > 1 else None), Console())
