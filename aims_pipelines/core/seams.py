"""Tell what happened to a chain from where it is interrupted.

Lines that follow each other as they were chained form a run. An intact ledger is one run from entry 1 to its end;
every deletion, insertion, move and replacement leaves a seam between runs, and seams are told apart by the numbers
and hashes on both their sides. Only runs are kept, not entries, so memory grows with the damage alone.
"""

from __future__ import annotations  # the verifier printed for auditors runs on Python 3.9

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_LONGEST_SHOWN = 500
Copies = Callable[[Collection[str]], Mapping[str, Sequence[int]]]


class Break(NamedTuple):
    """One thing found wrong with a ledger.

    Args:
        name: What was done to it, in a word or two.
        where: Line, entry or file.
        expected: What would have been right.
        found: What was there instead.
    """

    name: str
    where: str
    expected: str
    found: str

    def __str__(self) -> str:
        """One line for people, whatever the parts hold."""
        where, expected, found = (printable(part[:_LONGEST_SHOWN]) for part in self[1:])
        return f"{self.name}: {where}: expected {expected}, found {found}"


def printable(text: str) -> str:
    """Make a text from an untrusted file fit for a terminal: no line ends, no control characters."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


@dataclass
class Run:
    """Lines that follow each other as they were chained.

    Args:
        first_line: Number of its first line.
        last_line: Number of its last line.
        first_seq: Number of its first entry.
        last_seq: Number of its last entry.
        first_prev: What its first entry was chained to.
        first_hash: Hash of its first entry.
        last_prev: What its last entry was chained to.
        last_hash: Hash of its last entry.
        unsound_after: Lines right after it that could not be read, or do not have the hash that they state.
    """

    first_line: int
    last_line: int
    first_seq: int
    last_seq: int
    first_prev: str
    first_hash: str
    last_prev: str
    last_hash: str
    unsound_after: int = 0


def explain(
    runs: Sequence[Run],
    *,
    start: str,
    end: int | None,
    place: Callable[[int], str],
    copies: Copies,
) -> tuple[Run | None, list[Break]]:
    """Name what interrupted the chain.

    Args:
        runs: The runs in the order in which they were read.
        start: Hash of the header, which the first entry is chained to; empty if there is no sound header.
        end: Number of entries that a sound closing checkpoint tells.
        place: Words for the place with this line number.
        copies: Finds the numbers of all lines that state one of some hashes; asked once, if at all.

    Returns:
        The run that the chain ends with, and what was found.
    """
    chain: list[Run] = []
    rest = list(runs)
    found: list[Break] = []
    while rest:
        run = _next(chain[-1] if chain else None, rest, start, end)
        if run is None:
            break
        rest.remove(run)
        found.extend(_seam(chain[-1] if chain else None, run, start, place))
        chain.append(run)
    found.extend(_moved(chain, place))
    stated = copies({run.first_hash for run in rest}) if rest else {}
    for run in rest:
        others = [line for line in stated.get(run.first_hash, ()) if line != run.first_line]
        found.append(
            _repeated(run, others[0], place) if others else _put_in(run.first_line, run.first_seq, place)
        )
    return (chain[-1] if chain else None), found


def _next(last: Run | None, rest: Sequence[Run], start: str, end: int | None) -> Run | None:
    """The run that goes on after another, or, failing that, the one that comes closest to it."""
    seq, hash_, line = (last.last_seq, last.last_hash, last.last_line) if last else (0, start, 0)
    linked = [run for run in rest if run.first_seq == seq + 1 and run.first_prev == hash_]
    if linked:
        return max(linked, key=lambda run: run.last_seq)
    if last:  # two claim the same numbers, and the later one goes on, or ends like this one
        forked = [run for run in rest if last.first_seq < run.first_seq <= seq < run.last_seq]
        same_end = [run for run in rest if run.first_seq == run.last_seq == seq and run.first_hash == hash_]
        if forked or same_end:
            return min(forked or same_end, key=lambda run: run.first_line)
    further = [run for run in rest if seq < run.first_seq <= (end or run.first_seq) and run.first_line > line]
    return min(further, key=lambda run: run.first_seq, default=None)


def _seam(last: Run | None, run: Run, start: str, place: Callable[[int], str]) -> list[Break]:
    """Name what lies between a run and the one that goes on after it."""
    seq = last.last_seq if last else 0
    unsound = last.unsound_after if last else 0
    if run.first_seq > seq + 1:
        first = seq + 1 + unsound  # the unsound lines stand for as many entries, and are named already
        if first >= run.first_seq:
            return []
        gap = _span(first, run.first_seq - 1)
        return [Break("deleted", f"before {place(run.first_line)}", gap, f"entry {run.first_seq} right away")]
    if last is None:
        if run.first_prev == start or not start:
            return []
        expected = f"the header that entry 1 is chained to, {run.first_prev}"
        return [Break("forged header", "header", expected, f"a header with the hash {start}")]
    if run.first_seq == seq + 1:
        if run.first_prev == last.last_hash or unsound:
            return []
        expected = f"the hash that entry {run.first_seq} is chained to, {run.first_prev}"
        where = f"{place(last.last_line)} (entry {seq}), its hash made anew"
        return [Break("edited", where, expected, last.last_hash)]
    if run.first_hash == last.last_hash:
        return [_repeated(run, last.last_line, place)]
    return [_put_in(last.last_line - (seq - run.first_seq), run.first_seq, place)]


def _moved(chain: Sequence[Run], place: Callable[[int], str]) -> list[Break]:
    """Name the runs that stand in the wrong place: all but the heaviest sequence whose lines ascend."""
    weight: list[int] = []
    before: list[int] = []
    for index, run in enumerate(chain):
        earlier = [other for other in range(index) if chain[other].first_line < run.first_line]
        best = max(earlier, key=lambda other: weight[other], default=-1)
        weight.append(run.last_seq - run.first_seq + 1 + (weight[best] if best >= 0 else 0))
        before.append(best)
    stays = set()
    index = max(range(len(chain)), key=lambda other: weight[other], default=-1)
    while index >= 0:
        stays.add(index)
        index = before[index]
    return [
        Break(
            "reordered",
            place(run.first_line),
            f"{_span(run.first_seq, run.last_seq)} after entry {run.first_seq - 1}"
            + (f" in {place(chain[number - 1].last_line)}" if number else ""),
            "them here" if run.last_seq > run.first_seq else "it here",
        )
        for number, run in enumerate(chain)
        if number not in stays
    ]


def _repeated(run: Run, line: int, place: Callable[[int], str]) -> Break:
    return Break(
        "duplicated", place(run.first_line), f"entry {run.first_seq} once, in {place(line)}", "it again"
    )


def _put_in(line: int, seq: int, place: Callable[[int], str]) -> Break:
    return Break("inserted", place(line), f"one entry with the number {seq}", "another one with that number")


def _span(first: int, last: int) -> str:
    return f"entry {first}" if first == last else f"entries {first} to {last}"
