"""How far distances from profiles are off: against scipy on the rows themselves, against Evidently, and counts."""

import math
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import ks_2samp, wasserstein_distance

from aims_pipelines.measure import profile_table
from aims_pipelines.stats import distances
from aims_pipelines.stats.profile import ColumnProfile
from benchmarks.counts import compare_counts
from benchmarks.report import Goal, Report, Table
from benchmarks.shapes import SHAPES, SIZES, Floats, pairs_of_windows

_SEED = 20260101
_ROUNDING = 1e-12
#: Of the methods held against Evidently's, in their order.
_LIMITS = ((0.005, "relative"), (0.005, "absolute"), (0.005, "absolute"))
#: Rows of a cell from which on it does not matter how empty cells are filled.
_FULL = 50


@dataclass(slots=True, kw_only=True)
class _Errors:
    """Largest errors seen.

    Args:
        wasserstein: Relative to the sum of both windows' mean absolute values.
        of_bound: Wasserstein's error as a share of its stated bound.
        ks: Absolute error of the Kolmogorov-Smirnov statistic.
        ks_over: How much larger it was than scipy's, which may not be.
        ks_of_bin: Its error as a share of the stated bound, the largest share of one bin.
    """

    wasserstein: float = 0.0
    of_bound: float = 0.0
    ks: float = 0.0
    ks_over: float = -1.0
    ks_of_bin: float = 0.0


def run(*, quick: bool) -> Report:
    """Compare over shapes, sizes and seeds; about a minute."""
    sizes, repeats = (SIZES[:5], 2) if quick else (SIZES, 12)
    errors = {name: _Errors() for name in SHAPES}
    comparisons = 0
    for name, x, y in pairs_of_windows(sizes, repeats):
        _compare(x, y, errors[name])
        comparisons += 1
    counted, wrong = compare_counts(2_000 if quick else 300_000)
    theirs = _evidently(3_000 if quick else 50_000)
    return Report(
        name="exactness",
        title="Exactness of what is told from profiles",
        tables=(
            Table(
                title="Largest error against scipy on the rows",
                columns=("shape", "Wasserstein, relative", "of its bound", "KS, absolute", "of its bound"),
                rows=tuple(
                    (
                        name,
                        _number(error.wasserstein),
                        _number(error.of_bound),
                        _number(error.ks),
                        _number(error.ks_of_bin),
                    )
                    for name, error in errors.items()
                ),
            ),
            Table(
                title="Against Evidently's own value of the same method",
                columns=("method", "columns", "largest error", "where the value is"),
                rows=tuple(
                    (method, str(len(pairs)), _number(_largest(pairs)), _number(_value_there(pairs)))
                    for method, pairs in theirs.items()
                ),
            ),
            Table(
                title="Counts",
                columns=("what", "compared", "wrong"),
                rows=(("rows, nulls, NaN, categories, extremes, groups", str(counted), str(wrong)),),
            ),
        ),
        goals=(
            Goal(
                name="largest error of Wasserstein over its stated bound",
                observed=max(error.of_bound for error in errors.values()),
                limit=1.0,
                unit="times",
            ),
            Goal(
                name="largest error of Kolmogorov-Smirnov over its stated bound",
                observed=max(error.ks_of_bin for error in errors.values()),
                limit=1.0,
                unit="times",
            ),
            Goal(
                name="Kolmogorov-Smirnov larger than from the rows",
                observed=max(0.0, *(error.ks_over for error in errors.values())),
                limit=1e-9,
                unit="of rows",
            ),
            *(
                Goal(
                    name=f"{method} against Evidently's",
                    observed=_largest(pairs) if pairs else math.nan,
                    limit=limit,
                    unit=unit,
                )
                for (method, pairs), (limit, unit) in zip(theirs.items(), _LIMITS, strict=True)
            ),
            Goal(name="wrong counts", observed=wrong, limit=0, unit="counts"),
        ),
        notes=(
            f"{comparisons:,} pairs of windows of 1 to 100,000 rows: two samples of a shape, the second moved, scaled, "
            "or left as it is. Wasserstein is relative to the sum of both windows' mean absolute values, of which "
            "values in bins lie within 2⁻⁸; Kolmogorov-Smirnov may be smaller by the largest share of one bin. "
            "Infinite values are left out for Wasserstein, which they make infinite; the others count them.",
            "Against Evidently: the normed Wasserstein distance of numbers, relative; the population stability index "
            "and the Jensen-Shannon distance over Evidently's cells, absolute. Numbers are cut at the outer hundredths "
            f"for the latter two, and each cell holds {_FULL} rows: Evidently fills empty cells with a small share, we "
            "add half a row to each. Evidently takes natural logarithms; converted.",
        ),
    )


def _compare(x: Floats, y: Floats, errors: _Errors) -> None:
    before, after = _column(x), _column(y)
    gap, theirs = distances.kolmogorov_smirnov(before, after), _kolmogorov_smirnov(x, y)
    errors.ks = max(errors.ks, abs(gap - theirs))
    errors.ks_over = max(errors.ks_over, gap - theirs)
    errors.ks_of_bin = max(errors.ks_of_bin, abs(gap - theirs) / (_largest_bin(before, after) + _ROUNDING))
    if np.isinf(x).any() or np.isinf(y).any():
        x, y = x[np.isfinite(x)], y[np.isfinite(y)]
        if not x.size or not y.size:
            return
        before, after = _column(x), _column(y)
    size = float(np.abs(x).mean() + np.abs(y).mean())
    error = abs(distances.wasserstein(before, after) - wasserstein_distance(x, y))
    exact = _is_exact(before) and _is_exact(after)
    bound = (
        size * (_ROUNDING if exact else 2.0**-8) + 2.0**-1028
    )  # the bin of zero holds the smallest denormals
    errors.wasserstein = max(errors.wasserstein, error / size if size else 0.0)
    errors.of_bound = max(errors.of_bound, error / bound)


def _kolmogorov_smirnov(x: Floats, y: Floats) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of p-values, which nobody asked for
        return float(ks_2samp(x, y, method="asymp").statistic)


def _largest_bin(*columns: ColumnProfile) -> float:
    """Largest share of one bin in either window; 0 where both keep values one by one."""
    if all(map(_is_exact, columns)):
        return 0.0
    found = [column.distribution for column in columns if column.distribution is not None]
    return max(float(item.counts.max()) / item.total for item in found)


def _is_exact(column: ColumnProfile) -> bool:
    return column.distribution is not None and column.distribution.exact


def _column(values: Floats) -> ColumnProfile:
    return profile_table(pa.table({"x": pa.array(values)}), rows=False).columns["x"]


Pairs = list[tuple[float, float]]


def _evidently(rows: int) -> dict[str, Pairs]:
    """Our value and Evidently's, per method."""
    from evidently.legacy.calculations.stattests import jensenshannon, psi
    from evidently.legacy.calculations.stattests import wasserstein_distance_norm as normed
    from evidently.legacy.core import ColumnType

    rng = np.random.default_rng(_SEED)
    told: dict[str, Pairs] = {
        "Wasserstein distance, normed": [],
        "population stability index": [],
        "Jensen-Shannon distance": [],
    }
    _, index, jensen = told.values()
    for draw in SHAPES.values():
        x, y = draw(rng, rows), draw(rng, rows)
        if not (
            np.isfinite(x).all() and np.isfinite(x.std()) and np.abs(x).max() < 1e100 and x.std() > 1e-300
        ):
            continue  # Evidently has no value there
        y = y + 0.2 * x.std()
        before, after = _column(x), _column(y)
        series = (pd.Series(x), pd.Series(y), ColumnType.Numerical, 0.1)
        distance = float(normed._wasserstein_distance_norm(*series)[0])
        told["Wasserstein distance, normed"].append(
            (distances.wasserstein_normed(before, after) / distance, 1.0)
        )
        ends = np.quantile(x, (0.01, 0.99))
        x, y = np.clip(x, *ends), np.clip(y, *ends)
        series = (pd.Series(x), pd.Series(y), ColumnType.Numerical, 0.1)
        edges = np.histogram_bin_edges(np.concatenate([x, y]), bins="sturges")
        cells = distances.shares(_column(x), _column(y), edges=edges[1:-1].tolist())
        if min(np.histogram(side, edges)[0].min() for side in (x, y)) >= _FULL:
            index.append((distances.population_stability_index(*cells), float(psi._psi(*series)[0])))
            jensen.append(
                (distances.jensen_shannon(*cells), _base_2(jensenshannon._jensenshannon(*series)[0]))
            )
    for size in (2, 4, 10, 50):
        shares = rng.dirichlet(np.full(size, 5.0), 2)
        labels = np.array([f"value {number}" for number in range(size)])
        a, b = (labels[rng.choice(size, rows, p=share)] for share in shares)
        cells = distances.shares(_labels(a), _labels(b))
        if min(cells[0].min(), cells[1].min()) < _FULL:
            continue
        series = (pd.Series(a), pd.Series(b), ColumnType.Categorical, 0.1)
        index.append((distances.population_stability_index(*cells), float(psi._psi(*series)[0])))
        jensen.append((distances.jensen_shannon(*cells), _base_2(jensenshannon._jensenshannon(*series)[0])))
    return told


def _labels(values: NDArray[np.str_]) -> ColumnProfile:
    return profile_table(pa.table({"x": pa.array(values.tolist())}), rows=False).columns["x"]


def _base_2(distance: float) -> float:
    return float(distance) / math.sqrt(math.log(2.0))


def _largest(pairs: Pairs) -> float:
    return max((abs(ours - theirs) for ours, theirs in pairs), default=math.nan)


def _value_there(pairs: Pairs) -> float:
    return max(pairs, key=lambda pair: abs(pair[0] - pair[1]), default=(math.nan, math.nan))[1]


def _number(value: float) -> str:
    return "–" if math.isnan(value) else "0" if value == 0 else f"{value:.2g}"
