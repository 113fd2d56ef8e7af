"""Families of tests that share one level, and the judgement of each test in them.

The level is divided among the families that have tests at all, before anything is seen, so that the
chance of a false failure anywhere stays below it; inside a family Benjamini and Hochberg's procedure
decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.multiplicity import benjamini_hochberg
from aims_pipelines.stats.power import resolution, variance_of
from aims_pipelines.stats.shifts import Shifts
from aims_pipelines.stats.tails import Floats, normal


class Family(StrEnum):
    """Which tests are adjusted together."""

    COLUMNS = "columns"  # values of each column, whole table
    STRUCTURE = "structure"  # missing values of each column, and sizes of groups, whole table
    GROUPS = "groups"  # values and missing values inside groups
    LABELS = "labels"  # label inside groups


#: How the level is divided; families without tests leave their part to the others.
PARTS: Mapping[Family, float] = {
    Family.COLUMNS: 0.62,
    Family.STRUCTURE: 0.04,
    Family.GROUPS: 0.04,
    Family.LABELS: 0.30,
}
#: Inside a group a pass must have been able to show this many times the shift that matters in the whole table.
GROUP_FACTOR = 2.5
#: Least part of an equal share that a weighted test keeps.
_LEAST_WEIGHT = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Tests of one column in some units.

    Args:
        family: The family that they belong to.
        column: Column, or grouping whose sizes are compared.
        subject: What of it is compared: ``values``, ``missing``, ``label`` or ``sizes``.
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
    """

    block: Block
    p_adjusted: Floats
    failed: NDArray[np.bool_]
    conclusive: NDArray[np.bool_]
    limit: Floats
    largest_variance: Floats


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
    tolerated = tolerated_shift(family, effect)
    shifts = [_at(block.shifts, block.units) for block in blocks]
    p = np.concatenate([np.where(item.possible, item.p, np.nan) for item in shifts])
    tests = max(1, int((~np.isnan(p)).sum()))
    weights = [np.ones(block.units.size) for block in blocks]
    if family is Family.LABELS:
        weights = _weights(blocks, level=alpha * part / tests, effect=effect, wobble=wobble)
    adjusted = benjamini_hochberg(p, weights=np.concatenate(weights)) / part
    failures = max(1, int((np.nan_to_num(adjusted, nan=1.0) <= alpha).sum()))
    answers = []
    ends = np.cumsum([block.units.size for block in blocks])
    for block, item, weight, end in zip(blocks, shifts, weights, ends, strict=True):
        mine = adjusted[end - block.units.size : end]
        level = np.clip(alpha * part * weight / tests, 1e-30, 0.5)
        able = resolution(item, level=level, tolerated=tolerated, power=power, wobble=wobble)
        shown = resolution(
            item, level=np.minimum(0.5, level * failures), tolerated=tolerated, power=power, wobble=wobble
        )
        answers.append(
            Judged(
                block=block,
                p_adjusted=np.minimum(1.0, mine),
                failed=np.nan_to_num(mine, nan=1.0) <= alpha,
                conclusive=variance_of(item.before, item.after) <= able.largest_variance,
                limit=shown.limit,
                largest_variance=able.largest_variance,
            )
        )
    return answers


def tolerated_shift(family: Family, effect: float) -> float:
    """Shift that a pass of a family must have been able to show, as a fraction of the rows judged."""
    inside_groups = family in (Family.GROUPS, Family.LABELS)
    return min(0.9, effect * GROUP_FACTOR) if inside_groups else effect


def _weights(blocks: Sequence[Block], *, level: float, effect: float, wobble: float) -> list[Floats]:
    """Give the level to the groups for which it makes a difference; the weights have mean 1.

    A large group needs little of the level to show a shift of the size that matters, a small one much.
    Sizes of groups do not depend on the labels in them, so the weights are chosen before seeing what is
    tested.

    Source:
        Roeder & Wasserman (2009), Statistical Science 24:398-413, section 3.
    """
    variance = [
        variance_of(block.shifts.before, block.shifts.after)[block.units] + (2.0 * wobble) ** 2
        for block in blocks
    ]
    signal = 2.0 * effect / np.sqrt(np.concatenate(variance))
    if not signal.size or not (signal > 0.0).any():
        return [np.ones(block.units.size) for block in blocks]
    signal = np.maximum(signal, 1e-3)
    low, high = -200.0, 200.0
    for _ in range(50):
        middle = (low + high) / 2.0
        spent = float(normal(signal / 2.0 + middle / signal).mean())
        low, high = (middle, high) if spent > level else (low, middle)
    wanted = normal(signal / 2.0 + high / signal)
    wanted = wanted / wanted.mean() if wanted.mean() > 0.0 else np.ones_like(wanted)
    mixed = _LEAST_WEIGHT + (1.0 - _LEAST_WEIGHT) * wanted
    return np.split(mixed, np.cumsum([block.units.size for block in blocks])[:-1])


def _at(shifts: Shifts, units: NDArray[np.intp]) -> Shifts:
    arrays = ("p", "kind", "possible", "observed", "before", "after", "spread", "cell", "present")
    return replace(shifts, **{name: getattr(shifts, name)[units] for name in arrays})
