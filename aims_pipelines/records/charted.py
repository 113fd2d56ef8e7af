"""What a record's control charts can get wrong: statistics that cannot be read, or speak of what is not declared."""

from collections.abc import Iterator

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.records.dataset_record import ColumnType, DatasetRecord
from aims_pipelines.records.document import Document, shown
from aims_pipelines.records.validation import did_you_mean
from aims_pipelines.stats.expressions import NUMERIC, Statistic, parse_statistic

_NUMBERS = {ColumnType.INTEGER, ColumnType.NUMBER}


def chart_faults(record: DatasetRecord, document: Document) -> Iterator[Fault]:
    """Yield every fault of the statistics that a record charts."""
    if record.control_charts is None:
        return
    seen: set[str] = set()
    for index, text in enumerate(record.control_charts.statistics):
        where = document.where(("control_charts", "statistics", index))
        if text in seen:
            yield Fault(where=where, expected="each statistic once", found=shown(text))
        seen.add(text)
        try:
            statistic = parse_statistic(text, where=where)
        except BadInput as error:
            yield from error.faults
            continue
        yield from _undeclared(statistic, record, where)


def _undeclared(statistic: Statistic, record: DatasetRecord, where: str) -> Iterator[Fault]:
    column = record.columns.get(statistic.column)
    if statistic.column and column is None and record.extra_columns == "refuse" and record.columns:
        yield Fault(
            where=where,
            expected="a declared column",
            found=shown(statistic.column),
            remedy=did_you_mean(statistic.column, list(record.columns)),
        )
    if column is not None and statistic.measure in NUMERIC and column.type not in _NUMBERS:
        yield Fault(where=where, expected="a column of numbers", found=f"type {column.type}")
    groupings = [item.column for item in record.protected] + [
        " & ".join(names) for names in record.intersections
    ]
    if statistic.grouping and statistic.grouping not in groupings:
        yield Fault(
            where=where,
            expected=f"a grouping of 'protected' or 'intersections' ({', '.join(groupings) or 'there is none'})",
            found=shown(statistic.grouping),
            remedy=did_you_mean(statistic.grouping, groupings),
        )
