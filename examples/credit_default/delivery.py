"""How a batch of applications arrives: a file somebody hands over, or one that is generated."""

import shutil
import tempfile
from contextlib import suppress
from datetime import date
from pathlib import Path

from pyarrow import parquet

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.measure import read_table
from examples.credit_default.applications import write
from examples.credit_default.faults import Planted


def land(given: Path, landing: Path) -> None:
    """Put a file that was handed over where the dataset record expects the source.

    A Parquet file is copied byte for byte. A CSV file is read (empty fields are missing values) and kept as Parquet.

    Args:
        given: The file, ``.parquet`` or ``.csv``.
        landing: Where it goes; replaced whole or not at all.

    Raises:
        BadInput: The file is not there, or cannot be read as a table.
    """
    if not given.is_file():
        found = "a folder" if given.is_dir() else "nothing"
        raise BadInput(Fault(where=str(given), expected="a file with applications", found=found))
    landing.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=landing.parent, prefix=".landing-", delete=False) as handle:
        temporary = Path(handle.name)
    try:
        if given.suffix == ".parquet":
            shutil.copyfile(given, temporary)
        else:
            parquet.write_table(read_table(given), temporary, compression="zstd")
        temporary.replace(landing)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def generate(landing: Path, rows: int, *, seed: int, newest: date, planted: tuple[Planted, ...] = ()) -> None:
    """Generate a batch where the dataset record expects the source.

    Raises:
        BadInput: It cannot be written there.
    """
    landing.parent.mkdir(parents=True, exist_ok=True)
    write(landing, rows, seed=seed, newest=newest, planted=planted, overwrite=True)
