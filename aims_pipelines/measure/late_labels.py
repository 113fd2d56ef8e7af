"""Labels that arrive later than the predictions they belong to: joined by an identifier, which stays in memory only."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.measure.groupings import unknown_column
from aims_pipelines.measure.lowering import labels_of, one_array, plain
from aims_pipelines.measure.table_files import Paths, TableFiles

Floats = NDArray[np.float64]
_REMEDY = "Keep one row for each prediction."


class LabelValues:
    """Reads labels as positive, negative or not known, and remembers which values there were."""

    def __init__(self, positive: str) -> None:
        self.positive = positive
        self._seen: set[str] = set()

    def read(self, column: pa.ChunkedArray) -> Floats:
        """1.0 where the label is the positive one, 0.0 where it is another, NaN where there is none."""
        texts = texts_of(column)
        self._seen |= (
            set(pc.unique(texts).drop_null().slice(0, 100).to_pylist()) if len(self._seen) < 100 else set()
        )
        hits = pc.equal(texts, pa.scalar(self.positive, pa.string()))
        return np.asarray(pc.cast(hits, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)

    def fault(self, where: str) -> Fault | None:
        """What is wrong if the positive value never occurred."""
        if self.positive in self._seen:
            return None
        named = ", ".join(sorted(self._seen)) if 0 < len(self._seen) <= 10 else ""
        found = named or (f"{len(self._seen)} or more other values" if self._seen else "no labels at all")
        return Fault(
            where=where,
            expected=f"some labels to be {self.positive!r}, the positive value",
            found=found,
            remedy="Name the value of the class whose probability the score is with --positive.",
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
        if lacking:
            raise BadInput(lacking)
        idents: list[pa.Array] = []
        labels: list[Floats] = []
        for place in range(len(table.files)):
            with table.reading(place, (ident, label)) as (_, windows):
                for window in windows:
                    idents.append(texts_of(window.column(0)))
                    labels.append(values.read(window.column(1)))
        self._idents: pa.Array = pa.concat_arrays(idents) if idents else pa.array([], pa.string())
        self._labels: Floats = np.concatenate(labels) if labels else np.zeros(0)
        faults = []
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
        self._hits = np.zeros(len(self._idents), np.int64)
        self.ident = ident

    def join(self, idents: pa.ChunkedArray) -> Floats:
        """Labels of predictions, NaN where there is none yet."""
        texts = texts_of(idents)
        places = pc.index_in(texts, value_set=self._idents, skip_nulls=True)
        found = np.asarray(pc.is_valid(places).to_numpy(zero_copy_only=False), dtype=np.bool_)
        at = np.asarray(places.fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)
        np.add.at(self._hits, at[found], 1)
        labels = np.full(len(texts), np.nan)
        labels[found] = self._labels[at[found]]
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
    return array.cast(pa.string())


def _fault(name: str, column: str, expected: str, found: str, remedy: str = _REMEDY) -> Fault:
    return Fault(where=f"{name}: column {column!r}", expected=expected, found=found, remedy=remedy)
