"""Run the benchmarks, print their tables and keep them under ``benchmarks/results``.

python -m benchmarks                         all of them
python -m benchmarks loading gate            some of them
python -m benchmarks cost --sizes 1000000    at other numbers of rows
python -m benchmarks --quick                 seconds each, to see that they work; nothing is kept
"""

import argparse
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

import benchmarks
from benchmarks import headline
from benchmarks.report import Report, keep, show

RESULTS = Path(__file__).parent / "results"


def names() -> list[str]:
    """Name every benchmark: the modules of this package that can be run."""
    return sorted(
        module.name
        for module in pkgutil.iter_modules(benchmarks.__path__)
        if module.name != "__main__" and hasattr(importlib.import_module(f"benchmarks.{module.name}"), "run")
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for.

    Returns:
        0; 1 if a benchmark failed, or under ``--strict`` if a goal was not reached; 2 for bad arguments.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run the benchmarks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run (default: all)")
    parser.add_argument(
        "--quick", action="store_true", help="seconds each, to see that they work; keep nothing"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a goal is not reached")
    parser.add_argument(
        "--sizes",
        type=_size,
        nargs="+",
        default=(),
        metavar="ROWS",
        help="numbers of rows, where a benchmark has some",
    )
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="where tables are kept")
    options = parser.parse_args(arguments)
    known = names()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"no benchmark named {', '.join(unknown)}; there are {', '.join(known)}")
    console = Console(width=None if sys.stdout.isatty() else 150)
    reports: list[Report] = []
    failed: list[str] = []
    for name in options.names or known:
        Console(stderr=True).print(f"Running {name} …", style="dim")
        run = importlib.import_module(f"benchmarks.{name}").run
        sizes = {"sizes": options.sizes} if "sizes" in inspect.signature(run).parameters else {}
        try:
            report = run(quick=options.quick, **sizes)
        except Exception as error:  # noqa: BLE001 - one that fails shall not cost the others' figures
            failed.append(name)
            console.print(f"{name} failed: {type(error).__name__}: {error}", style="bold red", markup=False)
            continue
        show(report, console)
        if not options.quick:
            console.print(f"Kept in {' and '.join(str(path) for path in keep(report, options.out))}")
        reports.append(report)
    plot = None if options.quick else headline.write(options.out)
    if plot is not None:
        console.print(f"Drawn: {plot}")
    if options.quick:
        console.print(
            "A quick run shows that everything works; its figures are no measurement.", style="bold"
        )
    missed = [goal for report in reports for goal in report.goals if not goal.met]
    if missed:
        console.print(f"{len(missed)} goal(s) not reached.", style="bold red")
    if failed:
        console.print(f"Failed: {', '.join(failed)}.", style="bold red")
    return 1 if failed or (missed and options.strict) else 0


def _size(text: str) -> int:
    rows = int(text.replace("_", ""))
    if rows < 1_000:
        raise argparse.ArgumentTypeError("at least 1000 rows are needed")
    return rows


if __name__ == "__main__":
    sys.exit(main())
