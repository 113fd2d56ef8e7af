"""A suite asked of the rows of a table, in no more memory than the columns of one expectation take."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from aims_pipelines.checks.suite_engine import (
    Outcome,
    add_up,
    ask,
    is_computable,
    numbers_read_at_once,
    quietly,
    values_asked,
)
from aims_pipelines.checks.suite_reach import Need, Reach, need_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from aims_pipelines.checks.suite_frames import Rows

#: Sets of columns that are worked on at a time: one is read while another is judged.
_AT_ONCE: Final = 2


def run(expectations: Sequence[Any], rows: "Rows") -> list[Outcome]:
    """Ask expectations of rows.

    What Great Expectations answers is what it would answer about all rows as one pandas frame, except for the
    examples of unexpected values, which are left out.

    Returns:
        One outcome an expectation, in their order.
    """
    groups: dict[tuple[str, ...], dict[Reach, list[int]]] = {}
    for place, expectation in enumerate(expectations):
        need = need_of(expectation, rows.names)
        groups.setdefault(need.columns, {}).setdefault(_way(need), []).append(place)

    def answers(group: "tuple[tuple[str, ...], dict[Reach, list[int]]]") -> dict[int, Outcome]:
        columns, ways = group
        asking = _Asking(rows, columns)
        found: dict[int, Outcome] = {}
        for way, places in ways.items():
            told = asking.answers(way, [expectations[place] for place in places])
            found |= dict(zip(places, told, strict=True))
        return found

    outcomes: dict[int, Outcome] = {}
    with quietly(), numbers_read_at_once(), ThreadPoolExecutor(_AT_ONCE) as pool:
        for found in pool.map(answers, groups.items()):
            outcomes |= found
    return [outcomes[place] for place in range(len(expectations))]


def _way(need: Need) -> Reach:
    """How to ask: what an expectation names and the table lacks is reported by Great Expectations on one frame."""
    return Reach.COLUMNS if need.missing and need.reach is not Reach.TABLE else need.reach


class _Asking:
    """Expectations about one set of columns, which are read and converted once for those that need them alike."""

    def __init__(self, rows: "Rows", columns: tuple[str, ...]) -> None:
        self._rows, self._columns = rows, columns
        self._condensed: list[tuple[pd.DataFrame, NDArray[np.int64]] | None] = []
        self._whole: list[pd.DataFrame] = []

    def answers(self, way: Reach, expectations: Sequence[Any]) -> list[Outcome]:
        """One outcome an expectation."""
        if way in (Reach.VALUES, Reach.ROWS):
            answers = add_up(expectations, self._frames(way))
            if answers is not None:
                return answers
            if len(expectations) > 1:  # one of them, perhaps: the others can still be added up
                return [self.answers(way, [expectation])[0] for expectation in expectations]
        if way is Reach.TABLE:  # one by one: no frame of everything is made for those that cannot use it
            return [self._about_everything(expectation) for expectation in expectations]
        return self._on_one_frame(way, expectations)

    def _about_everything(self, expectation: Any) -> Outcome:
        names = self._rows.nameplate()
        if not is_computable(expectation, names):
            return ask([expectation], names)[0]
        return self._on_one_frame(Reach.TABLE, [expectation])[0]

    def _on_one_frame(self, way: Reach, expectations: Sequence[Any]) -> list[Outcome]:
        frame = self._frame(way)
        answers = ask(expectations, frame)
        if way is Reach.NAMES:
            return answers
        return [
            replace(answer, values=values_asked(expectation, frame))
            if answer.success and answer.values is None  # only what is met could be met by nothing
            else answer
            for expectation, answer in zip(expectations, answers, strict=True)
        ]

    def _frames(self, way: Reach) -> "Iterator[tuple[pd.DataFrame, NDArray[np.int64] | None]]":
        condensed = self._condense() if way is Reach.VALUES else None
        if condensed is not None:
            yield condensed
        else:
            yield from ((piece, None) for piece in self._rows.pieces(self._columns))

    def _frame(self, way: Reach) -> "pd.DataFrame":
        if way is Reach.NAMES:
            return self._rows.nameplate()
        condensed = self._condense() if way is Reach.DISTINCT else None
        if condensed is not None:
            return condensed[0]
        if not self._whole:
            self._whole.append(self._rows.whole(self._columns))
        return self._whole[0]

    def _condense(self) -> "tuple[pd.DataFrame, NDArray[np.int64]] | None":
        if not self._condensed:
            self._condensed.append(self._rows.condensed(self._columns[0]))
        return self._condensed[0]
