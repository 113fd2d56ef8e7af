"""Whether one window holds values that the other lacks, of columns with too many categories to name them.

Hash buckets do not tell it: where thousands of rare categories share each bucket, all of them can give way to others
and hardly any bucket changes. But all windows keep the counts of the categories with the smallest hashes, a random
sample that is the same for all. In it the rows are counted whose category the other window has not, and held against
what sampling alone leaves unseen: a window of n rows in which f categories occur once misses those of about f / n of
all rows (Good–Turing). Where hardly any value comes twice, that is nearly all of them, and nothing can be told.

Source:
    Good (1953), The population frequencies of species and the estimation of population parameters, Biometrika
    40:237-264; the sample as in :mod:`aims_pipelines.stats.sketches`.
"""

from collections.abc import Sequence

import numpy as np

from aims_pipelines.stats.categories import category_sample
from aims_pipelines.stats.profile import UNBOUNDED, Categories
from aims_pipelines.stats.tails import Floats, normal

#: Fewest categories of the sample that one window has and the other lacks, for a normal tail to hold.
_FEWEST = 20
#: P-value at which values new in the current window are told, even if those gone from it are shown more strongly.
_PLAIN = 1e-6


def new_values(
    reference: Sequence[Categories | None], current: Sequence[Categories | None], *, harmless: float
) -> tuple[Floats, Floats]:
    """Ask how many rows have values that the other window lacks, beyond those that sampling leaves unseen.

    Args:
        reference: Categories of the column in the reference window, one a unit.
        current: The same of the current window.
        harmless: Share of the rows, in [0, 1), that may have new values without being tested for.

    Returns:
        One p-value a unit, of the stronger of both directions, adjusted for asking both, 1 where fewer than 20
        sampled categories are new; and the share of rows beyond what is expected: positive for values new in the
        current window, negative for values gone from it, 0 where there are none.
    """
    p, share = np.ones(len(reference)), np.zeros(len(reference))
    for unit, (was, now) in enumerate(zip(reference, current, strict=True)):
        if was is None or now is None:
            continue
        came, went = _unseen(now, was, harmless), _unseen(was, now, harmless)
        p[unit] = min(1.0, 2.0 * min(came[0], went[0]))
        share[unit] = came[1] if came[0] <= max(went[0], _PLAIN) else -went[1]
    return p, share


def _unseen(rows: Categories, base: Categories, harmless: float) -> tuple[float, float]:
    """P-value and excess of the share of rows whose category the base lacks."""
    theirs, known = category_sample(rows), category_sample(base)
    below = min(theirs.threshold, known.threshold)
    kept = len(theirs.hashes) if below >= UNBOUNDED else int(np.searchsorted(theirs.hashes, np.uint64(below)))
    lacking = ~np.isin(theirs.hashes[:kept], known.hashes, assume_unique=True)
    new = theirs.counts[:kept][lacking].astype(np.float64)
    once = float(np.count_nonzero(known.counts == 1))
    total, seen = _rows(rows) * _sampled(below), _rows(base) * _sampled(known.threshold)
    if new.size < _FEWEST or not seen > 0.0:
        return 1.0, 0.0
    excess = float(new.sum() / total - once / seen)
    # An error of its own for each sampled category, not for each row: one category brings all its rows.
    variance = float(np.square(new).sum()) / total**2 + once / seen**2
    beyond = max(0.0, excess - harmless)
    return float(normal(np.array(beyond / np.sqrt(variance)))) if beyond else 1.0, min(1.0, max(0.0, excess))


def _rows(categories: Categories) -> int:
    return sum(categories.counts.values()) + categories.other


def _sampled(threshold: int) -> float:
    """Part of all categories whose hashes lie below the threshold."""
    return 1.0 if threshold >= UNBOUNDED else threshold / 2.0**64
