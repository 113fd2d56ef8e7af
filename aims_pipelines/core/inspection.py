"""Inspect a ledger line by line, in flat memory, and name everything that is wrong with it."""

from __future__ import annotations  # the verifier printed for auditors runs on Python 3.9

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aims_pipelines.core.chain import CHECKPOINT, ENTRY, Checkpoint, LineError, Sealed, unseal
from aims_pipelines.core.merkle import MerkleTree
from aims_pipelines.core.seams import Break, Copies, Run, explain

MOST_BREAKS = 1000  # the rest is counted
_UNKNOWN = "unknown"  # hash of a header that is missing or cannot be read
_KEPT = re.compile(r"(?<![0-9])(?P<count>[0-9]{1,15}):(?P<head>sha256:[0-9a-f]{64})(?![0-9a-f])")


class Kept(NamedTuple):
    """A checkpoint that was kept outside of the ledger, passed on as ``COUNT:HEAD``.

    Args:
        entries: Number of entries at that time.
        head: Hash of the last of them.
    """

    entries: int
    head: str

    def __str__(self) -> str:
        """As people pass it on."""
        return f"{self.entries}:{self.head}"


@dataclass(frozen=True)
class Report:
    """What an inspection found.

    Args:
        breaks: What is wrong, at most the first thousand.
        more: How many more things are wrong.
        checkpoint: What the ledger is now, as far as it could be read.
        evidence: Number of evidence files that were compared.
    """

    breaks: Sequence[Break]
    more: int
    checkpoint: Checkpoint
    evidence: int

    @property
    def intact(self) -> bool:
        """Whether nothing is wrong."""
        return not self.breaks


def parse_kept(text: str) -> Sequence[Kept]:
    """Find all checkpoints ``COUNT:HEAD`` in a text."""
    return [Kept(int(match["count"]), match["head"]) for match in _KEPT.finditer(text)]


class Inspection:
    """The state of an inspection: feed it every line, then finish it and ask for the report.

    Args:
        kept: Checkpoints that were kept outside of the ledger.
        unit: What a line is called: ``line`` of a file, or ``row`` of a database, which has no closing checkpoint.
    """

    def __init__(self, *, kept: Sequence[Kept] = (), unit: str = "line") -> None:
        self._kept = list(kept)
        self._kept_counts = {checkpoint.entries for checkpoint in kept}
        self._unit = unit
        self._start = ""
        self._start_is_sound = False
        self._seq = 0
        self._head = ""
        self._runs: list[Run] = []
        self._seams_untold = 0
        self._unsound: list[
            tuple[int, Break]
        ] = []  # lines since the last sound entry that may be in place or not
        self._unsound_told = 0  # further ones, which were too many to keep in mind
        self._closing: Sealed | None = None
        self._seen: dict[int, str] = {}
        self._tree = MerkleTree()
        self._breaks: list[Break] = []
        self._more = 0

    @property
    def seams(self) -> bool:
        """Whether the chain is interrupted anywhere."""
        return len(self._runs) > 1

    @property
    def _unsound_count(self) -> int:
        return len(self._unsound) + self._unsound_told

    def add(self, *found: Break) -> None:
        """Note what is wrong."""
        room = MOST_BREAKS - len(self._breaks)
        self._breaks.extend(found[:room])
        self._more += len(found[room:])

    def feed(self, number: int, line: bytes) -> Sealed | None:
        """Take the next line, without its end.

        Args:
            number: Number of the line, from 1.
            line: Its bytes.

        Returns:
            The line as read; ``None`` if it cannot be read.
        """
        try:
            sealed = unseal(line)
        except LineError as error:
            broken = Break("broken line", self._place(number), "a canonical line of this format", str(error))
            if self._start or self._runs or self._unsound:
                self._doubt(number, broken)
            else:
                self._start = _UNKNOWN
                self.add(broken)
            return None
        sound = sealed.hash == sealed.computed
        if self._closing is not None:
            found = f"a line with another {sealed.kind}"
            self.add(Break("inserted", self._place(number), "nothing after the closing checkpoint", found))
        if sealed.kind == ENTRY:
            self._entry(number, sealed, sound=sound)
            return sealed
        if not sound:
            self.add(self._edited(number, sealed))
        if sealed.kind == CHECKPOINT:
            self._closing = sealed
        elif self._start or self._runs or self._unsound:
            self.add(Break("inserted", self._place(number), "one header, in the first line", "another one"))
        else:
            self._start, self._start_is_sound = sealed.hash, sound
            self._head = sealed.hash
        return sealed

    def finish(self, *, copies: Copies) -> None:
        """Draw the conclusions, after the last line.

        Args:
            copies: Finds the numbers of all lines that state one of some hashes; only asked where there is damage.
        """
        if not self._start:
            self.add(Break("deleted", f"{self._unit} 1", "the header", "none"))
        if self._seams_untold:
            what = f"{len(self._runs)} interruptions, and {self._seams_untold} more that were not told apart"
            self.add(Break("shattered", "whole file", "one chain", what))
        last, seams = explain(
            self._runs,
            start=self._start if self._start_is_sound else "",
            end=self._told_count(),
            place=self._place,
            copies=copies,
        )
        self.add(*seams)
        reached, head = (last.last_seq, last.last_hash) if last else (0, self._start)
        if not self._seams_untold:
            self._close(reached, head)
            reached += self._unsound_count
            self._settle()
            self._compare_kept(reached)

    def report(self, *, evidence: int = 0) -> Report:
        """Say what was found.

        Args:
            evidence: Number of evidence files that were compared.
        """
        now = Checkpoint(count=self._tree.count, head=self._head, root=self._tree.root())
        return Report(breaks=tuple(self._breaks), more=self._more, checkpoint=now, evidence=evidence)

    def _entry(self, number: int, sealed: Sealed, *, sound: bool) -> None:
        if not self._start:
            self._start = _UNKNOWN
            self.add(Break("deleted", self._place(number), "the header in the first line", "an entry"))
        if not sound:
            self._doubt(number, self._edited(number, sealed))
            return
        seq, prev = sealed.content["seq"], sealed.content["prev"]
        linked = seq == self._seq + 1 and prev == self._head
        unsound = self._unsound_count
        in_place = unsound > 0 and seq == self._seq + 1 + unsound
        if unsound:
            self._settle(put_in=linked)
        if self._runs and (linked or in_place):
            run = self._runs[-1]
            run.last_line, run.last_seq, run.last_prev, run.last_hash = number, seq, prev, sealed.hash
        else:
            self._new_run(number, sealed, unsound=unsound, in_place=in_place)
        if sealed.content["kind"] == CHECKPOINT and not self._breaks and not self.seams:
            self._compare_told(number, sealed)
        if seq in self._kept_counts:
            self._seen.setdefault(seq, sealed.hash)
        self._seq, self._head = seq, sealed.hash
        self._tree.append(bytes.fromhex(sealed.hash[7:]))

    def _new_run(self, number: int, sealed: Sealed, *, unsound: int, in_place: bool) -> None:
        seq, prev = sealed.content["seq"], sealed.content["prev"]
        if len(self._runs) >= MOST_BREAKS:
            self._seams_untold += 1
            return
        if self._runs:
            self._runs[-1].unsound_after = unsound
        run = Run(
            first_line=number,
            last_line=number,
            first_seq=seq,
            last_seq=seq,
            first_prev=prev,
            first_hash=sealed.hash,
            last_prev=prev,
            last_hash=sealed.hash,
        )
        if in_place:  # nothing sound came before: the unsound lines stand for the entries before this one
            run.first_seq, run.first_prev = 1, self._start
        self._runs.append(run)

    def _doubt(self, number: int, found: Break) -> None:
        """Keep an unsound line in mind until it is clear whether it replaced an entry or was put in."""
        self._unsound.append((number, found))
        if len(self._unsound) > MOST_BREAKS:
            self.add(self._unsound.pop(0)[1])
            self._unsound_told += 1

    def _settle(self, *, put_in: bool = False) -> None:
        for number, found in self._unsound:
            if put_in:
                expected = f"entry {self._seq + 1} next, which follows further on"
                self.add(
                    Break(
                        "inserted",
                        self._place(number),
                        expected,
                        f"a line that is not chained ({found.name})",
                    )
                )
            else:
                self.add(found)
        self._unsound.clear()
        self._unsound_told = 0

    def _compare_told(self, number: int, sealed: Sealed) -> None:
        """Compare a checkpoint that was recorded as an entry with what precedes it."""
        told = {name: sealed.content["body"].get(name) for name in ("count", "head", "root")}
        now = {"count": self._tree.count, "head": self._head, "root": self._tree.root()}
        for name, value in now.items():
            if told[name] != value:
                where = f"{self._place(number)} (entry {sealed.content['seq']})"
                self.add(Break("false checkpoint", where, f"the {name} {value}", str(told[name])))

    def _told_count(self) -> int | None:
        """Number of entries that the closing checkpoint tells, if it is sound."""
        if self._closing is None or self._closing.hash != self._closing.computed:
            return None
        return int(self._closing.content["count"])

    def _close(self, reached: int, head: str) -> None:
        """Compare the closing checkpoint of an export with what precedes it."""
        if self._unit == "row":
            return
        if self._closing is None:
            self.add(Break("truncated", "end of the file", "a closing checkpoint", "none"))
            return
        told = self._closing.content
        if self._closing.hash != self._closing.computed:
            return  # it is named already
        unsound = self._unsound_count
        if told["count"] > reached + unsound:
            lost = f"{told['count']} entries, as the closing checkpoint says"
            self.add(Break("truncated", "end of the chain", lost, str(reached + unsound)))
        elif told["count"] < reached:
            extra = f"{told['count']} entries, as the closing checkpoint says"
            self.add(Break("inserted", f"after entry {told['count']}", extra, str(reached)))
        elif unsound and told["count"] == reached:
            self._settle(put_in=True)
        elif not self._breaks and not unsound:
            for name, value in (("head", head), ("root", self._tree.root())):
                if told[name] != value:
                    where = "last entry, its hash made anew, or closing checkpoint"
                    self.add(Break("edited", where, f"the {name} {told[name]}", value))
                    return

    def _compare_kept(self, reached: int) -> None:
        for checkpoint in self._kept:
            seen = self._start if checkpoint.entries == 0 else self._seen.get(checkpoint.entries)
            if checkpoint.entries > reached:
                expected = f"{checkpoint.entries} entries at least, as the checkpoint kept outside says"
                self.add(Break("truncated", "end of the chain", expected, str(reached)))
            elif seen is not None and seen != checkpoint.head:
                where = f"entry {checkpoint.entries} or before"
                expected = f"the hash in the checkpoint kept outside, {checkpoint.head}"
                self.add(Break("rewritten", where, expected, seen))

    def _edited(self, number: int, sealed: Sealed) -> Break:
        what = f"entry {sealed.content['seq']}" if sealed.kind == ENTRY else sealed.kind
        return Break(
            "edited",
            f"{self._place(number)} ({what})",
            f"content with the hash {sealed.hash}",
            f"one with {sealed.computed}",
        )

    def _place(self, number: int) -> str:
        return f"{self._unit} {number}"
