"""Whether the windows of a reference are themselves in control, and which are not.

Each window is held against all others by Student's t, the worst taken out and the rest looked at again; then each place
at which the level could have changed. The chance of a false report on a reference in control is at most the level, half
of it for either search (Bonferroni over windows and places).

Sources: Thompson (1935), Annals of Mathematical Statistics 6:214-219, and Rosner (1983), Technometrics 25:165-172, for
single windows; Sullivan & Woodall (1996), Journal of Quality Technology 28:265-278, for the change of level.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aims_pipelines.stats.self_starting import Floats, between_variance, expectation

LEVEL = 0.01
_LARGEST_SHARE_OUT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Oddity:
    """Something out of control within a reference.

    Args:
        windows: Places of the windows concerned, counted from 0.
        change: Whether the level changed with the first of them; otherwise they lie by themselves.
        p_value: Chance of as much in a reference in control, adjusted for the search.
    """

    windows: tuple[int, ...]
    change: bool
    p_value: float


def odd_windows(
    values: Floats, sampling: Floats, *, least: bool = False, level: float = LEVEL
) -> tuple[Oddity, ...]:
    """Search the windows of a reference for what is out of control.

    Args:
        values: One a window, shape (k,), finite.
        sampling: As :func:`aims_pipelines.stats.self_starting.expectation`.
        least: As there.
        level: Chance of a false report on a reference in control.

    Returns:
        What was found, single windows first; nothing with fewer than five windows.
    """
    kept = list(range(len(values)))
    found: list[Oddity] = []
    while len(kept) >= 5 and len(found) < len(values) // _LARGEST_SHARE_OUT:
        worst, p_value = _farthest(values[kept], sampling[kept], least=least)
        if not p_value < level / 2.0:
            break
        found.append(Oddity(windows=(kept.pop(worst),), change=False, p_value=p_value))
    if len(kept) >= 5:
        at, p_value = _change(values[kept], sampling[kept], least=least)
        if p_value < level / 2.0:
            found.append(Oddity(windows=tuple(kept[at:]), change=True, p_value=p_value))
    return tuple(found)


def _farthest(values: Floats, sampling: Floats, *, least: bool) -> tuple[int, float]:
    """The window farthest from all others, and its p-value adjusted for the number of windows."""
    from scipy.special import ndtr

    others = ~np.eye(len(values), dtype=bool)
    scores = np.zeros(len(values))
    for place, rest in enumerate(others):
        expected = expectation(values[rest], sampling[rest], float(sampling[place]), least=least)
        if expected is not None:
            scores[place] = abs(expected.score(float(values[place])))
        elif float(values[place]) != float(values[rest][0]):
            scores[place] = math.inf  # all others are equal
    worst = int(scores.argmax())
    return worst, min(1.0, 2.0 * float(ndtr(-scores[worst])) * len(values))


def _change(values: Floats, sampling: Floats, *, least: bool) -> tuple[int, float]:
    """The place before which and from which on levels differ most, and the p-value adjusted for the places."""
    from scipy.special import stdtr

    count = len(values)
    if float(np.ptp(values)) == 0.0:
        return 0, 1.0
    weights = 1.0 / (between_variance(values, sampling) + sampling) if sampling.any() else np.ones(count)
    best, at = 0.0, 0
    places: Sequence[int] = range(2, count - 1)
    for place in places:
        parts = (slice(None, place), slice(place, None))
        sums = [float(weights[part].sum()) for part in parts]
        means = [float(weights[part] @ values[part]) / total for part, total in zip(parts, sums, strict=True)]
        within = sum(
            float(weights[part] @ np.square(values[part] - mean))
            for part, mean in zip(parts, means, strict=True)
        )
        if least:  # windows that are more alike than sampling allows have no level that could change
            within = max(within, float(count - 2))
        gap = abs(means[1] - means[0])
        error = math.sqrt(within / (count - 2) * sum(1.0 / total for total in sums))
        ratio = gap / error if error > 0.0 else math.inf if gap > 0.0 else 0.0
        if ratio > best:
            best, at = ratio, place
    return at, min(1.0, 2.0 * float(stdtr(count - 2, -best)) * len(places))
