"""Families of tests that share one level, and the judgement of each test in them.

The level is divided among the families that have tests at all, before anything is seen, so that a window in
which nothing has changed fails anywhere with no more than that chance. Inside a family Benjamini and
Hochberg's procedure decides: beside real shifts the level bounds the expected share of false failures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import partial

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.multiplicity import benjamini_hochberg
from aims_pipelines.stats.pair_cells import Finest
from aims_pipelines.stats.power import dependence_resolution, resolution
from aims_pipelines.stats.shifts import Shifts, sampling_variance
from aims_pipelines.stats.tails import Floats, normal


class Family(StrEnum):
    """Which tests are adjusted together."""

    COLUMNS = "columns"  # values of each column, whole table
    STRUCTURE = "structure"  # missing values of each column, and sizes of groups, whole table
    GROUPS = "groups"  # values and missing values inside groups
    LABELS = "labels"  # label inside groups
    PAIRS = "pairs"  # dependence of two columns on each other, whole table


#: How the level is divided; families without tests leave their part to the others.
PARTS: Mapping[Family, float] = {
    Family.COLUMNS: 0.58,
    Family.STRUCTURE: 0.02,
    Family.GROUPS: 0.02,
    Family.LABELS: 0.38,
    Family.PAIRS: 0.1,
}
#: Inside a group a pass must have been able to show this many times the shift that matters in the whole table.
GROUP_FACTOR = 3.0
#: Least part of an equal share that a weighted test keeps.
_LEAST_WEIGHT = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Tests of one column in some units.

    Args:
        family: The family that they belong to.
        column: Column, grouping whose sizes are compared, or pair of columns.
        subject: What of it is compared: ``values``, ``missing``, ``label``, ``sizes`` or ``dependence``.
        shifts: Measured in all units.
        units: The units that belong to this block.
        labels: Names of the categories, where they may be shown.
    """

    family: Family
    column: str
    subject: str
    shifts: Shifts
    units: NDArray[np.intp]
    labels: tuple[str, ...] = ()
    finest: Finest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A block's answers, one entry a unit of the block.

    Args:
        block: The tests.
        p_adjusted: To be held against the whole level; NaN where there was nothing to test.
        failed: Whether a shift beyond wobble is shown.
        conclusive: Whether the tolerated shift would have been shown with the stated power.
        limit: Smallest shift that would have been shown, in the unit of what was observed.
        largest_variance: What a pass would have needed.
        tolerated: Shift that it had to be able to show, a fraction of the rows judged.
    """

    block: Block
    p_adjusted: Floats
    failed: NDArray[np.bool_]
    conclusive: NDArray[np.bool_]
    limit: Floats
    largest_variance: Floats
    tolerated: float


def judge(
    blocks: Sequence[Block], *, alpha: float, effect: float, power: float, wobble: float
) -> list[Judged]:
    """Judge all tests.

    Args:
        blocks: The tests of all families.
        alpha: Level of all families together, in (0, 1).
        effect: Shift that a pass must have been able to show in the whole table, a fraction of rows.
        power: Chance of showing it.
        wobble: Standard deviation of harmless shifts, as total variation distance.

    Returns:
        One judgement a block, in the order given.
    """
    present = [family for family in Family if any(block.family is family for block in blocks)]
    whole = sum(PARTS[family] for family in present)
    results: dict[int, Judged] = {}
    for family in present:
        chosen = [(index, block) for index, block in enumerate(blocks) if block.family is family]
        answers = _judge_family(
            [block for _, block in chosen],
            part=PARTS[family] / whole,
            alpha=alpha,
            effect=effect,
            power=power,
            wobble=wobble,
        )
        results.update((index, answer) for (index, _), answer in zip(chosen, answers, strict=True))
    return [results[index] for index in range(len(blocks))]


def _judge_family(
    blocks: Sequence[Block], *, part: float, alpha: float, effect: float, power: float, wobble: float
) -> list[Judged]:
    family = blocks[0].family
    shifts = _joined(blocks)
    p = np.where(shifts.possible, shifts.p, np.nan)
    tests = max(1, int(shifts.possible.sum()))
    weights = np.ones(p.size)
    if family is Family.LABELS:
        weights = _weights(shifts, level=alpha * part / tests, effect=effect, wobble=wobble)
    adjusted = benjamini_hochberg(p, weights=weights) / part
    failed = np.nan_to_num(adjusted, nan=1.0) <= alpha
    level = np.clip(alpha * part * weights / tests, 1e-30, 0.5)
    freedom = np.array(
        [block.finest.freedom if block.finest else 0.0 for block in blocks for _ in block.units]
    )
    able = (partial(dependence_resolution, freedom=freedom) if family is Family.PAIRS else resolution)(
        shifts,
        level=level,
        shown_level=np.minimum(0.5, level * max(1, int(failed.sum()))),
        tolerated=tolerated_shift(family, effect),
        power=power,
        wobble=wobble,
    )
    conclusive = sampling_variance(shifts.before, shifts.after) <= able.largest_variance
    answers, start = [], 0
    for block in blocks:
        mine = slice(start, start + block.units.size)
        start = mine.stop
        answers.append(
            Judged(
                block=block,
                p_adjusted=np.minimum(1.0, adjusted[mine]),
                failed=failed[mine],
                conclusive=conclusive[mine],
                limit=able.limit[mine],
                largest_variance=able.largest_variance[mine],
                tolerated=tolerated_shift(family, effect),
            )
        )
    return answers


def tolerated_shift(family: Family, effect: float) -> float:
    """Shift that a pass of a family must have been able to show, as a fraction of the rows judged."""
    inside_groups = family in (Family.GROUPS, Family.LABELS)
    return min(0.9, effect * GROUP_FACTOR) if inside_groups else effect


def _weights(shifts: Shifts, *, level: float, effect: float, wobble: float) -> Floats:
    """Give the level to the groups for which it makes a difference; the weights have mean 1.

    A large group needs little of the level to show a shift of the size that matters, a small one much.
    Sizes of groups do not depend on the labels in them, so the weights are chosen before seeing what is
    tested.

    Source:
        Roeder & Wasserman (2009), Statistical Science 24:398-413, section 3.
    """
    variance = sampling_variance(shifts.before, shifts.after) + (2.0 * wobble) ** 2
    signal = np.maximum(2.0 * effect / np.sqrt(variance), 1e-3)
    low, high = -200.0, 200.0
    for _ in range(50):
        middle = (low + high) / 2.0
        spent = float(normal(signal / 2.0 + middle / signal).mean())
        low, high = (middle, high) if spent > level else (low, middle)
    wanted = normal(signal / 2.0 + high / signal)
    if not wanted.mean() > 0.0:
        return np.ones(signal.size)
    mixed: Floats = _LEAST_WEIGHT + (1.0 - _LEAST_WEIGHT) * wanted / wanted.mean()
    return mixed


def _joined(blocks: Sequence[Block]) -> Shifts:
    return Shifts(
        **{
            item.name: np.concatenate([getattr(block.shifts, item.name)[block.units] for block in blocks])
            for item in fields(Shifts)
        }
    )
