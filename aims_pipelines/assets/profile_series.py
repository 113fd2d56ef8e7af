"""A series of profiles judged for drift in order, each against what came before it: a replay without a project."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from aims_pipelines.assets.history import known_before
from aims_pipelines.checks.candidate import Candidate
from aims_pipelines.checks.catalogue import DATASET_CHECKS
from aims_pipelines.core.errors import BadInput, Fault, RowsNotKept
from aims_pipelines.core.replay import Side, Window

if TYPE_CHECKING:
    import pyarrow as pa

    from aims_pipelines.records.dataset_record import DatasetRecord
    from aims_pipelines.records.policy_record import Limits
    from aims_pipelines.stats.profile import Profile
    from aims_pipelines.stats.replay import DatasetReplay
    from aims_pipelines.storage.dataset_tables import Version

_DRIFT = tuple(check for check in DATASET_CHECKS if check.name == "drift")


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A profile of a series.

    Args:
        name: How readers call it, such as its file.
        digest: Digest of its bytes; profiles of one digest count as one window.
        profile: The profile.
    """

    name: str
    digest: str
    profile: "Profile"


def series_files(paths: Sequence[Path]) -> list[Path]:
    """Files of a series: those named, and of each folder its saved profiles in the order of their names.

    Numbers within names count as numbers, so that ``w9`` comes before ``w10``.

    Raises:
        BadInput: A folder holds no saved profile; with every fault.
    """
    from aims_pipelines.measure.saved import is_saved_profile

    found: list[Path] = []
    faults = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = [item for item in path.iterdir() if item.is_file() and is_saved_profile(item)]
        if not inside:
            remedy = "Save one a period: aims profile FILE --time COLUMN --every month --out FOLDER"
            faults.append(
                Fault(
                    where=str(path), expected="a folder of saved profiles", found="none in it", remedy=remedy
                )
            )
        found += sorted(inside, key=lambda item: _natural(item.name))
    if faults:
        raise BadInput(faults)
    return found


def _natural(name: str) -> list[tuple[int, str]]:
    """A name in pieces that sort as people count."""
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in re.split(r"([0-9]+)", name)]


def read_series(files: Sequence[Path]) -> tuple[Saved, ...]:
    """Read saved profiles.

    Raises:
        BadInput: A file is no saved profile; with every fault.
    """
    from aims_pipelines.core.digest import file_digest
    from aims_pipelines.measure import read_profile
    from aims_pipelines.measure.saved import is_saved_profile

    found, faults = [], []
    seen: set[Path] = set()
    for file in files:
        if file.resolve() in seen:
            faults.append(Fault(where=str(file), expected="each file once", found="it twice"))
        seen.add(file.resolve())
        if file.is_file() and not is_saved_profile(file):
            remedy = f"If it is a table, profile it first: aims profile {file} --out FILE"
            faults.append(
                Fault(where=str(file), expected="a saved profile", found="another file", remedy=remedy)
            )
            continue
        try:
            found.append(Saved(name=str(file), digest=file_digest(file), profile=read_profile(file)))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            faults.append(Fault(where=str(file), expected="a saved profile", found=reason))
        except BadInput as error:
            faults += error.faults
    if faults:
        raise BadInput(faults)
    return tuple(found)


def replay_profiles(
    series: Sequence[Saved],
    *,
    limits: "Limits",
    now: datetime,
    proposed: "Limits | None" = None,
    record: "DatasetRecord | None" = None,
    label: str | None = None,
    ignore: Sequence[str] = (),
    budget: float | None = None,
    notes: Sequence[str] = (),
) -> "DatasetReplay":
    """Judge the profiles of a series for drift, all of them taken as windows that people let stand.

    Args:
        series: At least two profiles, in order, made by the same groups. The first is only a reference.
        limits: Limits that apply; ``drift_reference`` says what each profile is judged against.
        now: Reference time, for answers that policy accepts until a date; aware UTC.
        proposed: Limits to try in their place.
        record: The dataset record; its label, keys, subject and time count.
        label: Column to predict, where there is no record.
        ignore: Columns that are not judged.
        budget: Largest acceptable share of false alarms; that of the limits if absent.
        notes: What a reader ought to know besides.

    Raises:
        BadInput: The profiles do not fit together, or a column is unknown; with every fault.
    """
    from aims_pipelines.records.proposal import differing
    from aims_pipelines.stats.replay import DatasetReplay

    faults = [*_series_faults(series), *_column_faults(series, label, ignore)]
    if faults:
        raise BadInput(faults)
    named = record.id if record is not None else "profiles"
    pairs = tuple(dict.fromkeys(pair for item in series for pair in item.profile.pairs))
    record = _declared(record, label, ignore, pairs)
    after = limits if proposed is None else proposed
    return DatasetReplay(
        dataset=named,
        windows=tuple(
            _window(series, place, record=record, limits=limits, proposed=proposed, now=now)
            for place in range(1, len(series))
        ),
        confidence=after.confidence,
        budget=after.false_alarm_budget if budget is None else budget,
        changes=differing(limits, after),
        notes=(*notes, f"Each profile is judged against {_against(after)}."),
    )


def _window(
    series: Sequence[Saved],
    place: int,
    *,
    record: "DatasetRecord",
    limits: "Limits",
    proposed: "Limits | None",
    now: datetime,
) -> Window:
    from aims_pipelines.checks.replay import ask_all, side

    earlier = _Before(tuple(series[:place]), record.id, now)

    def judged(by: "Limits") -> "Side":
        known = known_before(record, by, partition="", earlier=earlier)
        candidate = Candidate(
            asset=record.id,
            record=record,
            limits=by,
            digest=series[place].digest,
            profile=series[place].profile,
            batches=_no_rows,
            now=now,
            reference=known.reference,
            reference_digest=known.reference_digest,
            current_rows=known.current_rows,
            preceding=known.preceding,
            history=known.history,
        )
        return side(ask_all(_DRIFT, candidate), recorded={}, stages={}, holds=lambda _: False)

    mine = series[place]
    return Window(
        name=mine.name,
        digest=mine.digest,
        rows=mine.profile.rows,
        let_stand=True,
        now=judged(limits),
        proposed=None if proposed is None else judged(proposed),
    )


@dataclass(frozen=True, slots=True)
class _Before:
    """The profiles before one of a series, as if each had been published."""

    saved: tuple[Saved, ...]
    dataset: str
    at: datetime

    def versions(self, dataset: str) -> "Sequence[Version]":
        """One a profile, in order."""
        from aims_pipelines.storage.dataset_tables import Version

        return [
            Version(
                dataset=dataset,
                partition="",
                number=number,
                digest=item.digest,
                rows=item.profile.rows,
                evidence=item.name,
                run_id="",
                published_at=self.at,
            )
            for number, item in enumerate(self.saved if dataset == self.dataset else (), 1)
        ]

    def head(self, dataset: str, partition: str = "") -> "Version | None":
        """The last of them."""
        return next((version for version in reversed(self.versions(dataset)) if not partition), None)

    def poolable(self, dataset: str, partition: str = "") -> Sequence[str]:
        """As in a project, the newest first; a series has no partitions."""
        from aims_pipelines.storage.pooling import MOST_POOLED

        newest = [version.digest for version in reversed(self.versions(dataset)) if not partition]
        return list(dict.fromkeys(newest[:MOST_POOLED]))

    def profile(self, dataset: str, digest: str) -> "Profile | None":
        """The profile with a digest."""
        mine = self.saved if dataset == self.dataset else ()
        return next((item.profile for item in mine if item.digest == digest), None)

    kept = profile


def _against(limits: "Limits") -> str:
    """The reference of each profile, as the limits say it."""
    names = {"first": "the first", "previous": "the one before it"}
    return names.get(limits.drift_reference.value, f"drift_reference: {limits.drift_reference.value}")


def _no_rows(columns: Sequence[str] | None = None) -> "Iterator[pa.RecordBatch]":  # noqa: ARG001 - as rows are read
    raise RowsNotKept("a saved profile holds no rows")


def _declared(
    record: "DatasetRecord | None",
    label: str | None,
    ignore: Sequence[str],
    pairs: "tuple[tuple[str, str], ...]",
) -> "DatasetRecord":
    """The record, or one that says nothing but what drift has to know."""
    from aims_pipelines.records.dataset_record import ColumnContract, ColumnType, DatasetRecord, Label

    if record is None:
        text = dict.fromkeys(("title", "owner", "purpose"), "-")
        source = {"origin": "-", "licence": "-", "legal_basis": "-"}
        plain = {"kind": "dataset", "id": "profiles", "status": "admitted", "source": source, **text}
        record = DatasetRecord.model_validate_json(json.dumps(plain)).model_copy(update={"pairs": pairs})
    keys = {name: ColumnContract(type=ColumnType.STRING, unique=True) for name in ignore}
    return record.model_copy(
        update={
            "columns": {**record.columns, **keys},
            "label": Label(column=label) if label is not None else record.label,
        }
    )


def _series_faults(series: Sequence[Saved]) -> Iterator[Fault]:
    """Groups of a profile that are not those of the first."""
    from aims_pipelines.measure.groupings import grouping_faults

    if len(series) < 2:
        yield Fault(
            where="profiles",
            expected="at least two, the first of them as reference",
            found=str(len(series)) if series else "none",
        )
    for item in series[1:]:
        remedy = (
            f"Make it again with the groups of the first: aims profile FILE --like {series[0].name} --out NEW"
        )
        for fault in grouping_faults(series[0].profile, item.profile):
            yield replace(fault, where=f"{item.name}: {fault.where}", remedy=remedy)


def _column_faults(series: Sequence[Saved], label: str | None, ignore: Sequence[str]) -> Iterator[Fault]:
    from aims_pipelines.measure.groupings import unknown_column

    names = list(dict.fromkeys(name for item in series for name in item.profile.columns))
    for where, wanted in (("label", () if label is None else (label,)), ("ignored column", ignore)):
        yield from (unknown_column(where, name, names) for name in wanted if name not in names)
