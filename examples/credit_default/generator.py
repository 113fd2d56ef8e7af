"""Generate credit applications: any number of rows in flat memory, the same for the same seed.

    python -m examples.credit_default.generator --rows 20000 --seed 1 --out applications.parquet
    python -m examples.credit_default.generator --rows 1M --seed 2 --fault missing=0.1 --out spoiled.csv
    python -m examples.credit_default.generator --truth

The truth that rows come from is in ``population``; the faults that can be planted are in ``faults``.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from aims_pipelines.core.errors import BadInput, Fault
from examples.credit_default import population
from examples.credit_default.applications import unwritable, write
from examples.credit_default.faults import FAULTS, Planted

MOST_ROWS = 999_999_999
"""Identifiers hold nine digits."""

_ROWS = re.compile(r"(?P<number>[0-9][0-9_]*)(?P<unit>[kM]?)")
_UNITS = {"": 1, "k": 1_000, "M": 1_000_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be generated, and where to."""

    rows: int
    seed: int
    newest: date
    planted: tuple[Planted, ...]
    out: Path
    overwrite: bool


def parse_fault(text: str) -> Planted:
    """Read a fault as asked for, ``NAME`` or ``NAME=SIZE``.

    Raises:
        BadInput: There is no such fault, or the size makes no sense for it.
    """
    name, equals, size = text.partition("=")
    fault = FAULTS.get(name)
    if fault is None:
        raise BadInput(Fault(where="--fault", expected=f"one of {', '.join(FAULTS)}", found=repr(name[:40])))
    if not equals:
        return Planted(fault=fault, size=fault.default)
    try:
        value = float(size)
    except ValueError:
        value = float("nan")
    if not fault.unit:
        raise BadInput(Fault(where=f"--fault {name}", expected="no size", found=repr(size[:40])))
    if not 0 < value <= fault.largest:
        expected = f"a size above 0 and at most {fault.largest:g} ({fault.unit})"
        raise BadInput(Fault(where=f"--fault {name}", expected=expected, found=repr(size[:40])))
    return Planted(fault=fault, size=value)


def truth() -> dict[str, object]:
    """Give everything that is known about the rows, as JSON can hold it."""
    return {
        "label": {
            "column": "outcome",
            "positive": population.DEFAULT,
            "model": "logistic",
            "intercept": population.INTERCEPT,
            "log_odds": dict(population.TRUTH),
            "centred_at": dict(population.CENTRE),
        },
        "natural_missing_share": dict(population.MISSING),
        "reapplying_share": population.REAPPLYING,
        "faults": {
            name: {
                "truth": fault.describe(fault.default),
                "default_size": fault.default if fault.unit else None,
                "unit": fault.unit,
                "meant_for_check": fault.check,
            }
            for name, fault in FAULTS.items()
        },
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 if written, 2 if the arguments were bad and nothing was."""
    options = _parser().parse_args(arguments)
    if options.truth:
        sys.stdout.write(json.dumps(truth(), indent=2) + "\n")
        return 0
    try:
        request = _request(options)
        _write(request)
    except BadInput as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("Stopped; nothing was written.\n")
        return 130
    lines = [f"{request.out}: {request.rows:,} rows"]
    lines += [f"  planted {one.fault.name}: {one.fault.describe(one.size)}" for one in request.planted]
    lines += [f"  the same again: --rows {request.rows} --seed {request.seed} --as-of {request.newest}"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    kinds = "\n".join(f"  {name:<17} {fault.describe(fault.default)}" for name, fault in FAULTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m examples.credit_default.generator",
        description="Generate credit applications with a known truth, as Parquet or CSV.",
        epilog=f"faults, with their default size; NAME=SIZE sets another:\n{kinds}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", default="20000", metavar="N", help="number of rows, such as 500, 20k or 1M")
    parser.add_argument("--seed", default="1", metavar="S", help="same seed, same rows (default 1)")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME", help="plant a fault; repeatable"
    )
    parser.add_argument("--as-of", metavar="DATE", help="newest date of application (default today)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="file to write, .parquet or .csv")
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it is there")
    parser.add_argument(
        "--truth", action="store_true", help="print coefficients and faults as JSON, and stop"
    )
    return parser


def _request(options: argparse.Namespace) -> Request:
    """Check every argument before anything is drawn.

    Raises:
        BadInput: With all faults of all arguments.
    """
    faults: list[Fault] = []
    rows = _ROWS.fullmatch(options.rows)
    count = int(rows["number"]) * _UNITS[rows["unit"]] if rows else 0
    if not 1 <= count <= MOST_ROWS:
        expected = f"a whole number from 1 to {MOST_ROWS:,}, or one with k or M"
        faults.append(Fault(where="--rows", expected=expected, found=repr(options.rows[:40])))
    if not re.fullmatch(r"[0-9]{1,18}", options.seed):
        expected = "a whole number of at least 0"
        faults.append(Fault(where="--seed", expected=expected, found=repr(options.seed[:40])))
    planted: list[Planted] = []
    for text in options.fault:
        try:
            planted.append(parse_fault(text))
        except BadInput as error:
            faults.extend(error.faults)
    names = [one.fault.name for one in planted]
    if len(set(names)) < len(names):
        faults.append(Fault(where="--fault", expected="each fault once", found=", ".join(names)))
    newest = datetime.now(tz=UTC).date()
    try:
        newest = date.fromisoformat(options.as_of) if options.as_of is not None else newest
    except ValueError:
        faults.append(Fault(where="--as-of", expected="a date, YYYY-MM-DD", found=repr(options.as_of[:40])))
    if options.out is None:
        faults.append(Fault(where="--out", expected="a file to write, .parquet or .csv", found="none"))
    else:
        faults.extend(unwritable(options.out, overwrite=options.overwrite))
    if faults:
        raise BadInput(faults)
    return Request(
        rows=count,
        seed=int(options.seed),
        newest=newest,
        planted=tuple(planted),
        out=options.out,
        overwrite=options.overwrite,
    )


def _write(request: Request) -> None:
    with Progress(console=Console(stderr=True), transient=True, disable=request.rows < 1_000_000) as bar:
        task = bar.add_task("Generating", total=request.rows)
        write(
            request.out,
            request.rows,
            seed=request.seed,
            newest=request.newest,
            planted=request.planted,
            overwrite=request.overwrite,
            progress=lambda rows: bar.advance(task, rows),
        )


if __name__ == "__main__":
    sys.exit(main())
