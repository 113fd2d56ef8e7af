"""Simulated windows of a table, clean or with one planted fault: what decisions are measured on.

Thirty columns of many shapes beside the protected group and the label. The shapes and shares are not those on
which the defaults of the drift check were tuned (normal and log-normal columns only). Shapes are moved in
standard deviations, before values are rounded or set to zero.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from aims_pipelines.measure import profile_table
from aims_pipelines.stats.profile import GroupProfile, GroupSpec, Profile

Floats = NDArray[np.float64]
Shape = Callable[[np.random.Generator, int, float], Floats]

#: Harmless shift of every numeric column between windows, standard deviations.
JITTER = 0.015
#: Shares of the protected groups; the first is the one with planted faults.
GROUP_SHARES = (0.10, 0.12, 0.18, 0.25, 0.35)
LABEL_RATES = (0.25, 0.25, 0.2, 0.3, 0.25)

SHAPES: dict[str, Shape] = {
    "normal": lambda rng, n, by: rng.standard_normal(n) + by,
    "log-normal": lambda rng, n, by: np.exp(rng.standard_normal(n) + by),
    "uniform": lambda rng, n, by: rng.random(n) + by * 0.29,
    "student-4": lambda rng, n, by: rng.standard_t(4, n) + by * 1.41,
    "gamma": lambda rng, n, by: rng.gamma(2.0, 1.0, n) * (1.0 + by * 0.7),
    "two humps": lambda rng, n, by: rng.standard_normal(n) + 4.0 * (rng.random(n) < 0.4) + by * 2.2,
    "far from zero": lambda rng, n, by: 1000.0 + rng.standard_normal(n) + by,
    "negative": lambda rng, n, by: -rng.weibull(1.5, n) + by * 0.61,
    "rounded": lambda rng, n, by: np.round(rng.normal(50.0 + 12.0 * by, 12.0, n)),
    "zero-heavy": lambda rng, n, by: np.where(rng.random(n) < 0.6, 0.0, rng.exponential(1.0 + by, n)),
}
_CATEGORIES = (2, 2, 3, 4, 5, 7, 12, 25, 60, 400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault planted in one column.

    Args:
        name: For the report.
        column: The column that carries it, and that has to be found.
        group: Whether it is confined to the first protected group.
        pair: Whether it is in how the columns of ``PAIR`` go together, each of which stays as it is.
    """

    name: str
    column: str
    group: bool = False
    pair: bool = False


#: Two columns that are declared as a pair where that is judged; clean, they have nothing to do with each other.
PAIR = ("normal 0", "uniform 0")

FAULTS = (
    Fault(name="mean +0.1 sd", column="normal 0"),
    Fault(name="mean +0.25 sd", column="normal 0"),
    Fault(name="category share +5 points", column="category 4"),
    Fault(name="missing +5 points", column="normal 0"),
    Fault(name="shift +0.5 sd inside one group", column="normal 0", group=True),
    Fault(name="label rate +10 points in one group", column="label", group=True),
)
#: A fault that no column shows.
JOINT_FAULT = Fault(name="correlation +0.2 of two columns", column="uniform 0", pair=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Columns of one window and its profile."""

    columns: dict[str, pa.Array]
    groups: NDArray[np.int64]
    profile: Profile

    @property
    def table(self) -> pa.Table:
        """All columns as a table."""
        return pa.table(self.columns)


def draw(rng: np.random.Generator, rows: int, *, jitter: float = 0.0) -> Window:
    """Draw a clean window."""
    groups = rng.choice(len(GROUP_SHARES), rows, p=GROUP_SHARES)
    columns: dict[str, pa.Array] = {}
    for copy in range(2):
        for name, shape in SHAPES.items():
            columns[f"{name} {copy}"] = pa.array(shape(rng, rows, rng.normal(0.0, jitter) if jitter else 0.0))
    for number, size in enumerate(_CATEGORIES):
        columns[f"category {number}"] = _categories(rng, rows, _shares(size))
    columns["label"] = _label(rng, groups, np.array(LABEL_RATES))
    columns["group"] = pa.DictionaryArray.from_arrays(
        pa.array(groups.astype(np.int32)), pa.array([f"group {index}" for index in range(len(GROUP_SHARES))])
    )
    return Window(columns=columns, groups=groups, profile=_profile(columns))


def plant(rng: np.random.Generator, window: Window, fault: Fault) -> Window:
    """Plant a fault; only the column concerned is profiled again."""
    rows = window.groups.size
    first = window.groups == 0
    values = window.columns[fault.column]
    if fault.name.startswith("mean"):
        values = pa.array(rng.standard_normal(rows) + float(fault.name.split()[1]))
    elif fault.name.startswith("category"):
        shares = _shares(_CATEGORIES[4])
        shares = np.append(shares[0] + 0.05, shares[1:] * (1.0 - 0.05 / (1.0 - shares[0])))
        values = _categories(rng, rows, shares)
    elif fault.name.startswith("missing"):
        values = pa.array(np.asarray(values), mask=rng.random(rows) < 0.05)
    elif fault.pair:
        other = np.asarray(window.columns[PAIR[0]])
        follows = 0.2 * other + np.sqrt(1.0 - 0.2**2) * rng.standard_normal(rows)
        values = pa.array(np.sort(np.asarray(values))[np.argsort(np.argsort(follows))])
    elif fault.name.startswith("shift"):
        values = pa.array(np.asarray(values) + 0.5 * first)
    else:
        values = _label(rng, window.groups, np.array(LABEL_RATES) + 0.1 * (np.arange(len(LABEL_RATES)) == 0))
    columns = {**window.columns, fault.column: values}
    beside = PAIR if fault.column in PAIR else ()
    part = _profile({name: columns[name] for name in dict.fromkeys((fault.column, *beside, "group"))})
    levels = {
        level: GroupProfile(
            rows=group.rows,
            columns={**group.columns, fault.column: part.groups["group"][level].columns[fault.column]},
        )
        for level, group in window.profile.groups["group"].items()
    }
    profile = replace(
        window.profile,
        columns={**window.profile.columns, fault.column: part.columns[fault.column]},
        groups={"group": levels},
        pairs={**window.profile.pairs, **part.pairs},
    )
    return Window(columns=columns, groups=window.groups, profile=profile)


def _profile(columns: dict[str, pa.Array]) -> Profile:
    pairs = (PAIR,) if columns.keys() >= set(PAIR) else ()
    return profile_table(pa.table(columns), groups=(GroupSpec(columns=("group",)),), rows=False, pairs=pairs)


def _shares(size: int) -> Floats:
    weights = 1.0 / np.arange(1, size + 1) ** 0.8
    return np.asarray(weights / weights.sum())


def _categories(rng: np.random.Generator, rows: int, shares: Floats) -> pa.Array:
    codes = rng.choice(shares.size, rows, p=shares).astype(np.int32)
    return pa.DictionaryArray.from_arrays(
        pa.array(codes), pa.array([f"c{index}" for index in range(shares.size)])
    )


def _label(rng: np.random.Generator, groups: NDArray[np.int64], rates: Floats) -> pa.Array:
    return pa.array(rng.random(groups.size) < rates[groups])
