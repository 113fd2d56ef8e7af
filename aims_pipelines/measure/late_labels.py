"""Labels that arrive later than the predictions they belong to: joined by an identifier, which stays in memory only."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.measure.buffers import text_buffers
from aims_pipelines.measure.column_types import kind_of, logical_type
from aims_pipelines.measure.groupings import unknown_column
from aims_pipelines.measure.lowering import labels_of, one_array, plain, plain_strings
from aims_pipelines.measure.table_files import Paths, TableFiles
from aims_pipelines.stats.hashing import hash_texts

Floats = NDArray[np.float64]
_CLASSES, _MOST_NAMED, _MOST_VALUES = 2, 10, 100
_REMEDY = "Keep one row for each prediction."


class LabelValues:
    """Reads labels as positive, negative or not known, and remembers which values there were.

    Args:
        positive: The positive outcome; 1 or true if ``None``.
    """

    def __init__(self, positive: str | None = None) -> None:
        self._positive = ("1", "true") if positive is None else (positive,)
        self.seen: set[str] = set()

    def read(self, column: pa.ChunkedArray) -> Floats:
        """1.0 where the label is the positive one, 0.0 where it is another, NaN where there is none."""
        texts = texts_of(column)
        if len(self.seen) < _MOST_VALUES:
            self.seen |= set(pc.unique(texts).drop_null().slice(0, _MOST_VALUES).to_pylist())
        hits = pc.if_else(pc.is_null(texts), None, pc.is_in(texts, value_set=pa.array(self._positive)))
        return np.asarray(pc.cast(hits, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)

    def fault(self, where: str) -> Fault | None:
        """What is wrong if the positive value never occurred."""
        if self.seen & set(self._positive):
            return None
        return Fault(
            where=where,
            expected=f"some labels to be {' or '.join(map(repr, self._positive))}, the positive value",
            found=_listed(self.seen) or "no labels at all",
            remedy="Name the value of the class whose probability the score is with --positive.",
        )

    def strangers(self, reference: "LabelValues", where: str) -> Fault | None:
        """What is wrong if labels have more values than the two of the reference."""
        if len(reference.seen) != _CLASSES or self.seen <= reference.seen:
            return None
        return Fault(
            where=where,
            expected=f"labels as in the reference ({_listed(reference.seen)})",
            found=f"besides them {_listed(self.seen - reference.seen)}",
            remedy="Write outcomes in the same way everywhere, or leave rows out that have another.",
        )


class LateLabels:
    """A table of identifiers and labels.

    Args:
        paths: Its files.
        ident: Column with the identifier of a prediction.
        label: Column with the label; without a value it is not known yet.
        values: How labels are read.
        null_values: Texts that mean missing in a CSV.

    Raises:
        BadInput: A column is not there, an identifier is missing or occurs twice.
    """

    def __init__(
        self, paths: Paths, *, ident: str, label: str, values: LabelValues, null_values: Sequence[str] = ()
    ) -> None:
        table = TableFiles(paths, null_values=null_values)
        self.name = str(table.files[0])
        lacking = [
            unknown_column(f"{self.name}: {what}", name, table.schema.names)
            for what, name in (("identifier", ident), ("label", label))
            if name not in table.schema.names
        ]
        faults = lacking or value_faults(self.name, table.schema, (ident, label))
        if faults:
            raise BadInput(faults)
        idents: list[pa.Array] = []
        labels: list[Floats] = []
        for place in range(len(table.files)):
            with table.reading(place, (ident, label)) as (_, windows):
                for window in windows:
                    idents.append(texts_of(window.column(0)))
                    labels.append(values.read(window.column(1)))
        self._idents: pa.Array = pa.concat_arrays(idents) if idents else pa.array([], pa.string())
        self._labels: Floats = np.concatenate(labels) if labels else np.zeros(0)
        if missing := self._idents.null_count:
            faults.append(
                _fault(self.name, ident, "an identifier in each row", f"{missing:,} rows without one")
            )
        repeated = len(self._idents) - missing - len(pc.unique(self._idents.drop_null()))
        if repeated:
            faults.append(
                _fault(self.name, ident, "each identifier once", f"{repeated:,} rows that repeat one")
            )
        if faults:
            raise BadInput(faults)
        hashes = hash_texts(*text_buffers(self._idents))
        self._order = np.argsort(hashes)
        self._hashes = hashes[self._order]
        self._hits = np.zeros(len(self._idents), np.int64)
        self.ident = ident

    def join(self, idents: pa.ChunkedArray) -> Floats:
        """Labels of predictions, NaN where there is none yet."""
        labels = np.full(len(idents), np.nan)
        texts = texts_of(idents)
        rows = np.flatnonzero(np.asarray(texts.is_valid()))
        texts = texts.drop_null()
        if not len(self._order) or not len(texts):
            return labels
        hashes = hash_texts(*text_buffers(texts))
        near = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        places = self._order[near]
        # Hashes find the place; the identifier itself decides.
        found = np.asarray(pc.equal(texts, self._idents.take(pa.array(places))))
        np.add.at(self._hits, places[found], 1)
        labels[rows[found]] = self._labels[places[found]]
        return labels

    def faults(self) -> list[Fault]:
        """What is wrong once all predictions were joined."""
        unknown, twice = int((self._hits == 0).sum()), int((self._hits > 1).sum())
        found = []
        if unknown:
            found.append(
                _fault(
                    self.name,
                    self.ident,
                    "identifiers of predictions",
                    f"{unknown:,} of {len(self._hits):,} that belong to none",
                    "Name the files with their predictions too, or leave these labels out.",
                )
            )
        if twice:
            found.append(
                _fault(
                    self.name,
                    self.ident,
                    "each label to belong to one prediction",
                    f"{twice:,} labels whose identifier several predictions have",
                )
            )
        return found


def _listed(values: set[str]) -> str:
    """Labels by name where they are few, as classes are."""
    return ", ".join(sorted(values)) if len(values) <= _MOST_NAMED else f"{len(values)} or more values"


def value_faults(name: str, schema: pa.Schema, columns: Sequence[str]) -> list[Fault]:
    """Columns of identifiers or labels whose values are no texts, numbers, booleans or times."""
    return [
        Fault(
            where=f"{name}: column {column!r}",
            expected="texts, numbers or booleans",
            found=f"the type {kind}",
            remedy="Convert it to text.",
        )
        for column in columns
        if column in schema.names
        and (kind_of(kind := schema.field(column).type) is None or pa.types.is_binary(logical_type(kind)))
    ]


def texts_of(column: pa.ChunkedArray) -> pa.Array:
    """Values of a column as texts, whole numbers without a decimal point, missing ones (NaN too) null."""
    array = plain(one_array(column))
    if pa.types.is_dictionary(array.type):
        array = plain(array.dictionary_decode())
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    if pa.types.is_floating(array.type) or pa.types.is_decimal(array.type):
        encoded = array.dictionary_encode()
        names = pa.array(labels_of(encoded.dictionary), pa.string())
        return names.take(encoded.indices)
    return plain_strings(array).cast(pa.string())


def _fault(name: str, column: str, expected: str, found: str, remedy: str = _REMEDY) -> Fault:
    return Fault(where=f"{name}: column {column!r}", expected=expected, found=found, remedy=remedy)
