"""What peers say, at their defaults, of the same kind of simulated windows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from benchmarks.peers.environments import Unavailable, interpreter
from benchmarks.processes import Limits, Stopped, run_module
from benchmarks.trials import SEED, Tally, clean, found, tally
from benchmarks.windows import FAULTS, JITTER, draw, plant

#: Peer to its job and its environment.
PEERS: Mapping[str, tuple[str, str]] = {
    "Evidently": ("evidently_drift", ""),
    "NannyML": ("nannyml_drift", "nannyml"),
    "whylogs": ("whylogs_drift", "whylogs"),
    "scipy, 0.05 each": ("scipy_drift", ""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """Windows in files, as :mod:`benchmarks.jobs.drifting` reads them."""

    folder: Path
    trials: int


def write_windows(folder: Path, rows: int, trials: int) -> Simulated:
    """Write pairs of windows and their faults."""
    for number in range(trials):
        rng = np.random.default_rng([SEED, rows, number, 1])
        reference, current = draw(rng, rows), draw(rng, rows, jitter=JITTER)
        parquet.write_table(_plain(reference.table), folder / f"reference-{number}.parquet")
        parquet.write_table(_plain(current.table), folder / f"current-{number}.parquet")
        for index, fault in enumerate(FAULTS):
            column = plant(rng, current, fault).table.select([fault.column])
            parquet.write_table(_plain(column), folder / f"current-{number}-{index}.parquet")
    return Simulated(folder=folder, trials=trials)


def ask(peer: str, windows: Simulated, *, limits: Limits) -> Tally | Stopped:
    """Ask a peer about all windows: how often a clean one is flagged, and how often the column with a fault."""
    job, environment = PEERS[peer]
    python = interpreter(environment)
    if isinstance(python, Unavailable):
        return Stopped(reason=f"not run: {python.reason}")
    flagged = run_module(python, job, windows.folder, limits=limits)
    if isinstance(flagged, Stopped):
        return flagged
    return tally(_outcome(flagged, number) for number in range(windows.trials))


def _outcome(flagged: Mapping[str, list[str]], number: int) -> dict[str, bool]:
    alarm = bool(flagged[f"current-{number}"])
    return {
        clean("fail"): alarm,
        clean("pass"): not alarm,
        **{
            found(fault): fault.column in flagged[f"current-{number}-{index}"]
            for index, fault in enumerate(FAULTS)
        },
    }


def _plain(table: pa.Table) -> pa.Table:
    """Categories and truth values as plain strings, which every peer takes for categories."""
    columns = {}
    for name in table.column_names:
        column = table[name]
        named = pa.types.is_dictionary(column.type) or pa.types.is_boolean(column.type)
        columns[name] = column.cast(pa.string()) if named else column
    return pa.table(columns)
