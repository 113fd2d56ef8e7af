"""Jobs in fresh processes: what they took, and what becomes of those that take too much or fail."""

import math
import os
import sys
import time
from pathlib import Path

import pytest

from benchmarks.processes import (
    Limits,
    Stopped,
    Took,
    figures_of,
    in_turns,
    memory_limit,
    run_command,
    run_job,
)

FREE = Limits(seconds=60.0)


def python(code: str, limits: Limits = FREE) -> object:
    return run_command([sys.executable, "-c", code], limits=limits)


def test_the_last_line_is_the_answer_whatever_a_library_prints_before():
    assert python("import json; print('loading …'); print(json.dumps({'a': 1}))") == {"a": 1}


def test_a_job_that_takes_too_long_is_killed_together_with_its_children(tmp_path: Path):
    noted = tmp_path / "child"
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(noted)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)"
    )
    start = time.monotonic()
    stopped = python(code, Limits(seconds=3.0))
    assert stopped == Stopped(reason="killed after 3 s", over=True)
    assert time.monotonic() - start < 30.0
    child = int(noted.read_text())
    deadline = time.monotonic() + 10.0
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.parametrize("where", ["itself", "a child"])
def test_a_job_that_takes_too_much_memory_is_killed(where: str):
    hold = "import time; held = bytearray(b'x') * 400_000_000; time.sleep(60)"
    code = (
        hold
        if where == "itself"
        else f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"
    )
    assert python(code, Limits(seconds=60.0, gigabytes=0.3)) == Stopped(
        reason="killed above 0.3 GB", over=True
    )


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise ValueError('no such column')", "ValueError: no such column"),
        (
            "import peer_that_is_not_installed",
            "ModuleNotFoundError: No module named 'peer_that_is_not_installed'",
        ),
        ("raise SystemExit(3)", "exit code 3"),
        ("print('done')", "it ended without a figure"),
        ("", "it ended without a figure"),
    ],
)
def test_a_job_that_fails_says_why_in_one_line(code: str, reason: str):
    assert python(code) == Stopped(reason=reason)


def test_a_job_killed_from_outside_is_taken_for_one_that_found_no_memory():
    stopped = python("import os; os.kill(os.getpid(), 9)")
    assert isinstance(stopped, Stopped)
    assert stopped.over
    assert "memory" in stopped.reason


def test_peers_are_told_not_to_call_home():
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    told = python(code)
    assert isinstance(told, dict)
    assert told["WHYLOGS_NO_ANALYTICS"] == "True"
    assert {"NML_DISABLE_USAGE_LOGGING", "DO_NOT_TRACK"} <= told.keys()


def test_the_job_alone_is_measured_not_its_imports():
    code = (
        "import time; from benchmarks.jobs.stopwatch import measure\n"
        "kept = bytearray(b'x') * 50_000_000\n"
        "time.sleep(0.5)\n"
        "def job():\n"
        "    end = time.process_time() + 0.2\n"
        "    while time.process_time() < end: pass\n"
        "    return 'busy'\n"
        "measure(job, again=0)"
    )
    told = python(code)
    assert isinstance(told, dict)
    assert told["answer"] == "busy"
    assert 0.15 < told["cpu"] < 0.4
    assert told["wall"] >= 0.15
    assert told["peak"] > 0.05


def test_a_job_of_ours_measures_itself(tmp_path: Path):
    from benchmarks.wide import write_table

    write_table(tmp_path / "table.parquet", 2_000)
    took = run_job(
        Path(sys.executable), "one_pass", "profile_by_group", "1", tmp_path / "table.parquet", limits=FREE
    )
    assert isinstance(took, Took)
    assert took.cpu > 0.0
    assert len(took.answer) == 1


def took(wall: float) -> Took:
    return Took(wall=wall, cpu=wall, peak=0.1, answer=None)


def test_jobs_take_turns_and_slow_or_stopped_ones_are_not_repeated():
    order: list[str] = []

    def job(name: str, answer: Took | Stopped) -> Took | Stopped:
        order.append(name)
        return answer

    runs = in_turns(
        {
            "quick": lambda: job("quick", took(1.0)),
            "slow": lambda: job("slow", took(20.0)),
            "broken": lambda: job("broken", Stopped(reason="it broke")),
        },
        repeats=3,
        once_above=15.0,
    )
    assert order == ["quick", "slow", "broken", "quick", "quick"]
    assert runs["quick"] == [took(1.0)] * 3
    assert runs["slow"] == [took(20.0)]
    assert runs["broken"] == Stopped(reason="it broke")


def test_a_job_of_our_own_is_not_allowed_to_fail():
    with pytest.raises(RuntimeError, match="judgement: it broke"):
        figures_of("judgement", Stopped(reason="it broke"))


def test_the_memory_limit_leaves_the_machine_room():
    assert 0.0 < memory_limit() <= 12.0
    assert math.isfinite(memory_limit())
