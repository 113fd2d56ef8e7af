"""Samples of numbers of many shapes, and pairs of them as reference and current window."""

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Shape = Callable[[np.random.Generator, int], Floats]

_SEED = 20260101
SHAPES: dict[str, Shape] = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "far from zero": lambda rng, n: 1e6 + rng.standard_normal(n),
    "heavy tail (Pareto 0.8)": lambda rng, n: rng.pareto(0.8, n),
    "heavy tails (Cauchy)": lambda rng, n: rng.standard_cauchy(n),
    "ties (one decimal)": lambda rng, n: np.round(rng.standard_normal(n), 1),
    "small integers": lambda rng, n: rng.poisson(3.0, n).astype(np.float64),
    "large integers": lambda rng, n: rng.integers(-(2**53), 2**53, n).astype(np.float64),
    "constant": lambda rng, n: np.full(n, 7.25 + rng.integers(0, 2)),
    "zero-inflated": lambda rng, n: np.where(rng.random(n) < 0.7, 0.0, rng.lognormal(0.0, 2.0, n)),
    "denormal": lambda rng, n: rng.random(n) * 1e-310,
    "huge": lambda rng, n: rng.standard_normal(n) * 1e150,
    "mixed signs and magnitudes": lambda rng, n: rng.standard_normal(n) * 10.0 ** rng.integers(-9, 9, n),
    "two scales": lambda rng, n: np.where(rng.random(n) < 0.5, rng.random(n), 1e6 * rng.random(n)),
    "with infinities": lambda rng, n: np.where(
        rng.random(n) < 0.02, rng.choice([-math.inf, math.inf], n), rng.standard_normal(n)
    ),
}
#: Pairs of numbers of rows, small ones included.
SIZES = ((1, 1), (2, 5), (30, 30), (1_000, 300), (20_000, 500), (20_000, 20_000), (100_000, 50_000))


def pairs_of_windows(
    sizes: tuple[tuple[int, int], ...], repeats: int
) -> Iterator[tuple[str, Floats, Floats]]:
    """Name of a shape and two samples of it, the second moved, scaled, or left as it is."""
    for shape, (name, draw) in enumerate(SHAPES.items()):
        for size, (n, m) in enumerate(sizes):
            for repeat in range(repeats):
                rng = np.random.default_rng([_SEED, shape, size, repeat])
                x, y = draw(rng, n), draw(rng, m)
                finite = np.abs(x[np.isfinite(x)])
                unit = float(np.median(finite)) if finite.size else 0.0
                yield name, x, (y, y + 0.2 * unit, y * 1.1)[repeat % 3]
