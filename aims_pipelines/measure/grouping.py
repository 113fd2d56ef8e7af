"""Groupings: which level every row of a window falls into, with a bounded number of levels."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from aims_pipelines.core.errors import Fault
from aims_pipelines.measure.cells import Cells
from aims_pipelines.measure.lowering import Codes, Numbers, labels_of, lower, plain, workable
from aims_pipelines.stats.hashing import hash_labels
from aims_pipelines.stats.number_labels import number_label
from aims_pipelines.stats.profile import LEVEL_CAP, MISSING, OTHER, GroupSpec, Kind

Counts = NDArray[np.int64]
Fold = tuple[int, int]
_FEW_LABELS = 1 << 12
_NO_VALUES = frozenset({MISSING, OTHER})


def group_faults(groups: Sequence[GroupSpec], kinds: Mapping[str, Kind]) -> list[Fault]:
    """What is wrong with groupings for a table with the given columns."""
    faults: list[Fault] = []
    names = [spec.name for spec in groups]
    for position, spec in enumerate(groups, 1):
        where = f"grouping {spec.name or position!r}"
        if not spec.columns or names.count(spec.name) > 1:
            found = "none" if not spec.columns else f"{spec.name!r} twice"
            faults.append(
                Fault(where=where, expected="at least one column, and each grouping once", found=found)
            )
        faults += [
            Fault(where=where, expected=f"one of the columns {', '.join(kinds)}", found=repr(name))
            for name in (*spec.columns, *spec.bands)
            if name not in kinds
        ]
        for name, edges in spec.bands.items():
            if name in kinds and kinds[name] is Kind.CATEGORICAL:
                faults.append(
                    Fault(where=where, expected="bands for a numeric column", found=f"{name!r}, which is not")
                )
            if not edges or not all(np.isfinite(edges)) or list(edges) != sorted(set(edges)):
                faults.append(
                    Fault(
                        where=where, expected=f"finite ascending edges for {name!r}", found=f"{list(edges)}"
                    )
                )
    return faults


def band_labels(edges: Sequence[float]) -> list[str]:
    """Names of the bands between edges: each holds its lower edge and not its upper one."""
    names = [number_label(float(edge)) for edge in edges]
    inner = [f"{low}-{high}" for low, high in pairwise(names)]
    return [f"<{names[0]}", *inner, f">={names[-1]}"]


class Grouping:
    """Assigns rows to cells, one cell a level; remembers the levels over the windows of a table."""

    def __init__(self, spec: GroupSpec) -> None:
        self.spec = spec
        self.rows: Counts = np.zeros(0, np.int64)
        self._cells: dict[str, int] = {}
        self._hashes: dict[str, int] = {}
        self._free: list[int] = []

    @property
    def levels(self) -> dict[str, int]:
        """Cell of each level that has rows."""
        return {level: cell for level, cell in sorted(self._cells.items()) if self.rows[cell] > 0}

    def assign(self, columns: Sequence[pa.Array]) -> tuple[Cells, list[Fold]]:
        """Find the cell of each row.

        Args:
            columns: The grouping's columns over one window.

        Returns:
            The cells, and which cells to fold into which before this window is counted: levels that had to
            give way to others once there were more than ``LEVEL_CAP``.
        """
        codes, labels = self._level_codes(columns[0], self.spec.columns[0])
        for name, column in zip(self.spec.columns[1:], columns[1:], strict=True):
            more, names = self._level_codes(column, name)
            joint = codes.astype(np.int64) * len(names)
            joint += more
            used, codes = _compact(joint, len(labels) * len(names))
            labels = [f"{labels[one // len(names)]} & {names[one % len(names)]}" for one in used.tolist()]
        used = np.flatnonzero(np.bincount(codes, minlength=len(labels)))
        seats, folds = self._seat([labels[code] for code in used.tolist()])
        table = np.zeros(len(labels), np.uint8)  # there are never more than LEVEL_CAP + 2 cells
        table[used] = seats
        count = max(self._cells.values(), default=-1) + 1
        cells = Cells(count=count, codes=table.take(codes))
        sizes = np.bincount(cells.codes, minlength=count)
        self.rows = _padded(self.rows, count)
        for source, target in folds:
            self.rows[target] += self.rows[source]
            self.rows[source] = 0
        self.rows += sizes
        return cells, folds

    def _level_codes(self, column: pa.Array, name: str) -> tuple[NDArray[np.integer], list[str]]:
        """Level number of each row, and the levels' names, the missing one last; both may be of rows elsewhere."""
        lowered = lower(column)
        valid = lowered.valid
        if isinstance(lowered, Codes):
            used, codes = self._used(lowered)
            labels = lowered.texts(used)
        elif isinstance(lowered, Numbers):
            codes, labels, valid = self._number_codes(column, lowered, name)
        else:
            encoded = lowered.encoded()
            labels = encoded.texts(np.arange(len(encoded.labels)))
            codes = encoded.codes
            if valid is not None:
                codes = np.zeros(len(column), np.int64)
                codes[valid] = encoded.codes
        if valid is not None:
            codes = np.where(valid, codes, len(labels))
        several = len(self.spec.columns) > 1
        return codes, [*(_told_apart(label, several=several) for label in labels), MISSING]

    def _used(self, column: Codes) -> tuple[Counts, NDArray[np.integer]]:
        if len(column.labels) <= _FEW_LABELS:
            return np.arange(len(column.labels)), column.codes
        codes = column.codes if column.valid is None else np.where(column.valid, column.codes, 0)
        return _compact(codes, len(column.labels))

    def _number_codes(
        self, column: pa.Array, lowered: Numbers, name: str
    ) -> tuple[NDArray[np.integer], list[str], NDArray[np.bool_] | None]:
        there = ~np.isnan(lowered.values)
        valid = there if lowered.valid is None else there & lowered.valid
        edges = self.spec.bands.get(name)
        if edges is not None:
            codes = np.searchsorted(np.asarray(edges, np.float64), lowered.values, side="right")
            return codes, band_labels(edges), valid
        encoded = workable(plain(column)).fill_null(0).dictionary_encode()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        return codes, labels_of(encoded.dictionary, stored=plain(column).type), valid

    def _seat(self, labels: list[str]) -> tuple[Counts, list[Fold]]:
        """Cells for levels, most of which are known."""
        folds: list[Fold] = []
        fresh = [label for label in dict.fromkeys(labels) if label not in self._cells]
        if fresh:
            hashes = hash_labels(fresh).tolist()
            for label, value in zip(fresh, hashes, strict=True):
                self._admit(label, value, folds)
        other = self._cells.get(OTHER, -1)
        return np.array([self._cells.get(label, other) for label in labels], np.int64), folds

    def _admit(self, label: str, value: int, folds: list[Fold]) -> None:
        if label in {MISSING, OTHER}:
            self._cells.setdefault(label, self._new_cell())
            return
        if len(self._hashes) >= LEVEL_CAP:
            if OTHER not in self._cells:
                self._cells[OTHER] = self._new_cell()
            # Ties cannot be: the order of the label settles them, as it does in a merge.
            worst = max(self._hashes, key=lambda name: (self._hashes[name], name))
            if (value, label) >= (self._hashes[worst], worst):
                return
            cell = self._cells.pop(worst)
            del self._hashes[worst]
            folds.append((cell, self._cells[OTHER]))
            self._free.append(cell)
        self._cells[label] = self._new_cell()
        self._hashes[label] = value

    def _new_cell(self) -> int:
        if self._free:
            return self._free.pop()
        return len(self._cells)


def _told_apart(label: str, *, several: bool) -> str:
    """The level of a value: itself, or in quotes where it would read as no value, or as those of several columns."""
    parts = label.split(" & ")
    quoted = (several and len(parts) > 1) or any(part.strip("'") in _NO_VALUES for part in parts)
    return f"'{label}'" if quoted else label


def _compact(codes: Counts, count: int) -> tuple[Counts, Counts]:
    """Renumber the codes that occur, keeping their order."""
    if count > max(4 * len(codes), 1 << 16):
        used, compact = np.unique(codes, return_inverse=True)
        return used, compact.astype(np.int64, copy=False)
    sizes = np.bincount(codes, minlength=count)
    used = np.flatnonzero(sizes)
    if len(used) == count:
        return used, codes
    places = np.zeros(max(count, len(sizes)), np.int64)
    places[used] = np.arange(len(used))
    return used, places.take(codes)


def _padded(counts: Counts, length: int) -> Counts:
    padded = np.zeros(max(length, len(counts)), np.int64)
    padded[: len(counts)] = counts
    return padded
