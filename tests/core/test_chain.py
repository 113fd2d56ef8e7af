"""Sealed lines and what happens to a chain of them when somebody lays hands on it."""

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_pipelines.core.chain import (
    CHECKPOINT,
    ENTRY,
    FORMAT,
    HEADER,
    Checkpoint,
    LineError,
    checkpoint_content,
    entry_content,
    evidence_of,
    seal,
    timestamp,
    unseal,
)
from aims_pipelines.core.inspection import Inspection, Kept, Report, parse_kept

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def header() -> tuple[bytes, str]:
    return seal(HEADER, {"created": timestamp(AT), "format": FORMAT, "ledger": "test"})


def entry(
    seq: int, prev: str, *, kind: str = "observation", body: dict[str, object] | None = None
) -> tuple[bytes, str]:
    subject = {"digests": {}, "id": "applications", "kind": "dataset"}
    content = entry_content(
        seq=seq, prev=prev, at=AT, actor="run:1", kind=kind, subject=subject, body=body or {"n": seq}
    )
    return seal(ENTRY, content)


def ledger(count: int, *, closed: bool = True) -> list[bytes]:
    """An intact ledger: header, entries, closing checkpoint."""
    line, prev = header()
    lines = [line]
    for seq in range(1, count + 1):
        line, prev = entry(seq, prev)
        lines.append(line)
    if closed:
        inspection = Inspection(unit="row")
        for number, each in enumerate(lines):
            inspection.feed(number, each)
        lines.append(seal(CHECKPOINT, checkpoint_content(inspection.report().checkpoint, at=AT))[0])
    return lines


def inspect(lines: Sequence[bytes], *, kept: Sequence[Kept] = ()) -> Report:
    inspection = Inspection(kept=kept)
    for number, line in enumerate(lines, 1):
        inspection.feed(number, line)
    inspection.finish(copies=lambda hashes: {each: lines_with(lines, each) for each in hashes})
    return inspection.report()


def lines_with(lines: Sequence[bytes], stated: str) -> list[int]:
    return [number for number, line in enumerate(lines, 1) if line.endswith(f'"seal":"{stated}"}}'.encode())]


def names(report: Report) -> list[str]:
    return [found.name for found in report.breaks]


def test_a_line_is_sealed_by_the_sha256_of_its_contents_bytes() -> None:
    line, digest = entry(1, header()[1])
    content = line[len(b'{"entry":') : line.index(b',"seal":')]
    assert digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert json.loads(line) == {"entry": json.loads(content), "seal": digest}
    sealed = unseal(line)
    assert (sealed.kind, sealed.hash, sealed.computed) == ("entry", digest, digest)
    assert sealed.content["seq"] == 1


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"null",
        b'"entry"',
        b'{"entry":{},"seal":"sha256:00"}',
        b'{"entry":{},"seal":"sha256:' + b"0" * 64 + b'"}',
        b'{"other":{},"seal":"sha256:' + b"0" * 64 + b'"}',
        b'{"checkpoint":{},"entry":{},"seal":"sha256:' + b"0" * 64 + b'"}',
        b'{"entry":[],"seal":"sha256:' + b"0" * 64 + b'"}',
    ],
)
def test_what_is_not_a_sealed_line_is_refused(line: bytes) -> None:
    with pytest.raises(LineError):
        unseal(line)


def test_nothing_can_hide_between_the_content_and_its_seal() -> None:
    content = entry(1, header()[1])[0][len(b'{"entry":') : -len(',"seal":"sha256:"}') - 64]
    wider = content + b',"hidden":1'
    line = b'{"entry":%s,"seal":"sha256:%s"}' % (wider, hashlib.sha256(wider).hexdigest().encode())
    with pytest.raises(LineError):
        unseal(line)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("seq", "1"),
        ("seq", True),
        ("prev", "0" * 64),
        ("subject", {"id": "a", "kind": "b"}),
        ("subject", None),
        ("body", []),
        ("body", {"evidence": "none"}),
        ("body", {"evidence": [3]}),
        ("body", {"evidence": [{"name": "a", "digest": "x", "media_type": "text/html"}]}),
        ("body", {"evidence": [{"digest": "sha256:" + "a" * 64}]}),
        ("extra", 1),
    ],
)
def test_an_entry_of_another_shape_is_refused_even_if_its_seal_is_right(member: str, value: object) -> None:
    content = {**unseal(entry(1, header()[1])[0]).content, member: value}
    with pytest.raises(LineError):
        unseal(seal(ENTRY, content)[0])


def test_times_are_written_in_utc_with_microseconds() -> None:
    east = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert timestamp(AT) == timestamp(east) == "2026-01-02T03:04:05.678901Z"
    with pytest.raises(ValueError, match="time zone"):
        timestamp(AT.replace(tzinfo=None))


def test_evidence_is_what_an_entry_lists() -> None:
    listed = [{"name": "a", "digest": "sha256:" + "a" * 64, "media_type": "text/html"}]
    content = {**unseal(entry(1, header()[1])[0]).content, "body": {"evidence": listed}}
    assert evidence_of(unseal(seal(ENTRY, content)[0]).content["body"]) == [listed[0]["digest"]]
    assert evidence_of({}) == []


@pytest.mark.parametrize("count", [0, 1, 2, 7, 64])
def test_an_intact_ledger_is_intact(count: int) -> None:
    report = inspect(ledger(count))
    assert report.intact, report.breaks
    assert report.checkpoint.count == count


Damage = Callable[[list[bytes]], object]


def edit(line: bytes) -> bytes:
    """Change what a line says and leave its seal."""
    return line.replace(b"applications", b"Applications")


def remake(line: bytes) -> bytes:
    """Change what an entry says and seal it anew."""
    content = dict(unseal(line).content)
    content["actor"] = "somebody else"
    return seal(ENTRY, content)[0]


def relink(lines: list[bytes], start: int, *, close: bool) -> None:
    """Number, chain and seal everything anew from an index on, as somebody who owns the file can."""
    seq = unseal(lines[start - 1]).content.get("seq", 0)
    prev = unseal(lines[start - 1]).hash
    for index in range(start, len(lines) - 1):
        seq += 1
        lines[index], prev = seal(ENTRY, {**unseal(lines[index]).content, "seq": seq, "prev": prev})
    if close:
        inspection = Inspection(unit="row")
        for number, line in enumerate(lines[:-1]):
            inspection.feed(number, line)
        lines[-1] = seal(CHECKPOINT, checkpoint_content(inspection.report().checkpoint, at=AT))[0]


def forged(lines: list[bytes], after: int) -> bytes:
    """A well-made entry that pretends to follow the line with this index."""
    before = unseal(lines[after])
    return entry(before.content["seq"] + 1, before.hash, body={"forged": True})[0]


# In a ledger of 9 entries, index i of the list is entry i, which stands in line i + 1.
DAMAGES: dict[str, tuple[Damage, list[str], str]] = {
    "one entry edited": (lambda x: x.__setitem__(4, edit(x[4])), ["edited"], "line 5 (entry 4)"),
    "only its seal edited": (lambda x: x.__setitem__(4, x[4][:-4] + b'00"}'), ["edited"], "line 5"),
    "edited and sealed anew": (lambda x: x.__setitem__(4, remake(x[4])), ["edited"], "line 5 (entry 4)"),
    "first entry sealed anew": (lambda x: x.__setitem__(1, remake(x[1])), ["edited"], "line 2 (entry 1)"),
    "last entry sealed anew": (lambda x: x.__setitem__(9, remake(x[9])), ["edited"], "last entry"),
    "two entries edited": (
        lambda x: (x.__setitem__(3, edit(x[3])), x.__setitem__(7, edit(x[7]))),
        ["edited", "edited"],
        "line 4",
    ),
    "two neighbours edited": (
        lambda x: (x.__setitem__(3, edit(x[3])), x.__setitem__(4, edit(x[4]))),
        ["edited", "edited"],
        "line 4",
    ),
    "one entry deleted": (lambda x: x.pop(4), ["deleted"], "before line 5"),
    "three entries deleted": (lambda x: x.__delitem__(slice(4, 7)), ["deleted"], "before line 5"),
    "first entry deleted": (lambda x: x.pop(1), ["deleted"], "before line 2"),
    "two gaps": (lambda x: (x.pop(7), x.pop(3)), ["deleted", "deleted"], "before line 4"),
    "neighbours swapped": (lambda x: x.__setitem__(slice(4, 6), [x[5], x[4]]), ["reordered"], "line"),
    "one entry moved back": (lambda x: x.insert(7, x.pop(3)), ["reordered"], "line 8"),
    "one entry moved forward": (lambda x: x.insert(3, x.pop(7)), ["reordered"], "line 4"),
    "first and second swapped": (lambda x: x.__setitem__(slice(1, 3), [x[2], x[1]]), ["reordered"], "line"),
    "block moved": (lambda x: x.__setitem__(slice(2, 8), x[5:8] + x[2:5]), ["reordered"], "line"),
    "entry repeated at once": (lambda x: x.insert(5, x[4]), ["duplicated"], "line 6"),
    "entry repeated later": (lambda x: x.insert(8, x[3]), ["duplicated"], "line 9"),
    "entry repeated earlier": (lambda x: x.insert(3, x[7]), ["duplicated"], "line"),
    "last entry repeated": (lambda x: x.insert(10, x[9]), ["duplicated"], "line 11"),
    "first entry repeated at the end": (lambda x: x.insert(10, x[1]), ["duplicated"], "line 11"),
    "well-made entry put in": (lambda x: x.insert(5, forged(x, 4)), ["inserted"], "line 6"),
    "well-made entry put in first": (
        lambda x: x.insert(1, entry(1, header()[1], body={"forged": 1})[0]),
        ["inserted"],
        "line 2",
    ),
    "clumsy entry put in": (lambda x: x.insert(5, edit(x[4])), ["inserted"], "line 6"),
    "noise put in": (lambda x: x.insert(5, b"noise"), ["inserted"], "line 6"),
    "empty line put in": (lambda x: x.insert(5, b""), ["inserted"], "line 6"),
    "two clumsy entries put in": (
        lambda x: x.__setitem__(slice(5, 5), [edit(x[4]), b"noise"]),
        ["inserted", "inserted"],
        "line 6",
    ),
    "entry from far away put in": (
        lambda x: x.insert(5, entry(999, "sha256:" + "0" * 64)[0]),
        ["inserted"],
        "line 6",
    ),
    "entry from far away appended": (
        lambda x: x.insert(10, entry(999, "sha256:" + "0" * 64)[0]),
        ["inserted"],
        "line 11",
    ),
    "entry appended after the checkpoint was made": (
        lambda x: x.insert(10, forged(x, 9)),
        ["inserted"],
        "after entry 9",
    ),
    "noise before the checkpoint": (lambda x: x.insert(10, b"noise"), ["inserted"], "line 11"),
    "entry after the closing checkpoint": (
        lambda x: x.append(forged(x, 9)),
        ["inserted", "inserted"],
        "line 12",
    ),
    "entry unreadable": (lambda x: x.__setitem__(4, x[4][:40]), ["broken line"], "line 5"),
    "last entry unreadable": (lambda x: x.__setitem__(9, x[9][:40]), ["broken line"], "line 10"),
    "entry not canonical": (
        lambda x: x.__setitem__(4, x[4].replace(b'"seq":4', b'"seq": 4')),
        ["broken line"],
        "line 5",
    ),
    "member repeated": (
        lambda x: x.__setitem__(4, x[4].replace(b'"seq":4', b'"seq":4,"seq":4')),
        ["broken line"],
        "line 5",
    ),
    "tail cut off": (lambda x: x.__delitem__(slice(7, 10)), ["truncated"], "end of the chain"),
    "last entry cut off": (lambda x: x.pop(9), ["truncated"], "end of the chain"),
    "checkpoint cut off": (lambda x: x.pop(), ["truncated"], "end of the file"),
    "tail and checkpoint cut off": (lambda x: x.__delitem__(slice(7, 11)), ["truncated"], "end of the file"),
    "everything cut off but the header": (lambda x: x.__delitem__(slice(1, 10)), ["truncated"], "end of"),
    "checkpoint edited": (
        lambda x: x.__setitem__(10, x[10].replace(b'"count":9', b'"count":8')),
        ["edited"],
        "line 11 (checkpoint)",
    ),
    "checkpoint's time edited": (
        lambda x: x.__setitem__(10, x[10].replace(b"2026-", b"2025-")),
        ["edited"],
        "line 11 (checkpoint)",
    ),
    "checkpoint's root made anew": (
        lambda x: x.__setitem__(
            10, seal(CHECKPOINT, {**unseal(x[10]).content, "root": "sha256:" + "0" * 64})[0]
        ),
        ["edited"],
        "closing checkpoint",
    ),
    "checkpoint's count made anew": (
        lambda x: x.__setitem__(10, seal(CHECKPOINT, {**unseal(x[10]).content, "count": 12})[0]),
        ["truncated"],
        "end of the chain",
    ),
    "second checkpoint": (lambda x: x.append(x[10]), ["inserted"], "line 12"),
    "header edited": (
        lambda x: x.__setitem__(0, x[0].replace(b'"test"', b'"tast"')),
        ["edited"],
        "line 1 (header)",
    ),
    "header made anew": (
        lambda x: x.__setitem__(0, seal(HEADER, {**unseal(x[0]).content, "ledger": "other"})[0]),
        ["forged header"],
        "header",
    ),
    "header missing": (lambda x: x.pop(0), ["deleted"], "line 1"),
    "header unreadable": (lambda x: x.__setitem__(0, b"noise"), ["broken line"], "line 1"),
    "header of another format": (
        lambda x: x.__setitem__(0, seal(HEADER, {**unseal(x[0]).content, "format": "aims-ledger/9"})[0]),
        ["broken line"],
        "line 1",
    ),
    "second header": (lambda x: x.insert(5, x[0]), ["inserted"], "line 6"),
    "nothing left": (lambda x: x.clear(), ["deleted", "truncated"], "line 1"),
    "deleted in one place and edited in another": (
        lambda x: (x.__setitem__(8, edit(x[8])), x.pop(3)),
        ["deleted", "edited"],
        "line",
    ),
    "deleted right after an edited one": (
        lambda x: (x.__setitem__(4, edit(x[4])), x.pop(5)),
        ["deleted", "edited"],
        "line",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_is_found_and_named_once(damage: str) -> None:
    inflict, expected, where = DAMAGES[damage]
    lines = ledger(9)
    inflict(lines)
    report = inspect(lines)
    assert sorted(names(report)) == expected, "\n".join(map(str, report.breaks))
    assert any(where in found.where for found in report.breaks), "\n".join(map(str, report.breaks))
    assert all(found.expected and found.found for found in report.breaks)


REWRITES: dict[str, Damage] = {
    "history rewritten": lambda x: (x.__setitem__(4, remake(x[4])), relink(x, 5, close=True)),
    "entry dropped and the rest rewritten": lambda x: (x.pop(4), relink(x, 4, close=True)),
    "entry put in and the rest rewritten": lambda x: (x.insert(5, forged(x, 4)), relink(x, 5, close=True)),
    "tail cut off and closed anew": lambda x: (x.__delitem__(slice(7, 10)), relink(x, 7, close=True)),
}


@pytest.mark.parametrize("rewrite", REWRITES)
def test_what_the_owner_can_hide_inside_is_shown_by_a_checkpoint_kept_outside(rewrite: str) -> None:
    lines = ledger(9)
    kept = Kept(9, unseal(lines[9]).hash)
    assert inspect(lines, kept=[kept]).intact
    REWRITES[rewrite](lines)
    assert inspect(lines).intact  # the honest limit: nothing inside tells
    report = inspect(lines, kept=[kept])
    assert names(report) == (["rewritten"] if len(lines) >= 11 else ["truncated"])


def test_an_old_checkpoint_agrees_with_a_ledger_that_only_grew() -> None:
    short, long = ledger(5), ledger(9)
    kept = [Kept(5, unseal(short[5]).hash), Kept(0, unseal(short[0]).hash)]
    assert inspect(long, kept=kept).intact
    wrong = [Kept(4, unseal(short[5]).hash)]
    assert names(inspect(long, kept=wrong)) == ["rewritten"]


def test_a_checkpoint_is_found_in_what_people_keep_it_in() -> None:
    kept = Kept(41, "sha256:" + "ab" * 32)
    assert parse_kept(str(kept)) == [kept]
    assert parse_kept(f'On Monday:\n  {{"checkpoint": "{kept}"}}\n') == [kept]
    later = Kept(900, "sha256:" + "cd" * 32)
    assert parse_kept(f"{kept}\n{later}\n") == [kept, later]
    assert parse_kept("41") == []
    assert parse_kept(f"{kept}0") == []
    assert parse_kept("1" * 20 + f"{kept}") == []


def test_a_checkpoint_recorded_as_an_entry_must_be_true() -> None:
    for change, expected in [
        ({}, []),
        ({"count": 3}, ["false checkpoint"]),
        ({"root": "none"}, ["false checkpoint"]),
    ]:
        lines = ledger(4, closed=False)
        inspection = Inspection(unit="row")
        for number, line in enumerate(lines):
            inspection.feed(number, line)
        now = inspection.report().checkpoint
        told = {"count": now.count, "head": now.head, "root": now.root, **change}
        inspection.feed(5, entry(5, now.head, kind=CHECKPOINT, body=told)[0])
        inspection.finish(copies=lambda _hashes: {})
        assert names(inspection.report()) == expected


def test_a_ledger_in_pieces_is_reported_briefly() -> None:
    lines = ledger(6000)
    body = lines[1:-1]
    report = inspect([lines[0], *body[::-1], lines[-1]])
    assert not report.intact
    assert len(report.breaks) <= 1001
    assert "shattered" in names(report)
    edited = inspect([lines[0], *map(edit, body), lines[-1]])
    assert len(edited.breaks) == 1000
    assert edited.more == 5000


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_change_of_any_line_goes_unnoticed(data: st.DataObject) -> None:
    lines = ledger(data.draw(st.integers(1, 12), label="entries"))
    changed = list(lines)
    for _ in range(data.draw(st.integers(1, 3), label="changes")):
        index = data.draw(st.integers(0, max(len(changed) - 1, 0)), label="line")
        what = data.draw(st.sampled_from(["flip", "drop", "copy", "swap"]), label="what")
        if not changed:
            break
        if what == "flip" and changed[index]:
            position = data.draw(st.integers(0, len(changed[index]) - 1), label="byte")
            bit = 1 << data.draw(st.integers(0, 7), label="bit")
            line = bytearray(changed[index])
            line[position] ^= bit
            changed[index] = bytes(line)
        elif what == "drop":
            changed.pop(index)
        elif what == "copy":
            changed.insert(data.draw(st.integers(0, len(changed)), label="to"), changed[index])
        elif what == "swap":
            other = data.draw(st.integers(0, len(changed) - 1), label="other")
            changed[index], changed[other] = changed[other], changed[index]
    assert inspect(changed).intact == (changed == lines)


def test_the_checkpoint_of_an_empty_ledger_is_its_header() -> None:
    line, digest = header()
    report = inspect([line, ledger(0)[-1]])
    assert report.checkpoint == Checkpoint(
        count=0, head=digest, root=f"sha256:{hashlib.sha256(b'').hexdigest()}"
    )
