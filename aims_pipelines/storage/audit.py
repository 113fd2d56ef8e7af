"""Verify an exported ledger: one ZIP file with ``ledger.jsonl`` and ``evidence/<sha256>``.

As a script, ``python verify.py EXPORT``; ``aims ledger verifier`` prints one that stands alone.
"""

from __future__ import annotations  # the verifier printed for auditors runs on Python 3.9

import argparse
import io
import struct
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from aims_pipelines.core.chain import ENTRY, LONGEST_LINE, evidence_of
from aims_pipelines.core.digest import stream_digest
from aims_pipelines.core.inspection import Inspection, Kept, Report, parse_kept
from aims_pipelines.core.seams import Break

LEDGER_MEMBER = "ledger.jsonl"
EVIDENCE_FOLDER = "evidence/"
_EXPORT = "an exported ledger"
_SHOWN = 50
_PROGRESS_LINES = 20_000
_UNPACKING = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
_PACKINGS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


class UnusableExportError(ValueError):
    """A file that is missing, unreadable, or no export at all."""

    def __init__(self, where: str | Path, expected: str, found: str) -> None:
        super().__init__(f"{where}: expected {expected}, found {found}")
        self.where = str(where)
        self.expected = expected
        self.found = found


def audit_export(
    path: str | Path, *, kept: Sequence[Kept] = (), progress: Callable[[int], object] = lambda _lines: None
) -> Report:
    """Verify an export, in flat memory but for the names of its evidence files.

    Args:
        path: The export.
        kept: Checkpoints that were kept outside of it.
        progress: Called now and then with the number of lines read.

    Raises:
        UnusableExportError: The file is missing, unreadable or no export.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _expect_export(path, archive)
            return _audit(archive, kept, progress)
    except UnusableExportError:
        raise
    except OSError as error:
        raise UnusableExportError(path, _EXPORT, str(error.strerror or error)) from error
    except _UNPACKING as error:
        raise UnusableExportError(path, _EXPORT, f"no whole ZIP file ({error})") from error


def _expect_export(path: str | Path, archive: zipfile.ZipFile) -> None:
    if LEDGER_MEMBER not in archive.namelist():
        raise UnusableExportError(path, _EXPORT, f"a ZIP file without {LEDGER_MEMBER}")
    if any(member.compress_type not in _PACKINGS for member in archive.infolist()):
        raise UnusableExportError(path, _EXPORT, "a ZIP file packed in another way than stored or deflated")


def _audit(archive: zipfile.ZipFile, kept: Sequence[Kept], progress: Callable[[int], object]) -> Report:
    inspection = Inspection(kept=kept)
    wanted: dict[str, int] = {}  # digest of an evidence file, and the first line that refers to it
    try:
        for number, line in _lines(archive):
            sealed = inspection.feed(number, line)
            if sealed is not None and sealed.kind == ENTRY:
                for digest in evidence_of(sealed.content["body"]):
                    wanted.setdefault(digest, number)
            if number % _PROGRESS_LINES == 0:
                progress(number)
    except _UNPACKING as error:
        inspection.add(Break("damaged file", LEDGER_MEMBER, "bytes that can be unpacked", str(error)))
    inspection.finish(copies=lambda hashes: _copies(archive, hashes))
    whole = inspection.report().intact
    inspection.add(*_member_breaks(archive, wanted, whole=whole))
    inspection.add(*_evidence_breaks(archive, wanted))
    return inspection.report(evidence=len(wanted))


def _lines(archive: zipfile.ZipFile) -> Iterator[tuple[int, bytes]]:
    """Number the lines of the ledger, without their ends; a line without its end keeps a trace of that."""
    number = 0
    with archive.open(LEDGER_MEMBER) as member, io.BufferedReader(member, 1 << 20) as stream:  # type: ignore[type-var]  # a ZipExtFile is raw enough
        while line := stream.readline(LONGEST_LINE + 1):
            number += 1
            whole = line.endswith(b"\n")
            yield number, line[:-1] if whole else line[:64] + b" (no end of line)"
            while not whole and (line := stream.readline(LONGEST_LINE)):
                whole = line.endswith(b"\n")


def _copies(archive: zipfile.ZipFile, hashes: Collection[str]) -> dict[str, list[int]]:
    """Find the lines that state one of some hashes."""
    found: dict[str, list[int]] = {}
    with suppress(*_UNPACKING):
        for number, line in _lines(archive):
            stated = line[-len("sha256:") - 64 - 2 : -2].decode("ascii", errors="replace")
            if stated in hashes:
                found.setdefault(stated, []).append(number)
    return found


def _member_breaks(archive: zipfile.ZipFile, wanted: dict[str, int], *, whole: bool) -> Iterator[Break]:
    """Tell files that have no business in an export.

    Where entries are damaged, those that referred to an evidence file may be among them.
    """
    expected = {LEDGER_MEMBER, *(_member(digest) for digest in wanted)}
    seen = set()
    for member in archive.infolist():
        name = member.filename
        if name == EVIDENCE_FOLDER and member.file_size == 0:  # ZIP tools add it
            continue
        if name in seen:
            yield Break("inserted", name, "one file of that name", "another one")
        elif name not in expected and (whole or not name.startswith(EVIDENCE_FOLDER)):
            yield Break(
                "inserted", name, "only the ledger and files that its entries refer to", "another file"
            )
        seen.add(name)


def _evidence_breaks(archive: zipfile.ZipFile, wanted: dict[str, int]) -> Iterator[Break]:
    """Compare the evidence files with the digests that entries refer to."""
    present = set(archive.namelist())
    for digest, number in wanted.items():
        found = None
        if _member(digest) in present:
            try:
                with archive.open(_member(digest)) as stream:
                    found = stream_digest(stream)
            except _UNPACKING as error:
                found = f"bytes that cannot be unpacked ({error})"
        yield from evidence_breaks(f"{_member(digest)} (line {number})", digest, found)


def evidence_breaks(where: str, digest: str, found: str | None) -> Iterator[Break]:
    """Compare an evidence file with the digest that an entry refers to.

    Args:
        where: Words for its place.
        digest: The digest in the entry.
        found: The digest of its contents; ``None`` if there is no such file.
    """
    if found is None:
        yield Break("missing evidence", where, f"a file with {digest}", "none")
    elif found != digest:
        yield Break("swapped evidence", where, f"contents with {digest}", found)


def _member(digest: str) -> str:
    return EVIDENCE_FOLDER + digest[len("sha256:") :]


def describe_report(report: Report, *, kept: Sequence[Kept] = ()) -> str:
    """Put a report into words."""
    now = Kept(report.checkpoint.count, report.checkpoint.head)
    if not report.intact:
        lines = [
            f"BROKEN, faults found: {len(report.breaks) + report.more}",
            *map(str, report.breaks[:_SHOWN]),
        ]
        untold = len(report.breaks[_SHOWN:]) + report.more
        return "\n  ".join([*lines, f"… and {untold} more"] if untold else lines)
    plural = "" if report.evidence == 1 else "s"
    files = f", {report.evidence} evidence file{plural}" if report.evidence else ""
    lines = [
        f"Intact: {now.entries} entries{files}",
        f"  checkpoint  {now}",
        f"  Merkle root {report.checkpoint.root}",
    ]
    if kept:
        lines.append(f"  agrees with the checkpoint kept outside: {', '.join(map(str, kept))}")
    else:
        lines.append(
            "  Whoever holds a ledger can cut off its end, or write all of it anew, without a trace inside. Only a\n"
            "  checkpoint that was kept elsewhere shows that: compare with --checkpoint COUNT:HEAD."
        )
    return "\n".join(lines)


def read_kept(texts: Sequence[str]) -> Sequence[Kept]:
    """Read checkpoints that were kept outside: each text is ``COUNT:HEAD``, or the name of a file with one or more.

    Raises:
        UnusableExportError: One is neither.
    """
    kept: list[Kept] = []
    for text in texts:
        found = parse_kept(text)
        if not found:
            try:
                found = parse_kept(Path(text).read_text(encoding="utf-8", errors="replace"))
            except OSError as error:
                raise UnusableExportError(
                    text, "COUNT:sha256:… or a file with one or more", str(error.strerror)
                ) from error
        if not found:
            raise UnusableExportError(text, "a file with COUNT:sha256:…", "none in it")
        kept.extend(found)
    return kept


def main(arguments: Sequence[str]) -> int:
    """Verify from the command line.

    Returns:
        0 for an intact export, 1 for a broken one, 2 for something else.
    """
    parser = argparse.ArgumentParser(
        description="Verify an exported evidence ledger. Needs nothing but Python."
    )
    parser.add_argument("export", metavar="EXPORT", help="ZIP file that 'aims ledger export' wrote")
    parser.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        metavar="COUNT:HEAD",
        help="a checkpoint that you kept, or a file with one or more; may be repeated",
    )
    options = parser.parse_args(arguments)
    begun = time.monotonic()

    def progress(lines: int) -> None:
        if sys.stderr.isatty() and time.monotonic() - begun > 2:
            sys.stderr.write(f"\r{lines:,} lines")

    try:
        kept = read_kept(options.checkpoint)
        report = audit_export(options.export, kept=kept, progress=progress)
    except UnusableExportError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(describe_report(report, kept=kept) + "\n")
    return 0 if report.intact else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
