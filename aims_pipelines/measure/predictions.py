"""Tables of predictions to score tables: a window a table or a period, whole and within groups, in one pass."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.measure.column_types import kind_of, logical_type
from aims_pipelines.measure.grouping import Grouping
from aims_pipelines.measure.groupings import unknown_column
from aims_pipelines.measure.late_labels import LabelValues, LateLabels, value_faults
from aims_pipelines.measure.lowering import Numbers, lower, one_array
from aims_pipelines.measure.periods import Period, check_number, check_time, parts_by_period, period_name
from aims_pipelines.measure.prediction_tables import Source
from aims_pipelines.measure.windows import TableWindow, Window
from aims_pipelines.stats.merge import kept_levels
from aims_pipelines.stats.profile import NARROW, OTHER, GroupSpec, Kind
from aims_pipelines.stats.score_table import ScoreTable, merge_scores, score_table

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where a table of predictions says what.

    Args:
        score: Column with the probability of the positive class, in [0, 1].
        label: Column with the outcome; a table without it has no labels of its own.
        values: How labels are read.
        threshold: Scores at or above it are decided as positive.
        groups: Groupings to look within.
        late: Labels that are joined by identifier, if any.
    """

    score: str
    label: str
    values: LabelValues
    threshold: float
    groups: tuple[GroupSpec, ...] = ()
    late: LateLabels | None = None


@dataclass(slots=True)
class WindowScores:
    """Scores and labels of a window: all rows, and by grouping and level."""

    whole: ScoreTable
    groups: dict[str, dict[str, ScoreTable]] = field(default_factory=dict)


def merge_levels(parts: Sequence[Mapping[str, ScoreTable]]) -> dict[str, ScoreTable]:
    """Add up score tables by level, those of levels that are not kept by name in ``(other)``."""
    return _folded(parts, kept_levels(level for part in parts for level in part))


def alike(windows: Sequence[WindowScores]) -> list[WindowScores]:
    """The same windows with the same levels told apart in all: those kept of the levels of all together.

    Otherwise a level could stand by itself in one window and within ``(other)`` in the next.
    """
    named: dict[str, set[str]] = {}
    for window in windows:
        for grouping, levels in window.groups.items():
            named.setdefault(grouping, set()).update(levels)
    kept = {grouping: kept_levels(levels) for grouping, levels in named.items()}
    return [
        WindowScores(
            window.whole,
            {grouping: _folded([levels], kept[grouping]) for grouping, levels in window.groups.items()},
        )
        for window in windows
    ]


def _folded(parts: Sequence[Mapping[str, ScoreTable]], kept: Collection[str]) -> dict[str, ScoreTable]:
    """Add up score tables by level, those of levels outside ``kept`` in ``(other)``."""
    gathered: dict[str, list[ScoreTable]] = {}
    for part in parts:
        for level, table in part.items():
            gathered.setdefault(level if level in kept else OTHER, []).append(table)
    return {level: merge_scores(tables) for level, tables in sorted(gathered.items())}


def column_faults(source: Source, columns: Columns, *, time: str | None, labelled: bool) -> list[Fault]:
    """What is wrong with the columns of a table.

    Args:
        source: The table.
        columns: What is looked for.
        time: Column of times, if the table is cut into periods.
        labelled: Whether it must have labels.
    """
    names, faults = source.schema.names, []
    wanted = {"score": columns.score}
    if columns.late is not None and not (labelled and columns.label in names):
        wanted["identifier"] = columns.late.ident
    elif labelled:
        wanted["label"] = columns.label
    wanted |= {f"protected {name}": name for spec in columns.groups for name in spec.columns}
    for what, name in wanted.items():
        if name not in names:
            faults.append(unknown_column(f"{source.where}: {what.split(' ')[0]}", name, names))
    kind = source.schema.field(columns.score).type if columns.score in names else pa.null()
    if not (pa.types.is_null(kind) or kind_of(kind) is Kind.NUMERIC):  # of a file without rows it is null
        faults.append(
            Fault(
                where=f"{source.where}: column {columns.score!r}",
                expected="numbers, the probability of the positive class",
                found=f"the type {logical_type(kind)}",
            )
        )
    joined = [columns.label, *([columns.late.ident] if columns.late is not None else [])]
    faults += value_faults(source.where, source.schema, joined)
    if time is not None:
        try:
            check_time(source.schema, time)
        except BadInput as error:
            faults += [_named(source, fault) for fault in error.faults]
    return faults


def read_window(source: Source, columns: Columns) -> WindowScores:
    """Count the rows of a table by score and label.

    Raises:
        BadInput: Scores lie outside [0, 1], labels contradict late ones, or a file is damaged.
    """
    tally = _Tally(columns)
    for part in source.parts(tally.wanted(source.schema)):
        with part as (schema, windows):
            for window in windows:
                tally.add(_table(window, schema))
    if faults := tally.faults():
        raise BadInput([_named(source, fault) for fault in faults])
    return tally.result()


def read_periods(source: Source, columns: Columns, *, time: str, every: Period) -> dict[str, WindowScores]:
    """The same for each period of a table, by its name, in order of time.

    Raises:
        BadInput: As :func:`read_window`; there are too many periods, or rows without a time.
    """
    tallies: dict[int, _Tally] = {}
    wanted, untimed = _Tally(columns).wanted(source.schema, time), 0
    for part in source.parts(wanted):
        with part as (schema, windows):
            for window in windows:
                for number, table in parts_by_period(window, schema, time, every):
                    if number is None:
                        untimed += table.num_rows
                        continue
                    if number not in tallies:
                        tallies[number] = _Tally(columns)
                        check_number({*tallies}, time, every)
                    tallies[number].add(table)
    faults = [
        _named(source, fault)
        for fault in _together([fault for tally in tallies.values() for fault in tally.faults()])
    ]
    if untimed:
        faults.append(
            Fault(
                where=f"{source.where}: time column {time!r}",
                expected="a time in each row",
                found=f"{untimed:,} rows without one",
                remedy="Give each prediction its time, or leave those rows out.",
            )
        )
    if faults:
        raise BadInput(faults)
    return {period_name(number, every): tallies[number].result() for number in sorted(tallies)}


class _Tally:
    """Adds up tables of predictions, and notes what is wrong with them."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._whole = score_table(np.zeros(0), threshold=columns.threshold)
        self._groups: dict[str, dict[str, ScoreTable]] = {spec.name: {} for spec in columns.groups}
        self.outside = self.contradicted = 0

    def wanted(self, schema: pa.Schema, time: str | None = None) -> list[str]:
        """The columns that have to be read."""
        late = self._columns.late
        names = [
            self._columns.score,
            self._columns.label,
            *(one for spec in self._columns.groups for one in spec.columns),
        ]
        names += [late.ident] if late is not None else []
        names += [time] if time is not None else []
        return [name for name in dict.fromkeys(names) if name in schema.names]

    def add(self, table: pa.Table) -> None:
        """Take in some rows."""
        if not table.num_rows:
            return
        scores, labels = self._scores(table), self._labels(table)
        self._whole = merge_scores(
            [self._whole, score_table(scores, labels, threshold=self._columns.threshold)]
        )
        for spec in self._columns.groups:
            # Levels past the cap give way here and in what is added up alike: those that stay have the smallest
            # hashes among all levels, so they stay in every part, and no part decides what they hold.
            grouping, found = Grouping(spec), {}
            cells, _ = grouping.assign([one_array(table.column(name)) for name in spec.columns])
            for level, cell in grouping.levels.items():
                inside = cells.codes == cell
                found[level] = score_table(scores[inside], labels[inside], threshold=self._columns.threshold)
            self._groups[spec.name] = merge_levels([self._groups[spec.name], found])

    def faults(self) -> list[Fault]:
        """What is wrong with the rows."""
        found = []
        if self.outside:
            found.append(
                Fault(
                    where=f"column {self._columns.score!r}",
                    expected="probabilities in [0, 1]",
                    found=f"{self.outside:,} rows outside",
                    remedy="Give the probability of the positive class, such as predict_proba(...)[:, 1].",
                )
            )
        if self.contradicted:
            found.append(
                Fault(
                    where=f"column {self._columns.label!r}",
                    expected="the labels that arrived late, or none",
                    found=f"{self.contradicted:,} rows with another label",
                    remedy="Keep the label that is right in one of the two places.",
                )
            )
        return found

    def result(self) -> WindowScores:
        """All rows taken in."""
        return WindowScores(self._whole, self._groups)

    def _scores(self, table: pa.Table) -> Floats:
        lowered = lower(one_array(table.column(self._columns.score)))
        if not isinstance(lowered, Numbers):  # a file of empty cells alone
            return np.full(table.num_rows, np.nan)
        values = lowered.values if lowered.valid is None else np.where(lowered.valid, lowered.values, np.nan)
        stored = NARROW.get(str(logical_type(table.schema.field(self._columns.score).type)))
        if stored is not None:  # a score written as the threshold is at it, however it is stored
            threshold = self._columns.threshold
            values = np.where(values == float(stored(threshold)), threshold, values)
        wrong = (values < 0.0) | (values > 1.0)
        self.outside += int(wrong.sum())
        return np.where(wrong, np.nan, values)

    def _labels(self, table: pa.Table) -> Floats:
        columns, labels = self._columns, np.full(table.num_rows, np.nan)
        if columns.label in table.column_names:
            labels = columns.values.read(table.column(columns.label))
        if columns.late is None or columns.late.ident not in table.column_names:
            return labels
        late = columns.late.join(table.column(columns.late.ident))
        self.contradicted += int(((labels != late) & ~np.isnan(labels) & ~np.isnan(late)).sum())
        return np.where(np.isnan(labels), late, labels)


def _table(window: Window, schema: pa.Schema) -> pa.Table:
    if isinstance(window, TableWindow):
        return window.table
    return pa.table([window.column(index) for index in range(len(schema))], names=schema.names)


def _together(faults: Sequence[Fault]) -> list[Fault]:
    """Faults of several periods, each kind once."""
    return list({(fault.where, fault.expected): fault for fault in faults}.values())


def _named(source: Source, fault: Fault) -> Fault:
    return Fault(
        where=f"{source.where}: {fault.where}",
        expected=fault.expected,
        found=fault.found,
        remedy=fault.remedy,
    )
