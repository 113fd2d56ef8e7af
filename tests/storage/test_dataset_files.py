"""The file of a published version stays readable, whoever stores the same rows again and wherever that is killed."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from aims_pipelines.core.errors import StoreUnavailable
from aims_pipelines.measure import content_digest
from aims_pipelines.storage.database import open_database
from aims_pipelines.storage.datasets import DatasetStore

Python = Callable[..., "subprocess.CompletedProcess[str]"]

WORDS = ["x", "y"] * 50
PLAIN = pa.table({"word": WORDS})
CODED = pa.table({"word": pa.array(WORDS).dictionary_encode()})

# Kills itself when it comes to the given step: around each statement, and before each file is opened or renamed.
STEPPER = """
import os, signal, sys
from pathlib import Path
import pyarrow as pa, pyarrow.parquet
import sqlalchemy as sa
from aims_pipelines.measure import content_digest
from aims_pipelines.storage.database import open_database
from aims_pipelines.storage.datasets import DatasetStore

folder, fatal = Path(sys.argv[1]), int(sys.argv[2])
table = pa.table({"word": pa.array(["x", "y"] * 50).dictionary_encode()})
digest = content_digest(table)
steps = 0

def step(*_arguments):
    global steps
    steps += 1
    if steps == fatal:
        os.kill(os.getpid(), signal.SIGKILL)

store = DatasetStore(open_database(f"sqlite:///{folder}/aims.db"), folder / "data")
for name in ("begin", "before_cursor_execute", "after_cursor_execute", "commit"):
    sa.event.listen(store.database.engine, name, step)
sys.addaudithook(lambda name, _: step() if name in ("open", "os.rename") else None)
store.stage("words", digest, table)
"""


@pytest.fixture
def store(tmp_path: Path) -> DatasetStore:
    return DatasetStore(open_database(f"sqlite:///{tmp_path}/aims.db"), tmp_path / "data")


def only_file(folder: Path) -> Path:
    (file,) = (folder / "data").rglob("*.parquet")
    return file


def test_rows_that_are_stored_already_keep_their_file_in_whatever_bytes_they_come(
    store: DatasetStore, tmp_path: Path
) -> None:
    digest = content_digest(PLAIN)
    assert digest == content_digest(CODED)
    store.stage("words", digest, PLAIN)
    bytes_before = only_file(tmp_path).read_bytes()
    store.stage("words", digest, CODED)
    assert only_file(tmp_path).read_bytes() == bytes_before
    assert store.read("words", digest) == PLAIN


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(b"other")])
def test_a_file_that_is_lost_or_damaged_is_told_and_written_again(
    damage: Callable[[Path], object], store: DatasetStore, tmp_path: Path
) -> None:
    digest = content_digest(PLAIN)
    store.stage("words", digest, PLAIN)
    damage(only_file(tmp_path))
    with pytest.raises(StoreUnavailable):
        store.read("words", digest)
    store.stage("words", digest, CODED)
    assert store.read("words", digest)["word"].cast(pa.string()) == PLAIN["word"]


@pytest.mark.crash
def test_killed_at_each_step_of_storing_a_version_again_it_stays_readable(
    store: DatasetStore, tmp_path: Path, python: Python
) -> None:
    digest = content_digest(PLAIN)
    store.stage("words", digest, PLAIN)
    killed = []
    for step in range(1, 60):
        killed.append(python(STEPPER, tmp_path, step).returncode == -signal.SIGKILL)
        assert store.read("words", digest) == PLAIN, f"killed at step {step}"
        if not killed[-1]:
            break
    assert killed[0]
    assert not killed[-1], "the last run is not killed"


@pytest.mark.crash
def test_killed_at_each_step_of_storing_a_new_version_the_next_attempt_stores_it(
    tmp_path: Path, python: Python
) -> None:
    digest = content_digest(PLAIN)
    killed = []
    for step in range(1, 80):
        folder = tmp_path / str(step)
        folder.mkdir()
        open_database(f"sqlite:///{folder}/aims.db")
        killed.append(python(STEPPER, folder, step).returncode == -signal.SIGKILL)
        store = DatasetStore(open_database(f"sqlite:///{folder}/aims.db"), folder / "data")
        store.stage("words", digest, CODED)
        assert store.read("words", digest)["word"].cast(pa.string()) == PLAIN["word"], (
            f"killed at step {step}"
        )
        if not killed[-1]:
            break
    assert killed[0]
    assert not killed[-1], "the last run is not killed"
