"""Timing of processes and of calls, interleaved so that a busy machine burdens both sides alike."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def processes(codes: Mapping[str, str], *, repeats: int) -> dict[str, list[float]]:
    """Run each piece of Python in a fresh process, in turn, after one run that warms caches.

    Args:
        codes: Name to Python code that prints one JSON number, in seconds, as its last line.
        repeats: Measured runs of each.
    """
    results: dict[str, list[float]] = {name: [] for name in codes}
    for turn in range(repeats + 1):
        for name, code in codes.items():
            seconds = float(printed(name, code))
            if turn:
                results[name].append(seconds)
    return results


def calls(functions: Mapping[str, Callable[[], object]], *, repeats: int) -> dict[str, list[float]]:
    """Call each function in turn, ``repeats`` times after one warming call; seconds of wall clock."""
    results: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(repeats + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if turn:
                results[name].append(time.perf_counter() - start)
    return results


def ratio(over: list[float], under: list[float]) -> float:
    """Median of the ratios of runs made in the same turn."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def difference(over: list[float], under: list[float]) -> float:
    """Median of the differences of runs made in the same turn."""
    return statistics.median(a - b for a, b in zip(over, under, strict=True))


def printed(name: str, code: str) -> Any:
    """Run Python in a fresh process and return the JSON it prints as its last line."""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"benchmark process '{name}' failed:\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])
