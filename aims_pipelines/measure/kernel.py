"""The pass over the rows: windows of Arrow columns in, one profile out.

Within a window every column is a job of its own on a small pool of threads, from decoding to counting, so
that memory holds a few columns of one window at a time, however many rows there are.
"""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.measure.cells import Cells, Layout, laid_out
from aims_pipelines.measure.column_types import flattened, kind_of, logical_type
from aims_pipelines.measure.digest import ColumnDigest, table_digest
from aims_pipelines.measure.grouping import Fold, Grouping, group_faults
from aims_pipelines.measure.labels import LabelCell, LabelTally
from aims_pipelines.measure.lowering import (
    Codes,
    Numbers,
    Texts,
    descend,
    lower,
    one_array,
    plain,
    plain_strings,
)
from aims_pipelines.measure.numbers import NumberCell, NumberTally
from aims_pipelines.measure.pairing import (
    Coded,
    PairTally,
    blank_table,
    coded_labels,
    coded_numbers,
    pair_faults,
)
from aims_pipelines.measure.rowhash import HashTally, add_codes, add_hashed, add_numbers, column_salt
from aims_pipelines.measure.windows import Window, windows_of
from aims_pipelines.stats.pairs import ordered_pair
from aims_pipelines.stats.profile import ColumnProfile, GroupProfile, GroupSpec, Kind, Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one pass over a table tells.

    Args:
        profile: Its profile.
        digest: Its content digest, ``sha256:…``; empty if it was not asked for.
    """

    profile: Profile
    digest: str


class _Column:
    """A column over one window, and a form of it that is cheaper to measure if there is one."""

    __slots__ = ("array", "measured")

    def __init__(self, array: pa.Array, measured: pa.Array | None = None) -> None:
        self.array = array
        self.measured = array if measured is None else measured

    @classmethod
    def encoded(cls, array: pa.Array) -> "_Column":
        """A column that is measured more than once: texts are told apart only the first time."""
        if not pa.types.is_string(logical_type(array.type)):
            return cls(array)
        texts = plain_strings(plain(array))
        return cls(array, texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode())


class Pass:
    """One pass over a table."""

    def __init__(
        self,
        schema: pa.Schema,
        *,
        groups: Sequence[GroupSpec] = (),
        rows: bool = True,
        keys: Sequence[tuple[str, ...]] = (),
        pairs: Sequence[tuple[str, str]] = (),
        digest: bool = False,
        profile: bool = True,
    ) -> None:
        self._columns = flattened(schema)
        names = [name for name, _, _ in self._columns]
        kinds = {name: kind_of(kind) or Kind.CATEGORICAL for name, _, kind in self._columns}
        faults = group_faults(groups, kinds) if names else []
        faults += [
            Fault(
                where=f"key {' & '.join(key)!r}",
                expected=f"one of the columns {', '.join(names)}",
                found=repr(name),
            )
            for key in keys
            for name in key
            if names and name not in kinds
        ]
        faults += pair_faults(pairs, kinds) if names else []
        if faults:
            raise BadInput(faults)
        self._kinds = kinds
        self._groupings = [Grouping(spec) for spec in groups] if names else []
        self._tallies: list[NumberTally | LabelTally | None] = [
            _tally(kinds[name], max(len(self._groupings), 1)) if profile else None for name in names
        ]
        self._salts = [column_salt(name) for name in names]
        self._digests = [ColumnDigest(name, kind) if digest else None for name, _, kind in self._columns]
        # Each target is a set of columns whose cells are hashed together: all of them, or those of a key.
        self._rows = rows and profile
        targets = [tuple(names)] if self._rows else []
        self._keys = list(keys) if profile and names else []
        self._targets = [
            frozenset(names.index(name) for name in target) for target in (*targets, *self._keys)
        ]
        self._hash_tallies = [HashTally() for _ in self._targets]
        self._pairs = {ordered_pair(*pair): PairTally() for pair in pairs} if profile and names else {}
        self._paired = {names.index(name) for pair in self._pairs for name in pair}
        self._seen = 0

    def run(self, windows: Iterable[Window], *, threads: int | None = None) -> None:
        """Take in all rows.

        Args:
            windows: The rows.
            threads: Threads to use; by default as many as there are processors for this process.
        """
        workers = max(1, min(threads or _processors(), len(self._columns)))
        with ThreadPoolExecutor(workers) as pool:
            for window in windows:
                if window.rows:
                    self._take(window, pool, workers)
                    self._seen += window.rows
                    pa.default_memory_pool().release_unused()

    def _take(self, window: Window, pool: ThreadPoolExecutor, workers: int) -> None:
        read = self._grouped_by(window, pool)
        layouts = self._layouts(window, read, pool)
        jobs = iter(range(len(self._columns)))
        coded: dict[str, Coded] = {}

        def work(_: int) -> list[NDArray[np.uint64]]:
            sums = [np.zeros(window.rows, np.uint64) for _ in self._targets]
            for index in jobs:  # shared: whoever is free takes the next column
                column = read.pop(index, None) or _Column(self._read(window, index))
                self._column(index, column, layouts, sums, coded)
            return sums

        parts = list(pool.map(work, range(workers)))
        for target, tally in enumerate(self._hash_tallies):
            total = parts[0][target]
            for part in parts[1:]:
                np.add(total, part[target], out=total)
            tally.add(total)
        if self._pairs:
            list(pool.map(lambda item: item[1].add(*(coded[name] for name in item[0])), self._pairs.items()))

    def _read(self, window: Window, index: int) -> pa.Array:
        _, path, _ = self._columns[index]
        return one_array(descend(window.column(path[0]), path[1:]))

    def _grouped_by(self, window: Window, pool: ThreadPoolExecutor) -> "dict[int, _Column]":
        """The columns of the groupings, texts encoded once for all that need it."""
        names = [name for name, _, _ in self._columns]
        wanted = dict.fromkeys(
            names.index(name) for grouping in self._groupings for name in grouping.spec.columns
        )
        columns = pool.map(lambda place: _Column.encoded(self._read(window, place)), wanted)
        return dict(zip(wanted, columns, strict=True))

    def _layouts(
        self, window: Window, read: "dict[int, _Column]", pool: ThreadPoolExecutor
    ) -> tuple[Layout, ...]:
        names = [name for name, _, _ in self._columns]

        def assign(grouping: Grouping) -> tuple[Cells, list[Fold]]:
            return grouping.assign([read[names.index(name)].measured for name in grouping.spec.columns])

        assigned = list(pool.map(assign, self._groupings))
        for number, (_, folds) in enumerate(assigned):
            for source, target in folds:
                for tally in self._tallies:
                    if tally is not None:
                        tally.fold(number, source, target)
        return laid_out([cells for cells, _ in assigned], window.rows)

    def _column(
        self,
        index: int,
        column: "_Column",
        layouts: tuple[Layout, ...],
        sums: list[NDArray[np.uint64]],
        coded: dict[str, Coded],
    ) -> None:
        digest, tally = self._digests[index], self._tallies[index]
        if digest is not None:
            digest.update(column.array)
        wanted = [total for total, target in zip(sums, self._targets, strict=True) if index in target]
        salt = self._salts[index]
        lowered = lower(column.measured) if tally is not None else None
        name = self._columns[index][0]
        if isinstance(tally, NumberTally) and isinstance(lowered, Numbers):
            tally.add(lowered, layouts)
            for total in wanted:
                add_numbers(total, lowered, salt)
            if index in self._paired:
                coded[name] = coded_numbers(lowered)
        elif isinstance(tally, LabelTally) and isinstance(lowered, Codes | Texts):
            seen, hashes = tally.add(lowered, layouts)
            if index in self._paired:
                coded[name] = coded_labels(seen, hashes)
            if not wanted:
                return
            hashes = seen.hashes() if hashes is None else hashes
            for total in wanted:
                if isinstance(seen, Texts):
                    add_hashed(total, hashes, seen.valid, salt)
                else:
                    add_codes(total, seen.codes, seen.valid, hashes, salt)

    def result(self) -> Measured:
        """What the rows taken in so far tell."""
        digest = ""
        if self._digests and self._digests[0] is not None:
            digest = table_digest([one for one in self._digests if one is not None], self._seen)
        elif not self._columns:
            digest = table_digest([], self._seen)
        columns = {
            self._columns[index][0]: self._column_profile(index, self._seen, tally.whole())
            for index, tally in enumerate(self._tallies)
            if tally is not None
        }
        groups: dict[str, dict[str, GroupProfile]] = {}
        for number, grouping in enumerate(self._groupings):
            groups[grouping.spec.name] = {
                level: GroupProfile(
                    rows=int(grouping.rows[cell]),
                    columns={
                        self._columns[index][0]: self._column_profile(
                            index, int(grouping.rows[cell]), tally.cell(number, cell)
                        )
                        for index, tally in enumerate(self._tallies)
                        if tally is not None
                    },
                )
                for level, cell in grouping.levels.items()
            }
        sketches = [tally.sketch() for tally in self._hash_tallies]
        profile = Profile(
            rows=self._seen,
            columns=columns,
            groups=groups,
            row_sketch=sketches[0] if self._rows else None,
            key_sketches={
                " & ".join(key): sketch
                for key, sketch in zip(self._keys, sketches[self._rows :], strict=True)
            },
            pairs={
                (first, second): tally.table or blank_table((self._kinds[first], self._kinds[second]))
                for (first, second), tally in self._pairs.items()
            },
        )
        return Measured(profile=profile, digest=digest)

    def _column_profile(self, index: int, rows: int, content: NumberCell | LabelCell) -> ColumnProfile:
        name, _, kind = self._columns[index]
        storage = str(logical_type(kind))
        if isinstance(content, LabelCell):
            return ColumnProfile(
                name=name,
                kind=Kind.CATEGORICAL,
                storage_type=storage,
                rows=rows,
                nulls=content.nulls,
                categories=content.categories,
            )
        return ColumnProfile(
            name=name,
            kind=self._kinds[name],
            storage_type=storage,
            rows=rows,
            nulls=content.nulls,
            nans=content.nans,
            distribution=content.distribution,
            moments=content.moments,
        )


def _tally(kind: Kind, groupings: int) -> NumberTally | LabelTally:
    if kind is Kind.CATEGORICAL:
        return LabelTally(groupings)
    return NumberTally(groupings, temporal=kind is Kind.TEMPORAL)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def measure(
    source: object,
    *,
    groups: Sequence[GroupSpec] = (),
    rows: bool = True,
    keys: Sequence[tuple[str, ...]] = (),
    pairs: Sequence[tuple[str, str]] = (),
    digest: bool = True,
) -> Measured:
    """Profile and digest a table in one pass over its rows.

    Args:
        source: Arrow table, record batch, record batch reader, or an iterable of record batches of one schema.
        groups: Groupings to profile within.
        rows: Whether to keep row hashes, from which duplicate and shared rows are told.
        keys: Keys to keep hashes of, each one or more columns, from which repeated keys are told.
        pairs: Pairs of columns whose values are counted together, numbers or categories.
        digest: Whether to compute the content digest.

    Returns:
        The profile, and the digest if asked for.

    Raises:
        BadInput: A column has no name, or one that occurs twice, or a type that cannot be measured; a grouping, key
            or pair names a column that is not there; a pair will not do.
    """
    schema, windows = windows_of(source)
    run = Pass(schema, groups=groups, rows=rows, keys=keys, pairs=pairs, digest=digest)
    run.run(windows)
    return run.result()


def profile_table(
    source: object,
    *,
    groups: Sequence[GroupSpec] = (),
    rows: bool = True,
    keys: Sequence[tuple[str, ...]] = (),
    pairs: Sequence[tuple[str, str]] = (),
) -> Profile:
    """Profile a table in one pass over its rows.

    Args:
        source: Arrow table, record batch, record batch reader, or an iterable of record batches of one schema.
        groups: Groupings to profile within.
        rows: Whether to keep row hashes, from which duplicate and shared rows are told.
        keys: Keys to keep hashes of, each one or more columns, from which repeated keys are told.
        pairs: Pairs of columns whose values are counted together, numbers or categories.

    Returns:
        The profile; of a table without rows it is valid and says so.

    Raises:
        BadInput: As :func:`measure`.
    """
    return measure(source, groups=groups, rows=rows, keys=keys, pairs=pairs, digest=False).profile


def content_digest(source: object) -> str:
    """SHA-256 over the content of a table, as ``sha256:…``.

    The same for the same column names, order, logical types, values and nulls, whatever the chunking, dictionary
    encoding, large or view layout, or bytes under nulls; see :mod:`aims_pipelines.measure.digest` for the format.

    Args:
        source: Arrow table, record batch, record batch reader, or an iterable of record batches of one schema.

    Raises:
        BadInput: A column has no name, or one that occurs twice, or a type that cannot be measured.
    """
    schema, windows = windows_of(source)
    run = Pass(schema, rows=False, digest=True, profile=False)
    run.run(windows)
    return run.result().digest
