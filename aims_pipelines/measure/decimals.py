"""Decimals, and integers of 64 bits: numbers of which float64 does not tell all apart."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from aims_pipelines.measure.buffers import Floats, Hashes, fixed_width, text_buffers
from aims_pipelines.stats.hashing import hash_texts

#: Every whole number below has a float64 of its own.
EXACT_INTEGER = 1 << 53
#: Every decimal of no more digits has a float64 of its own.
EXACT_DIGITS = 15
#: Largest power of ten that is a float64.
_EXACT_POWER = 22
#: Whole numbers that certainly fit into 64 bits.
_FITS_INTEGER = r"^-?(\d{1,18}|[1-8]\d{18})$"


def integer_words(raw: NDArray[Any], values: Floats) -> Hashes:
    """Bits of the float64 where it is exact, of the integer where it is not."""
    exact = np.abs(values) < EXACT_INTEGER
    return np.where(exact, (values + 0.0).view(np.uint64), raw.view(np.uint64) ^ np.uint64(0x7FF7 << 48))


def decimal_values(array: pa.Array) -> tuple[Floats, Hashes | None]:
    """The nearest float64 of each decimal, which Arrow's own cast misses by a bit of every third.

    Args:
        array: Decimals of any width; what stands at a null slot means nothing in the result.

    Returns:
        Values; and 64-bit words to hash in place of their bits, ``None`` where no decimal needs one.
    """
    rows, scale = len(array), array.type.scale
    values, short = np.zeros(rows), np.zeros(rows, np.bool_)
    if rows and array.type.bit_width <= 128 and 0 <= scale <= _EXACT_POWER:
        wide = array.cast(pa.decimal128(38, scale))
        low, high = np.frombuffer(wide.buffers()[1], "<i8").reshape(-1, 2)[wide.offset : wide.offset + rows].T
        short = (high == low >> 63) & (low < 10**EXACT_DIGITS) & (low > -(10**EXACT_DIGITS))
        values = low / 10.0**scale
    places = np.flatnonzero(~short)
    if not len(places):
        return values, None
    texts = pc.fill_null(array.take(pa.array(places)).cast(pa.decimal256(76, scale)).cast(pa.string()), "0")
    values[places] = fixed_width(texts.cast(pa.float64()))
    return values, _decimal_words(texts, values, places, scale)


def _decimal_words(texts: pa.Array, values: Floats, places: NDArray[np.intp], scale: int) -> Hashes:
    """Words of decimals, some of more digits than float64 tells apart: of whole ones as of integers, or of texts."""
    words = (values + 0.0).view(np.uint64)
    if scale > 0:
        texts = pc.utf8_rtrim(pc.utf8_rtrim(texts, "0"), ".")
    digits = pc.utf8_length(pc.utf8_ltrim(pc.replace_substring(texts, ".", ""), "-0"))
    whole = np.asarray(pc.match_substring_regex(texts, _FITS_INTEGER))
    if whole.any():
        integers = fixed_width(texts.filter(pa.array(whole)).cast(pa.int64()))
        words[places[whole]] = integer_words(integers, integers.astype(np.float64))
    blurred = ~whole & np.asarray(pc.greater(digits, EXACT_DIGITS))
    if blurred.any():
        written = texts.filter(pa.array(blurred)).cast(pa.large_string())
        words[places[blurred]] = hash_texts(*text_buffers(written))
    return words
