"""Groups of the holdout that model checks compare, and those too small to be compared."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.checks.model_candidate import ModelCandidate
from aims_pipelines.checks.wording import count
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.profile import MISSING, OTHER


def levels(candidate: ModelCandidate, attribute: str) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Each level of an attribute with its rows; missing values form no group."""
    values = candidate.groups[attribute]
    for level in np.unique(values).tolist():
        if level != OTHER and MISSING not in str(level).split(" & "):
            yield str(level), values == level


def unseen(candidate: ModelCandidate) -> list[Finding]:
    """Findings for attributes and intersections without columns in the holdout, or with too many groups to compare."""
    record = candidate.record
    declared = [*((item.column,) for item in record.protected), *record.intersections]
    crowded = {name: int((values == OTHER).sum()) for name, values in candidate.groups.items()}
    return [
        Finding(
            target=f"{name}={OTHER}",
            measure="groups",
            status=Status.INCONCLUSIVE,
            reason=f"{count(rows, 'row')} of the holdout are in more groups than are told apart, and not compared",
            n=rows,
            remedy=f"Declare 'bands' for '{name}' if it is a number, or merge its rare values at the source.",
        )
        for name, rows in crowded.items()
        if rows
    ] + [
        Finding(
            target=" & ".join(columns),
            measure="groups",
            status=Status.INCONCLUSIVE,
            reason="the holdout has no such column, so its groups cannot be compared",
            remedy="Keep protected columns in the holdout; the model need not use them.",
        )
        for columns in declared
        if " & ".join(columns) not in candidate.groups
    ]


def too_small(target: str, rows: int, least: int, *, noun: str = "row") -> Finding:
    """What is said of a group that cannot be compared.

    Args:
        target: The group, such as ``sex=Female``, with what is counted in it if that is not all rows.
        rows: How many there are.
        least: How many are needed.
        noun: What is counted.
    """
    return Finding(
        target=target,
        measure="group rows",
        status=Status.INCONCLUSIVE,
        reason=f"{count(rows, noun)} in the holdout; at least {least:,} are needed to judge the group",
        observed=rows,
        limit=least,
        unit="rows",
        n=rows,
        rows_needed=least,
        remedy="Collect more rows of this group for the holdout, or accept the finding for a stated time.",
    )
