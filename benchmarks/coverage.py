"""Whether intervals hold the truth as often as they say, small groups included.

Intervals of rates are followed over every outcome, weighted by its chance, and averaged over rates: no randomness is
left. Others are simulated. A public interval that nobody taught this benchmark to draw for is named in the table.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import binom, multinomial, norm

from aims_pipelines.measure import profile_table
from aims_pipelines.stats import calibration, classification, intervals, regression
from aims_pipelines.stats.amplification import DecisionCount, largest_growth
from aims_pipelines.stats.estimates import Estimate, difference, mean, unknown
from aims_pipelines.stats.proxies import proxy_strength
from benchmarks.report import Goal, Report, Table

Floats = NDArray[np.float64]
Limits = tuple[float, float]
Measured = tuple[Estimate, float]

CONFIDENCE = 0.95
_SEED = 20260101
#: Members of a group from which coverage of rates is held to a point.
SMALLEST = 10
#: Families of rates: all, and the small ones in which counts are coarsest.
_RATES = ((0.05, 0.95), (0.02, 0.5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Coverage of one interval at one size.

    Args:
        name: What is estimated.
        size: Members, for people.
        held: Whether it is held to a point at this size.
        coverage: Share of samples whose interval held the truth.
        error: Standard error of that share; 0 where nothing was simulated.
    """

    name: str
    size: str
    held: bool
    coverage: float
    error: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoRates:
    """An interval of a figure of two rates."""

    limits: Callable[..., Limits]
    truth: Callable[[float, float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """A figure of a sample, and how to draw a sample of which it is known.

    Args:
        draw: Sample of some members, of one of several shapes in turn, to its estimate and what it estimates.
        sizes: Members of samples.
        smallest: Members from which it is held to a point.
        unit: What is counted, if not all members.
        trials: Share of the samples that are drawn, where one takes long.
    """

    draw: Callable[[np.random.Generator, int, int], Measured]
    sizes: tuple[int, ...] = (10, 20, 50, 200, 1_000)
    smallest: int = 20
    unit: str = ""
    trials: float = 1.0


#: Public intervals of ``stats.intervals`` over counts of two groups, and what they are about.
TWO_RATES: Mapping[str, TwoRates] = {
    "newcombe": TwoRates(limits=intervals.newcombe, truth=lambda p, q: p - q),
    "ratio": TwoRates(limits=intervals.ratio, truth=lambda p, q: p / q),
}
_TWO_SIZES = ((5, 5), (10, 10), (10, 20), (10, 100), (30, 30), (100, 100))
_ONE_SIZES = (5, 10, 20, 50, 200)
_PAIRED_SIZES = (10, 20, 50, 100)


def _area(rng: np.random.Generator, turn: int, positives: int) -> Measured:
    """Scores of four times as many negatives; positives lie 0 to 3 deviations higher and vary alike, half or twice."""
    apart, wider = ((0.0, 1.0), (1.0, 1.0), (2.0, 1.0), (3.0, 1.0), (1.5, 2.0), (1.5, 0.5))[turn % 6]
    labels = np.repeat([1.0, 0.0], [positives, 4 * positives])
    scores = np.r_[rng.normal(apart, wider, positives), rng.standard_normal(4 * positives)]
    return classification.roc_auc(labels, scores), float(norm.cdf(apart / math.hypot(1.0, wider)))


def _decisions(rng: np.random.Generator, n: int, *, share: float, right: Limits) -> tuple[Floats, Floats]:
    """Labels with a share of positives, and decisions that are right for shares of the positives and the others."""
    labels = (rng.random(n) < share).astype(np.float64)
    good = rng.random(n) < np.where(labels == 1.0, *right)
    return labels, np.where(good, labels, 1.0 - labels)


def _accuracy(rng: np.random.Generator, turn: int, n: int) -> Measured:
    share, right = (0.1, 0.3, 0.5)[turn % 3], (rng.uniform(0.5, 0.9), rng.uniform(0.7, 0.98))
    decided = _decisions(rng, n, share=share, right=right)
    return classification.accuracy(*decided), share * right[0] + (1.0 - share) * right[1]


def _balanced(rng: np.random.Generator, turn: int, n: int) -> Measured:
    right = rng.uniform(0.5, 0.9), rng.uniform(0.7, 0.98)
    decided = _decisions(rng, n, share=(0.2, 0.3, 0.5)[turn % 3], right=right)
    return classification.balanced_accuracy(*decided), sum(right) / 2.0


def _gain(rng: np.random.Generator, turn: int, n: int) -> Measured:
    share, right = (0.1, 0.3, 0.5)[turn % 3], (rng.uniform(0.3, 0.9), rng.uniform(0.7, 0.98))
    decided = _decisions(rng, n, share=share, right=right)
    return classification.gain(*decided, trivial=0.0), share * right[0] - (1.0 - share) * (1.0 - right[1])


def _numbers(rng: np.random.Generator, turn: int, n: int) -> tuple[Floats, Floats, float]:
    """Outcomes, predictions of variance 4, and the standard deviation of normal errors."""
    predicted, error = rng.standard_normal(n) * 2.0, (0.5, 1.0, 2.0, 4.0)[turn % 4]
    return predicted + rng.standard_normal(n) * error, predicted, error


def _absolute_error(rng: np.random.Generator, turn: int, n: int) -> Measured:
    truth, predicted, error = _numbers(rng, turn, n)
    return regression.mean_absolute_error(truth, predicted), error * math.sqrt(2.0 / math.pi)


def _r_squared(rng: np.random.Generator, turn: int, n: int) -> Measured:
    truth, predicted, error = _numbers(rng, turn, n)
    return regression.r_squared(truth, predicted), 4.0 / (4.0 + error**2)


def _unexplained(rng: np.random.Generator, turn: int, n: int) -> Measured:
    truth, predicted, error = _numbers(rng, turn, n)
    return regression.unexplained(truth, predicted, variance=4.0), error**2 / 4.0


def _mean(rng: np.random.Generator, turn: int, n: int) -> Measured:
    if turn % 2:
        return mean(rng.exponential(size=n)), 1.0
    return mean(rng.standard_normal(n)), 0.0


def _two_means(rng: np.random.Generator, turn: int, n: int) -> Measured:
    wider = (1.0, 2.0)[turn % 2]
    return difference(mean(rng.normal(1.0, 1.0, n)), mean(rng.normal(0.5, wider, 2 * n))), 0.5


_OFF = ((0.7, 0.0), (0.5, 0.0), (1.0, 0.5), (1.0, 1.0))
_TRUE_ERRORS: dict[int, float] = {}


def _calibration(rng: np.random.Generator, turn: int, n: int) -> Measured:
    """Probabilities that say more than they know, or all too little."""
    turn %= len(_OFF)
    damping, shift = _OFF[turn]

    def drawn(rows: int) -> tuple[Floats, Floats]:
        logit = rng.normal(0.0, 1.5, rows)
        return 1.0 / (1.0 + np.exp(-logit)), 1.0 / (1.0 + np.exp(-logit * damping - shift))

    if turn not in _TRUE_ERRORS:
        scores, shares = drawn(500_000)
        parts = np.array_split(np.argsort(scores), 10)
        _TRUE_ERRORS[turn] = float(
            np.mean([abs(scores[part].mean() - shares[part].mean()) for part in parts])
        )
    scores, shares = drawn(n)
    labels = (rng.random(n) < shares).astype(np.float64)
    return calibration.calibration_error(labels, scores), _TRUE_ERRORS[turn]


def _group_calibration(rng: np.random.Generator, turn: int, n: int) -> Measured:
    """Given the scores of the rows: right, all too low, and saying more than they know."""
    damping, shift, spread = ((1.0, 0.0, 1.5), (1.0, 0.7, 1.5), (0.4, 0.0, 3.0), (1.0, 0.0, 0.5))[turn % 4]
    logit = rng.normal(-1.0, spread, n)
    scores, shares = 1.0 / (1.0 + np.exp(-logit)), 1.0 / (1.0 + np.exp(-logit * damping - shift))
    labels = (rng.random(n) < shares).astype(np.float64)
    return calibration.observed_to_expected(labels, scores), float(shares.sum() / scores.sum())


def _amplification(rng: np.random.Generator, _turn: int, n: int) -> Measured:
    """Two groups, one three times the other; 2 to 20 % of either are wrongly selected, and missed."""
    wrongly, missed, other_wrongly, other_missed = rng.uniform(0.02, 0.2, 4)
    groups = {}
    for name, rows, x, y, everybody in (
        ("a", n, wrongly, missed, True),
        ("b", 3 * n, other_wrongly, other_missed, False),
    ):
        # All others of one group are positive and of the other negative: the direction is beyond doubt.
        selected, left, _ = (int(count) for count in rng.multinomial(rows, [x, y, 1.0 - x - y]))
        positive = rows - selected if everybody else left
        groups[name] = DecisionCount(total=rows, positive=positive, wrongly_selected=selected, missed=left)
    found = largest_growth(groups, confidence=CONFIDENCE)
    truth = float(wrongly - missed - other_wrongly + other_missed)
    if found is None:
        return unknown(4 * n), truth
    return Estimate(value=found.value, n=4 * n, interval=lambda _: found.interval), truth


def _strength(rng: np.random.Generator, turn: int, n: int) -> Measured:
    """A feature of four values that tells a group of a fifth or a half of the rows, much or little."""
    share, slope = ((0.5, 0.5), (0.5, 1.0), (0.2, 0.5), (0.2, 1.0))[turn % 4]
    shares = 1.0 / (1.0 + np.exp(-(np.linspace(-2.0, 2.0, 4) * slope + math.log(share / (1.0 - share)))))
    middle = float(shares.mean())
    truth = math.sqrt(float(np.square(shares - middle).mean()) / (middle * (1.0 - middle)))
    cells = rng.integers(0, 4, n)
    inside = rng.random(n) < shares[cells]
    columns = {
        str(part): profile_table(pa.table({"x": cells[inside == part].astype(str)}), rows=False).columns["x"]
        for part in (True, False)
        if (inside == part).any()
    }
    found = proxy_strength(columns, confidence=CONFIDENCE) if len(columns) == 2 else None
    if found is None:
        return unknown(n), truth
    return Estimate(value=found.value, n=n, interval=lambda _: found.interval), truth


SAMPLED: Mapping[str, Sampled] = {
    "area under the ROC curve": Sampled(
        draw=_area, sizes=(5, 10, 30, 100), smallest=10, unit="positives, four times as many others"
    ),
    "accuracy": Sampled(draw=_accuracy),
    "balanced accuracy": Sampled(draw=_balanced, smallest=50),
    "gain over always answering 0": Sampled(draw=_gain, smallest=50),
    "calibration error": Sampled(draw=_calibration, sizes=(50, 100, 200, 1_000), smallest=200),
    "observed to expected of a group": Sampled(draw=_group_calibration),
    "bias amplification": Sampled(
        draw=_amplification, sizes=(10, 20, 50, 200), smallest=50, unit="and three times as many"
    ),
    "proxy strength (at least)": Sampled(draw=_strength, sizes=(50, 200, 1_000), smallest=50, trials=0.25),
    "mean absolute error": Sampled(draw=_absolute_error, smallest=10),
    "unexplained share": Sampled(draw=_unexplained),
    "R squared": Sampled(draw=_r_squared),
    "mean": Sampled(draw=_mean),
    "difference of two means": Sampled(draw=_two_means),
}


def run(*, quick: bool) -> Report:
    """Follow and simulate; about three minutes."""
    lines = [
        *_of_one_rate(),
        *_of_two_rates(30 if quick else 400),
        *_of_paired_rates(20 if quick else 200),
        *_of_samples(60 if quick else 8_000),
    ]
    return Report(
        name="coverage",
        title=f"How often intervals of {CONFIDENCE:.0%} hold the truth",
        tables=(
            Table(
                title="Coverage",
                columns=("interval", "members", "coverage", "off nominal"),
                rows=(
                    *(
                        (
                            line.name,
                            line.size,
                            _percent(line.coverage)
                            + (f" ± {1.96 * 100 * line.error:.1f}" if line.error else ""),
                            f"{100 * (line.coverage - CONFIDENCE):+.1f} points",
                        )
                        for line in lines
                    ),
                    *((name, "", "not measured", "") for name in unmeasured()),
                ),
            ),
        ),
        goals=tuple(_goals(lines)),
        notes=(
            "Rates: every outcome weighted by its chance, averaged over rates. The rest: 8,000 samples each, with the "
            "simulation's own 95 % error, over several shapes: areas of 0.5 to 0.98, shares of 10 to 50 % positive, "
            "errors that are normal or skewed. *At least*: an interval that errs on the safe side by design. Goals "
            "are for as many members as the interval's documentation names.",
        ),
        figures={f"{line.name} | {line.size}": line.coverage for line in lines},
    )


def unmeasured() -> list[str]:
    """Public intervals of counts that this benchmark does not know how to draw for."""
    known = {"wilson", "paired", *TWO_RATES}
    return [
        name
        for name, function in inspect.getmembers(intervals, inspect.isfunction)
        if function.__module__ == intervals.__name__
        and not name.startswith("_")
        and "tuple" in str(inspect.signature(function).return_annotation)
        and name not in known
    ]


def _of_one_rate() -> Iterable[Line]:
    for total in _ONE_SIZES:
        counts = np.arange(total + 1)
        limits = np.array([intervals.wilson(int(count), total, confidence=CONFIDENCE) for count in counts])
        for family in _RATES:
            covered = [
                float(
                    (binom.pmf(counts, total, rate) * ((limits[:, 0] <= rate) & (rate <= limits[:, 1]))).sum()
                )
                for rate in np.linspace(*family, 500)
            ]
            yield Line(
                name=f"rate of {family[0]} to {family[1]} (wilson)",
                size=str(total),
                held=total >= SMALLEST,
                coverage=float(np.mean(covered)),
            )


def _of_two_rates(pairs: int) -> Iterable[Line]:
    for name, interval in TWO_RATES.items():
        for n, m in _TWO_SIZES:
            xs, ys = np.arange(n + 1), np.arange(m + 1)
            table = np.array(
                [[interval.limits(int(x), n, int(y), m, confidence=CONFIDENCE) for y in ys] for x in xs]
            )
            for family in _RATES:
                covered = []
                for p, q in np.random.default_rng(_SEED).uniform(*family, size=(pairs, 2)).tolist():
                    truth = interval.truth(p, q)
                    chance = np.outer(binom.pmf(xs, n, p), binom.pmf(ys, m, q))
                    covered.append(float(chance[(table[:, :, 0] <= truth) & (truth <= table[:, :, 1])].sum()))
                yield Line(
                    name=f"two rates of {family[0]} to {family[1]} ({name})",
                    size=f"{n} and {m}",
                    held=min(n, m) >= SMALLEST,
                    coverage=float(np.mean(covered)),
                )


def _of_paired_rates(pairs: int) -> Iterable[Line]:
    """Members with one property only: 2 to 40 % of all, each way."""
    rates = np.random.default_rng(_SEED).uniform(0.02, 0.4, size=(pairs, 2))
    for n in _PAIRED_SIZES:
        counts = [(x, y, n - x - y) for x in range(n + 1) for y in range(n + 1 - x)]
        ends = np.array([intervals.paired(x, y, n, confidence=CONFIDENCE) for x, y, _ in counts])
        covered = []
        for p, q in rates.tolist():
            chance = multinomial.pmf(counts, n, (p, q, 1.0 - p - q))
            covered.append(float(chance[(ends[:, 0] <= p - q) & (p - q <= ends[:, 1])].sum()))
        yield Line(name="paired rates (paired)", size=str(n), held=n >= 20, coverage=float(np.mean(covered)))


def _of_samples(trials: int) -> Iterable[Line]:
    for index, (name, sampled) in enumerate(SAMPLED.items()):
        for size in sampled.sizes:
            rng = np.random.default_rng([_SEED, index, size])
            held, drawn = 0, max(1, int(trials * sampled.trials))
            for turn in range(drawn):
                estimate, truth = sampled.draw(rng, turn, size)
                low, high = estimate.interval(CONFIDENCE)
                held += not estimate.known or low <= truth <= high
            share = held / drawn
            error = math.sqrt(share * (1.0 - share) / drawn)
            unit = f" {sampled.unit}" if sampled.unit else ""
            yield Line(
                name=name, size=f"{size:,}{unit}", held=size >= sampled.smallest, coverage=share, error=error
            )


def _goals(lines: list[Line]) -> Iterable[Goal]:
    for name in dict.fromkeys(line.name for line in lines):
        held = [line for line in lines if line.name == name and line.held]
        least = name.endswith("(at least)")

        def off(line: Line, *, least: bool = least) -> float:
            return CONFIDENCE - line.coverage if least else abs(line.coverage - CONFIDENCE)

        worst = max(held, key=off)
        yield Goal(
            name=f"coverage of {name}, farthest {'below' if least else 'from'} nominal, at {worst.size} members",
            observed=100 * max(0.0, off(worst)),
            limit=1.0,
            unit="points",
        )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
