"""Windows that one too small to judge is pooled with: only such as are independent of it and of the reference."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from aims_pipelines.core.errors import BadInput
from aims_pipelines.stats.merge import merge
from aims_pipelines.stats.profile import Profile
from aims_pipelines.stats.rows import shared_rows

#: Share of repeated rows, and of repeated unique keys, from which two windows are not two samples.
_REPEATED_ROWS = 0.1
_REPEATED_KEYS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A window together with some before it.

    Args:
        profile: Their profile.
        windows: How many there are besides the window itself.
        repeated: Windows left out because they hold rows that are in the pool or in the reference already.
        unlike: Windows left out because they have other columns or groups.
    """

    profile: Profile
    windows: int
    repeated: int
    unlike: int


def pool(
    window: Profile,
    preceding: Sequence[Profile],
    *,
    reference: Profile,
    needed: int,
    unique: Collection[str] = (),
) -> Pool:
    """Add windows, the newest first, until there are enough rows.

    Rows that were judged before, or that the reference is made of, would show again what they have shown already, or
    thin out what is to be found. Rows are told by their hashes, where profiles still have them.

    Args:
        window: The window that is judged.
        preceding: Windows before it, newest first.
        reference: What it is judged against.
        needed: Rows that are enough; 0 for as many as there are.
        unique: Columns whose values may occur only once.
    """
    whole, windows, repeated, unlike = window, 0, 0, 0
    for earlier in preceding:
        if needed and whole.rows >= needed:
            break
        if any(_repeats(earlier, other, unique) for other in (reference, whole)):
            repeated += 1
            continue
        try:
            whole = merge(whole, earlier)
        except BadInput:
            unlike += 1
            continue
        windows += 1
    return Pool(profile=whole, windows=windows, repeated=repeated, unlike=unlike)


def _repeats(earlier: Profile, other: Profile, unique: Collection[str]) -> bool:
    """Whether a window holds rows of another one: more of them than come again by chance."""
    keys = [name for name in unique if name in earlier.key_sketches and name in other.key_sketches]
    for name in keys:
        shared = shared_rows(earlier.key_sketches[name], other.key_sketches[name])
        if shared.rows > _REPEATED_KEYS * earlier.rows:
            return True
    mine, theirs = earlier.row_sketch, other.row_sketch
    if mine is None or theirs is None or not earlier.rows:
        return False
    # Rows of few codes come again by chance: as often as those of the other window that occur in it more than once.
    rows = int(theirs.counts.sum())
    by_chance = 1.0 - int((theirs.counts == 1).sum()) / rows if rows else 0.0
    return shared_rows(mine, theirs).rows / earlier.rows > _REPEATED_ROWS + by_chance
