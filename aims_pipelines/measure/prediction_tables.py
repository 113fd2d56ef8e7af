"""Tables of predictions, in files or in memory, read window by window."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from aims_pipelines.measure.frames import ArrowFrame
from aims_pipelines.measure.table_files import TableFiles
from aims_pipelines.measure.windows import Window, windows_of


class Source(Protocol):
    """A table of predictions by name."""

    @property
    def name(self) -> str:
        """How the window is called."""
        ...

    @property
    def where(self) -> str:
        """How messages call it."""
        ...

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        ...

    def parts(
        self, columns: Sequence[str]
    ) -> Iterator[AbstractContextManager[tuple[pa.Schema, Iterator[Window]]]]:
        """Its files, or the one table that it is: the named columns, window by window."""
        ...


@dataclass(frozen=True, slots=True)
class Files:
    """Predictions in files."""

    name: str
    table: TableFiles

    @property
    def where(self) -> str:
        """The file, or the first of several."""
        more = f" and {len(self.table.files) - 1} more" if len(self.table.files) > 1 else ""
        return f"{self.table.files[0]}{more}"

    @property
    def schema(self) -> pa.Schema:
        """Columns of the first file, which the others share."""
        return self.table.schema

    def parts(
        self, columns: Sequence[str]
    ) -> Iterator[AbstractContextManager[tuple[pa.Schema, Iterator[Window]]]]:
        """File by file."""
        return (self.table.reading(place, columns) for place in range(len(self.table.files)))


@dataclass(frozen=True, slots=True)
class Frame:
    """Predictions in memory."""

    name: str
    frame: ArrowFrame

    @property
    def where(self) -> str:
        """Its name."""
        return self.name

    @property
    def schema(self) -> pa.Schema:
        """Columns of the frame."""
        return self.frame.schema

    def parts(
        self, columns: Sequence[str]
    ) -> Iterator[AbstractContextManager[tuple[pa.Schema, Iterator[Window]]]]:
        """The one table."""
        return iter([nullcontext(windows_of(self.frame.table.select(list(columns))))])
