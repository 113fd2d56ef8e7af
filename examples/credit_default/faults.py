"""Faults to plant in a batch on request, each with its ground truth.

A fault takes a block of complete rows, or the table made from it, and spoils it. Like the rows, it depends
on the seed and the block alone. ``size`` means what the fault's ``unit`` says; every fault has a default
that a reviewer would want refused, and none changes a row or a column that its description does not name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from examples.credit_default.population import BLOCK_ROWS, DEFAULT, Block, stream

Spoil = Callable[[Block, np.random.Generator, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A kind of fault.

    Args:
        name: What it is called on the command line.
        truth: What is changed, and what is left alone; ``{size}`` stands for the size.
        unit: What ``size`` measures; empty for a fault that is there or not.
        default: Size if none is asked for.
        largest: Largest size that makes sense.
        check: Dataset check that is meant to refuse it.
        purpose: Number of its random stream within a block; 0 is taken by the rows.
        spoil: Changes a block before natural missingness is applied; ``None`` for a fault of the schema.
    """

    name: str
    truth: str
    unit: str
    default: float
    largest: float
    check: str
    purpose: int
    spoil: Spoil | None

    def describe(self, size: float) -> str:
        """Say what is planted at this size."""
        return self.truth.format(size=size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A fault with its size, ready to be planted."""

    fault: Fault
    size: float

    def apply(self, block: Block, *, seed: int, number: int) -> None:
        """Change the block in place."""
        if self.fault.spoil is not None:
            self.fault.spoil(block, stream(seed, number, purpose=self.fault.purpose), self.size)


def plant_all(block: Block, planted: tuple[Planted, ...], *, seed: int, number: int) -> None:
    """Plant faults in a block, in the order of their streams, so that the order asked for changes nothing."""
    for one in sorted(planted, key=lambda item: item.fault.purpose):
        one.apply(block, seed=seed, number=number)


def break_schema(table: pa.RecordBatch) -> pa.RecordBatch:
    """Rename ``income`` to ``annual_income`` and turn ``loan_amount`` into text."""
    names = ["annual_income" if name == "income" else name for name in table.schema.names]
    arrays = [
        column.cast(pa.int64()).cast(pa.string()) if name == "loan_amount" else column
        for name, column in zip(table.schema.names, table.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=names)


def _missing(block: Block, random: np.random.Generator, size: float) -> None:
    lost = random.random(BLOCK_ROWS) < size
    block.missing["income"] = block.missing["income"] | lost


def _label_bias(block: Block, random: np.random.Generator, size: float) -> None:
    flipped = (random.random(BLOCK_ROWS) < size) & (block.columns["sex"] == "female")
    block.columns["outcome"] = np.where(flipped, DEFAULT, block.columns["outcome"])


def _subgroup_drift(block: Block, random: np.random.Generator, size: float) -> None:  # noqa: ARG001 - every fault has this signature
    inside = block.columns["region"] == "coast"
    block.columns["utilisation"] = np.where(
        inside, _shifted_share(block.columns["utilisation"], size), block.columns["utilisation"]
    )


def _population_drift(block: Block, random: np.random.Generator, size: float) -> None:  # noqa: ARG001 - every fault has this signature
    block.columns["utilisation"] = _shifted_share(block.columns["utilisation"], size)
    income = np.asarray(block.columns["income"], np.float64)
    block.columns["income"] = np.clip(np.round(income * np.exp(-0.45 * size)), 1_200, 5_000_000)


def _duplicates(block: Block, random: np.random.Generator, size: float) -> None:
    copies = random.random(BLOCK_ROWS) < size
    copies[0] = False
    originals = np.flatnonzero(~copies)
    # Only rows before a copy are its originals, so that any prefix of the batch has them too.
    before = np.cumsum(~copies)[copies]
    rows = np.arange(BLOCK_ROWS)
    rows[copies] = originals[(random.random(int(copies.sum())) * before).astype(np.int64)]
    for name, values in block.columns.items():
        block.columns[name] = values[rows]
    for name, lost in block.missing.items():
        block.missing[name] = lost[rows]


def _shifted_share(share: NDArray[np.generic], size: float) -> NDArray[np.float64]:
    """Move a share in (0, 1) by ``size`` standard deviations of its logit, 1.1, and keep it inside."""
    values = np.clip(np.asarray(share, np.float64), 1e-4, 1 - 1e-4)
    return np.round(1 / (1 + np.exp(-(np.log(values / (1 - values)) + 1.1 * size))), 4)


FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(
            name="schema",
            truth="Column income is called annual_income, and loan_amount holds text. Values are untouched.",
            unit="",
            default=1.0,
            largest=1.0,
            check="schema",
            purpose=1,
            spoil=None,
        ),
        Fault(
            name="missing",
            truth="A share of {size:g} of the values of income is lost at random, besides the natural 0.02.",
            unit="share of values lost",
            default=0.30,
            largest=1.0,
            check="completeness",
            purpose=2,
            spoil=_missing,
        ),
        Fault(
            name="label-bias",
            truth="A share of {size:g} of the women who repaid is labelled default. All else is untouched.",
            unit="share of labels flipped",
            default=0.15,
            largest=1.0,
            check="label_rate_gap",
            purpose=3,
            spoil=_label_bias,
        ),
        Fault(
            name="subgroup-drift",
            truth=(
                "In region coast, 8 % of the rows, utilisation is shifted by {size:g} sd of its logit. "
                "All else, labels included, is untouched."
            ),
            unit="standard deviations of the logit",
            default=0.5,
            largest=5.0,
            check="drift",
            purpose=4,
            spoil=_subgroup_drift,
        ),
        Fault(
            name="population-drift",
            truth=(
                "Utilisation is shifted by {size:g} sd of its logit, and log income falls by 0.45 times it. "
                "All else, labels included, is untouched."
            ),
            unit="standard deviations of the logit",
            default=0.75,
            largest=5.0,
            check="drift",
            purpose=5,
            spoil=_population_drift,
        ),
        Fault(
            name="duplicates",
            truth="A share of {size:g} of the rows are copies of an earlier row, identifiers included.",
            unit="share of rows that are copies",
            default=0.05,
            largest=0.9,
            check="uniqueness",
            purpose=6,
            spoil=_duplicates,
        ),
    )
}
