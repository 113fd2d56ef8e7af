"""Tables of predictions read one after the other: the reference, the windows, and whether their labels go together."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.measure.periods import Period
from aims_pipelines.measure.prediction_tables import Source
from aims_pipelines.measure.predictions import (
    Columns,
    WindowScores,
    alike,
    merge_levels,
    read_periods,
    read_window,
)
from aims_pipelines.stats.score_table import merge_scores

_Made = TypeVar("_Made")


def read_served(
    calibration: Source | None,
    sources: Sequence[Source],
    columns: Columns,
    *,
    served: Columns,
    time: str | None,
    every: Period | None,
    calibrate_on: int,
) -> tuple[WindowScores, dict[str, WindowScores]]:
    """Read the reference and the windows.

    Args:
        calibration: The reference; ``None`` where it is the first windows.
        sources: The windows, or the one table that is cut into them.
        columns: Where the reference says what.
        served: The same of the windows; their labels are remembered apart.
        time: Column of times, if the table is cut.
        every: Length of a period.
        calibrate_on: Number of first windows that are the reference.

    Returns:
        The reference, and the windows by name. All tell the same levels of a grouping apart.

    Raises:
        BadInput: Rows will not do, labels do not go together, or there are no windows; all faults are named.
    """
    faults: list[Fault] = []
    was = tried(faults, partial(read_window, calibration, columns)) if calibration is not None else None
    now: dict[str, WindowScores] = {}
    for source in sources:
        if time is not None and every is not None:
            now |= tried(faults, partial(read_periods, source, served, time=time, every=every)) or {}
        elif (made := tried(faults, partial(read_window, source, served))) is not None:
            now[source.name] = made
    if served.late is not None and not faults:
        faults += served.late.faults()
    faults += _label_faults(calibration, columns, served)
    if calibration is None:
        was, now = _first(now, calibrate_on)
    if not faults and not now:
        expected = f"more than the {calibrate_on} of the reference" if calibrate_on else "at least one row"
        faults.append(Fault(where="windows", expected=expected, found="no more" if calibrate_on else "none"))
    if faults or was is None:
        raise BadInput(faults)
    was, *others = alike([was, *now.values()])
    return was, dict(zip(now, others, strict=True))


def tried(faults: list[Fault], make: Callable[[], _Made]) -> _Made | None:
    """What is made; or ``None``, its faults added to the others."""
    try:
        return make()
    except BadInput as error:
        faults += [fault for fault in error.faults if fault not in faults]
        return None


def _label_faults(calibration: Source | None, columns: Columns, served: Columns) -> list[Fault]:
    """Whether labels of the reference and of the windows are written alike, and some are positive."""
    column = f"column {columns.label!r}"
    if calibration is not None and (columns.late is None or columns.values.seen):
        unknown = columns.values.fault(f"{calibration.where}: {column}")
    else:  # the labels of the reference are among those of the windows, or came late
        unknown = served.values.fault(
            f"{served.late.name if served.late is not None else 'labels'}: {column}"
        )
    strange = served.values.strangers(columns.values, f"labels of the windows: {column}")
    return [fault for fault in (unknown, strange) if fault is not None]


def _first(
    windows: dict[str, WindowScores], count: int
) -> tuple[WindowScores | None, dict[str, WindowScores]]:
    """The first windows together, and the others."""
    own = list(windows.values())[:count]
    if not own:
        return None, windows
    groups = {
        grouping: merge_levels([window.groups.get(grouping, {}) for window in own])
        for grouping in dict.fromkeys(grouping for window in own for grouping in window.groups)
    }
    whole = merge_scores([window.whole for window in own])
    return WindowScores(whole, groups), dict(list(windows.items())[count:])
