"""An auditor with the exported file and the printed verifier finds each corruption, as our own command does."""

import ast
import io
import os
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aims_pipelines.core.chain import ENTRY, seal, unseal
from aims_pipelines.core.errors import StoreUnavailable
from aims_pipelines.core.inspection import Kept
from aims_pipelines.storage.audit import UnusableExportError, audit_export
from aims_pipelines.storage.evidence import EvidenceStore
from aims_pipelines.storage.export import export_ledger
from aims_pipelines.storage.ledger import EntryDraft, Ledger
from aims_pipelines.storage.ledger_audit import audit_ledger, record_checkpoint
from aims_pipelines.storage.verifier import PARTS, verifier_source

Draft = Callable[..., EntryDraft]
AT = datetime(2026, 1, 2, tzinfo=UTC)
PAGE = b"<html>drift</html>"


@pytest.fixture
def exported(ledger: Ledger, evidence: EvidenceStore, draft: Draft, tmp_path: Path) -> Path:
    """An export of 8 entries, the 3rd of which refers to an evidence file and the 6th of which is a checkpoint."""
    files = [{"name": "drift.html", "digest": evidence.put(PAGE), "media_type": "text/html"}]
    ledger.append([draft(), draft("fail", "b"), draft(None, body={"evidence": files}), draft(), draft()])
    record_checkpoint(ledger, actor="auditor", at=AT)
    ledger.append([draft(), draft()])
    report = export_ledger(ledger, evidence, tmp_path / "ledger.zip", at=AT)
    assert report.intact
    return tmp_path / "ledger.zip"


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("auditor") / "verify.py"
    path.write_text(verifier_source(), encoding="utf-8")
    return path


def run(
    script: Path, *arguments: object, interpreter: str = sys.executable
) -> "subprocess.CompletedProcess[str]":
    command = [interpreter, "-I", str(script), *map(str, arguments)]
    environment = {"PATH": os.defpath, "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=script.parent
    )


Members = dict[str, bytes]


def unpack(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path: Path, members: Members) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def lines_of(members: Members) -> list[bytes]:
    return members["ledger.jsonl"].splitlines()


def with_lines(members: Members, change: Callable[[list[bytes]], object]) -> None:
    lines = lines_of(members)
    change(lines)
    members["ledger.jsonl"] = b"".join(line + b"\n" for line in lines)


def evidence_member(members: Members) -> str:
    return next(name for name in members if name.startswith("evidence/"))


def remake(line: bytes) -> bytes:
    return seal(ENTRY, {**unseal(line).content, "actor": "somebody else"})[0]


def forged(line: bytes) -> bytes:
    before = unseal(line)
    return seal(ENTRY, {**before.content, "seq": before.content["seq"] + 1, "prev": before.hash})[0]


def out_of_shape(line: bytes) -> bytes:
    content = unseal(line).content
    listed = [{"digest": item["digest"]} for item in content["body"]["evidence"]]
    return seal(ENTRY, {**content, "body": {**content["body"], "evidence": listed}})[0]


def swap(lines: list[bytes]) -> None:
    lines[4], lines[5] = lines[5], lines[4]


# What was done to the members, the names that both verifiers give to it, and a place that they tell.
CORRUPTIONS: dict[str, tuple[Callable[[Members], object], set[str], str]] = {
    "edited": (
        lambda m: with_lines(m, lambda x: x.__setitem__(2, x[2].replace(b'"fail"', b'"pass"'))),
        {"edited"},
        "line 3 (entry 2)",
    ),
    "edited and sealed anew": (
        lambda m: with_lines(m, lambda x: x.__setitem__(2, remake(x[2]))),
        {"edited"},
        "line 3 (entry 2)",
    ),
    "deleted": (lambda m: with_lines(m, lambda x: x.pop(2)), {"deleted"}, "before line 3"),
    "reordered": (lambda m: with_lines(m, swap), {"reordered"}, "line"),
    "inserted": (lambda m: with_lines(m, lambda x: x.insert(3, forged(x[2]))), {"inserted"}, "line 4"),
    "duplicated": (lambda m: with_lines(m, lambda x: x.insert(8, x[2])), {"duplicated"}, "line 9"),
    "truncated": (
        lambda m: with_lines(m, lambda x: x.__delitem__(slice(7, 9))),
        {"truncated"},
        "end of the chain",
    ),
    "checkpoint cut off": (lambda m: with_lines(m, lambda x: x.pop()), {"truncated"}, "end of the file"),
    "header edited": (
        lambda m: with_lines(m, lambda x: x.__setitem__(0, x[0].replace(b'"created":"20', b'"created":"19'))),
        {"edited"},
        "line 1 (header)",
    ),
    "header forged": (
        lambda m: with_lines(
            m, lambda x: x.__setitem__(0, seal("header", {**unseal(x[0]).content, "ledger": "another"})[0])
        ),
        {"forged header"},
        "header",
    ),
    "closing checkpoint edited": (
        lambda m: with_lines(m, lambda x: x.__setitem__(-1, x[-1].replace(b'"count":8', b'"count":9'))),
        {"edited"},
        "line 10 (checkpoint)",
    ),
    "broken JSON": (
        lambda m: with_lines(m, lambda x: x.__setitem__(3, x[3][:-1])),
        {"broken line"},
        "line 4",
    ),
    "not canonical": (
        lambda m: with_lines(m, lambda x: x.__setitem__(3, x[3].replace(b'"seq":3', b'"seq":3.0'))),
        {"broken line"},
        "line 4",
    ),
    "carriage returns": (
        lambda m: m.__setitem__("ledger.jsonl", m["ledger.jsonl"].replace(b"\n", b"\r\n")),
        {"broken line", "truncated"},
        "line 2",
    ),
    "end of the last line missing": (
        lambda m: m.__setitem__("ledger.jsonl", m["ledger.jsonl"][:-1]),
        {"broken line", "truncated"},
        "line 10",
    ),
    "cut in the middle of a line": (
        lambda m: m.__setitem__("ledger.jsonl", m["ledger.jsonl"][:-900]),
        {"broken line", "truncated"},
        "line",
    ),
    "one endless line": (
        lambda m: m.__setitem__("ledger.jsonl", b"x" * (17 * 1024 * 1024) + m["ledger.jsonl"]),
        {"broken line"},
        "line 1",
    ),
    "nothing in it": (lambda m: m.__setitem__("ledger.jsonl", b""), {"deleted", "truncated"}, "line 1"),
    "evidence edited": (
        lambda m: m.__setitem__(evidence_member(m), b"<html>no drift</html>"),
        {"swapped evidence"},
        "(line 4)",
    ),
    "evidence missing": (lambda m: m.pop(evidence_member(m)), {"missing evidence"}, "(line 4)"),
    "evidence swapped": (
        lambda m: m.update({evidence_member(m): b"other", "evidence/" + "0" * 64: PAGE}),
        {"swapped evidence", "inserted"},
        "evidence/",
    ),
    "file put in": (lambda m: m.__setitem__("README.txt", b"all is well"), {"inserted"}, "README.txt"),
    "folder with contents": (lambda m: m.__setitem__("evidence/", b"x"), {"inserted"}, "evidence/"),
    "evidence listed out of shape": (
        lambda m: with_lines(m, lambda x: x.__setitem__(3, out_of_shape(x[3]))),
        {"broken line"},
        "line 4",
    ),
    "two at once": (
        lambda m: (
            with_lines(m, lambda x: x.__setitem__(7, x[7].replace(b"run:1", b"run:2"))),
            m.__setitem__(evidence_member(m), b""),
        ),
        {"edited", "swapped evidence"},
        "line 8 (entry 7)",
    ),
}


def names_told(output: str) -> set[str]:
    return {line.strip().partition(":")[0] for line in output.splitlines()[1:]}


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_each_corruption_is_found_and_named_by_command_and_by_script(
    exported: Path, script: Path, corruption: str
) -> None:
    corrupt, names, where = CORRUPTIONS[corruption]
    members = unpack(exported)
    corrupt(members)
    pack(exported, members)
    report = audit_export(exported)
    told = "\n".join(map(str, report.breaks))
    assert {found.name for found in report.breaks} == names, told
    assert where in told
    ran = run(script, exported)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert names_told(ran.stdout) == names
    assert where in ran.stdout
    assert ran.stderr == ""


def test_an_intact_export_is_intact_by_command_and_by_script(exported: Path, script: Path) -> None:
    report = audit_export(exported)
    assert report.intact
    assert (report.checkpoint.count, report.evidence) == (8, 1)
    ran = run(script, exported)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Intact: 8 entries, 1 evidence file\n" in ran.stdout
    assert f"8:{report.checkpoint.head}" in ran.stdout
    assert "--checkpoint" in ran.stdout, "it says what it cannot know"


def test_an_export_repacked_by_another_tool_is_still_intact(exported: Path) -> None:
    pack(exported, dict(reversed(unpack(exported).items())))
    assert audit_export(exported).intact


def test_what_the_owner_hides_is_shown_by_a_checkpoint_kept_outside(
    exported: Path, script: Path, tmp_path: Path
) -> None:
    head = unseal(lines_of(unpack(exported))[8]).hash
    note = tmp_path / "note.txt"
    note.write_text(f"Checkpoint of 2 January:\n8:{head}\n")
    several = tmp_path / "several.txt"
    several.write_text(f"0:{unseal(lines_of(unpack(exported))[0]).hash}\n8:{head}\n")
    for checkpoint in (f"8:{head}", note, several):
        ran = run(script, exported, "--checkpoint", checkpoint)
        assert ran.returncode == 0
        assert "agrees with the checkpoint" in ran.stdout
    members = unpack(exported)
    with_lines(members, lambda x: x.__delitem__(slice(6, 9)))
    closing = unseal(lines_of(members)[-1]).content
    now = audit_of_lines(lines_of(members)[:-1])
    with_lines(members, lambda x: x.__setitem__(-1, seal("checkpoint", {**closing, **now})[0]))
    pack(exported, members)
    assert run(script, exported).returncode == 0  # the honest limit
    ran = run(script, exported, "--checkpoint", note)
    assert ran.returncode == 1
    assert names_told(ran.stdout) == {"truncated"}
    assert names_told(run(script, exported, "--checkpoint", several).stdout) == {"truncated"}
    assert [found.name for found in audit_export(exported, kept=[Kept(8, head)]).breaks] == ["truncated"]


def audit_of_lines(lines: list[bytes]) -> dict[str, object]:
    from aims_pipelines.core.inspection import Inspection

    inspection = Inspection(unit="row")
    for number, line in enumerate(lines):
        inspection.feed(number, line)
    now = inspection.report().checkpoint
    return {"count": now.count, "head": now.head, "root": now.root}


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all" * 1000, None, "other zip", "cut zip"])
def test_a_file_that_is_no_export_is_unusable_not_broken(
    exported: Path, script: Path, tmp_path: Path, content: bytes | str | None
) -> None:
    file = tmp_path / "file.zip"
    if content == "other zip":
        pack(file, {"a.txt": b"a"})
    elif content == "cut zip":
        file.write_bytes(exported.read_bytes()[:-100])
    elif isinstance(content, bytes):
        file.write_bytes(content)
    with pytest.raises(UnusableExportError, match="exported ledger"):
        audit_export(file)
    ran = run(script, file)
    assert ran.returncode == 2
    assert "expected an exported ledger" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("arguments", [[], ["x.zip", "y.zip"], ["x.zip", "--checkpoint", "nonsense"]])
def test_bad_usage_of_the_script_is_told(script: Path, arguments: list[str]) -> None:
    ran = run(script, *arguments)
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr


def test_every_flipped_byte_of_the_file_is_found_or_changes_nothing(exported: Path) -> None:
    original = exported.read_bytes()
    members = unpack(exported)
    found = 0
    for position in range(0, len(original), 7):
        changed = bytearray(original)
        changed[position] ^= 0x10
        exported.write_bytes(changed)
        try:
            if not audit_export(exported).intact:
                found += 1
                continue
        except UnusableExportError:
            found += 1
            continue
        assert unpack(exported) == members, f"byte {position}: contents differ, and it went unnoticed"
    assert found > len(original) // 7 * 0.8


def test_a_second_ledger_hidden_under_the_same_name_is_found(exported: Path) -> None:
    members = unpack(exported)
    with zipfile.ZipFile(exported, "w") as archive:
        archive.writestr("ledger.jsonl", b"forged")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("ledger.jsonl", members["ledger.jsonl"])
        archive.writestr(evidence_member(members), PAGE)
    assert {found.name for found in audit_export(exported).breaks} == {"inserted"}


def test_an_export_of_a_broken_ledger_is_written_says_so_and_is_found_broken(
    ledger: Ledger, evidence: EvidenceStore, draft: Draft, tmp_path: Path, script: Path
) -> None:
    digest = evidence.put(PAGE)
    files = [{"name": "a", "digest": digest, "media_type": "text/html"}]
    ledger.append([draft(None, body={"evidence": files}), draft()])
    evidence.path(digest).write_bytes(b"something else")
    assert [found.name for found in audit_ledger(ledger, evidence).breaks] == ["swapped evidence"]
    report = export_ledger(ledger, evidence, tmp_path / "x.zip", at=AT)
    assert [found.name for found in report.breaks] == ["swapped evidence"]
    assert names_told(run(script, tmp_path / "x.zip").stdout) == {"swapped evidence"}
    evidence.path(digest).unlink()
    report = export_ledger(ledger, evidence, tmp_path / "x.zip", at=AT)
    assert [found.name for found in report.breaks] == ["missing evidence"]
    assert names_told(run(script, tmp_path / "x.zip").stdout) == {"missing evidence"}


def test_an_empty_ledger_is_exported_and_intact(
    ledger: Ledger, evidence: EvidenceStore, tmp_path: Path
) -> None:
    export_ledger(ledger, evidence, tmp_path / "x.zip", at=AT)
    assert audit_export(tmp_path / "x.zip").intact


def test_an_export_that_cannot_be_written_leaves_the_old_one(
    exported: Path, ledger: Ledger, evidence: EvidenceStore, tmp_path: Path
) -> None:
    before = exported.read_bytes()
    with pytest.raises(StoreUnavailable, match="Cannot write the export"):
        export_ledger(ledger, evidence, tmp_path / "no" / "ledger.zip", at=AT)
    assert exported.read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".tmp"]


def test_the_printed_verifier_uses_nothing_but_the_standard_library_of_python_3_9() -> None:
    tree = ast.parse(verifier_source(), feature_version=(3, 9))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert imported <= set(sys.stdlib_module_names)


def test_no_name_of_one_part_of_the_verifier_hides_that_of_another() -> None:
    defined: list[str] = []
    for node in ast.parse(verifier_source()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.append(node.name)
        elif isinstance(node, ast.Assign):
            defined += [
                name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)
            ]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            defined.append(node.target.id)
    assert len(defined) > 50
    assert {name for name in defined if defined.count(name) > 1} == set()


def test_the_printed_verifier_is_the_modules_that_verify_here(repository: Path) -> None:
    source = verifier_source()
    for part in PARTS:
        module = (repository / "aims_pipelines" / part).read_text(encoding="utf-8")
        for line in module.splitlines():
            if "import" not in line:
                assert line in source


def other_pythons() -> list[str]:
    """Interpreters of other versions that run here."""
    found = []
    names = [f"python3.{minor}" for minor in range(9, 16)]
    places = [shutil.which(name) for name in names]
    places += [str(path) for path in Path.home().glob(".pyenv/versions/3.*/bin/python")]
    for place in filter(None, places):
        answer = subprocess.run(
            [place, "-c", "import sys; print(sys.version_info[:2] >= (3, 9))"],
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.stdout.strip() == "True":
            found.append(place)
    return found


def test_the_printed_verifier_runs_on_every_python_there_is(exported: Path, script: Path) -> None:
    pythons = other_pythons()
    if not pythons:
        pytest.skip("needs another Python interpreter from 3.9 on")
    members = unpack(exported)
    CORRUPTIONS["edited"][0](members)
    broken = exported.with_name("broken.zip")
    pack(broken, members)
    for interpreter in pythons:
        assert run(script, exported, interpreter=interpreter).returncode == 0, interpreter
        ran = run(script, broken, interpreter=interpreter)
        assert (ran.returncode, names_told(ran.stdout)) == (1, {"edited"}), interpreter


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="needs Linux to tell a process's peak memory"
)
def test_memory_stays_flat_however_long_the_ledger_is(draft: Draft, tmp_path: Path, script: Path) -> None:
    line, prev = seal("header", {"created": "x", "format": "aims-ledger/1", "ledger": "x"})
    template = unseal(
        seal(
            ENTRY,
            {
                "actor": "a",
                "at": "2026-01-01T00:00:00.000000Z",
                "body": {"text": "x" * 300},
                "kind": "k",
                "prev": prev,
                "seq": 1,
                "subject": {"digests": {}, "id": "i", "kind": "k"},
            },
        )[0]
    ).content
    peaks = []
    for count in (2_000, 40_000):
        text = io.BytesIO()
        text.write(line + b"\n")
        last = prev
        for seq in range(1, count + 1):
            entry, last = seal(ENTRY, {**template, "prev": last, "seq": seq})
            text.write(entry + b"\n")
        now = {"at": "x", "count": count, "head": last, "root": "sha256:" + "0" * 64}
        text.write(seal("checkpoint", now)[0] + b"\n")
        pack(tmp_path / "long.zip", {"ledger.jsonl": text.getvalue()})
        code = (
            "import re, runpy, sys; sys.argv = sys.argv[1:]\n"
            "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
            "except SystemExit: pass\n"
            "print('peak', re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code, str(script), str(tmp_path / "long.zip")],
            capture_output=True,
            text=True,
            check=True,
        )
        assert names_told(ran.stdout.rsplit("peak", 1)[0]) == {"edited"}, "only the made-up root is wrong"
        peaks.append(int(ran.stdout.rsplit(" ", 1)[1]))
    assert peaks[1] < peaks[0] * 1.15, f"peak memory in KiB: {peaks}"


def test_the_report_of_the_script_names_the_first_faults_and_counts_the_rest(
    exported: Path, script: Path
) -> None:
    members = unpack(exported)
    members.update({f"extra-{number}": b"" for number in range(70)})
    pack(exported, members)
    ran = run(script, exported)
    assert "faults found: 70" in ran.stdout
    assert "and 20 more" in ran.stdout


def test_names_in_a_hostile_export_cannot_write_lines_of_the_report(exported: Path, script: Path) -> None:
    members = unpack(exported)
    members["x\x1b[2K\nIntact: 8 entries\n\u202e" + "y" * 60_000] = b""
    pack(exported, members)
    ran = run(script, exported)
    assert ran.returncode == 1
    assert not any(line.startswith("Intact") for line in ran.stdout.splitlines())
    assert ran.stdout.isascii()
    assert "\x1b" not in ran.stdout
    assert len(ran.stdout) < 5_000


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_export_packed_in_an_unusual_way_is_unusable(exported: Path, packing: int) -> None:
    members = unpack(exported)
    with zipfile.ZipFile(exported, "w", packing) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(UnusableExportError, match="stored or deflated"):
        audit_export(exported)


def test_a_folder_entry_that_zip_tools_add_is_no_fault(exported: Path) -> None:
    members = {"evidence/": b"", **unpack(exported)}
    pack(exported, members)
    assert audit_export(exported).intact


def test_no_mangled_file_ends_in_a_traceback(exported: Path) -> None:
    original, chance = exported.read_bytes(), random.Random(1)  # noqa: S311 - a fuzzer, not a secret
    for _ in range(400):
        mangled = bytearray(original)
        for _ in range(chance.randint(1, 6)):
            at, kind = chance.randrange(len(mangled)), chance.randrange(4)
            if kind == 0:
                mangled[at] = chance.randrange(256)
            elif kind == 1:
                del mangled[at : at + chance.randint(1, 30)]
            elif kind == 2:
                start = chance.randrange(len(mangled))
                mangled[at:at] = mangled[start : start + chance.randint(1, 40)]
            else:
                mangled[at : at + 4] = b"\xff" * 4
        exported.write_bytes(mangled)
        with suppress(UnusableExportError):
            audit_export(exported)
