"""The Merkle tree hash of a growing list (RFC 6962, section 2.1), in memory of the order of log n."""

from __future__ import annotations  # the verifier printed for auditors runs on Python 3.9

import hashlib


class MerkleTree:
    """A list of leaves, of which only the roots of full subtrees are kept."""

    def __init__(self) -> None:
        self.count = 0
        self._peaks: list[bytes] = []  # one for each 1 in the binary form of count, the largest first

    def append(self, leaf: bytes) -> None:
        """Add one leaf."""
        node = hashlib.sha256(b"\x00" + leaf).digest()
        subtrees = self.count
        while subtrees & 1:
            node = hashlib.sha256(b"\x01" + self._peaks.pop() + node).digest()
            subtrees >>= 1
        self._peaks.append(node)
        self.count += 1

    def root(self) -> str:
        """Digest over all leaves so far, ``sha256:…``."""
        if not self._peaks:
            return f"sha256:{hashlib.sha256(b'').hexdigest()}"
        node = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            node = hashlib.sha256(b"\x01" + peak + node).digest()
        return f"sha256:{node.hex()}"
