"""64-bit hashes that mean the same on every machine, in every version: they name categories and rows in
sketches.

Not secret and not collision-proof against somebody who tries; two of n values collide by chance with
probability n**2 / 2**65 (for ten million values: 3e-6).
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

U64 = np.uint64
_GOLDEN = U64(0x9E3779B97F4A7C15)
_FIRST = U64(0xBF58476D1CE4E5B9)
_SECOND = U64(0x94D049BB133111EB)
#: Longest text, in bytes, that is hashed word by word.
WORDWISE = 128
_LARGEST = U64((1 << 64) - 2)


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit words, one to one, in place.

    Args:
        values: Words to scramble; overwritten.

    Returns:
        The same array.

    Source:
        Steele, Lea, Flood (2014), Fast splittable pseudorandom number generators, OOPSLA; Stafford's variant
        13.
    """
    scratch = np.empty_like(values)
    for shift, factor in ((30, _FIRST), (27, _SECOND)):
        np.right_shift(values, U64(shift), out=scratch)
        np.bitwise_xor(values, scratch, out=values)
        np.multiply(values, factor, out=values)
    np.right_shift(values, U64(31), out=scratch)
    np.bitwise_xor(values, scratch, out=values)
    return values


def below_unbounded(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Keep hashes clear of the one word that means that a sketch has let nothing go, in place."""
    return np.minimum(values, _LARGEST, out=values)


def hash_texts(data: NDArray[np.uint8], offsets: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Hash byte strings that lie end to end.

    Up to ``WORDWISE`` bytes: the length, then each (at least one) 8-byte little-endian word, zero padded, is
    xored in and mixed. Longer: BLAKE2b of 8 bytes, little endian.

    Args:
        data: All bytes, shape (m,).
        offsets: Where each string starts, and where the last one ends, ascending, shape (n + 1,).

    Returns:
        One hash a string, shape (n,), none of them 2**64 - 1.
    """
    offsets = offsets.astype(np.int64, copy=False)
    starts, lengths = offsets[:-1], np.diff(offsets)
    hashes = mix((lengths.astype(U64) + U64(1)) * _GOLDEN)
    if not len(lengths):
        return hashes
    longest = int(lengths.max())
    padded = np.zeros(len(data) + 16, np.uint8)
    padded[: len(data)] = data
    words = np.lib.stride_tricks.as_strided(padded[:8].view("<u8"), (len(data) + 8,), (1,))
    for position in range(0, max(1, min(longest, WORDWISE)), 8):
        left = lengths - position
        active = (
            np.flatnonzero(((left > 0) | (position == 0)) & (lengths <= WORDWISE))
            if position or longest > WORDWISE
            else None
        )
        at = starts + position if active is None else starts[active] + position
        left = left if active is None else left[active]
        word = words[at].astype(U64)
        partial = np.minimum(left, 8)
        # Bytes behind the end belong to the next string: shift them out, and back.
        gap = ((8 - partial) * 8).astype(U64)
        spare = gap == 64
        gap[spare] = 0
        word = (word << gap) >> gap
        word[spare] = 0
        if active is None:
            hashes = mix((hashes ^ word) + _GOLDEN)
        else:
            hashes[active] = mix((hashes[active] ^ word) + _GOLDEN)
    for index in np.flatnonzero(lengths > WORDWISE):
        text = data[starts[index] : starts[index] + lengths[index]].tobytes()
        hashes[index] = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
    return below_unbounded(hashes)


def hash_labels(labels: Sequence[str]) -> NDArray[np.uint64]:
    """Hash texts by their UTF-8 bytes, as :func:`hash_texts` does; lone surrogates keep their own bytes."""
    encoded = [label.encode("utf-8", "surrogatepass") for label in labels]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    return hash_texts(np.frombuffer(b"".join(encoded), np.uint8), offsets)
