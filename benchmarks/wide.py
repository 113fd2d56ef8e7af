"""The wide table that cost is measured on: twenty numeric and ten categorical columns, its records, its suite."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

NUMERIC, CATEGORICAL = 20, 10
CATEGORICAL_NAMES = tuple(f"c{index}" for index in range(CATEGORICAL))
CHUNK = 1 << 20
SUITE = "suite.json"

_SIZES = np.geomspace(2, 1000, CATEGORICAL).round().astype(int).tolist()
_POLICY = """
kind: policy
id: default
title: Limits
owner: Benchmark
status: in_force
effective_from: 2020-01-01
dataset_limits:
  max_proxy_strength: 1.0
"""
_DATASET = """
kind: dataset
id: wide
title: Twenty numbers and ten categories
owner: Benchmark
status: admitted
purpose: Measuring
source: {{path: source.txt, licence: none needed, legal_basis: no personal data, origin: made here}}
label: {{column: {label}, positive: value 1}}
protected: [{protected}]
columns:
"""


def column(index: int, rows: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Numbers of one of five shapes: normal, log-normal, heavy-tailed, uniform, and far from zero."""
    shape, scale = index % 5, 10.0 ** (index % 4)
    if shape == 0:
        return rng.normal(0.0, scale, rows)
    if shape == 1:
        return rng.lognormal(0.0, 1.0, rows) * scale
    if shape == 2:
        return (1.0 + rng.pareto(1.5, rows)) * scale
    return rng.uniform(0.0, scale, rows) if shape == 3 else rng.normal(100.0, 15.0, rows) * scale


def write_table(path: Path, rows: int, *, seed: int = 20260101) -> None:
    """Write a table of twenty numeric and ten categorical columns of 2 to 1000 values, row group by row group."""
    rng = np.random.default_rng(seed)
    names = [*(f"n{index}" for index in range(NUMERIC)), *CATEGORICAL_NAMES]
    writer = None
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        columns: list[pa.Array] = [pa.array(column(index, count, rng)) for index in range(NUMERIC)]
        for size in _SIZES:
            labels = pa.array([f"value {number}" for number in range(size)])
            codes = np.minimum(rng.exponential(size / 4.0, count).astype(np.int64), size - 1)
            columns.append(labels.take(pa.array(codes)))
        batch = pa.table(dict(zip(names, columns, strict=True)))
        writer = writer or parquet.ParquetWriter(path, batch.schema)
        writer.write_table(batch, row_group_size=CHUNK)
    if writer is not None:
        writer.close()


def write_project(folder: Path, *, label: str, protected: tuple[str, ...], suite: bool = False) -> Path:
    """Write the records of the wide table, its contract column by column; return their folder.

    Args:
        folder: The project's folder.
        label: Column to predict.
        protected: Columns whose groups are compared.
        suite: Whether the record names a suite, that of :func:`of_every_kind`.
    """
    records = folder / "governance"
    records.mkdir(parents=True)
    (folder / "aims.toml").write_text("", encoding="utf-8")
    (folder / "source.txt").write_text(
        "stands for a file: digesting one is not what is measured", encoding="utf-8"
    )
    (records / "policy.yaml").write_text(_POLICY, encoding="utf-8")
    text = _DATASET.format(label=label, protected=", ".join(f"{{column: {name}}}" for name in protected))
    text += "".join(f"  n{index}: {{type: number}}\n" for index in range(NUMERIC))
    text += "".join(f"  {name}: {{type: string}}\n" for name in CATEGORICAL_NAMES)
    if suite:
        write_suite(records / SUITE, of_every_kind())
        text += f"expectations: [{{path: {SUITE}}}]\n"
    (records / "wide.yaml").write_text(text, encoding="utf-8")
    return records


Expectation = tuple[str, Mapping[str, object]]


def write_suite(path: Path, expectations: Sequence[Expectation]) -> None:
    """Write a suite of Great Expectations that the wide table meets."""
    listed = [{"type": kind, "kwargs": kwargs} for kind, kwargs in expectations]
    path.write_text(json.dumps({"name": "wide", "expectations": listed}, indent=1), encoding="utf-8")


def one_a_column() -> list[Expectation]:
    """Thirty expectations: every number lies between bounds, every category is one of a list."""
    numbers = [f"n{index}" for index in range(NUMERIC)]
    bounds: Mapping[str, object] = {"min_value": -1e6, "max_value": 1e15}
    return [
        *(("expect_column_values_to_be_between", {"column": name, **bounds}) for name in numbers),
        *(
            ("expect_column_values_to_be_in_set", {"column": name, "value_set": _values(size)})
            for name, size in zip(CATEGORICAL_NAMES, _SIZES, strict=True)
        ),
    ]


def of_every_kind() -> list[Expectation]:
    """Thirty expectations of the kinds that suites usually hold."""
    of: list[Expectation] = [
        ("expect_table_row_count_to_be_between", {"min_value": 1}),
        ("expect_table_column_count_to_equal", {"value": NUMERIC + CATEGORICAL}),
    ]
    of += [("expect_column_values_to_not_be_null", {"column": f"n{index}"}) for index in range(6)]
    positive = {"min_value": 0.0}
    of += [
        ("expect_column_values_to_be_between", {"column": f"n{index}", **positive}) for index in (1, 2, 6, 7)
    ]
    of += [
        ("expect_column_values_to_be_between", {"column": "n3", "min_value": 0.0, "max_value": 1000.0}),
        (
            "expect_column_values_to_be_between",
            {"column": "n4", "min_value": 50.0, "max_value": 150.0, "mostly": 0.99},
        ),
        ("expect_column_mean_to_be_between", {"column": "n0", "min_value": -0.1, "max_value": 0.1}),
        ("expect_column_mean_to_be_between", {"column": "n4", "min_value": 99.0, "max_value": 101.0}),
        ("expect_column_mean_to_be_between", {"column": "n9", "min_value": 990.0, "max_value": 1010.0}),
        ("expect_column_stdev_to_be_between", {"column": "n0", "min_value": 0.9, "max_value": 1.1}),
        ("expect_column_median_to_be_between", {"column": "n5", "min_value": -1.0, "max_value": 1.0}),
        ("expect_column_min_to_be_between", {"column": "n3", "min_value": 0.0, "max_value": 100.0}),
        ("expect_column_max_to_be_between", {"column": "n3", "min_value": 900.0, "max_value": 1000.0}),
    ]
    of += [
        ("expect_column_values_to_be_in_set", {"column": name, "value_set": _values(size)})
        for name, size in zip(CATEGORICAL_NAMES[:5], _SIZES, strict=False)
    ]
    return [
        *of,
        (
            "expect_column_distinct_values_to_equal_set",
            {"column": "c0", "value_set": _values(_SIZES[0])},
        ),
        (
            "expect_column_unique_value_count_to_be_between",
            {"column": "c9", "min_value": 2, "max_value": 1000},
        ),
        (
            "expect_column_value_lengths_to_be_between",
            {"column": "c8", "min_value": len("value 0"), "max_value": len("value 999")},
        ),
        ("expect_column_values_to_match_regex", {"column": "c7", "regex": r"^value \d+$"}),
    ]


def _values(size: int) -> list[str]:
    return [f"value {number}" for number in range(size)]
