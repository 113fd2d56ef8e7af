"""The ledger keeps what it is given, finds it again, and believes nothing that is not sealed and linked."""

import json
import math
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from aims_pipelines.core.chain import ENTRY, seal, unseal
from aims_pipelines.core.errors import BadInput, LedgerBroken
from aims_pipelines.core.verdict import Status
from aims_pipelines.storage.database import Database, open_database
from aims_pipelines.storage.ledger import EntryDraft, Ledger
from aims_pipelines.storage.ledger_audit import audit_ledger, record_checkpoint

Draft = Callable[..., EntryDraft]
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def test_what_is_appended_is_read_back(ledger: Ledger, draft: Draft) -> None:
    body = {
        "text": "Grüße … 漢字 \U0001f600 \u2028 \x00 \"'\\",
        "numbers": [1, -2.5, 1e-9],
        "nothing": None,
        "t": True,
    }
    east = AT.astimezone(timezone(timedelta(hours=5)))
    given = draft(kind="decision", actor="person:ä", subject_id="a/b", body=body, at=east)
    (entry,) = ledger.append([given])
    assert (entry.seq, entry.id, entry.kind, entry.actor) == (1, "e-1", "decision", "person:ä")
    assert (entry.subject_kind, entry.subject_id, entry.digests) == ("dataset", "a/b", {"content": A})
    assert entry.body == body
    assert entry.at == AT
    assert entry.at.tzinfo is not None
    assert ledger.get("e-1") == ledger.get("1") == entry
    assert list(ledger.entries()) == [entry]


def test_entries_are_chained_from_the_header_on(ledger: Ledger, draft: Draft) -> None:
    first, second = ledger.append([draft(), draft()])
    (third,) = ledger.append([draft()])
    header = ledger.header()
    assert header is not None
    assert first.prev == unseal(header).hash
    assert (second.prev, third.prev) == (first.hash, second.hash)


def test_entries_are_read_across_pages_and_from_the_middle(ledger: Ledger, draft: Draft) -> None:
    ledger.append([draft() for _ in range(2005)])
    assert [entry.seq for entry in ledger.entries()] == list(range(1, 2006))
    assert [entry.seq for entry in ledger.entries(after=2003)] == [2004, 2005]
    assert [entry.seq for entry in ledger.recent(2)] == [2004, 2005]


def test_nothing_appended_is_nothing_written(ledger: Ledger) -> None:
    assert ledger.append([]) == []
    assert list(ledger.entries()) == []
    assert ledger.latest("dataset", "applications") is None
    assert ledger.passing("applications", A) is None


@pytest.mark.parametrize("name", ["e-0", "e-2", "2", "", "e-", "e--1", "-1", "x", "e-1 ", "٣", "9" * 40])
def test_an_entry_that_does_not_exist_is_an_error_that_says_which_do(
    ledger: Ledger, draft: Draft, name: str
) -> None:
    ledger.append([draft()])
    with pytest.raises(BadInput, match="e-1 to e-1"):
        ledger.get(name)


def test_latest_is_the_last_entry_about_exactly_that_subject(ledger: Ledger, draft: Draft) -> None:
    ledger.append([draft(), draft(subject_kind="model"), draft(subject_id="other")])
    latest = ledger.latest("dataset", "applications")
    assert latest is not None
    assert latest.seq == 1
    assert ledger.latest("dataset", "application") is None


def test_only_a_pass_for_exactly_this_name_and_content_lets_through(ledger: Ledger, draft: Draft) -> None:
    ledger.append([draft("pass"), draft("fail", "b"), draft("inconclusive", "c")])
    passing = ledger.passing("applications", A)
    assert passing is not None
    assert passing.outcome is Status.PASS
    assert ledger.passing("applications", B) is None
    assert ledger.passing("applications", "sha256:" + "c" * 64) is None
    assert ledger.passing("other", A) is None
    assert ledger.passing("applications", "sha256:" + "d" * 64) is None


@pytest.mark.parametrize("later", ["fail", "inconclusive"])
def test_a_pass_no_longer_counts_after_the_same_content_was_judged_again_and_did_not_pass(
    ledger: Ledger, draft: Draft, later: str
) -> None:
    ledger.append([draft("pass"), draft(later)])
    assert ledger.passing("applications", A) is None
    ledger.append([draft("pass")])
    assert ledger.passing("applications", A) is not None


def test_entries_that_judge_nothing_neither_pass_nor_take_a_pass_away(ledger: Ledger, draft: Draft) -> None:
    ledger.append([draft(None)])
    assert ledger.passing("applications", A) is None
    ledger.append([draft("pass"), draft(None), draft(None, kind="decision")])
    passing = ledger.passing("applications", A)
    assert passing is not None
    assert passing.seq == 2


def test_a_pass_among_the_digests_of_inputs_does_not_count(ledger: Ledger, draft: Draft) -> None:
    ledger.append([draft("pass", digests={"content": A, "input": B})])
    assert ledger.passing("applications", B) is None


def test_a_judgement_by_another_kind_of_event_is_no_evidence(ledger: Ledger, draft: Draft) -> None:
    ledger.append([draft("pass", kind="decision")])
    assert ledger.passing("applications", A) is None


def gating(check: str, status: str) -> dict[str, str]:
    return {"check": check, "severity": "error", "status": status}


@pytest.mark.parametrize(
    "judgement",
    [
        {"status": "pass"},
        {"status": "pass", "verdicts": []},
        {"status": "pass", "verdicts": [gating("a", "pass"), gating("b", "fail")]},
        {"status": "pass", "verdicts": [gating("a", "inconclusive")]},
        {"status": "pass", "verdicts": [{"check": "a", "severity": "warn", "status": "pass"}]},
        {"status": "pass", "verdicts": [gating("a", "pass")], "required": ["a", "b"]},
        {"status": "pass", "verdicts": ["a"]},
        {"status": "PASS"},
        {"status": True},
        {"status": None},
        {},
        "pass",
        ["pass"],
    ],
    ids=str,
)
def test_a_pass_that_its_verdicts_do_not_bear_is_refused(
    ledger: Ledger, draft: Draft, judgement: object
) -> None:
    with pytest.raises(BadInput, match="judgement"):
        ledger.append([draft(body={"judgement": judgement})])
    assert list(ledger.entries()) == []


def test_a_check_ruled_out_need_not_answer_for_a_pass(ledger: Ledger, draft: Draft) -> None:
    judgement = {
        "status": "pass",
        "verdicts": [gating("a", "pass")],
        "required": ["a", "b"],
        "not_applicable": [{"check": "b"}],
    }
    ledger.append([draft(body={"judgement": judgement})])
    assert ledger.passing("applications", A) is not None


def test_a_judgement_about_nothing_in_particular_is_refused(ledger: Ledger, draft: Draft) -> None:
    with pytest.raises(BadInput, match=r"digests\.content"):
        ledger.append([draft(digests={"policy": B})])


PERSON = "Jane Doe, 1970-01-01"
UNFIT = {
    "NaN": {"body": {"a": math.nan}},
    "infinity": {"body": {"a": [math.inf]}},
    "integer beyond a double": {"body": {"a": 2**60}},
    "key that is no text": {"body": {1: 2}},
    "lone surrogate": {"body": {"a": "\ud800"}},
    "an object": {"body": {"a": object()}},
    "body that is a list": {"body": ["a"]},
    "no kind": {"kind": ""},
    "line break in the actor": {"actor": "a\nb"},
    "NUL in the subject": {"subject_id": "a\x00b"},
    "long subject": {"subject_id": "a" * 501},
    "kind that is no text": {"kind": None},
    "no time zone": {"at": datetime(2026, 1, 1)},  # noqa: DTZ001 - that is the point
    "digest that is none": {"digests": {"content": PERSON}},
    "short digest": {"digests": {"content": "sha256:00"}},
    "evidence that is no list": {"body": {"evidence": {"name": "x"}}},
    "evidence without a digest": {"body": {"evidence": [{"name": "x", "media_type": "text/html"}]}},
    "too large": {"body": {"a": "x" * (16 * 1024 * 1024)}},
    "too deep": {"body": json.loads('{"a":' * 80 + "1" + "}" * 80)},
}


@pytest.mark.parametrize("unfit", UNFIT)
def test_an_unfit_draft_keeps_its_whole_batch_out(ledger: Ledger, draft: Draft, unfit: str) -> None:
    with pytest.raises(BadInput, match=r"drafts\[1\]") as caught:
        ledger.append([draft(), draft(None, **UNFIT[unfit]), draft()])
    assert PERSON not in str(caught.value)
    assert list(ledger.entries()) == []


def test_digests_that_are_no_object_are_refused(ledger: Ledger, draft: Draft) -> None:
    with pytest.raises(BadInput, match=r"digests: expected an object"):
        ledger.append([draft(digests=[A])])


def test_all_faults_of_all_drafts_are_told_at_once(ledger: Ledger, draft: Draft) -> None:
    with pytest.raises(BadInput) as caught:
        ledger.append([draft(kind="", actor=""), draft(), draft(digests={"content": "x", "policy": "y"})])
    places = [fault.where for fault in caught.value.faults]
    assert places == [
        "drafts[0].kind",
        "drafts[0].actor",
        "drafts[2].digests.content",
        "drafts[2].digests.policy",
    ]


def test_append_joins_the_callers_transaction(ledger: Ledger, draft: Draft) -> None:
    with ledger.database.write() as connection:
        ledger.append([draft()], connection=connection)
        ledger.append([draft()], connection=connection)
    assert [entry.seq for entry in ledger.entries()] == [1, 2]
    with pytest.raises(ZeroDivisionError), ledger.database.write() as connection:
        ledger.append([draft()], connection=connection)
        raise ZeroDivisionError
    assert [entry.seq for entry in ledger.entries()] == [1, 2]
    (entry,) = ledger.append([draft()])
    assert entry.seq == 3
    assert audit_ledger(ledger).intact


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entry SET line = 'x'",
        "UPDATE ledger_entry SET outcome = 'pass' WHERE seq = 2",
        "DELETE FROM ledger_entry WHERE seq = 3",
        "DELETE FROM ledger_entry",
        "INSERT INTO ledger_entry SELECT 9, kind, subject_kind, subject_id, subject_digest, outcome, line"
        " FROM ledger_entry WHERE seq = 1",
        "INSERT INTO ledger_entry SELECT 0, kind, subject_kind, subject_id, subject_digest, outcome, line"
        " FROM ledger_entry WHERE seq = 1",
        "UPDATE ledger_header SET line = 'x'",
        "DELETE FROM ledger_header",
        "INSERT INTO ledger_header VALUES (2, 'x')",
        "sqlite: INSERT OR REPLACE INTO ledger_entry SELECT 2, kind, subject_kind, subject_id, subject_digest,"
        " 'pass', line FROM ledger_entry WHERE seq = 1",
        "sqlite: UPDATE OR REPLACE ledger_entry SET seq = 1 WHERE seq = 2",
        "sqlite: REPLACE INTO ledger_header VALUES (1, 'x')",
        "postgresql: TRUNCATE ledger_entry",
        "postgresql: TRUNCATE ledger_header CASCADE",
        "postgresql: INSERT INTO ledger_entry SELECT * FROM ledger_entry WHERE seq = 1"
        " ON CONFLICT (seq) DO UPDATE SET outcome = 'pass'",
    ],
)
def test_hand_written_sql_cannot_change_what_was_appended(
    ledger: Ledger, draft: Draft, statement: str
) -> None:
    ledger.append([draft(), draft("fail"), draft()])
    before = list(ledger.entries())
    dialect, _, rest = statement.partition(": ")
    if rest and ledger.database.engine.dialect.name != dialect:
        pytest.skip(f"only {dialect} knows this statement")
    with pytest.raises(sa.exc.IntegrityError), ledger.database.write() as connection:
        connection.exec_driver_sql(rest or statement)
    assert list(ledger.entries()) == before
    assert audit_ledger(ledger).intact


def unprotected(database: Database, statement: str, **values: object) -> None:
    """Do what somebody with all rights on the database can do: drop the triggers, then change what you like."""
    with database.write() as connection:
        if connection.dialect.name == "sqlite":
            for name in ("no_update", "no_delete", "no_gap"):
                connection.exec_driver_sql(f"DROP TRIGGER ledger_entry_{name}")
        else:
            connection.exec_driver_sql("ALTER TABLE ledger_entry DISABLE TRIGGER ALL")
        connection.execute(sa.text(statement.replace("run:", "run\\:")), values)


TAMPERINGS = {
    "a fail turned into a pass in its column": "UPDATE ledger_entry SET outcome = 'pass' WHERE seq = 2",
    "a pass given another digest in its column": "UPDATE ledger_entry SET subject_digest = WANTED WHERE seq = 3",
    "a pass given another name in its column": "UPDATE ledger_entry SET subject_id = 'wanted' WHERE seq = 3",
    "a fail turned into a pass in its text": "UPDATE ledger_entry SET outcome = 'pass',"
    ' line = replace(line, \'"status":"fail"\', \'"status":"pass"\') WHERE seq = 2',
    "an entry made unreadable": "UPDATE ledger_entry SET line = 'none' WHERE seq = 2",
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_tampered_rows_are_never_given_out_and_are_named(
    ledger: Ledger, draft: Draft, tampering: str
) -> None:
    ledger.append([draft(content="c"), draft("fail", "a"), draft("pass", "d"), draft(content="e")])
    unprotected(ledger.database, TAMPERINGS[tampering].replace("WANTED", f"'{B}'"))
    report = audit_ledger(ledger)
    assert {found.name for found in report.breaks} <= {"edited", "broken line"}
    assert not report.intact
    seq = 2 if "seq = 2" in TAMPERINGS[tampering] else 3
    assert all(f"row {seq}" in found.where for found in report.breaks)
    for ask in (
        lambda: ledger.passing("applications", A),
        lambda: ledger.passing("applications", B),
        lambda: ledger.passing("wanted", "sha256:" + "d" * 64),
        lambda: list(ledger.entries()),
        lambda: ledger.get(f"e-{seq}"),
    ):
        try:
            answer = ask()
        except LedgerBroken:
            continue
        assert answer is None
    with pytest.raises(LedgerBroken, match=f"entry {seq}"):
        list(ledger.entries())


def test_a_well_made_pass_put_in_place_of_a_fail_is_not_evidence(ledger: Ledger, draft: Draft) -> None:
    ledger.append([draft(content="c"), draft("fail"), draft(content="d")])
    content = {**unseal(line_of(ledger, 2)).content, "body": draft("pass").body}
    line, _ = seal(ENTRY, content)
    change = "UPDATE ledger_entry SET outcome = 'pass', line = :line WHERE seq = 2"
    unprotected(ledger.database, change, line=line.decode())
    with pytest.raises(LedgerBroken, match="next entry names"):
        ledger.passing("applications", A)
    report = audit_ledger(ledger)
    assert [found.name for found in report.breaks] == ["edited"]
    assert "row 2 (entry 2)" in report.breaks[0].where


def test_a_well_made_pass_that_is_chained_to_nothing_is_not_evidence(ledger: Ledger, draft: Draft) -> None:
    ledger.append([draft(content="c"), draft("fail")])
    content = {**unseal(line_of(ledger, 2)).content, "body": draft("pass").body, "prev": A}
    line, _ = seal(ENTRY, content)
    change = "UPDATE ledger_entry SET outcome = 'pass', line = :line WHERE seq = 2"
    unprotected(ledger.database, change, line=line.decode())
    with pytest.raises(LedgerBroken, match="chained"):
        ledger.passing("applications", A)


def line_of(ledger: Ledger, seq: int) -> bytes:
    return next(row.line.encode() for row in ledger.rows(seq - 1))


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("DELETE FROM ledger_entry WHERE seq = 2", "deleted"),
        ("DELETE FROM ledger_entry WHERE seq = 1", "deleted"),
        ("UPDATE ledger_entry SET seq = seq + 10 WHERE seq > 2", "edited"),
    ],
)
def test_deleted_and_renumbered_rows_are_named(
    ledger: Ledger, draft: Draft, statement: str, name: str
) -> None:
    ledger.append([draft(content=letter) for letter in "abcd"])
    unprotected(ledger.database, statement)
    assert name in {found.name for found in audit_ledger(ledger).breaks}
    with pytest.raises(LedgerBroken):
        ledger.get("e-2" if "seq = 1" in statement else "e-3" if "DELETE" in statement else "e-13")


def test_a_deleted_tail_shows_against_a_checkpoint_kept_outside(ledger: Ledger, draft: Draft) -> None:
    from aims_pipelines.core.inspection import Kept

    ledger.append([draft() for _ in range(5)])
    made = record_checkpoint(ledger, actor="auditor", at=AT)
    kept = Kept(made.count, made.head)
    assert kept.entries == 6
    assert audit_ledger(ledger, kept=[kept]).intact
    unprotected(ledger.database, "DELETE FROM ledger_entry WHERE seq > 4")
    assert audit_ledger(ledger).intact  # the honest limit
    assert [found.name for found in audit_ledger(ledger, kept=[kept]).breaks] == ["truncated"]


def test_a_checkpoint_is_recorded_and_true_and_a_broken_ledger_gets_none(
    ledger: Ledger, draft: Draft
) -> None:
    empty = record_checkpoint(ledger, actor="auditor", at=AT)
    assert empty.count == 1
    ledger.append([draft() for _ in range(3)])
    made = record_checkpoint(ledger, actor="auditor", at=AT)
    last = ledger.get("e-5")
    assert (made.count, made.head) == (5, last.hash)
    assert last.body["count"] == 4
    assert last.body["head"] == ledger.get("e-4").hash
    report = audit_ledger(ledger)
    assert report.intact
    assert report.checkpoint == made
    unprotected(ledger.database, "UPDATE ledger_entry SET outcome = 'fail' WHERE seq = 2")
    with pytest.raises(LedgerBroken, match="row 2"):
        record_checkpoint(ledger, actor="auditor", at=AT)
    assert sum(1 for _ in ledger.rows()) == 5


def test_nothing_is_appended_to_a_damaged_end(ledger: Ledger, draft: Draft) -> None:
    ledger.append([draft(), draft()])
    unprotected(
        ledger.database, "UPDATE ledger_entry SET line = replace(line, 'run:1', 'run:2') WHERE seq = 2"
    )
    with pytest.raises(LedgerBroken, match="entry 2"):
        ledger.append([draft()])
    assert sum(1 for _ in ledger.rows()) == 2


WRITER = textwrap.dedent(
    """
    import sys
    from datetime import UTC, datetime
    from aims_pipelines.storage.database import open_database
    from aims_pipelines.storage.ledger import EntryDraft, Ledger

    address, name, batches = sys.argv[1], sys.argv[2], int(sys.argv[3])
    ledger = Ledger(open_database(address))
    for batch in range(batches):
        ledger.append([
            EntryDraft(kind="observation", actor=name, subject_kind="dataset", subject_id=name, digests={},
                       body={"batch": batch, "part": part}, at=datetime.now(UTC))
            for part in range(3)
        ])
    """
)


def test_several_processes_write_at_once_and_no_entry_is_lost_or_torn_from_its_batch(address: str) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, address, f"writer-{number}", "15"], stderr=subprocess.PIPE
        )
        for number in range(5)  # all of them create the database, too
    ]
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0, errors.decode()
    ledger = Ledger(open_database(address))
    entries = list(ledger.entries())
    assert [entry.seq for entry in entries] == list(range(1, 5 * 15 * 3 + 1))
    assert audit_ledger(ledger).intact
    for number in range(5):
        own = [
            (entry.body["batch"], entry.body["part"])
            for entry in entries
            if entry.actor == f"writer-{number}"
        ]
        assert own == [(batch, part) for batch in range(15) for part in range(3)]
    for start in range(0, len(entries), 3):
        assert len({(entry.actor, entry.body["batch"]) for entry in entries[start : start + 3]}) == 1


@pytest.mark.postgres
def test_writers_see_each_other_whatever_isolation_the_server_prefers(postgres: str, draft: Draft) -> None:
    address = f"{postgres}&schema=strict&options=-c%20default_transaction_isolation%3Dserializable"
    open_database(address)
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, address, f"w{number}", "10"], stderr=subprocess.PIPE)
        for number in range(3)
    ]
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0, errors.decode()
    assert len(list(Ledger(open_database(address)).entries())) == 90
