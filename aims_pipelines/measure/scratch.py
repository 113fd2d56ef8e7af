"""Working memory of the kernel: a few blocks for each thread, which stay in its core's cache."""

import threading

import numpy as np

#: Values worked on at a time. Longer blocks fall out of the second-level cache; shorter ones make threads wait for
#: each other more often, as every array operation gives Python's lock away and takes it back.
BLOCK = 1 << 15


class _Scratch(threading.local):
    def __init__(self) -> None:
        self.values, self.clean = np.empty(BLOCK), np.empty(BLOCK)
        self.words = np.empty(BLOCK, np.uint64)
        self.slots = np.empty(BLOCK, np.int64)


SCRATCH = _Scratch()
