"""From a score to the chance of a positive, learnt from a labelled reference window, with its sampling error.

The map is a logistic regression on a piecewise linear function of the score's log-odds (of two knots: Platt scaling).
Unlike bins it follows the scores between its knots, so that it stays right where rows move within a bin; unlike
isotonic regression its estimates have a joint covariance that can be carried on.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.score_table import BINS_PER_UNIT, Counts, Floats, ScoreTable

#: Fewest labelled rows of either class from which a map is learnt.
FEWEST_OF_A_CLASS = 50
#: Labelled rows of the rarer class for each knot, and most knots.
_ROWS_A_KNOT, _MOST_KNOTS = 25, 10
#: Reference labels around a score below which it counts as never seen.
FEWEST_NEAR = 10
#: A map is refused where the labels contradict it this strongly, and by so much of the rows on average.
_MISFIT_LEVEL, _MISFIT = 0.001, 0.01
_STEPS = 60
_GROUPS, _FEWEST_EXPECTED = 20, 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why there is no estimate.

    Args:
        reason: One sentence.
        rows_needed: Rows that would have sufficed, at the same shares; ``None`` where no number is known to do.
        remedy: What to do next.
    """

    reason: str
    rows_needed: int | None = None
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationMap:
    """Chance of a positive by score.

    Args:
        knots: Log-odds of the score at which the line may bend, ascending, shape (k,).
        values: Log-odds of a positive at the knots, shape (k,).
        covariance: Covariance of ``values``, shape (k, k).
        cell: Width of the cells in which reference labels were counted, in log-odds.
        seen: Reference labels in each cell by its number, those of both neighbours included.
        sparse: Share of the labelled reference rows that have fewer than ``FEWEST_NEAR`` labels around them.
        labels: Labelled reference rows.
    """

    knots: Floats
    values: Floats
    covariance: Floats
    cell: float
    seen: dict[int, int]
    sparse: float
    labels: int

    def chances(self, log_odds: Floats) -> tuple[Floats, Floats]:
        """Chance of a positive at scores, and its derivatives by ``values``; shapes (n,) and (n, k)."""
        weights = _weights(log_odds, self.knots)
        chances = _expit(weights @ self.values)
        return chances, weights * (chances * (1.0 - chances))[:, None]

    def labels_near(self, log_odds: Floats) -> Counts:
        """Reference labels with about the same score, shape (n,)."""
        cells = _cells(log_odds, self.cell)
        return np.array([self.seen.get(number, 0) for number in cells], dtype=np.int64)


def calibrate(reference: ScoreTable) -> CalibrationMap | Refusal:
    """Learn the map from the labelled rows of a reference window.

    Rows are taken as independent. The number of knots grows with the labels of the rarer class, from 2 to 10, placed
    where both classes have labels. One pseudo-row a knot with the overall share of positives keeps estimates finite.

    Args:
        reference: Scores and labels of the reference window.

    Returns:
        The map; or a refusal where a class has fewer than ``FEWEST_OF_A_CLASS`` labels, or the labels contradict the
        map (Pearson's chi-square over groups of neighbouring scores, p below 0.001, and more than 0.01 off on average).

    Source:
        Platt (1999), Advances in Large Margin Classifiers, 61-74; goodness of fit as in Hosmer & Lemeshow (1980),
        Communications in Statistics A9:1043-1069, with degrees of freedom for the fitted knots taken off.
    """
    positives, negatives = reference.positives.astype(np.float64), reference.negatives.astype(np.float64)
    rarer = int(min(positives.sum(), negatives.sum()))
    labels = reference.labelled
    if rarer < FEWEST_OF_A_CLASS:
        which = "positive" if positives.sum() <= negatives.sum() else "negative"
        return Refusal(
            reason=f"the reference has {rarer:,} {which} labels, fewer than {FEWEST_OF_A_CLASS}",
            rows_needed=math.ceil(FEWEST_OF_A_CLASS * labels / rarer) if rarer else None,
            remedy="Take a longer reference window whose labels are known.",
        )
    at = reference.log_odds
    knots = _knots(at, positives, negatives, rarer)
    values, covariance = _fit(at, positives, negatives, knots)
    expected = _expit(_weights(at, knots) @ values)
    p_value, misfit = _goodness(positives, positives + negatives, expected, len(knots))
    if p_value < _MISFIT_LEVEL and misfit > _MISFIT:
        return Refusal(
            reason=f"no smooth function of the score tells the share of positives in the reference: it is {misfit:.3f} "
            f"off on average (p {p_value:.1g})",
            remedy="Look for a reference window that mixes two models or two definitions of the label.",
        )
    counts = reference.positives + reference.negatives
    cell = _cell(at, counts)
    seen = _seen(at, counts, cell)
    thin = np.array([seen[number] < FEWEST_NEAR for number in _cells(at, cell)])
    return CalibrationMap(
        knots=knots,
        values=values,
        covariance=covariance,
        cell=cell,
        seen=seen,
        sparse=float(counts[thin].sum()) / labels,
        labels=labels,
    )


def _knots(at: Floats, positives: Floats, negatives: Floats, rarer: int) -> Floats:
    """Knots at even shares of both classes alike; at the scores themselves where these are few."""
    mass = positives / positives.sum() + negatives / negatives.sum()
    held = mass > 0.0
    if int(held.sum()) <= _MOST_KNOTS:
        return np.asarray(at[held])
    number = min(_MOST_KNOTS, max(2, rarer // _ROWS_A_KNOT))
    reached = np.cumsum(mass) / mass.sum()
    places = np.searchsorted(reached, (np.arange(number) + 0.5) / number)
    return np.unique(at[places])


def _weights(at: Floats, knots: Floats) -> Floats:
    """Weights of the knots' values at each place: linear between knots, and straight on beyond the outer ones."""
    if len(knots) == 1:
        return np.ones((len(at), 1))
    left = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
    part = (at - knots[left]) / (knots[left + 1] - knots[left])
    weights = np.zeros((len(at), len(knots)))
    rows = np.arange(len(at))
    weights[rows, left], weights[rows, left + 1] = 1.0 - part, part
    return weights


def _fit(at: Floats, positives: Floats, negatives: Floats, knots: Floats) -> tuple[Floats, Floats]:
    """Penalised maximum likelihood by Newton's method with halved steps, and the inverse of the information."""
    total = positives + negatives
    share = positives.sum() / total.sum()
    design = np.vstack([_weights(at, knots), np.eye(len(knots))])
    hits = np.concatenate([positives, np.full(len(knots), share)])
    trials = np.concatenate([total, np.ones(len(knots))])

    def likelihood(values: Floats) -> float:
        linear = design @ values
        return float(hits @ linear - trials @ np.logaddexp(0.0, linear))

    values = np.full(len(knots), math.log(share / (1.0 - share)))
    best = likelihood(values)
    for _ in range(_STEPS):
        chances = _expit(design @ values)
        information = design.T @ (design * (trials * chances * (1.0 - chances))[:, None])
        step = np.linalg.solve(information, design.T @ (hits - trials * chances))
        while (reached := likelihood(values + step)) < best - 1e-9:
            step = step / 2.0
        values, gained, best = values + step, reached - best, reached
        if gained < 1e-9:
            break
    chances = _expit(design @ values)
    information = design.T @ (design * (trials * chances * (1.0 - chances))[:, None])
    return values, np.asarray(np.linalg.inv(information), dtype=np.float64)


def _goodness(hits: Floats, trials: Floats, expected: Floats, fitted: int) -> tuple[float, float]:
    """P-value of the fit, and by how much it is off on average beyond chance, a fraction of rows."""
    from scipy.special import chdtrc

    groups = _grouped(trials, expected)
    count = int(groups[-1]) + 1
    rows, seen, told = (
        np.bincount(groups, weights=item, minlength=count) for item in (trials, hits, trials * expected)
    )
    variance = np.bincount(groups, weights=trials * expected * (1.0 - expected), minlength=count)
    freedom = count - fitted
    if freedom < 1:
        return 1.0, 0.0
    p_value = float(chdtrc(freedom, float((np.square(seen - told) / variance).sum())))
    noise = math.sqrt(2.0 / math.pi) * float(np.sqrt(variance).sum())
    return p_value, max(0.0, float(np.abs(seen - told).sum()) - noise) / float(rows.sum())


def _grouped(trials: Floats, expected: Floats) -> NDArray[np.int64]:
    """Groups of neighbouring scores: about even ones, each with enough expected rows of both classes."""
    target = trials.sum() / _GROUPS
    groups = np.zeros(len(trials), np.int64)
    group, rows, hits = 0, 0.0, 0.0
    for place, (some, chance) in enumerate(zip(trials.tolist(), expected.tolist(), strict=True)):
        if rows >= target and min(hits, rows - hits) >= _FEWEST_EXPECTED:
            group, rows, hits = group + 1, 0.0, 0.0
        groups[place] = group
        rows, hits = rows + some, hits + some * chance
    if group and min(hits, rows - hits) < _FEWEST_EXPECTED:
        groups[groups == group] = group - 1
    return groups


def _cell(at: Floats, trials: Counts) -> float:
    """A sixteenth of the range of the middle eight tenths of the scores, at most a quarter of a unit."""
    reached = np.cumsum(trials) / trials.sum()
    low, high = at[np.searchsorted(reached, [0.1, 0.9])]
    return float(min(0.25, max((high - low) / 16.0, 4.0 / BINS_PER_UNIT)))


def _seen(at: Floats, trials: Counts, cell: float) -> dict[int, int]:
    found: dict[int, int] = {}
    for number, rows in zip(_cells(at, cell), trials.tolist(), strict=True):
        for near in (number - 1, number, number + 1):
            found[near] = found.get(near, 0) + rows
    return found


def _cells(at: Floats, cell: float) -> list[int]:
    numbers: list[int] = np.floor(at / cell).astype(np.int64).tolist()
    return numbers


def _expit(values: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)), dtype=np.float64)
