"""A few distinct numbers, told apart by a perfect hash that is found as they turn up."""

from itertools import count

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.measure.scratch import SCRATCH
from aims_pipelines.stats.profile import ATOM_CAP

Floats = NDArray[np.float64]
Slots = NDArray[np.int64]
_GLANCE = 4096


class Atoms:
    """Distinct values in the order of their discovery, at most ``ATOM_CAP``."""

    def __init__(self) -> None:
        self.values: Floats = np.zeros(0)
        self._bits = np.zeros(1, np.uint64)
        self._multiplier = np.uint64(0x9E3779B97F4A7C15)
        self._table_bits = 1
        self._table: Slots = np.zeros(1, np.int64)

    def count(self, block: Floats) -> Slots | None:
        """Count each value by its number, taking in new ones.

        Args:
            block: At most ``BLOCK`` values, none NaN.

        Returns:
            Counts; ``None`` if there would be more than ``ATOM_CAP`` distinct values.
        """
        slots, words = SCRATCH.slots[: len(block)], SCRATCH.words[: len(block)]
        values = np.add(block, 0.0, out=SCRATCH.clean[: len(block)])  # -0.0 becomes 0.0
        bits = values.view(np.uint64)
        if not len(self.values) and not self._extend(values[:_GLANCE]):
            return None
        while True:
            np.multiply(bits, self._multiplier, out=words)
            np.right_shift(words, np.uint64(64 - self._table_bits), out=words)
            self._table.take(words.view(np.int64), out=slots, mode="clip")
            self._bits.take(slots, out=words, mode="clip")
            unknown = np.not_equal(words, bits)
            if not unknown.any():
                return np.bincount(slots, minlength=len(self.values))
            if not self._extend(values[unknown][:_GLANCE]):
                return None

    def _extend(self, values: Floats) -> bool:
        fresh = np.setdiff1d(values, self.values)
        if len(self.values) + len(fresh) > ATOM_CAP:
            return False
        self.values = np.concatenate((self.values, fresh))
        self._bits = self.values.view(np.uint64)
        self._lay_out()
        return True

    def _lay_out(self) -> None:
        """Find a multiplier under which no two values meet; the table grows if that takes long."""
        # Twice as many bits as number the values, less two: about every seventh multiplier will do.
        self._table_bits = max(self._table_bits, 2 * (len(self.values) - 1).bit_length() - 2, 6)
        for attempt in count(1):
            places = (self._bits * self._multiplier) >> np.uint64(64 - self._table_bits)
            if len(np.unique(places)) == len(places):
                break
            # Knuth's MMIX generator walks the odd multipliers.
            step = int(self._multiplier) * 6364136223846793005 + 1442695040888963407
            self._multiplier = np.uint64((step & ((1 << 64) - 1)) | 1)
            self._table_bits += attempt % 32 == 0
        self._table = np.zeros(1 << self._table_bits, np.int64)
        self._table[places.astype(np.int64)] = np.arange(len(self.values))
