"""Of several runs that want to publish the same dataset at once, one does; the others are told why not."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from aims_pipelines.core.errors import GateRefused
from aims_pipelines.storage import dataset_claims
from aims_pipelines.storage.database import Database, open_database
from aims_pipelines.storage.dataset_tables import Version, claims
from aims_pipelines.storage.datasets import DatasetStore


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_database(f"sqlite:///{tmp_path}/aims.db")


@pytest.fixture
def store(database: Database, tmp_path: Path) -> DatasetStore:
    return DatasetStore(database, tmp_path / "data")


@pytest.fixture
def publish(store: DatasetStore) -> Callable[..., None]:
    def go(run_id: str, *, expect: Version | None = None) -> None:
        number = (expect.number if expect else 0) + 1
        version = Version(
            dataset="offers",
            partition="",
            number=number,
            digest=f"sha256:{number:064d}",
            rows=2,
            evidence="e-1",
            run_id=run_id,
            published_at=datetime.now(UTC),
        )
        with store.database.write() as connection:
            store.publish(version, expect=expect, connection=connection)

    return go


def alter(database: Database, **values: object) -> None:
    with database.write() as connection:
        connection.execute(claims.update().values(**values))


def held(database: Database) -> list[str]:
    with database.read() as connection:
        return [row.run_id for row in connection.execute(sa.select(claims))]


def long_ago() -> str:
    return (datetime.now(UTC) - dataset_claims.LAPSES_AFTER - timedelta(seconds=1)).isoformat()


def claim(store: DatasetStore, run_id: str) -> None:
    """Take the claim and stay in it, as a run does that is still writing."""
    with store.database.write() as connection:
        dataset_claims.take_claim(connection, "offers", "", run_id=run_id)


def test_a_run_publishes_within_its_claim_and_leaves_none(
    store: DatasetStore, publish: Callable[..., None]
) -> None:
    with store.claimed("offers", "", expect=None, run_id="one"):
        assert held(store.database) == ["one"]
        publish("one")
    assert held(store.database) == []
    head = store.head("offers")
    assert head is not None
    assert (head.number, head.run_id) == (1, "one")


def test_a_second_run_is_told_which_one_is_publishing(store: DatasetStore) -> None:
    with (
        store.claimed("offers", "", expect=None, run_id="one"),
        pytest.raises(GateRefused, match="run one is publishing it right now"),
        store.claimed("offers", "", expect=None, run_id="two"),
    ):
        raise AssertionError("never entered")


def test_partitions_are_claimed_by_themselves(store: DatasetStore) -> None:
    with (
        store.claimed("offers", "monday", expect=None, run_id="one"),
        store.claimed("offers", "tuesday", expect=None, run_id="two"),
    ):
        assert sorted(held(store.database)) == ["one", "two"]


def test_a_run_that_fails_gives_its_claim_up(store: DatasetStore) -> None:
    with pytest.raises(OSError, match="disk full"), store.claimed("offers", "", expect=None, run_id="one"):
        raise OSError("disk full")
    assert held(store.database) == []


def test_a_claim_on_a_version_that_is_no_longer_the_next_is_refused(
    store: DatasetStore, publish: Callable[..., None]
) -> None:
    with store.claimed("offers", "", expect=None, run_id="one"):
        publish("one")
    with (
        pytest.raises(GateRefused, match="version 1 was published by run one"),
        store.claimed("offers", "", expect=None, run_id="two"),
    ):
        raise AssertionError("never entered")
    assert held(store.database) == []


def test_a_claim_that_a_live_process_renews_does_not_lapse(database: Database, store: DatasetStore) -> None:
    claim(store, "one")
    alter(database, claimed_at=long_ago())
    every = timedelta(milliseconds=10)
    with dataset_claims.renewed(database, "offers", "", run_id="one", every=every):
        deadline = datetime.now(UTC) + timedelta(seconds=20)
        while datetime.now(UTC) < deadline:
            with database.read() as connection:
                at = datetime.fromisoformat(connection.execute(sa.select(claims.c.claimed_at)).scalar_one())
            if datetime.now(UTC) - at < timedelta(minutes=1):
                break
        with pytest.raises(GateRefused, match="run one is publishing"):
            claim(store, "two")
    assert threading.active_count() == len([t for t in threading.enumerate() if "aims claim" not in t.name])


def test_renewing_does_not_take_back_a_claim_that_another_run_took(
    database: Database, store: DatasetStore
) -> None:
    claim(store, "two")
    with dataset_claims.renewed(database, "offers", "", run_id="one", every=timedelta(milliseconds=1)):
        threading.Event().wait(0.1)
    assert held(database) == ["two"]


def test_a_run_that_slept_through_its_claim_publishes_nothing_while_another_writes(
    database: Database, store: DatasetStore, publish: Callable[..., None]
) -> None:
    with (
        pytest.raises(GateRefused, match="run two took it"),
        store.claimed("offers", "", expect=None, run_id="one"),
    ):
        alter(database, claimed_at=long_ago())  # the process was stopped for a quarter of an hour
        claim(store, "two")
        publish("one")
    assert store.head("offers") is None
    assert held(database) == ["two"]  # whose claim is untouched
    publish("two")
    head = store.head("offers")
    assert head is not None
    assert head.run_id == "two"


def test_a_run_that_slept_through_its_claim_publishes_nothing_after_another_did(
    database: Database, store: DatasetStore, publish: Callable[..., None]
) -> None:
    with (
        pytest.raises(GateRefused, match="another run took it and published"),
        store.claimed("offers", "", expect=None, run_id="one"),
    ):
        alter(database, claimed_at=long_ago())
        claim(store, "two")
        publish("two")
        publish("one")
    assert [version.run_id for version in store.versions()] == ["two"]


def test_the_claim_of_a_process_that_died_lapses_at_once_on_the_same_host(
    database: Database, store: DatasetStore
) -> None:
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    claim(store, "one")
    alter(database, pid=int(gone.stdout))
    claim(store, "two")
    assert held(database) == ["two"]


@pytest.mark.parametrize(
    ("at", "lapsed"), [(None, False), (long_ago(), True)], ids=["renewed", "not renewed"]
)
def test_the_claim_of_another_host_lapses_when_it_was_not_renewed(
    at: str | None, lapsed: bool, database: Database, store: DatasetStore
) -> None:
    claim(store, "one")
    alter(database, host=f"not-{socket.gethostname()}", pid=os.getpid(), **({"claimed_at": at} if at else {}))
    if lapsed:
        claim(store, "two")
        assert held(database) == ["two"]
        return
    with pytest.raises(GateRefused, match="run one is publishing"):
        claim(store, "two")


RACER = """
import sys
from datetime import UTC, datetime
from pathlib import Path

from aims_pipelines.core.errors import GateRefused
from aims_pipelines.storage.database import open_database
from aims_pipelines.storage.dataset_tables import Version
from aims_pipelines.storage.datasets import DatasetStore

database = open_database(sys.argv[1])
store = DatasetStore(database, Path(sys.argv[2]))
won = 0
while won < 8:  # beaten, it tries again, as a run that is started again does
    run_id = f"{sys.argv[3]}-{won}"
    head = store.head("offers")
    number = (head.number if head else 0) + 1
    version = Version(dataset="offers", partition="", number=number, digest=f"sha256:{run_id}", rows=1,
                      evidence="e-1", run_id=run_id, published_at=datetime.now(UTC))
    try:
        with store.claimed("offers", "", expect=head, run_id=run_id):
            with database.write() as connection:
                store.publish(version, expect=head, connection=connection)
        won += 1
        print(run_id)
    except GateRefused:
        pass
"""


def test_processes_that_race_publish_every_number_once(
    database: Database, store: DatasetStore, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/aims.db"
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, url, str(tmp_path), name], stdout=subprocess.PIPE, text=True
        )
        for name in ("left", "right")
    ]
    won = [line for racer in racers for line in racer.communicate(timeout=120)[0].splitlines()]
    assert [racer.returncode for racer in racers] == [0, 0]
    published = store.versions("offers")
    assert [version.number for version in published] == list(range(1, len(published) + 1))
    assert sorted(version.run_id for version in published) == sorted(won)
    assert len(won) == 16
    assert held(database) == []
