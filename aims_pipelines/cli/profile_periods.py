"""``aims profile --time --every``: a folder of profiles, one a period, to chart or to replay."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from aims_pipelines.core.errors import BadInput, Fault

if TYPE_CHECKING:
    from aims_pipelines.stats.profile import Profile

ENDING = ".profile"


def folder_faults(out: Path, *, inputs: Sequence[Path]) -> list[Fault]:
    """What keeps a folder from being written into; a folder that is not there yet is made."""
    if out.exists() and not out.is_dir():
        return [Fault(where=str(out), expected="a folder to write a profile a period into", found="a file")]
    if not out.exists() and not out.parent.is_dir():
        return [
            Fault(where=str(out), expected="a folder that exists above it", found=f"no folder {out.parent}")
        ]
    if any(item.parent.resolve() == out.resolve() for item in inputs):
        return [Fault(where=str(out), expected="another folder than that of the tables", found="the same")]
    return []


def save_periods(found: Mapping[str, "Profile"], out: Path, *, overwrite: bool) -> None:
    """Write a profile a period, and print what was written. Rows without a time are counted and left out.

    Raises:
        BadInput: No row has a time; a period is there already; the folder cannot be written to. Nothing is written.
    """
    from aims_pipelines.measure.saved import write_profile
    from aims_pipelines.stats.profile import MISSING

    periods = {name: made for name, made in found.items() if name != MISSING}
    if not periods:
        raise BadInput(Fault(where="--time", expected="rows with a time", found="none"))
    files = {name: out / f"{name}{ENDING}" for name in periods}
    there = [str(file) for file in files.values() if file.exists()]
    if there and not overwrite:
        listed = ", ".join(there[:3]) + (f" and {len(there) - 3} more" if len(there) > 3 else "")
        remedy = "Choose another folder, or say --overwrite."
        raise BadInput(Fault(where=str(out), expected="new periods only", found=listed, remedy=remedy))
    part = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        part.mkdir()
        sizes = {name: write_profile(made, part / files[name].name) for name, made in periods.items()}
        out.mkdir(exist_ok=True)
        for file in files.values():
            (part / file.name).replace(file)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BadInput(Fault(where=str(out), expected="a folder to write to", found=reason)) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    for name, made in periods.items():
        typer.echo(f"{files[name]}: {made.rows:,} rows, {sizes[name]:,} bytes")
    if MISSING in found:
        typer.echo(f"{found[MISSING].rows:,} rows without a time are in no period.")
