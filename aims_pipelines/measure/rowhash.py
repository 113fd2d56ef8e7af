"""Row hashes: the same row has the same hash whatever its column order, chunking or encoding.

Every cell becomes a 64-bit word: a number by the bits of its float64 (so that 5 and 5.0 are the same, and
-0.0 is 0.0), a text by the hash of its bytes, a missing value (null or NaN) by a constant. The word is tied
to its column's name, mixed, and added up over the columns; the sum is mixed once more.
"""

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.measure.lowering import Numbers
from aims_pipelines.measure.scratch import BLOCK, SCRATCH
from aims_pipelines.stats.hashing import U64, below_unbounded, hash_labels, mix
from aims_pipelines.stats.profile import ROW_CAP, UNBOUNDED, RowSketch
from aims_pipelines.stats.sketches import add_up, bounded, empty_sketch

Hashes = NDArray[np.uint64]
_MULTIPLIER = U64(0xD6E8FEB86659FD93)
_SECOND = U64(0xA0761D6478BD642F)
_MISSING = U64(0xE7037ED1A0B428DB)


def column_salt(name: str) -> np.uint64:
    """Word that ties a cell to its column."""
    return U64(hash_labels([name])[0])


def missing_word(salt: np.uint64) -> np.uint64:
    """Word that a missing cell of a column adds to its row."""
    return U64(mix(np.array([_MISSING ^ salt]))[0])


def add_numbers(total: Hashes, numbers: Numbers, salt: np.uint64) -> None:
    """Add the cells of a numeric column to their rows' sums."""
    missing = missing_word(salt)
    for start in range(0, len(total), BLOCK):
        block = slice(start, min(start + BLOCK, len(total)))
        length = block.stop - start
        word, high = SCRATCH.words[:length], SCRATCH.slots.view(np.uint64)[:length]
        value = SCRATCH.clean[:length]
        np.add(numbers.values[block], 0.0, out=value)  # -0.0 becomes 0.0
        source = value.view(np.uint64) if numbers.words is None else numbers.words[block]
        np.bitwise_xor(source, salt, out=word)
        # Small integers differ in their top bits only, and a product carries nothing downwards: without a shift
        # on either side, the words of a column lie on a line, and their sums over columns collide.
        for factor in (_MULTIPLIER, _SECOND):
            np.right_shift(word, U64(32), out=high)
            np.bitwise_xor(word, high, out=word)
            np.multiply(word, factor, out=word)
        np.right_shift(word, U64(32), out=high)
        np.bitwise_xor(word, high, out=word)
        if np.isnan(np.maximum.reduce(value)):
            word[np.isnan(value)] = missing
        if numbers.valid is not None:
            word[~numbers.valid[block]] = missing
        np.add(total[block], word, out=total[block])


def add_hashed(total: Hashes, cells: Hashes, valid: "NDArray[np.bool_] | None", salt: np.uint64) -> None:
    """Add the cells of a column of texts, given by their hashes (of the valid ones), to their rows' sums."""
    words = (cells ^ salt) * _MULTIPLIER
    if valid is None:
        np.add(total, words, out=total)
        return
    full = np.full(len(total), missing_word(salt), np.uint64)
    full[valid] = words
    np.add(total, full, out=total)


def add_codes(
    total: Hashes,
    codes: "NDArray[np.integer]",
    valid: "NDArray[np.bool_] | None",
    labels: Hashes,
    salt: np.uint64,
) -> None:
    """Add the cells of a column of codes, given the hash of every label, to their rows' sums."""
    words = np.append((labels ^ salt) * _MULTIPLIER, missing_word(salt))
    for start in range(0, len(total), BLOCK):
        block = slice(start, min(start + BLOCK, len(total)))
        code = codes[block] if valid is None else np.where(valid[block], codes[block], len(labels))
        cells = words.take(code, out=SCRATCH.words[: len(code)], mode="clip")
        np.add(total[block], cells, out=total[block])


class HashTally:
    """Collects row or key hashes into a sketch."""

    def __init__(self, capacity: int = ROW_CAP) -> None:
        self._capacity = capacity
        self._sketch = empty_sketch()
        self._pending: list[Hashes] = []
        self._waiting = 0

    def add(self, sums: Hashes) -> None:
        """Take in the sums of some rows; they are overwritten."""
        hashes = below_unbounded(mix(sums))
        if self._sketch.threshold < UNBOUNDED:
            hashes = hashes[hashes < U64(self._sketch.threshold)]
        self._pending.append(hashes)
        self._waiting += len(hashes)
        if self._waiting >= 2 * self._capacity:
            self._settle()

    def _settle(self) -> None:
        hashes, counts = add_up(np.concatenate(self._pending))
        if len(self._sketch.hashes):
            hashes, counts = add_up(
                np.concatenate((self._sketch.hashes, hashes)), np.concatenate((self._sketch.counts, counts))
            )
        self._sketch = bounded(hashes, counts, self._sketch.threshold, self._capacity)
        self._pending, self._waiting = [], 0

    def sketch(self) -> RowSketch:
        """Sketch of all rows taken in so far."""
        if self._pending:
            self._settle()
        return self._sketch
