"""Jobs in fresh processes under limits of time and memory: what they took, or why there is no figure."""

import contextlib
import json
import math
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.timing import ROOT

#: Most memory of a peer's process, in units of 1e9 bytes, where the machine has half as much again.
GIGABYTES = 12.0
_POLL = 0.1
# Peers that call home, or draw progress bars, are told not to.
_QUIET = {
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "NML_DISABLE_USAGE_LOGGING": "1",
    "WHYLOGS_NO_ANALYTICS": "True",
    "PYTHONWARNINGS": "ignore",
    "TQDM_DISABLE": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a process may take before it is killed.

    Args:
        seconds: Wall clock.
        gigabytes: Resident memory of the process and its children, in units of 1e9 bytes.
    """

    seconds: float = math.inf
    gigabytes: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What a job took.

    Args:
        wall: Wall clock of the job, seconds.
        cpu: Its processor time, user and system, all threads, seconds.
        peak: Largest resident memory of its process, in units of 1e9 bytes.
        answer: What it said.
    """

    wall: float
    cpu: float
    peak: float
    answer: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Why a job gave no figure, in one line; ``over`` if it ran into a limit, which is a result as well."""

    reason: str
    over: bool = False


def memory_limit() -> float:
    """Memory that a peer's process may take here, in units of 1e9 bytes: 12, or two thirds of what there is."""
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (ValueError, OSError):
        return GIGABYTES
    return min(GIGABYTES, math.floor(there / 1.5))


def run_job(python: Path, module: str, *arguments: str | Path, limits: Limits) -> Took | Stopped:
    """Run a module of :mod:`benchmarks.jobs` that measures itself."""
    told = run_module(python, module, *arguments, limits=limits)
    return told if isinstance(told, Stopped) else Took(**told)


def run_module(python: Path, module: str, *arguments: str | Path, limits: Limits) -> Any | Stopped:
    """Run a module of :mod:`benchmarks.jobs` in a fresh process; return the JSON of its last line."""
    command = [str(python), "-m", f"benchmarks.jobs.{module}", *map(str, arguments)]
    return run_command(command, limits=limits)


def run_command(command: Sequence[str], *, limits: Limits) -> Any | Stopped:
    """Run a command that prints JSON as its last line; it and its children are killed beyond the limits."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **_QUIET, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            over = _wait(process, limits)
        finally:
            _kill(process)
        if over:
            return Stopped(reason=over, over=True)
        out.seek(0)
        err.seek(0)
        return _answer(process.returncode, out.read(), err.read())


def _wait(process: "subprocess.Popen[bytes]", limits: Limits) -> str:
    """Wait for the end; return which limit was passed, or nothing."""
    start = time.monotonic()
    while True:
        try:
            process.wait(_POLL)
        except subprocess.TimeoutExpired:
            if time.monotonic() - start > limits.seconds:
                return f"killed after {_duration(limits.seconds)}"
            if limits.gigabytes < math.inf and resident(process.pid) > limits.gigabytes:
                return f"killed above {limits.gigabytes:g} GB"
        else:
            return ""


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End the process and the children that it left, all of which are in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nothing is left of the group
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def resident(leader: int) -> float:
    """Memory that a process and the others of its group hold now, in units of 1e9 bytes; shared pages count twice."""
    page = os.sysconf("SC_PAGE_SIZE")
    if not Path("/proc/self/statm").exists():
        return _resident_by_ps(leader)
    total = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if os.getpgid(int(folder.name)) == leader:
                    total += int((folder / "statm").read_text().split()[1]) * page
            except (OSError, IndexError):
                continue  # it ended meanwhile
    return total / 1e9


def _resident_by_ps(leader: int) -> float:
    listed = subprocess.run(["ps", "-Ao", "pgid=,rss="], capture_output=True, text=True, check=False).stdout
    rows = (line.split() for line in listed.splitlines())
    return sum(int(row[1]) for row in rows if len(row) == 2 and row[0] == str(leader)) * 1024 / 1e9


def _answer(code: int, out: str, err: str) -> Any | Stopped:
    if code:
        lines = [line.strip() for line in err.splitlines() if line.strip()]
        if code == -signal.SIGKILL:
            return Stopped(reason="killed by the system, most likely for want of memory", over=True)
        return Stopped(reason=lines[-1][:200] if lines else f"exit code {code}")
    try:
        return json.loads(out.splitlines()[-1])
    except (IndexError, ValueError):
        return Stopped(reason="it ended without a figure")


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} s"


def in_turns(
    jobs: Mapping[str, Callable[[], Took | Stopped]], *, repeats: int, once_above: float = math.inf
) -> dict[str, list[Took] | Stopped]:
    """Run jobs one after the other, and again, so that a busy machine burdens all of them alike.

    Args:
        jobs: Name to what runs it once.
        repeats: Turns, at least 1.
        once_above: Wall clock in seconds above which a job is not run again.

    Returns:
        All runs of each job, or why there is no figure.
    """
    results: dict[str, list[Took] | Stopped] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            runs = results[name]
            if isinstance(runs, Stopped) or any(run.wall > once_above for run in runs):
                continue
            run = job()
            results[name] = run if isinstance(run, Stopped) else [*runs, run]
    return results


def figures_of(name: str, runs: list[Took] | Stopped) -> list[Took]:
    """Runs of a job of our own, which is not allowed to fail."""
    if not isinstance(runs, Stopped):
        return runs
    raise RuntimeError(f"{name}: {runs.reason}")
