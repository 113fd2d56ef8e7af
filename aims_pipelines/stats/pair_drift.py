"""Which declared pairs of columns can be judged, and their tests."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.dependence import dependence_shifts
from aims_pipelines.stats.drift_findings import DEPENDENCE, FEWER_VALUES, MORE_ROWS, inconclusive, too_rare
from aims_pipelines.stats.families import Block, Family, tolerated_shift
from aims_pipelines.stats.pair_cells import finest, grids
from aims_pipelines.stats.pairs import pair_name
from aims_pipelines.stats.profile import ColumnProfile, Kind, Profile


def pair_blocks(
    reference: Profile, current: Profile, ignored: Collection[str], *, effect: float, wobble: float
) -> tuple[list[Block], list[Finding]]:
    """Ask of every pair that was counted whether its dependence has changed.

    Args:
        reference: Profile of the reference window.
        current: Profile of the current window.
        ignored: Columns that are not judged.
        effect: Shift that matters, as total variation distance.
        wobble: Standard deviation of harmless shifts between windows, as total variation distance.

    Returns:
        The tests; and a finding for each pair that cannot be tested, with the reason.
    """
    blocks: list[Block] = []
    findings: list[Finding] = []
    for pair in dict.fromkeys((*reference.pairs, *current.pairs)):
        name = pair_name(pair)
        if not set(pair).isdisjoint(ignored):
            continue
        if pair not in reference.pairs or pair not in current.pairs:
            which = "reference" if pair in reference.pairs else "current"
            findings.append(inconclusive(name, f"only the {which} window was profiled by this pair"))
            continue
        if problem := _problem(reference, current, pair):
            findings.append(inconclusive(name, problem))
            continue
        if constant := next((one for one in pair if _constant(reference, current, one)), None):
            findings.append(
                Finding(
                    target=name,
                    measure=DEPENDENCE,
                    status=Status.PASS,
                    reason=f"nothing to depend on: {constant} has one value in both windows",
                    n=current.rows,
                )
            )
            continue
        shifts = dependence_shifts(grids(reference.pairs[pair], current.pairs[pair]), wobble=wobble)
        at_best = finest(reference.pairs[pair], current.pairs[pair])
        if not shifts.possible[0]:
            findings.append(
                inconclusive(name, too_rare(at_best.hidden), remedy=FEWER_VALUES)
                if at_best.hidden >= tolerated_shift(Family.PAIRS, effect)
                else inconclusive(
                    name, "the windows have too few rows with the same values of both", remedy=MORE_ROWS
                )
            )
            continue
        blocks.append(
            Block(
                family=Family.PAIRS,
                column=name,
                subject="dependence",
                shifts=shifts,
                units=np.array([0], dtype=np.intp),
                finest=at_best,
            )
        )
    return blocks, findings


def _problem(reference: Profile, current: Profile, pair: tuple[str, str]) -> str:
    """Why a pair cannot be compared; empty if it can."""
    for place, name in enumerate(pair):
        columns = reference.columns.get(name), current.columns.get(name)
        axes = reference.pairs[pair].axes[place], current.pairs[pair].axes[place]
        if any(column is None for column in columns):
            return f"{name} is not a column of both windows"
        if all(len(axis.keys) for axis in axes) and axes[0].kind is not axes[1].kind:
            return f"{name} is {axes[0].kind} in the reference, {axes[1].kind} now"
        if any(_is_free_text(column) for column in columns):
            return (
                f"{name} has so many categories that it is a key or free text, which nothing can be told of"
            )
        if axes[0].kind is Kind.NUMERIC and any(
            _is_blurred(table.counts.sum(axis=1 - place)[:-1], profile.columns[name])
            for profile, table in ((reference, reference.pairs[pair]), (current, current.pairs[pair]))
        ):
            return (
                f"the values of {name} lie too close together, compared with how far they are from zero, for coarse "
                "counts to tell them apart; pair a column that counts from another point"
            )
    return ""


def _is_blurred(counts: NDArray[np.int64], column: ColumnProfile) -> bool:
    """Whether one key holds nearly all values, though no single value does."""
    if column.distribution is None or not len(column.distribution.counts):
        return False
    values = column.distribution
    return bool(
        counts.max() > 0.9 * values.total and (not values.exact or values.counts.max() < 0.5 * values.total)
    )


def _is_free_text(column: ColumnProfile | None) -> bool:
    return column is not None and column.categories is not None and not column.categories.exact


def _constant(reference: Profile, current: Profile, name: str) -> bool:
    """Whether a column has at most one value in both windows together, missing counting as one."""
    values: set[object] = set()
    for column in (reference.columns[name], current.columns[name]):
        if column.missing:
            values.add(None)
        if column.categories is not None:
            values.update(column.categories.counts)
        elif column.distribution is not None:
            values.update(column.distribution.points[:2].tolist())
    return len(values) <= 1
