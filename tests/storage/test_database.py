"""Opening a database: ours is opened, nothing is created, everything else is left alone and told clearly."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from aims_pipelines.core.errors import AimsError, BadInput, NotOurs, StoreUnavailable
from aims_pipelines.storage.database import Database, open_database, sqlite_file
from aims_pipelines.storage.database_errors import translated
from aims_pipelines.storage.ledger import EntryDraft, Ledger
from aims_pipelines.storage.ledger_audit import audit_ledger
from aims_pipelines.storage.sqlite import APPLICATION_ID

Draft = Callable[..., EntryDraft]
Python = Callable[..., "subprocess.CompletedProcess[str]"]


def url_of(file: Path) -> str:
    return f"sqlite:///{file}"


def test_a_database_opens_again_and_keeps_its_identity(address: str) -> None:
    first = Ledger(open_database(address)).header()
    assert first is not None
    assert Ledger(open_database(address)).header() == first
    assert Ledger(open_database(address, create=False)).header() == first


def test_folders_of_a_new_database_are_created(tmp_path: Path) -> None:
    open_database(url_of(tmp_path / "a" / "b" / "aims.db"))
    assert (tmp_path / "a" / "b" / "aims.db").is_file()


def test_the_file_says_whose_it_is(tmp_path: Path) -> None:
    open_database(url_of(tmp_path / "aims.db")).close()
    with sqlite3.connect(tmp_path / "aims.db") as raw:
        assert raw.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_an_empty_file_is_ours_to_take(tmp_path: Path) -> None:
    (tmp_path / "aims.db").touch()
    assert Ledger(open_database(url_of(tmp_path / "aims.db"))).header() is not None


def foreign_table(file: Path) -> None:
    with sqlite3.connect(file) as raw:
        raw.execute("CREATE TABLE customers (name)")
    raw.close()


def foreign_wal(file: Path) -> None:
    with sqlite3.connect(file) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("CREATE TABLE customers (name)")
    raw.close()


def foreign_application(file: Path) -> None:
    with sqlite3.connect(file) as raw:
        raw.execute("PRAGMA application_id=7")
        raw.execute("CREATE TABLE t (a)")
        raw.execute("DROP TABLE t")
    raw.close()


def foreign_view(file: Path) -> None:
    with sqlite3.connect(file) as raw:
        raw.execute("CREATE VIEW v AS SELECT 1")
    raw.close()


def text(file: Path) -> None:
    file.write_text("name,income\nJane,1\n" * 1000)


def lookalike(file: Path) -> None:
    with sqlite3.connect(file) as raw:
        raw.execute("CREATE TABLE aims_schema (product, version)")
        raw.execute("INSERT INTO aims_schema VALUES ('something else', 1)")
    raw.close()


@pytest.mark.parametrize(
    "make", [foreign_table, foreign_wal, foreign_application, foreign_view, text, lookalike]
)
@pytest.mark.parametrize("create", [True, False])
def test_a_file_that_is_not_ours_is_refused_and_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], None], create: bool
) -> None:
    file = tmp_path / "other.db"
    make(file)
    before = file.read_bytes()
    with pytest.raises(NotOurs, match=r"other\.db.*left alone"):
        open_database(url_of(file), create=create)
    assert file.read_bytes() == before
    assert os.listdir(tmp_path) == ["other.db"]  # noqa: PTH208 - names are what is compared


@pytest.mark.postgres
def test_a_schema_of_others_in_postgresql_is_refused_and_left_as_it_is(postgres: str) -> None:
    engine = sa.create_engine(postgres)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS others")
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS others.customers (name text)")
    with pytest.raises(NotOurs, match="others"):
        open_database(f"{postgres}&schema=others")
    assert sa.inspect(engine).get_table_names("others") == ["customers"]
    engine.dispose()


@pytest.mark.postgres
def test_two_schemas_are_two_ledgers(postgres: str, draft: Draft) -> None:
    one = Ledger(open_database(f"{postgres}&schema=one"))
    two = Ledger(open_database(f"{postgres}&schema=two"))
    one.append([draft()])
    assert list(two.entries()) == []
    assert one.header() != two.header()


@pytest.mark.postgres
@pytest.mark.parametrize("schema", ["a-b", 'x"; DROP SCHEMA public; --', "ä", "x" * 80])
def test_a_schema_name_that_needs_quoting_is_refused(postgres: str, schema: str) -> None:
    address = (
        sa.make_url(postgres).update_query_dict({"schema": schema}).render_as_string(hide_password=False)
    )
    with pytest.raises(BadInput, match="schema name"):
        open_database(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "aims.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "mysql://root:hunter2@localhost/db",
        "postgresql//user:hunter2@host/db",
        "http://user:hunter2@host",
    ],
)
def test_an_address_that_is_none_of_ours_is_an_error_without_its_password(address: str) -> None:
    with pytest.raises(BadInput, match="sqlite:///FILE or postgresql") as caught:
        open_database(address)
    assert "hunter2" not in str(caught.value)


@pytest.mark.postgres
def test_a_server_that_does_not_answer_is_told_without_the_password(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreUnavailable, match="server runs") as caught:
        open_database(f"postgresql+psycopg://tester:hunter2@/postgres?host={tmp_path}")
    assert "hunter2" not in str(caught.value)


@pytest.mark.postgres
def test_a_database_shows_its_address_without_what_may_hold_a_password(postgres: str) -> None:
    address = sa.make_url(postgres).update_query_dict({"password": "hunter2"})
    shown = open_database(address.render_as_string(hide_password=False)).url
    assert shown.startswith("postgresql+psycopg://")
    assert "hunter2" not in shown


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a folder"):
        open_database(url_of(tmp_path))


def test_a_folder_that_cannot_be_created_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="Cannot reach the folder"):
        open_database(url_of(tmp_path / "file" / "aims.db"))


def test_where_nothing_is_to_be_created_absence_is_an_error_and_stays(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="expected a ledger, found none"):
        open_database(url_of(tmp_path / "typo.db"), create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_a_newer_version_is_refused(address: str) -> None:
    database = open_database(address)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE aims_schema SET version = 99")
    with pytest.raises(StoreUnavailable, match="Install a newer"):
        open_database(address)


def test_tables_that_a_module_declares_later_are_added(address: str, draft: Draft) -> None:
    from aims_pipelines.storage.schema import metadata

    Ledger(open_database(address)).append([draft()])
    extra = sa.Table("declared_later", metadata, sa.Column("a", sa.Integer))
    try:
        database = open_database(address)
        with database.write() as connection:
            connection.execute(extra.insert().values(a=1))
        assert audit_ledger(Ledger(database)).intact
    finally:
        metadata.remove(extra)


def test_what_fails_within_a_transaction_leaves_nothing(database: Database, draft: Draft) -> None:
    ledger = Ledger(database)
    with pytest.raises(KeyError), database.write() as connection:
        ledger.append([draft()], connection=connection)
        raise KeyError
    assert list(ledger.entries()) == []


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(AimsError), database.read() as connection:
        connection.exec_driver_sql("UPDATE aims_schema SET version = 2")


def test_a_reader_sees_one_state_while_others_write(database: Database, draft: Draft) -> None:
    ledger = Ledger(database)
    ledger.append([draft()])
    with database.read() as connection:
        count = sa.text("SELECT count(*) FROM ledger_entry")
        assert connection.execute(count).scalar_one() == 1
        ledger.append([draft()])
        assert connection.execute(count).scalar_one() == 1
    assert len(list(ledger.entries())) == 2


def test_a_full_disk_is_told_and_leaves_the_ledger_as_it_was(tmp_path: Path, draft: Draft) -> None:
    database = open_database(url_of(tmp_path / "aims.db"))
    ledger = Ledger(database)
    ledger.append([draft()])

    def shrink(raw: sqlite3.Connection, _record: object) -> None:
        pages = raw.execute("PRAGMA page_count").fetchone()[0]
        raw.execute(f"PRAGMA max_page_count={pages + 3}")

    database.close()
    sa.event.listen(database.engine, "connect", shrink)
    with pytest.raises(StoreUnavailable, match=r"full.*Nothing was written.*Free some space"):
        ledger.append([draft(None, body={"text": "x" * 3000}) for _ in range(50)])
    sa.event.remove(database.engine, "connect", shrink)
    database.close()
    assert len(list(ledger.entries())) == 1
    ledger.append([draft()])
    assert audit_ledger(ledger).intact


@pytest.mark.parametrize("said", ["", " \n"])
def test_a_driver_that_fails_without_a_word_is_told_by_the_name_of_its_error(said: str) -> None:
    told = pytest.raises(StoreUnavailable, match=r"cannot be used: OperationalError\. Nothing was written")
    with told, translated("sqlite:///aims.db"):
        raise sa.exc.OperationalError("SELECT 1", None, sqlite3.OperationalError(said))


LIMITED = """
import resource, sys
from datetime import UTC, datetime
from aims_pipelines.core.errors import StoreUnavailable
from aims_pipelines.storage.database import open_database
from aims_pipelines.storage.ledger import EntryDraft, Ledger

ledger = Ledger(open_database(sys.argv[1]))
draft = EntryDraft(kind="observation", actor="a", subject_kind="b", subject_id="c", digests={},
                   body={"text": "x" * 10_000}, at=datetime.now(UTC))
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
done = 0
try:
    while done < 1000:
        ledger.append([draft])
        done += 1
except StoreUnavailable as error:
    print(done, error)
"""


def test_a_file_system_that_takes_no_more_bytes_is_told_and_leaves_whole_entries(
    tmp_path: Path, python: Python
) -> None:
    ran = python(LIMITED, url_of(tmp_path / "aims.db"))
    assert ran.returncode == 0, ran.stderr
    done, _, told = ran.stdout.partition(" ")
    assert 0 < int(done) < 1000
    assert "Nothing was written" in told
    ledger = Ledger(open_database(url_of(tmp_path / "aims.db")))
    assert len(list(ledger.entries())) == int(done)
    assert audit_ledger(ledger).intact


READ_ONLY = """
import os, sys
from datetime import UTC, datetime
from aims_pipelines.core.errors import StoreUnavailable
from aims_pipelines.storage.database import open_database
from aims_pipelines.storage.ledger import EntryDraft, Ledger
from aims_pipelines.storage.ledger_audit import audit_ledger

if os.geteuid() == 0:
    os.setgroups([])
    os.setuid(65534)  # nobody: permissions do not bind root
ledger = Ledger(open_database(sys.argv[1], create=sys.argv[2] == "create"))
report = audit_ledger(ledger)
print(report.intact, report.checkpoint.count)
draft = EntryDraft(kind="observation", actor="a", subject_kind="b", subject_id="c", digests={}, body={},
                   at=datetime.now(UTC))
try:
    ledger.append([draft])
except StoreUnavailable as error:
    print(error)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can reach, which pytest's own temporary folders are not."""
    folder = Path(tempfile.mkdtemp(prefix="aims-open-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


UNREACHABLE = """
import os, sys
from aims_pipelines.core.errors import StoreUnavailable
from aims_pipelines.storage.database import open_database
if os.geteuid() == 0:
    os.setgroups([])
    os.setuid(65534)
try:
    open_database(sys.argv[1])
except StoreUnavailable as error:
    print(error)
"""


def test_a_folder_that_this_user_may_not_enter_is_told(open_folder: Path, python: Python) -> None:
    (open_folder / "closed").mkdir(mode=0o000)
    ran = python(UNREACHABLE, url_of(open_folder / "closed" / "aims.db"))
    (open_folder / "closed").chmod(0o755)
    assert ran.returncode == 0, ran.stderr
    assert "Permission denied" in ran.stdout


@pytest.mark.parametrize("mode", ["create", "look"])
@pytest.mark.parametrize("folder_mode", [0o555, 0o755])
def test_a_read_only_database_can_be_verified_and_not_written(
    open_folder: Path, draft: Draft, python: Python, mode: str, folder_mode: int
) -> None:
    database = open_database(url_of(open_folder / "aims.db"))
    Ledger(database).append([draft(), draft()])
    database.close()
    (open_folder / "aims.db").chmod(0o444)
    open_folder.chmod(folder_mode if os.geteuid() == 0 else 0o555)
    ran = python(READ_ONLY, url_of(open_folder / "aims.db"), mode)
    open_folder.chmod(0o755)
    assert ran.returncode == 0, ran.stderr
    first, told = ran.stdout.splitlines()
    assert first == "True 2"
    assert "Nothing was written" in told
    assert "permission" in told


OPENER = textwrap.dedent(
    """
    import sys
    from aims_pipelines.storage.database import open_database
    from aims_pipelines.storage.ledger import Ledger
    print(Ledger(open_database(sys.argv[1])).header().decode())
    """
)


def test_processes_that_create_the_database_at_once_agree_on_it(address: str) -> None:
    command = [sys.executable, "-c", OPENER, address]
    openers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(6)]
    headers = set()
    for opener in openers:
        out, errors = opener.communicate(timeout=120)
        assert opener.returncode == 0, errors.decode()
        headers.add(out)
    assert len(headers) == 1


FORKER = """
import os, sys
from datetime import UTC, datetime
from aims_pipelines.storage.database import open_database
from aims_pipelines.storage.ledger import EntryDraft, Ledger

ledgers = [Ledger(open_database(sys.argv[1])) for _ in range(2)]
draft = EntryDraft(kind="observation", actor="a", subject_kind="b", subject_id="c", digests={}, body={},
                   at=datetime.now(UTC))
ledgers[0].append([draft])
ledgers[1].append([draft])
child = os.fork()
for number in range(20):
    ledgers[number % 2].append([draft])
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_does_not_use_its_parents_connection(address: str, python: Python) -> None:
    ran = python(FORKER, address)
    assert ran.returncode == 0, ran.stderr
    ledger = Ledger(open_database(address))
    assert len(list(ledger.entries())) == 42
    assert audit_ledger(ledger).intact


def test_the_file_of_an_address_is_known_for_sqlite_only() -> None:
    assert sqlite_file("sqlite:////a/b.db") == Path("/a/b.db")
    assert sqlite_file("postgresql+psycopg://host/db") is None
