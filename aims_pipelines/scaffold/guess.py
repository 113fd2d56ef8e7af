"""Contracts guessed from a table: wide enough for the next batch of the same kind, narrow enough to notice another.

- Missing values: none where there were none, but for one in a hundred by accident; else a quarter more than measured,
  or what chance explains.
- Numbers: the measured range, widened by a tenth of its width and rounded outwards; never below zero if nothing was.
- Texts: the values seen at least five times, if there are at most fifty; up to one in a hundred may be another.
- In small tables more may lie outside, as the range and the list are what few rows happened to hold.
- The label and protected attributes: exactly the values seen.
- Identifiers, free text, personal data and times of events: no values at all, and no drift, as those of the next batch
  are others. Identifiers that repeat are told by their name.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aims_pipelines.records.dataset_record import ColumnType
from aims_pipelines.records.parts import Scalar
from aims_pipelines.scaffold.request import HOLDOUT_SHARE, Request
from aims_pipelines.scaffold.values import MOST_VALUES, Column
from aims_pipelines.stats.banding import MOST_LEVELS, nice, round_edges

MOST_ALLOWED = 50
FEWEST_OF_A_VALUE = 5
_CODES = 20
#: Names of what is told apart by its number: customer_id, Order No, sessionKey, userid.
_IDENTIFIER = re.compile(
    r"(?:(?:^|[\W_])(?i:id|key|uuid|guid|number|no|nr)|(?<=[a-z0-9])(?:Id|ID|Key|Number|No|Nr)"
    r"|(?i:user|customer|client|account|order|session|product|item|member|patient|employee|device|visitor)id)$"
)
#: Names of what only rows are told apart by, where no value repeats.
_POSITION = re.compile(r"(?:^|_)(?:instant|index)$|^id_", re.IGNORECASE)
#: From this share of distinct texts on, those of the next batch will be others.
_MOSTLY_DISTINCT = 0.1
#: Dates that span less, in seconds, are of events, which go on; longer ones are dates of birth and the like.
_LONGEST_EVENTS = 20 * 365.25 * 86_400
_MANY = f"more than {MOST_VALUES} categories"
_LARGEST_EXACT = 2**53
#: Values of the next batch that lie beyond all of this one no more often than once in a thousand, on either side.
_BEYOND_BY_CHANCE = 10
_MOST_BEYOND = 0.05
#: How far chance may reach in the share of missing values.
_CHANCE_DEVIATIONS = 3.3
_OF_NAMES = frozenset({ColumnType.STRING, ColumnType.INTEGER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The guessed contract of a column.

    Args:
        column: The column.
        rules: Keys and values as they are written into the record, ``type`` first.
        note: A comment for the reader; empty if the rules say it all.
        feature: ``number`` or ``category`` if a model may learn from it; else empty.
        why_not: Why it is not a feature; empty if it is.
    """

    column: Column
    rules: Mapping[str, object]
    note: str = ""
    feature: str = ""
    why_not: str = ""


def guess_contracts(
    columns: Mapping[str, Column], request: Request, *, personal: Sequence[str]
) -> list[Contract]:
    """Guess the contract of every column.

    Args:
        columns: All columns of the table.
        request: What the user said about them.
        personal: Columns whose values look like personal data.
    """
    return [_contract(column, request, personal=column.name in personal) for column in columns.values()]


def _contract(column: Column, request: Request, *, personal: bool) -> Contract:
    exact = column.name == request.label or column.name in request.protected
    rules: dict[str, object] = {"type": column.type.value}
    if column.known == 0:
        return Contract(
            column=column,
            rules={**rules, "max_missing": 1, "drift": False},
            note="no value at all in the first table",
            why_not="it holds no values",
        )
    most_missing = 0.0 if column.name == request.label else _most_missing(column)
    if most_missing:
        rules["max_missing"] = most_missing
    note = ""
    key = _is_key(column, request)
    if key:
        rules["unique"] = True
    elif exact and column.values is not None and (column.name == request.label or not needs_bands(column)):
        if not (column.is_numeric and len(column.values) > MOST_ALLOWED):
            rules["allowed"] = sorted(column.values, key=_order)
    elif not (personal or column.name == request.subject or column.dated or _is_identifier(column)):
        rules |= _values(column)
    if personal or column.name == request.subject:
        rules["personal"] = True
    feature, why_not = _feature(column, request, key=key, personal=personal)
    if why_not in {"free text", "a date", "personal data", "an identifier", _MANY}:
        rules["feature"] = False
        if _is_new_every_time(column):
            rules["drift"] = False
    return Contract(column=column, rules=rules, note=note, feature=feature, why_not=why_not)


def _values(column: Column) -> dict[str, object]:
    """A range for numbers, a list for texts of few values."""
    if column.is_numeric:
        return _range(column)
    allowed = _allowed(column) if column.type is ColumnType.STRING else []
    return {"allowed": allowed, "max_invalid": _most_beyond(column, 0.01)} if allowed else {}


def bands_for(column: Column, *, smallest_group: int, share: float) -> tuple[float, ...]:
    """Inner band edges for a numeric protected attribute: round numbers near quantiles.

    As many bands, two to four, as leave each at least twice ``smallest_group`` rows in a part of the table of
    ``share``; none for a column of few distinct values, whose values are the groups.
    """
    if not needs_bands(column):
        return ()
    return round_edges(
        column.quantiles,
        minimum=column.minimum,
        maximum=column.maximum,
        mean=column.mean,
        members=column.known * share,
        fewest=smallest_group,
    )


def needs_bands(column: Column) -> bool:
    """Whether the groups of a protected attribute are bands of its numbers rather than its values."""
    return column.is_numeric and (column.values is None or column.distinct > MOST_LEVELS)


def _is_key(column: Column, request: Request) -> bool:
    if column.distinct != column.known or column.known < 100 or column.missing:
        return False
    if column.name == request.subject:
        return True
    if column.is_whole and column.maximum - column.minimum + 1 == column.rows:
        return True  # a running number, whatever it is called
    return column.type in _OF_NAMES and any(
        pattern.search(column.name) for pattern in (_IDENTIFIER, _POSITION)
    )


def _is_identifier(column: Column) -> bool:
    """Whether a column tells things apart that more than one row may be about."""
    return (
        column.type in _OF_NAMES
        and column.distinct > MOST_ALLOWED
        and _IDENTIFIER.search(column.name) is not None
    )


def _is_new_every_time(column: Column) -> bool:
    """Whether the next batch will hold other values of a column that is no feature, though nothing has drifted."""
    if column.is_temporal:
        return column.maximum - column.minimum < _LONGEST_EVENTS
    return (
        column.dated
        or _is_identifier(column)
        or column.distinct > max(MOST_ALLOWED, _MOSTLY_DISTINCT * column.known)
    )


def _most_missing(column: Column) -> float:
    """The measured share and a quarter; in small tables, what the next holdout may miss by chance."""
    measured = column.missing / column.rows
    deviation = math.sqrt(measured * (1.0 - measured) * (1.0 + 1.0 / HOLDOUT_SHARE) / column.rows)
    wanted = max(measured * 1.25 + 0.01, measured + _CHANCE_DEVIATIONS * deviation)
    return min(1.0, math.ceil(wanted * 100 - 1e-9) / 100) if measured else 0.01


def _range(column: Column) -> dict[str, object]:
    """The measured range with a margin; codes keep theirs exactly."""
    span = column.maximum - column.minimum
    if not math.isfinite(span) or max(abs(column.minimum), abs(column.maximum)) > _LARGEST_EXACT:
        return {}
    if column.is_whole and (column.distinct <= _CODES or _is_dense(column)):
        return {
            "min": _plain(column.minimum),
            "max": _plain(column.maximum),
            "max_invalid": _most_beyond(column, 0.01),
        }
    margin = 0.1 * span or max(abs(column.maximum), 1.0) * 0.1
    step = nice(margin)
    low = math.floor((column.minimum - margin) / step) * step
    high = math.ceil((column.maximum + margin) / step) * step
    if column.minimum >= 0 > low:
        low = 0.0
    if column.maximum <= 0 < high:
        high = 0.0
    if column.minimum >= 0 and column.maximum <= 1 < high and column.type is ColumnType.NUMBER:
        high = 1.0  # a share
    return {"min": _plain(low), "max": _plain(high), "max_invalid": _most_beyond(column, 0.001)}


def _most_beyond(column: Column, usual: float) -> float:
    """Share of the next batch's values that may be none of this one's range or list."""
    by_chance = math.ceil(1000 * _BEYOND_BY_CHANCE / column.known) / 1000
    return max(usual, min(by_chance, _MOST_BEYOND))


def _is_dense(column: Column) -> bool:
    """Whether every whole number of the range occurs, and often: hours and months, not ages."""
    return (
        column.values is not None
        and column.distinct == column.maximum - column.minimum + 1
        and min(column.values.values()) >= 20
    )


def _allowed(column: Column) -> list[Scalar]:
    """Values worth listing: few, and none that only a handful of rows have, which could point at somebody."""
    if column.values is None or column.distinct > MOST_ALLOWED or column.known < 20 * column.distinct:
        return []
    listed = [value for value, number in column.values.items() if number >= FEWEST_OF_A_VALUE]
    rare = column.known - sum(column.values[value] for value in listed)
    return sorted(listed, key=_order) if rare <= 0.005 * column.known else []


def _feature(column: Column, request: Request, *, key: bool, personal: bool) -> tuple[str, str]:
    reasons: dict[str | None, str] = {
        request.label: "the label",
        request.subject: "it tells people apart",
        request.time: "the event time",
        **dict.fromkeys(request.protected, "protected"),
    }
    if column.name in reasons:
        return "", reasons[column.name]
    if key or personal:
        return "", "it tells rows apart" if key else "personal data"
    if column.is_temporal or column.dated:
        return "", "a date"
    if column.distinct < 2:
        return "", "the same everywhere"
    if _is_identifier(column):
        return "", "an identifier"
    if column.is_numeric and not (column.is_whole and column.distinct <= _CODES):
        return "number", ""
    if column.values is None:
        return "", "free text" if column.distinct > _MOSTLY_DISTINCT * column.known else _MANY
    return "category", ""


def _plain(number: float) -> int | float:
    """A number as people write it: whole ones without a point, others to ten digits."""
    rounded = float(f"{number:.10g}")
    return int(rounded) if rounded == int(rounded) else rounded


def _order(value: Scalar) -> tuple[int, float, str]:
    return (0, float(value), "") if isinstance(value, int | float) else (1, 0.0, value.casefold())
