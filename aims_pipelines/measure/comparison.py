"""Two tables, or what is kept of them, compared: what changed, where, and what the rows could not tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.core.verdict import Finding, Status, worst
from aims_pipelines.measure.groupings import (
    Table,
    choose_groups,
    grouping_faults,
    groups_of,
    unknown_column,
)
from aims_pipelines.measure.saved import is_saved_profile, read_profile
from aims_pipelines.stats import drift
from aims_pipelines.stats.attribution import Contribution, attribution
from aims_pipelines.stats.merge import NULL_TYPE
from aims_pipelines.stats.pairs import ordered_pair, pair_name
from aims_pipelines.stats.profile import ColumnProfile, GroupProfile, Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The answer to whether a table has drifted from its reference.

    Args:
        findings: What was measured, failures first; never empty.
        reference: Profile of the reference, as judged.
        current: Profile of the current table, as judged.
        effect: Tolerated shift, as a share of the rows.
        alpha: Chance that a window in which nothing has changed fails.
        label: The column to predict, if one was named.
        notes: What a reader ought to know besides.
    """

    findings: tuple[Finding, ...]
    reference: Profile
    current: Profile
    effect: float
    alpha: float
    label: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """The worst answer among the findings."""
        return worst(finding.status for finding in self.findings)

    @property
    def reference_rows(self) -> int:
        """Rows of the reference."""
        return self.reference.rows

    @property
    def current_rows(self) -> int:
        """Rows of the current table."""
        return self.current.rows

    @property
    def attribution(self) -> tuple[Contribution, ...]:
        """What carries the change that was shown, the largest part first."""
        labels = () if self.label is None else (self.label,)
        return attribution(self.findings, self.reference, self.current, labels=labels)

    @property
    def rows_needed(self) -> int | None:
        """Rows with which every inconclusive finding that says so would have been settled."""
        return max((finding.rows_needed for finding in self.findings if finding.rows_needed), default=None)


def compare(
    reference: object,
    current: object,
    *,
    effect: float = 0.1,
    alpha: float = 0.01,
    label: str | None = None,
    protected: Sequence[str] | None = None,
    bands: Mapping[str, Sequence[float]] | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
    ignore: Sequence[str] = (),
    null_values: Sequence[str] = (),
) -> Comparison:
    """Judge whether a table has drifted from its reference.

    Args:
        reference: A profile; the path of a saved profile, of a table file, or of a folder of such files; or a data
            frame. One of Spark is profiled on its executors.
        current: The same; read with the groups of the reference where that is a profile.
        effect: Tolerated shift: the share of rows that may have moved, in (0, 1).
        alpha: Chance, in (0, 1), that a window in which nothing has changed fails anywhere. Beside real drift it
            bounds the expected share of false ones among the failures.
        label: Column to predict; its shifts inside groups are tested by themselves.
        protected: Columns whose groups are looked into, intersections joined by ``&``. If absent, the groups of the
            profiles; none where both are tables.
        bands: Inner band edges of numeric protected columns; chosen from the reference if absent.
        pairs: Pairs of columns whose dependence on each other is judged. If absent, the pairs of the profiles; none
            where both are tables.
        ignore: Columns that are not judged, such as running numbers and times of events.
        null_values: Texts that mean missing in CSV files.

    Returns:
        The comparison. Without rows, or without values that could differ, it is inconclusive.

    Raises:
        BadInput: A file will not do; a column is unknown; a pair will not do; the profiles were made with
            different groups or pairs; both are the same file.
    """
    if isinstance(reference, str | Path) and isinstance(current, str | Path):
        _refuse_same_file(Path(reference), Path(current))
    before, after = _opened(reference, "reference", null_values), _opened(current, "current", null_values)
    if isinstance(before, Profile) or isinstance(after, Profile):
        before, after = _made_alike(before, after, protected, pairs)
    else:
        specs = choose_groups([before], protected or (), bands=bands)
        before, after = before.profile(specs, pairs or ()), after.profile(specs, pairs or ())
    faults = [*grouping_faults(before, after), *_pair_faults(before, after)]
    names = list(dict.fromkeys((*before.columns, *after.columns)))
    if label is not None:
        sides = {"reference": before, "current": after}
        faults += [
            unknown_column(f"{side}: label", label, list(profile.columns))
            for side, profile in sides.items()
            if label not in profile.columns and profile.columns
        ]
    faults += [
        unknown_column("ignored column", name, names) for name in ignore if name not in names and names
    ]
    if faults:
        raise BadInput(faults)
    before, after = _typed(before, after), _typed(after, before)
    findings = drift.compare(
        before, after, effect=effect, alpha=alpha, labels=() if label is None else (label,), ignore=ignore
    )
    return Comparison(
        findings=findings,
        reference=before,
        current=after,
        effect=effect,
        alpha=alpha,
        label=label,
        notes=("Both hold the same values equally often: one may be a copy of the other.",)
        if _same(before, after)
        else (),
    )


def _refuse_same_file(reference: Path, current: Path) -> None:
    if reference.exists() and current.exists() and reference.samefile(current):
        raise BadInput(
            Fault(
                where=str(current),
                expected="another file than the reference",
                found="the same file twice",
                remedy="A table always equals itself; that would show nothing.",
            )
        )


def _opened(source: object, role: str, null_values: Sequence[str]) -> Profile | Table:
    if isinstance(source, Profile):
        return source
    if isinstance(source, str | Path):
        if is_saved_profile(source):
            return read_profile(source)
        return Table(name=str(source), source=Path(source), null_values=tuple(null_values))
    from aims_pipelines.measure.frames import ArrowFrame, to_arrow
    from aims_pipelines.measure.spark import SparkFrame, is_spark_frame

    rows = SparkFrame(source) if is_spark_frame(source) else ArrowFrame(to_arrow(source))
    return Table(name=role, source=rows)


def _made_alike(
    before: Profile | Table,
    after: Profile | Table,
    protected: Sequence[str] | None,
    pairs: Sequence[tuple[str, str]] | None,
) -> tuple[Profile, Profile]:
    """Give both sides the groups and pairs of the side (or sides) that are profiles already, as far as wanted."""
    if protected is not None:
        wanted = [" & ".join(part.strip() for part in name.split("&")) for name in protected]
        known = {"reference": before, "current": after}
        faults = [
            Fault(
                where=f"{role} profile: protected",
                expected=f"groups that it was made with ({', '.join(side.groups) or 'none'})",
                found=repr(name),
                remedy="Profile its table again with --protected, or compare the table itself.",
            )
            for role, side in known.items()
            if isinstance(side, Profile)
            for name in wanted
            if name not in side.groups
        ]
        if faults:
            raise BadInput(faults)
        before, after = (
            replace(side, groups={name: side.groups[name] for name in wanted})
            if isinstance(side, Profile)
            else side
            for side in (before, after)
        )
    before, after = _with_pairs(before, after, pairs)
    made = next(side for side in (before, after) if isinstance(side, Profile))
    if isinstance(before, Table):
        before = before.profile(groups_of(made), tuple(made.pairs))
    if isinstance(after, Table):
        after = after.profile(groups_of(made), tuple(made.pairs))
    return before, after


def _with_pairs(
    before: Profile | Table, after: Profile | Table, pairs: Sequence[tuple[str, str]] | None
) -> tuple[Profile | Table, Profile | Table]:
    """Leave the profiles those of their pairs that are wanted."""
    if pairs is None:
        return before, after
    wanted = dict.fromkeys(ordered_pair(*pair) for pair in pairs)
    sides = {"reference": before, "current": after}
    faults = [
        Fault(
            where=f"{role} profile: pairs",
            expected=f"pairs that it was made with ({', '.join(map(pair_name, side.pairs)) or 'none'})",
            found=repr(pair_name(pair)),
            remedy="Profile its table again with --pairs, or compare the table itself.",
        )
        for role, side in sides.items()
        if isinstance(side, Profile)
        for pair in wanted
        if pair not in side.pairs
    ]
    if faults:
        raise BadInput(faults)
    before, after = (
        replace(side, pairs={pair: side.pairs[pair] for pair in wanted})
        if isinstance(side, Profile)
        else side
        for side in (before, after)
    )
    return before, after


def _pair_faults(before: Profile, after: Profile) -> list[Fault]:
    """Pairs that one profile was made with and the other was not."""
    return [
        Fault(
            where=f"pair {pair_name(pair)!r}",
            expected="the same pairs in both profiles",
            found=f"it only in the {'reference' if pair in before.pairs else 'current'} one",
            remedy="Make one profile again with the pairs of the other: aims profile FILE --like OTHER --out NEW. "
            "Or name the pairs of both with --pairs; '' for none.",
        )
        for pair in dict.fromkeys((*before.pairs, *after.pairs))
        if (pair in before.pairs) != (pair in after.pairs)
    ]


def _typed(profile: Profile, other: Profile) -> Profile:
    """Columns without any value, which have no type of their own, take the kind that they have in the other."""
    untyped = {
        name
        for name, column in profile.columns.items()
        if column.storage_type == NULL_TYPE and name in other.columns
    }
    if not untyped:
        return profile

    def retyped(columns: Mapping[str, ColumnProfile]) -> dict[str, ColumnProfile]:
        return {
            name: ColumnProfile(
                name=name,
                kind=other.columns[name].kind,
                storage_type=NULL_TYPE,
                rows=column.rows,
                nulls=column.nulls,
            )
            if name in untyped
            else column
            for name, column in columns.items()
        }

    return replace(
        profile,
        columns=retyped(profile.columns),
        groups={
            name: {
                level: GroupProfile(rows=group.rows, columns=retyped(group.columns))
                for level, group in levels.items()
            }
            for name, levels in profile.groups.items()
        },
    )


def _same(a: Profile, b: Profile) -> bool:
    return (
        a.rows == b.rows > 0
        and a.columns.keys() == b.columns.keys()
        and all(_same_column(column, b.columns[name]) for name, column in a.columns.items())
    )


def _same_column(a: ColumnProfile, b: ColumnProfile) -> bool:
    if (a.kind, a.nulls, a.nans) != (b.kind, b.nulls, b.nans):
        return False
    if a.distribution is not None and b.distribution is not None:
        return np.array_equal(a.distribution.points, b.distribution.points) and np.array_equal(
            a.distribution.counts, b.distribution.counts
        )
    if a.categories is not None and b.categories is not None:
        one, other = a.categories.buckets, b.categories.buckets
        same_buckets = one is other if one is None or other is None else np.array_equal(one, other)
        return dict(a.categories.counts) == dict(b.categories.counts) and same_buckets
    return a.distribution is b.distribution and a.categories is b.categories
