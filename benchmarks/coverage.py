"""Whether intervals hold the truth as often as they say, small groups included.

Intervals of rates are followed over every outcome, weighted by its chance, and averaged over rates: no randomness is
left. Others are simulated. A public interval that nobody taught this benchmark to draw for is named in the table.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, norm

from aims_pipelines.stats import classification, intervals, regression
from aims_pipelines.stats.estimates import Estimate, difference
from benchmarks.report import Goal, Report, Table

Floats = NDArray[np.float64]
Limits = tuple[float, float]

CONFIDENCE = 0.95
_SEED = 20260101
#: Members of a group from which coverage is held to a point.
SMALLEST = 10
_RATES = (0.05, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Coverage of one interval at one size.

    Args:
        name: What is estimated.
        size: Members, for people.
        members: Members of the smallest group.
        coverage: Share of samples whose interval held the truth.
        error: Standard error of that share; 0 where nothing was simulated.
    """

    name: str
    size: str
    members: int
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
        draw: Sample of some members to its estimate.
        truth: What it estimates.
        sizes: Members of samples.
    """

    draw: Callable[[np.random.Generator, int], Estimate]
    truth: float
    sizes: tuple[int, ...] = (20, 100, 1_000)


#: Public intervals of ``stats.intervals`` over counts of two groups, and what they are about.
TWO_RATES: Mapping[str, TwoRates] = {
    "newcombe": TwoRates(limits=intervals.newcombe, truth=lambda p, q: p - q),
    "ratio": TwoRates(limits=intervals.ratio, truth=lambda p, q: p / q),
}
_TWO_SIZES = ((5, 5), (10, 10), (10, 100), (30, 30), (100, 100))
_ONE_SIZES = (5, 10, 20, 50, 200)


def _scores(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Labels, positive with a chance of a fifth, and scores whose classes lie one standard deviation apart."""
    labels = (rng.random(n) < 0.2).astype(np.float64)
    return labels, rng.standard_normal(n) + labels


def _decisions(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Labels, positive with a chance of a fifth, and decisions: 80 % of positives and 90 % of the others are right."""
    labels = (rng.random(n) < 0.2).astype(np.float64)
    right = rng.random(n) < np.where(labels == 1.0, 0.8, 0.9)
    return labels, np.where(right, labels, 1.0 - labels)


def _numbers(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Outcomes and predictions that explain four fifths of their variance."""
    predicted = rng.standard_normal(n) * 2.0
    return predicted + rng.standard_normal(n), predicted


def _two_means(rng: np.random.Generator, n: int) -> Estimate:
    first, second = rng.normal(1.0, 1.0, n), rng.normal(0.5, 2.0, n)
    return difference(regression.mean(first), regression.mean(second))


SAMPLED: Mapping[str, Sampled] = {
    "area under the ROC curve": Sampled(
        draw=lambda rng, n: classification.roc_auc(*_scores(rng, n)),
        truth=float(norm.cdf(1.0 / math.sqrt(2.0))),
        sizes=(50, 200, 1_000),
    ),
    "accuracy": Sampled(draw=lambda rng, n: classification.accuracy(*_decisions(rng, n)), truth=0.88),
    "balanced accuracy": Sampled(
        draw=lambda rng, n: classification.balanced_accuracy(*_decisions(rng, n)),
        truth=0.85,
        sizes=(50, 200, 1_000),
    ),
    "gain over always answering 0": Sampled(
        draw=lambda rng, n: classification.gain(*_decisions(rng, n), trivial=0.0), truth=0.08
    ),
    "mean absolute error": Sampled(
        draw=lambda rng, n: regression.mean_absolute_error(*_numbers(rng, n)), truth=math.sqrt(2.0 / math.pi)
    ),
    "R squared": Sampled(draw=lambda rng, n: regression.r_squared(*_numbers(rng, n)), truth=0.8),
    "mean": Sampled(draw=lambda rng, n: regression.mean(rng.standard_normal(n)), truth=0.0),
    "difference of two means": Sampled(draw=_two_means, truth=0.5),
}


def run(*, quick: bool) -> Report:
    """Follow and simulate; about two minutes."""
    lines = [*_of_one_rate(), *_of_two_rates(30 if quick else 400), *_of_samples(100 if quick else 8_000)]
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
            f"Rates: every outcome weighted by its chance, averaged over rates from {_RATES[0]} to {_RATES[1]}. The "
            "rest: 8,000 samples each, with the simulation's own 95 % error; a fifth of the labels is positive, errors "
            f"are normal. Goals are for groups of {SMALLEST} members or more, and samples of 100 or more.",
        ),
        figures={f"{line.name} | {line.size}": line.coverage for line in lines},
    )


def unmeasured() -> list[str]:
    """Public intervals of counts that this benchmark does not know how to draw for."""
    known = {"wilson", *TWO_RATES}
    return [
        name
        for name, function in inspect.getmembers(intervals, inspect.isfunction)
        if function.__module__ == intervals.__name__
        and not name.startswith("_")
        and "tuple" in str(inspect.signature(function).return_annotation)
        and name not in known
    ]


def _of_one_rate() -> Iterable[Line]:
    rates = np.linspace(*_RATES, 500)
    for total in _ONE_SIZES:
        counts = np.arange(total + 1)
        limits = np.array([intervals.wilson(int(count), total, confidence=CONFIDENCE) for count in counts])
        covered = [
            float((binom.pmf(counts, total, rate) * ((limits[:, 0] <= rate) & (rate <= limits[:, 1]))).sum())
            for rate in rates
        ]
        yield Line(name="rate (wilson)", size=str(total), members=total, coverage=float(np.mean(covered)))


def _of_two_rates(pairs: int) -> Iterable[Line]:
    rates = np.random.default_rng(_SEED).uniform(*_RATES, size=(pairs, 2))
    for name, interval in TWO_RATES.items():
        for n, m in _TWO_SIZES:
            xs, ys = np.arange(n + 1), np.arange(m + 1)
            table = np.array(
                [[interval.limits(int(x), n, int(y), m, confidence=CONFIDENCE) for y in ys] for x in xs]
            )
            covered = []
            for p, q in rates.tolist():
                truth = interval.truth(p, q)
                chance = np.outer(binom.pmf(xs, n, p), binom.pmf(ys, m, q))
                covered.append(float(chance[(table[:, :, 0] <= truth) & (truth <= table[:, :, 1])].sum()))
            yield Line(
                name=f"two rates ({name})",
                size=f"{n} and {m}",
                members=min(n, m),
                coverage=float(np.mean(covered)),
            )


def _of_samples(trials: int) -> Iterable[Line]:
    for index, (name, sampled) in enumerate(SAMPLED.items()):
        for size in sampled.sizes:
            rng = np.random.default_rng([_SEED, index, size])
            held = 0
            for _ in range(trials):
                low, high = sampled.draw(rng, size).interval(CONFIDENCE)
                held += low <= sampled.truth <= high
            share = held / trials
            error = math.sqrt(share * (1.0 - share) / trials)
            yield Line(name=name, size=f"{size:,}", members=size // 10, coverage=share, error=error)


def _goals(lines: list[Line]) -> Iterable[Goal]:
    for name in dict.fromkeys(line.name for line in lines):
        held = [line for line in lines if line.name == name and line.members >= SMALLEST]
        worst = max(held, key=lambda line: abs(line.coverage - CONFIDENCE))
        yield Goal(
            name=f"coverage of {name}, farthest from nominal, at {worst.size} members",
            observed=100 * abs(worst.coverage - CONFIDENCE),
            limit=1.0,
            unit="points",
        )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
