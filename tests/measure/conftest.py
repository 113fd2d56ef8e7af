from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass

import numpy as np
import pyarrow as pa
import pytest

from aims_pipelines.stats.profile import Moments, Profile


def _differences(a: object, b: object, path: str, rtol: float) -> Iterator[str]:
    if isinstance(a, Moments) and isinstance(b, Moments):
        yield from _moment_differences(a, b, path, rtol)
    elif isinstance(a, np.ndarray):
        if not (isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)):
            yield path
    elif isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        for place, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from _differences(one, other, f"{path}[{place}]", rtol)
    elif is_dataclass(a) and type(a) is type(b):
        for field in fields(a):
            yield from _differences(
                getattr(a, field.name), getattr(b, field.name), f"{path}.{field.name}", rtol
            )
    elif isinstance(a, Mapping) and isinstance(b, Mapping):
        if a.keys() != b.keys():
            yield f"{path}: {sorted(a.keys() ^ b.keys())}"
        for key in a.keys() & b.keys():
            yield from _differences(a[key], b[key], f"{path}[{key!r}]", rtol)
    elif a != b:
        yield f"{path}: {a!r} and {b!r}"


def _moment_differences(a: Moments, b: Moments, path: str, rtol: float) -> Iterator[str]:
    if a.count != b.count:
        yield f"{path}.count"
        return
    if a.count == 0:
        return
    if (a.minimum, a.maximum) != (b.minimum, b.maximum):
        yield f"{path}: extremes"
    # Rounding is measured against what is summed up: powers of the deviations, or of the values' last bits.
    with np.errstate(over="ignore", invalid="ignore"):
        reach = np.float64(max(abs(a.minimum), abs(a.maximum)))
        unit = np.maximum(np.sqrt(np.float64(a.m2) / a.count), reach * 1e-15)
        scales = {
            "mean": reach,
            "m2": a.count * unit**2,
            "m4": np.float64(max(a.m4, b.m4)) + a.count * unit**4,
        }
        scales["m3"] = scales["m4"] ** 0.75 * a.count**0.25
        rtol += 1e-14 * reach / unit if unit > 0 else 0.0  # the last bits of a mean far from zero
        for name, scale in scales.items():
            x, y = np.float64(getattr(a, name)), np.float64(getattr(b, name))
            if np.isfinite(x) and np.isfinite(y) and not abs(x - y) <= rtol * scale + 1e-300:
                yield f"{path}.{name}: {x!r} and {y!r}"


@pytest.fixture(scope="session")
def assert_same_profile() -> Callable[..., None]:
    """Two profiles are the same: all counts exactly, moments up to rounding."""

    def check(a: Profile, b: Profile, rtol: float = 1e-9) -> None:
        assert list(_differences(a, b, "profile", rtol)) == []

    return check


@pytest.fixture(scope="session")
def make_table() -> Callable[..., pa.Table]:
    """A table with a column of every kind that the kernel treats its own way; past every cap if long enough."""

    def make(seed: int, rows: int) -> pa.Table:
        rng = np.random.default_rng(seed)

        def holes(values: object, share: float) -> pa.Array:
            return pa.array(values, mask=rng.random(rows) < share)

        heavy = rng.standard_cauchy(rows) * 10.0 ** rng.integers(-3, 4)
        heavy[rng.random(rows) < 0.02] = np.inf
        heavy[rng.random(rows) < 0.02] = -np.inf
        heavy[rng.random(rows) < 0.05] = np.nan
        heavy[rng.random(rows) < 0.05] = -0.0
        words = rng.integers(0, max(rows * 4, 1), rows)
        return pa.table(
            {
                "sex": holes(rng.choice(["F", "M", "ß"], rows), 0.05),
                "heavy": holes(heavy, 0.1),
                "few": holes(rng.integers(-3, 40, rows).astype(np.int16), 0.1),
                "many": pa.array(rng.normal(50.0, 3.0, rows)),
                "far": holes(
                    np.where(rng.random(rows) < 0.01, 0.0, rng.normal(-1e5, 10.0 ** (seed % 5), rows)), 0.01
                ),
                "tiny": pa.array(rng.choice([5e-324, 1e-310, -1e-310, 0.0, 2e-308], rows)),
                "same": pa.array(np.full(rows, 7.25)),
                "town": holes([f"town {number}" for number in rng.integers(0, 150, rows)], 0.02),
                "word": holes([f"wörd {number}" for number in words], 0.1),
                "yes": holes(rng.random(rows) < 0.3, 0.2),
                "when": holes(rng.integers(0, 10**12, rows).astype("datetime64[ms]"), 0.1),
                "none": pa.nulls(rows),
            }
        )

    return make
