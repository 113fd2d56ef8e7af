"""Which groupings to profile within: named by a person, or those that another profile was made with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.stats.banding import bands_agree, edges_for, edges_of
from aims_pipelines.stats.merge import merge_all
from aims_pipelines.stats.profile import GroupSpec, Kind, Profile

if TYPE_CHECKING:
    import pyarrow as pa

#: Members below which a group is not judged, as in the limits' default; bands hold at least twice as many.
FEWEST = 100


class Rows(Protocol):
    """Rows that can be gone over: files, an Arrow table, or a Spark DataFrame, whose schema is known."""

    @property
    def schema(self) -> "pa.Schema":
        """Columns and their types."""
        ...

    def profile(
        self,
        groups: Sequence[GroupSpec] = (),
        *,
        rows: bool = True,
        pairs: Sequence[tuple[str, str]] = (),
        columns: Sequence[str] | None = None,
    ) -> Profile:
        """Profile all columns, or the named top-level ones."""
        ...


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table by name.

    Args:
        name: How messages call it.
        source: Its rows, or the path of its file, folder or files.
        null_values: Texts that mean missing in CSV files.
    """

    name: str
    source: "Rows | Path"
    null_values: Sequence[str] = field(default=())

    @cached_property
    def rows(self) -> Rows:
        """Its rows; files are opened on first use."""
        from aims_pipelines.measure.table_files import TableFiles

        if isinstance(self.source, Path):
            return TableFiles(self.source, null_values=self.null_values)
        return self.source

    def profile(self, groups: Sequence[GroupSpec], pairs: Sequence[tuple[str, str]] = ()) -> Profile:
        """Profile all columns."""
        return self.rows.profile(groups, rows=False, pairs=pairs)

    def part(self, names: Sequence[str]) -> Profile:
        """Profile some columns; those that are not there are left out."""
        there = [
            name for name in self.columns() if any(one == name or one.startswith(f"{name}.") for one in names)
        ]
        return self.rows.profile(rows=False, columns=there)

    def columns(self) -> list[str]:
        """Names of all top-level columns."""
        return list(self.rows.schema.names)


def choose_groups(
    tables: Sequence[Table], protected: Sequence[str], *, bands: Mapping[str, Sequence[float]] | None = None
) -> tuple[GroupSpec, ...]:
    """Make groupings of columns; numbers of many values get bands with round edges near their quartiles.

    Args:
        tables: Tables that the columns are looked up in, and that the edges are chosen from.
        protected: Columns, each a grouping; several joined by ``&`` form one grouping of their combinations.
        bands: Inner edges that are decided already, by column.

    Raises:
        BadInput: A column is not there; every such column is named.
    """
    from aims_pipelines.measure.column_types import leaf_names

    if not protected:
        return ()
    parts = [tuple(part.strip() for part in name.split("&")) for name in protected]
    wanted = list(dict.fromkeys(column for names in parts for column in names))
    seen = [table.part(wanted) for table in tables]
    faults = [
        unknown_column(f"{table.name}: protected", column, leaf_names(table.rows.schema))
        for table, profile in zip(tables, seen, strict=True)
        for column in wanted
        if column not in profile.columns
    ]
    if faults:
        raise BadInput(faults)
    whole = merge_all(seen)
    edges = {name: edges_for(whole.columns[name], fewest=FEWEST) for name in wanted}
    edges |= {name: tuple(float(edge) for edge in some) for name, some in (bands or {}).items() if some}
    return tuple(
        GroupSpec(columns=names, bands={name: edges[name] for name in names if edges[name]})
        for names in dict.fromkeys(parts)
    )


def groups_of(profile: Profile) -> tuple[GroupSpec, ...]:
    """Tell the groupings that a profile was made with; edges next to bands without rows are lost."""
    specs = []
    for grouping in profile.groups:
        names = _numeric_names(profile, grouping)
        bands = {column: edges for column, levels in names.items() if (edges := edges_of(levels))}
        specs.append(GroupSpec(columns=_columns(profile, grouping), bands=bands))
    return tuple(specs)


def _columns(profile: Profile, grouping: str) -> tuple[str, ...]:
    return (grouping,) if grouping in profile.columns else tuple(grouping.split(" & "))


def _numeric_names(profile: Profile, grouping: str) -> dict[str, set[str]]:
    """Per numeric column of a grouping, the names that its values or bands have among the levels."""
    columns = _columns(profile, grouping)
    parts = [
        (level,) if len(columns) == 1 else tuple(level.split(" & ")) for level in profile.groups[grouping]
    ]
    return {
        column: {names[place] for names in parts if len(names) == len(columns)}
        for place, column in enumerate(columns)
        if column in profile.columns and profile.columns[column].kind is Kind.NUMERIC
    }


def grouping_faults(reference: Profile, current: Profile) -> list[Fault]:
    """What keeps the groups of two profiles from being compared."""
    remedy = "Make one profile again with the groups of the other: aims profile FILE --like OTHER --out NEW."
    faults = [
        Fault(
            where=f"grouping {name!r}",
            expected="the same groupings in both profiles",
            found=f"it only in the {'reference' if name in reference.groups else 'current'} one",
            remedy=f"{remedy} Or name the groupings of both with --protected; '' for none.",
        )
        for name in dict.fromkeys((*reference.groups, *current.groups))
        if (name in reference.groups) != (name in current.groups)
    ]
    for name in reference.groups:
        if name not in current.groups:
            continue
        was, now = _numeric_names(reference, name), _numeric_names(current, name)
        for column in was:
            if column in now and not bands_agree(was[column], now[column]):
                edges = [", ".join(f"{edge:g}" for edge in edges_of(side[column])) for side in (was, now)]
                faults.append(
                    Fault(
                        where=f"grouping {name!r}",
                        expected=f"bands of {column!r} with the same edges in both profiles",
                        found=f"edges {' and '.join(some or 'none' for some in edges)}",
                        remedy=remedy,
                    )
                )
    return faults


def unknown_column(where: str, name: str, known: Sequence[str]) -> Fault:
    """A column that is not there, with the one that was probably meant."""
    close = get_close_matches(name.lower(), [one.lower() for one in known], n=1, cutoff=0.6)
    meant = next((one for one in known if close and one.lower() == close[0]), None)
    listed = ", ".join(known[:30]) + (f" and {len(known) - 30} more" if len(known) > 30 else "")
    return Fault(
        where=where,
        expected=f"one of the columns {listed or '(there are none)'}",
        found=repr(name),
        remedy=f"Did you mean {meant!r}?" if meant else "",
    )
