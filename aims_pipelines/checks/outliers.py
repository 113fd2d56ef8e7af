"""Outliers: the share of values beyond fences, against a limit; and what policy does with such values.

Fences come from the reference version where there is one, widened until at most a quarter of the limit of
its own values lies beyond each, so that a column which always had a long tail is not flagged forever. Before
there is a reference they are fitted to the table itself.

Values that policy clips, or for which it takes rows out, count towards the limit like values that it only
flags: a policy that mends must not hide how much there was to mend.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aims_pipelines.checks.candidate import Answer, Candidate, Inapplicable, Treated
from aims_pipelines.checks.fences import MIN_VALUES, Fences, fit
from aims_pipelines.checks.wording import count, listing, percent
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.records.dataset_record import ColumnType, DatasetRecord
from aims_pipelines.records.policy_record import Limits, OutlierAction
from aims_pipelines.stats.profile import ColumnProfile, Distribution, Kind, Profile

if TYPE_CHECKING:
    import pyarrow as pa

#: Columns with no more distinct values than this hold codes, which no fence fits.
MAX_CODES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatedTable:
    """A table after its outlier policy was carried out.

    Args:
        kept: Rows to profile, judge and publish.
        rejected: Rows taken out, for quarantine; empty unless policy says ``quarantine``.
        columns: What was done, column by column, for the candidate and its verdict.
    """

    kept: "pa.Table"
    rejected: "pa.Table"
    columns: tuple[Treated, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """One sentence for each column in which something was done."""
        deed = "had their rows taken out" if self.rejected.num_rows else "were clipped"
        return tuple(f"{count(item.values, 'value')} of '{item.column}' {deed}" for item in self.columns)


def judge(candidate: Candidate) -> Answer:
    """Judge the share of outlying values of every declared measurement."""
    declared = _measurements(candidate.record)
    if not declared:
        return Inapplicable(
            reason="the record declares no number that is not a key, a label, a group, a list or left out of drift"
        )
    fences = fences_for(
        candidate.record, candidate.limits, profile=candidate.profile, reference=candidate.reference
    )
    treated = {item.column: item for item in candidate.treated}
    model = candidate.reference or candidate.profile
    findings, codes = [], []
    for name in declared:
        column = candidate.profile.columns.get(name)
        if column is None or column.kind is not Kind.NUMERIC:
            continue  # the schema check says so
        if _holds_codes(model.columns.get(name)):
            codes.append(name)
        else:
            finding = _column(candidate, column, fences.get(name), treated.get(name))
            findings += [] if finding is None else [finding]
    return (*findings, *([_codes(codes)] if codes else []))


def fences_for(
    record: DatasetRecord, limits: Limits, *, profile: Profile, reference: Profile | None
) -> Mapping[str, Fences]:
    """Fit fences to every declared measurement that has enough values.

    Args:
        record: The dataset's record.
        limits: The limits in force for it.
        profile: Profile of the table before any treatment; used where there is no reference.
        reference: Profile of the reference version.
    """
    model, spare = (profile, None) if reference is None else (reference, limits.max_outliers / 4)
    fitted = {}
    for name in _measurements(record):
        column = model.columns.get(name)
        if column is None or column.distribution is None or _holds_codes(column):
            continue
        fences = fit(column.distribution, spare=spare)
        if column.kind is Kind.NUMERIC and fences is not None:
            fitted[name] = fences
    return fitted


def treat(
    table: "pa.Table", record: DatasetRecord, limits: Limits, reference: Profile | None
) -> TreatedTable:
    """Carry out the outlier policy on the rows: nothing, clip to the fences, or take rows out.

    Missing values stay as they are. Whole numbers and decimals are clipped to the
    nearest such number inside the fences.

    Args:
        table: The rows as computed.
        record: The dataset's record.
        limits: The limits in force for it.
        reference: Profile of the reference version; without one the fences are the table's own.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from aims_pipelines.measure.views import without_views

    if limits.outlier_action is OutlierAction.FLAG or table.num_rows == 0:
        return TreatedTable(kept=table, rejected=table.slice(0, 0))
    table = without_views(_plain(table, _measurements(record)))
    nothing = table.slice(0, 0)
    fences = _fences_of_rows(table, record, limits, reference)
    kept, treated = table, []
    rejected = pa.repeat(pa.scalar(False), table.num_rows)
    for name in _measurements(record):
        place = table.schema.get_field_index(name)
        if name not in fences or place < 0 or not _is_number(table.schema.field(place).type):
            continue
        column, bounds = table.column(place), fences[name]
        number = pc.cast(column, pa.float64(), safe=False)
        outside = pc.fill_null(pc.or_(pc.greater(number, bounds.high), pc.less(number, bounds.low)), False)
        values = pc.sum(outside).as_py() or 0
        if not values:
            continue
        treated.append(Treated(column=name, values=values, known=_known(number), rows=table.num_rows))
        if limits.outlier_action is OutlierAction.CLIP:
            kept = kept.set_column(place, table.schema.field(place), _clipped(column, bounds))
        else:
            rejected = pc.or_(rejected, outside)
    if limits.outlier_action is OutlierAction.CLIP:
        return TreatedTable(kept=kept, rejected=nothing, columns=tuple(treated))
    return TreatedTable(
        kept=table.filter(pc.invert(rejected)), rejected=table.filter(rejected), columns=tuple(treated)
    )


def _plain(table: "pa.Table", names: Sequence[str]) -> "pa.Table":
    """The table with codes and run ends of these columns undone, of which values can be changed."""
    import pyarrow as pa

    from aims_pipelines.measure.lowering import one_array, plain

    for name in names:
        place = table.schema.get_field_index(name)
        if place < 0:
            continue
        values = plain(one_array(table.column(place)))
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if values.type != table.schema.field(place).type:
            table = table.set_column(place, table.schema.field(place).with_type(values.type), values)
    return table


def _known(number: "pa.ChunkedArray") -> int:
    import pyarrow.compute as pc

    return int(pc.sum(pc.invert(number.is_null(nan_is_null=True))).as_py() or 0)


def _fences_of_rows(
    table: "pa.Table", record: DatasetRecord, limits: Limits, reference: Profile | None
) -> Mapping[str, Fences]:
    if reference is not None:
        return fences_for(record, limits, profile=reference, reference=reference)
    from aims_pipelines.measure import profile_table

    measured = table.select([name for name in _measurements(record) if name in table.column_names])
    return fences_for(record, limits, profile=profile_table(measured, rows=False), reference=None)


def _measurements(record: DatasetRecord) -> list[str]:
    """Declared numbers that are measured: not the label, protected attributes, keys, identifiers or lists of codes."""
    excluded = {protected.column for protected in record.protected} | {record.subject}
    if record.label is not None:
        excluded.add(record.label.column)
    return [
        name
        for name, contract in record.columns.items()
        if contract.type in (ColumnType.INTEGER, ColumnType.NUMBER)
        and name not in excluded
        and not contract.unique
        and contract.drift
        and contract.allowed is None
    ]


def _holds_codes(column: ColumnProfile | None) -> bool:
    distribution = None if column is None else column.distribution
    return (
        distribution is not None
        and distribution.exact
        and len(distribution.points) <= MAX_CODES
        and distribution.total >= MIN_VALUES
    )


def _column(
    candidate: Candidate, column: ColumnProfile, fences: Fences | None, treated: Treated | None
) -> Finding | None:
    distribution = column.distribution
    remaining = distribution.total if distribution is not None else 0
    if distribution is None or (remaining == 0 and (treated is None or fences is None)):
        if candidate.record.columns[column.name].max_missing == 1.0:
            return None  # the contract admits a column without values
        return _unanswered(candidate, column, "it has no values to judge", MIN_VALUES)
    if fences is None:
        return _unfenced(candidate, column, distribution)
    values = remaining if treated is None else treated.known
    mended = treated.values if treated is not None else 0
    outlying = fences.beyond(distribution) + mended
    share, most = outlying / values, candidate.limits.max_outliers
    passed = share <= most
    whose = "the table's own" if candidate.reference is None else "the reference version's"
    reason = (
        f"{outlying:,} of {count(values, 'value')} ({percent(share)}) beyond {whose} fences "
        f"{fences.low:.4g} and {fences.high:.4g}"
    )
    if mended:
        deed = "clipped" if candidate.limits.outlier_action is OutlierAction.CLIP else "put in quarantine"
        reason += f", {mended:,} of them {deed}"
    return Finding(
        target=column.name,
        measure="outlying fraction",
        status=Status.PASS if passed else Status.FAIL,
        reason=reason if passed else f"{reason}; at most {percent(most)} are allowed",
        observed=share,
        limit=most,
        unit="fraction",
        n=values,
        remedy=""
        if passed
        else f"Look for a changed unit or a placeholder in '{column.name}'; 'max_outliers' is the limit.",
    )


def _unfenced(candidate: Candidate, column: ColumnProfile, distribution: Distribution) -> Finding:
    """Too few values for fences: a pass only if even all that could be outlying are within the limit."""
    heaviest = int(distribution.counts.max())
    free = distribution.total - heaviest if heaviest >= MIN_VALUES else distribution.total
    most = candidate.limits.max_outliers
    if column.rows >= MIN_VALUES and free / column.rows <= most:
        return Finding(
            target=column.name,
            measure="outlying fraction",
            status=Status.PASS,
            reason=f"only {count(free, 'value')} of {count(column.rows, 'row')} could be outlying at all",
            observed=free / column.rows,
            limit=most,
            unit="fraction",
            n=column.rows,
        )
    return _unanswered(candidate, column, f"{count(free, 'value')} are too few to fit fences to", MIN_VALUES)


def _unanswered(candidate: Candidate, column: ColumnProfile, reason: str, needed: int) -> Finding:
    return Finding(
        target=column.name,
        measure="outlying fraction",
        status=Status.INCONCLUSIVE,
        reason=reason,
        limit=candidate.limits.max_outliers,
        unit="fraction",
        n=column.rows - column.missing,
        rows_needed=needed,
    )


def _codes(names: list[str]) -> Finding:
    return Finding(
        target="",
        measure="code columns",
        status=Status.PASS,
        reason=f"{listing(names)} hold at most {MAX_CODES} distinct values: codes, not measurements",
        observed=len(names),
        unit="columns",
    )


def _is_number(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _clipped(column: "pa.ChunkedArray", bounds: Fences) -> "pa.ChunkedArray":
    import math

    import pyarrow as pa
    import pyarrow.compute as pc

    low, high = bounds.low, bounds.high
    if pa.types.is_integer(column.type) or pa.types.is_decimal(column.type):
        steps = 10.0 ** (column.type.scale if pa.types.is_decimal(column.type) else 0)
        low, high = math.ceil(low * steps) / steps, math.floor(high * steps) / steps
    number, stored = pc.cast(column, pa.float64(), safe=False), column.type
    if pa.types.is_decimal(
        stored
    ):  # of which Arrow's functions take no narrow ones, and none of negative scale
        column = column.cast(pa.decimal256(76, max(0, stored.scale)))
    for outside, bound in ((pc.greater(number, high), high), (pc.less(number, low), low)):
        if pc.any(outside).as_py():
            column = pc.if_else(pc.fill_null(outside, False), _bound(bound, column.type), column)
    return column.cast(stored)


def _bound(number: float, kind: "pa.DataType") -> "pa.Scalar":
    from decimal import ROUND_HALF_EVEN, Context, Decimal

    import pyarrow as pa

    if not pa.types.is_decimal(kind):
        return pa.scalar(number).cast(kind)
    digits = Decimal(1).scaleb(-kind.scale)
    return pa.scalar(Decimal(repr(number)).quantize(digits, ROUND_HALF_EVEN, Context(prec=76)), kind)
