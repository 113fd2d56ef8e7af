"""Run the benchmarks, print their tables and keep them under ``benchmarks/results``.

python -m benchmarks                 all of them
python -m benchmarks loading gate    some of them
python -m benchmarks --quick         seconds each, to see that they work; nothing is kept
"""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

import benchmarks
from benchmarks.report import Report, keep, show

RESULTS = Path(__file__).parent / "results"
_NOT_BENCHMARKS = {"report", "timing", "__main__"}


def names() -> list[str]:
    """Name every benchmark: the modules of this package that can be run."""
    return sorted(
        module.name
        for module in pkgutil.iter_modules(benchmarks.__path__)
        if module.name not in _NOT_BENCHMARKS
        and hasattr(importlib.import_module(f"benchmarks.{module.name}"), "run")
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; return 0, 1 if a goal was missed under ``--strict``, or 2 for bad arguments."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run the benchmarks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run (default: all)")
    parser.add_argument(
        "--quick", action="store_true", help="seconds each, to see that they work; keep nothing"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a goal is missed")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="where tables are kept")
    options = parser.parse_args(arguments)
    known = names()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"no benchmark named {', '.join(unknown)}; there are {', '.join(known)}")
    console = Console(width=None if sys.stdout.isatty() else 120)
    reports: list[Report] = []
    for name in options.names or known:
        Console(stderr=True).print(f"Running {name} …", style="dim")
        report = importlib.import_module(f"benchmarks.{name}").run(quick=options.quick)
        show(report, console)
        if not options.quick:
            console.print(f"Kept in {' and '.join(str(path) for path in keep(report, options.out))}")
        reports.append(report)
    missed = [goal for report in reports for goal in report.goals if not goal.met]
    if missed:
        console.print(f"{len(missed)} goal(s) missed.", style="bold red")
    return 1 if missed and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
