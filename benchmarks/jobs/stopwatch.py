"""Measure one job from inside its process: wall clock, processor time, peak memory. Standard library only.

Peers run in environments of their own, so that this module and the peers' jobs import nothing else of the project.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path


def measure(job: Callable[[], object], *, again: int = 0) -> None:
    """Run a job and print what it took as one line of JSON, the last of the output.

    Wall clock and processor time are of the job alone; what the process imported before does not count. The
    peak is that of the whole process until the end of the first run.

    Args:
        job: Returns what the benchmark is told besides, fit for JSON.
        again: Further runs in the same process, whose ``[wall, cpu]`` are told in place of the answer.
    """
    wall, cpu, answer = timed(job)
    peak = peak_gigabytes()
    told = [timed(job)[:2] for _ in range(again)] if again else answer
    sys.stdout.flush()
    print("\n" + json.dumps({"wall": wall, "cpu": cpu, "peak": peak, "answer": told}))


def timed(job: Callable[[], object]) -> tuple[float, float, object]:
    """Wall clock and processor time of a job in seconds, and what it returned."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    answer = job()
    return time.perf_counter() - wall, cpu_seconds() - cpu, answer


def cpu_seconds() -> float:
    """User and system time of this process, all its threads, and children that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_gigabytes() -> float:
    """Largest resident memory of this process so far, in units of 1e9 bytes.

    Linux hands the maximum of getrusage on to a new program; its status file starts afresh.
    """
    try:
        with Path("/proc/self/status").open() as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 / 1e9
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e9 if sys.platform == "darwin" else peak * 1024 / 1e9
