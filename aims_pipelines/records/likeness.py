"""Dataset records that share the columns of another: ``like: <id>``."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from aims_pipelines.core.errors import Fault
from aims_pipelines.records.dataset_record import DatasetRecord
from aims_pipelines.records.document import shown
from aims_pipelines.records.validation import Placed

SHARED = ("columns", "extra_columns", "label", "protected", "intersections", "pairs", "subject", "time")


def resolve(placed: Sequence[Placed], faults: list[Fault]) -> list[Placed]:
    """Give every record that is like another what it shares with it, unless it states its own.

    Args:
        placed: All records that could be read.
        faults: Filled with likenesses of likenesses, which would be hard to follow. A likeness to a record that is
            not there is left as it is.
    """
    datasets = {item.record.id: item.record for item in placed if isinstance(item.record, DatasetRecord)}
    return [_resolved(item, datasets.get(_like(item) or ""), faults) for item in placed]


def _like(item: Placed) -> str | None:
    return item.record.like if isinstance(item.record, DatasetRecord) else None


def _resolved(item: Placed, model: DatasetRecord | None, faults: list[Fault]) -> Placed:
    if model is None or model is item.record:
        return item
    if model.like is not None:
        faults.append(
            Fault(
                where=item.document.where(("like",)),
                expected="a dataset that declares its own columns",
                found=f"{shown(model.id)}, which is like {shown(model.like)}",
                remedy=f"Write 'like: {model.like}'.",
            )
        )
        return item
    taken = {key: getattr(model, key) for key in _inherited(item)}
    return replace(
        item,
        record=item.record.model_copy(update=taken),
        document=replace(item.document, inherited=frozenset(taken)),
    )


def _inherited(item: Placed) -> Iterator[str]:
    """Shared parts that the record does not state itself; what it states wrongly it does state."""
    written = item.document.value if isinstance(item.document.value, dict) else {}
    return (key for key in SHARED if key not in written)
