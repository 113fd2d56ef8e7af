"""The command line of a job that compares two tables for drift: measured once, or asked about many windows.

    python -m benchmarks.jobs.NAME REFERENCE CURRENT    what one comparison takes
    python -m benchmarks.jobs.NAME FOLDER               what it says of every window in a folder

In the folder, ``reference-N.parquet`` and ``current-N.parquet`` are a pair of windows, and each
``current-N-FAULT.parquet`` holds the one column of the current window that a fault was planted in.
"""

import json
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.jobs.stopwatch import measure

if TYPE_CHECKING:
    import pandas as pd

Drifted = Callable[["pd.DataFrame", "pd.DataFrame"], Collection[str]]


def run(drifted: Drifted) -> None:
    """Do what the command line says, with a function that names the drifted columns of a window."""
    import pandas as pd

    if len(sys.argv) == 3:
        reference, current = sys.argv[1:]
        measure(lambda: sorted(drifted(pd.read_parquet(reference), pd.read_parquet(current))))
    else:
        print("\n" + json.dumps(_windows(Path(sys.argv[1]), drifted)))


def _windows(folder: Path, drifted: Drifted) -> dict[str, list[str]]:
    """Columns flagged in each current window, by the name of its file."""
    import pandas as pd

    answers: dict[str, list[str]] = {}
    for path in sorted(folder.glob("reference-*.parquet")):
        number = path.stem.removeprefix("reference-")
        reference, clean = pd.read_parquet(path), pd.read_parquet(folder / f"current-{number}.parquet")
        answers[f"current-{number}"] = sorted(drifted(reference, clean))
        for fault in sorted(folder.glob(f"current-{number}-*.parquet")):
            column = pd.read_parquet(fault)
            window = clean.assign(**{str(name): column[name] for name in column.columns})
            answers[fault.stem] = sorted(drifted(reference, window))
    return answers
