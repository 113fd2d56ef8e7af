"""Tally of a categorical column: labels by name while they are few, hash buckets and a sample afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.measure.cells import CountTable, Layout
from aims_pipelines.measure.lowering import Codes, Texts
from aims_pipelines.stats.categories import exact_categories, hashed_categories
from aims_pipelines.stats.hashing import U64, hash_labels
from aims_pipelines.stats.profile import (
    BUCKETS,
    CATEGORY_CAP,
    CATEGORY_SAMPLE,
    UNBOUNDED,
    Categories,
    RowSketch,
)

Hashes = NDArray[np.uint64]
Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]
#: Rows looked at first, before a whole window of texts is encoded for nothing.
_GLANCE = 1 << 15
_BLOCK = 1 << 16
_FIRST_SLOT = np.zeros(1, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCell:
    """What a tally says of one cell."""

    nulls: int
    categories: Categories


class LabelTally:
    """Tally of one categorical column over the cells of some groupings."""

    def __init__(self, groupings: int) -> None:
        self._nulls = [CountTable() for _ in range(groupings)]
        self._named: dict[str, int] | None = {}  # slot of each label; None once there are too many
        self._counts = [CountTable() for _ in range(groupings)]  # by name, later by bucket
        self._sampled: Hashes = np.zeros(0, np.uint64)
        self._sample_counts = [CountTable() for _ in range(groupings)]
        self._threshold = UNBOUNDED

    def add(self, column: Codes | Texts, layouts: Sequence[Layout]) -> tuple[Codes | Texts, Hashes | None]:
        """Take in a window of the column, laid out by the cells of every grouping.

        Returns:
            The column as it was worked on (texts may have become codes), and its hashes if they came up on the way.
        """
        if isinstance(column, Codes):
            self._add_codes(column, layouts)
            return column, None
        if self._named is not None and not self._named and len(column.strings) > _GLANCE:
            glance = column.strings[:_GLANCE].dictionary_encode()
            if len(glance.dictionary) > CATEGORY_CAP:
                self._leave_names(self._named)
        if self._named is None:
            hashes = column.hashes()
            self._add_hashes(hashes, column.valid, layouts)
            self._add_nulls(column.valid, layouts)
            return column, hashes
        encoded = column.encoded()
        codes = encoded.codes
        if column.valid is not None:
            codes = np.zeros(column.rows, encoded.codes.dtype)
            codes[column.valid] = encoded.codes
        whole = Codes(codes=codes, valid=column.valid, labels=encoded.labels, render=encoded.render)
        self._add_codes(whole, layouts)
        return whole, None

    def _add_nulls(self, valid: Mask | None, layouts: Sequence[Layout]) -> None:
        if valid is None:
            return
        missing = np.flatnonzero(~valid)
        for layout in layouts:
            codes = np.zeros(len(missing), np.int64) if layout.codes is None else layout.codes[missing]
            counts = np.bincount(codes, minlength=len(layout.segments))[:, None]
            for member, grouping in enumerate(layout.members):
                self._nulls[grouping].add_matrix(layout.cells_of(member), _FIRST_SLOT, counts)

    def _add_codes(self, column: Codes, layouts: Sequence[Layout]) -> None:
        self._add_nulls(column.valid, layouts)
        codes, labels = column.codes, np.arange(len(column.labels))
        if column.valid is not None:
            codes = codes[column.valid]
        if len(labels) > CATEGORY_CAP * 2:  # perhaps a dictionary of which little is used
            labels, codes = _compacted(codes, len(labels))
        if self._named is not None and len(labels) <= CATEGORY_CAP * 2:
            tables = [
                _tabulated(codes, len(labels), _codes_of(layout, column.valid), len(layout.segments))
                for layout in layouts
            ]
            used = np.flatnonzero(tables[0].any(axis=0))
            slots = _slots(self._named, column.texts(labels[used]))
            if slots is not None:
                for layout, table in zip(layouts, tables, strict=True):
                    for member, grouping in enumerate(layout.members):
                        self._counts[grouping].add_matrix(layout.cells_of(member), slots, table[:, used])
                return
        if self._named is not None:
            self._leave_names(self._named)
        self._add_hashes(column.hashes()[labels].take(codes), column.valid, layouts)

    def _leave_names(self, named: dict[str, int]) -> None:
        """Change over from names to hashes."""
        hashes = hash_labels(list(named))
        self._named = None
        ordered = np.argsort(hashes)
        self._sampled = hashes[ordered]
        places = np.empty(len(hashes), np.int64)
        places[ordered] = np.arange(len(hashes))
        for table, sample in zip(self._counts, self._sample_counts, strict=True):
            for cell, counts in table.rows():
                sample.add_row(cell, counts[: len(hashes)][ordered])
            table.renumber((hashes & U64(BUCKETS - 1)).astype(np.int64), BUCKETS)
        self._prune()

    def _add_hashes(self, hashes: Hashes, valid: Mask | None, layouts: Sequence[Layout]) -> None:
        buckets = (hashes & U64(BUCKETS - 1)).view(np.int64)
        below = np.flatnonzero(hashes < U64(self._threshold)) if self._threshold < UNBOUNDED else None
        sampled = hashes if below is None else hashes[below]
        known = np.union1d(self._sampled, sampled)
        places = np.searchsorted(known, self._sampled)
        self._sampled = known
        slots = np.searchsorted(known, sampled)
        for sample in self._sample_counts:
            sample.renumber(places, len(known))
        for layout in layouts:
            codes, segments = _codes_of(layout, valid), len(layout.segments)
            counts = _tabulated(buckets, BUCKETS, codes, segments)
            chosen = codes if codes is None or below is None else codes[below]
            samples = _tabulated(slots, len(known), chosen, segments)
            for member, grouping in enumerate(layout.members):
                cells = layout.cells_of(member)
                self._counts[grouping].add_matrix(cells, np.arange(BUCKETS), counts)
                self._sample_counts[grouping].add_matrix(cells, np.arange(len(known)), samples)
        self._prune()

    def _prune(self) -> None:
        if len(self._sampled) <= CATEGORY_SAMPLE:
            return
        self._threshold = int(self._sampled[CATEGORY_SAMPLE])
        self._sampled = self._sampled[:CATEGORY_SAMPLE]
        for sample in self._sample_counts:
            sample.cut(CATEGORY_SAMPLE)

    def fold(self, grouping: int, source: int, target: int) -> None:
        """Move all that one cell holds into another."""
        for tables in (self._nulls, self._counts, self._sample_counts):
            tables[grouping].fold(source, target)

    def cell(self, grouping: int, cell: int) -> LabelCell:
        """All that is known of one cell."""
        tables = (self._nulls[grouping], self._counts[grouping], self._sample_counts[grouping])
        return self._described(*(table.row(cell) for table in tables))

    def whole(self) -> LabelCell:
        """All that is known of the column: its cells under the first grouping together."""
        return self._described(
            self._nulls[0].total(), self._counts[0].total(), self._sample_counts[0].total()
        )

    def _described(self, nulls: Counts, counts: Counts, sample: Counts) -> LabelCell:
        missing = int(nulls.sum())
        if self._named is not None:
            numbers = counts.tolist()
            seen = {label: slot for label, slot in self._named.items() if slot < len(numbers)}
            named = {label: numbers[slot] for label, slot in seen.items() if numbers[slot]}
            return LabelCell(nulls=missing, categories=exact_categories(named))
        buckets = np.zeros(BUCKETS, np.int64)
        buckets[: min(len(counts), BUCKETS)] = counts[:BUCKETS]
        padded = np.zeros(len(self._sampled), np.int64)
        padded[: min(len(sample), len(padded))] = sample[: len(padded)]
        kept = padded > 0
        sketch = RowSketch(threshold=self._threshold, hashes=self._sampled[kept], counts=padded[kept])
        return LabelCell(nulls=missing, categories=hashed_categories(buckets, sketch))


def _slots(named: dict[str, int], texts: list[str]) -> Counts | None:
    """Slots of labels, new ones included; none if there would be too many."""
    fresh = dict.fromkeys(text for text in texts if text not in named)
    if len(named) + len(fresh) > CATEGORY_CAP:
        return None
    for text in fresh:
        named[text] = len(named)
    return np.fromiter((named[text] for text in texts), np.int64, len(texts))


def _codes_of(layout: Layout, valid: Mask | None) -> NDArray[np.uint16] | None:
    """Segments of the rows that have a value."""
    return layout.codes if layout.codes is None or valid is None else layout.codes[valid]


def _compacted(codes: NDArray[np.integer], width: int) -> tuple[Counts, Counts]:
    """Codes that occur, and the codes renumbered by them."""
    used = np.flatnonzero(np.bincount(codes, minlength=width))
    places = np.zeros(width, np.int64)
    places[used] = np.arange(len(used))
    return used, places.take(codes)


def _tabulated(
    codes: NDArray[np.integer], width: int, cells: NDArray[np.uint16] | None, count: int
) -> Counts:
    """Count codes below ``width`` within segments below ``count``, block by block to stay in the cache."""
    total = np.zeros(count * width, np.int64)
    block = max(_BLOCK, count * width)
    joint = np.empty(min(block, len(codes)), np.int64)
    for start in range(0, len(codes), block):
        part = codes[start : start + block]
        if cells is None:
            total += np.bincount(part, minlength=width)
            continue
        place = joint[: len(part)]
        np.multiply(cells[start : start + block], width, out=place, dtype=np.int64)
        np.add(place, part, out=place, casting="unsafe")
        total += np.bincount(place, minlength=count * width)
    return total.reshape(count, width)
