"""The windows of a chart: which are known, on what scale they are charted, and what was learnt from them so far."""

import math
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.reference_windows import Oddity, odd_windows
from aims_pipelines.stats.self_starting import Expectation, Floats, expectation, too_alike

#: Fewest known windows from which anything is expected.
FEWEST_KNOWN = 5
_FEW = 25.0
Places = NDArray[np.int64]


class Scale(StrEnum):
    """On which scale windows vary alike."""

    PLAIN = "plain"
    LOG = "log"  # a size or distance above 0, charted by its logarithm
    RATE = "rate"  # a share of rows, charted by its arcsine, whose variance does not depend on the share


#: Between these values squares and their sums keep their digits.
_SMALL, _LARGE = 1e-100, 1e100


class ChartedWindows:
    """Windows, some of which were learnt from.

    Args:
        values: The statistic of each; NaN where missing.
        errors: Its standard errors, ``None`` if unknown.
        rows: Rows of each, ``None`` if unknown; rates need them.
        scale: On which scale windows vary alike.

    Source:
        Anscombe (1948), Biometrika 35:246-254, for the arcsine of a share.
    """

    def __init__(
        self,
        values: Sequence[float],
        errors: Sequence[float] | None,
        rows: Sequence[int] | None,
        scale: Scale,
    ) -> None:
        self.values = np.asarray(values, np.float64)
        self.scale = scale
        self._errors = None if errors is None or scale is Scale.RATE else np.asarray(errors, np.float64)
        self._rows = None if rows is None else np.asarray(rows, np.float64)
        self._unit = _unit(self.values) if scale is Scale.PLAIN else 1.0
        self._charted = self.values / self._unit
        if self._errors is not None:
            self._errors = self._errors / self._unit
        if scale is Scale.RATE:
            self._charted = self._arcsines()
        elif scale is Scale.LOG:
            with np.errstate(invalid="ignore", divide="ignore"):
                self._charted = np.log(self.values)
                self._errors = None if self._errors is None else self._errors / self.values
        self._learnt: list[int] = []

    def unknown(self, place: int) -> str:
        """Why a window says nothing; empty if it does."""
        value = float(self.values[place])
        if self._rows is not None and not self._rows[place] > 0.0:
            return "it has no rows"
        if not math.isfinite(value):
            return "the statistic is missing" if math.isnan(value) else "the statistic is infinite"
        if self.scale is Scale.RATE and not 0.0 <= value <= 1.0:
            return "a rate outside [0, 1]"
        if self.scale is Scale.LOG and not value > 0.0:
            return "a value above 0 is needed"
        if self._errors is not None:
            error = float(self._errors[place])
            if not 0.0 <= error < math.inf:
                return "its standard error is unknown"
            if error == 0.0 and self._rows is None:
                return "its standard error is 0, as if it were known without doubt"
        return ""

    def learn(self, place: int) -> None:
        """Let a known window count in what is expected of later ones."""
        self._learnt.append(place)

    @property
    def learnt(self) -> tuple[int, ...]:
        """Places of the windows that count, in order."""
        return tuple(self._learnt)

    def expected(self, place: int) -> Expectation | None:
        """What is expected of a known window from those learnt; ``None`` with too few, or constant ones."""
        if len(self._learnt) < FEWEST_KNOWN:
            return None
        at = np.array(self._learnt, np.int64)
        sampling = self._sampling(np.append(at, place), at)
        return expectation(
            self._charted[at], sampling[:-1], float(sampling[-1]), least=self.scale is Scale.RATE
        )

    def why_unexpected(self) -> str:
        """Why nothing could be expected of a known window."""
        if len(self._learnt) < FEWEST_KNOWN:
            return f"{len(self._learnt)} known windows before it, {FEWEST_KNOWN} are needed"
        return "the windows before it are all alike, so that nothing tells how far apart they may lie"

    def oddities(self, *, before: int, level: float) -> tuple[Oddity, ...]:
        """What is out of control among the windows learnt from before a place, at a chance of a false report."""
        places = [place for place in self._learnt if place < before]
        at = np.array(places, np.int64)
        if len(at) < FEWEST_KNOWN:
            return ()
        found = odd_windows(
            self._charted[at], self._sampling(at, at), least=self.scale is Scale.RATE, level=level
        )
        return tuple(replace(odd, windows=tuple(places[place] for place in odd.windows)) for odd in found)

    def resemblance(self) -> float:
        """Chance that neighbouring windows resemble one another as they do, if each were drawn by itself.

        Source:
            Von Neumann (1941), Annals of Mathematical Statistics 12:367-395, with the normal approximation.
        """
        from scipy.special import ndtr

        at = np.array(self._learnt, np.int64)
        charted, count = self._charted[at], len(at)
        if count < FEWEST_KNOWN or not (spread := float(np.square(charted - charted.mean()).sum())) > 0.0:
            return 1.0
        if self.scale is Scale.RATE:
            weighted = float((np.square(charted - charted.mean()) / self._sampling(at, at)).sum())
            if too_alike(weighted, count - 1):
                return 1.0  # as of a rate that is always 0: what is left are the numbers of rows
        ratio = float(np.square(np.diff(charted)).sum()) / spread
        centre, variance = (
            2.0 * count / (count - 1),
            4.0 * count**2 * (count - 2) / ((count + 1) * (count - 1) ** 3),
        )
        return float(ndtr((ratio * count / (count - 1) - centre) / math.sqrt(variance)))

    def score(self, place: int, expected: Expectation) -> float:
        """Standard normal score of a window against what was expected of it."""
        score = expected.score(float(self._charted[place]))
        if self.scale is not Scale.RATE:
            return score
        return self._as_rare(place, score)

    def shown(self, place: int, charted: float) -> float:
        """Where a charted value would lie among the values, for a window of as many rows."""
        if self.scale is not Scale.RATE:
            return charted * self._unit if self.scale is Scale.PLAIN else math.exp(min(charted, 700.0))
        assert self._rows is not None  # noqa: S101 - rates have rows
        rows = float(self._rows[place])
        share = math.sin(min(max(charted, 0.0), math.pi) / 2.0) ** 2
        return min(max((share * (rows + 0.75) - 0.375) / rows, 0.0), 1.0)

    def _arcsines(self) -> Floats:
        assert self._rows is not None  # noqa: S101 - as above
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = (self.values * self._rows + 0.375) / (self._rows + 0.75)
            return np.asarray(2.0 * np.arcsin(np.sqrt(shares)), np.float64)

    def _sampling(self, at: Places, known: Places) -> Floats:
        """Variances of windows due to sampling; with rows, from the variance of a single row over known windows."""
        if self.scale is Scale.RATE:
            assert self._rows is not None  # noqa: S101 - as above
            return 1.0 / (self._rows[at] + 0.5)
        if self._errors is None:
            return np.zeros(len(at))
        if self._rows is None:
            return np.square(self._errors[at])
        rows = self._rows[known]
        single = float(np.square(rows * self._errors[known]).sum() / rows.sum())
        return single / self._rows[at]

    def _as_rare(self, place: int, score: float) -> float:
        """Let the score of a rate of few cases not exceed that of the exact test against the windows before.

        Few cases leave gaps between the possible rates, and between them and their arcsines, that the normal curve does
        not know of. Given the cases of all windows together, those of this one are binomial; half of what was seen
        counts.

        Source:
            Hawkins & Olwell (1998), chapter 7, for self-starting charts of counts.
        """
        from scipy.special import bdtr, ndtri

        assert self._rows is not None  # noqa: S101 - as above
        at = np.array(self._learnt, np.int64)
        rows, before = float(self._rows[place]), float(self._rows[at].sum())
        cases, known = float(self.values[place]) * rows, float(self.values[at] @ self._rows[at])
        sign = 1.0
        if known > before / 2.0:  # count the rarer outcome
            cases, known, score, sign = rows - cases, before - known, -score, -1.0
        if rows * known / before >= _FEW:
            return sign * score
        seen, total, part = round(cases), round(cases + known), rows / (rows + before)
        below = float(bdtr(seen - 1, total, part)) if seen > 0 else 0.0
        tail = (below + float(bdtr(seen, total, part))) / 2.0
        exact = -float(ndtri(1.0 - tail)) if tail > 0.5 else float(ndtri(tail))
        if exact * score <= 0.0:
            return 0.0
        return sign * math.copysign(min(abs(score), abs(exact)), score)


def _unit(values: Floats) -> float:
    """A power of two by which values are charted, so that neither huge nor tiny ones spoil squares; mostly 1."""
    finite = np.abs(values[np.isfinite(values)])
    largest = float(finite.max(initial=0.0))
    return (
        1.0 if _SMALL <= largest <= _LARGE or largest == 0.0 else math.ldexp(1.0, math.frexp(largest)[1] - 1)
    )
