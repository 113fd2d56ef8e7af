"""Personal data: columns that are not declared personal hold nothing that looks like it. Counts only, never values.

A column fails if at least ``MIN_MATCHES`` values, or ``MIN_SHARE`` of the examined ones, are genuine texts of a
kind (its checksum holds, where it has one) and these are at least half of the texts of that shape: of random
numbers a one-digit checksum lets a tenth through, so order numbers do not look like card numbers. Phone numbers and
network addresses, which have no checksum, need ``MIN_LOOSE_SHARE``. A telling column name alone is inconclusive,
if the column's values are mostly distinct.

Columns of up to 4,096 distinct texts are examined whole, others on evenly spread values. Names of people in
free text are not recognised.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from aims_pipelines.checks.candidate import Answer, Candidate
from aims_pipelines.checks.identifiers import KINDS
from aims_pipelines.checks.identifiers import Kind as Identifier
from aims_pipelines.checks.rows import pieces
from aims_pipelines.checks.wording import count, percent
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.profile import ColumnProfile, Kind

MIN_MATCHES = 3
MIN_SHARE = 0.01
MIN_LOOSE_SHARE = 0.2
MIN_VALID_SHARE = 0.5
#: Values examined where a column has too many distinct ones for its profile to name.
SAMPLE = 20_000
_LOOSE: Final = frozenset({"phone number", "IP address"})
_SMALLEST_IDENTIFIER = 10**10
_NAMES: Final = re.compile(
    r"(?:^|_)(?:e_?mail|phone|telephone|mobile|fax|ssn|social_security|iban|passport|surname|dob|national_id|tax_id"
    r"|(?:first|last|full|given|family|maiden|middle)_?name|(?:date_of_birth|birth_?da(?:te|y))|street|address"
    r"|credit_card|card_number)(?:_|$)"
)


def judge(candidate: Candidate) -> Answer:
    """Examine every column that is not declared personal and is not the subject's identifier."""
    declared = {name for name, contract in candidate.record.columns.items() if contract.personal}
    findings: list[Finding] = []
    examined, values = 0, 0
    for name, column in candidate.profile.columns.items():
        if name in declared or name == candidate.record.subject:
            continue
        examined += 1
        values += column.rows - column.missing
        findings += _column(column, candidate)
    return (*findings, _summary(examined, values, clean=not findings))


def _column(column: ColumnProfile, candidate: Candidate) -> list[Finding]:
    texts = _texts(column, candidate)
    n = sum(texts.values())
    if n:
        for kind in KINDS:
            if column.kind is Kind.CATEGORICAL or kind.digits:
                found = _matches(kind, texts, n)
                if found:
                    return [_found(column, kind, found, n)]
    if _named(column, candidate):
        return [_suspected(column, candidate)]
    return []


def _matches(kind: Identifier, texts: Mapping[str, int], n: int) -> int:
    """How many values are of a kind; 0 if too few are to speak of."""
    shaped = valid = 0
    for text, number in texts.items():
        part = kind.shaped(text.strip())
        if part is not None:
            shaped += number
            valid += number * kind.valid(part)
    if not valid or valid < MIN_VALID_SHARE * shaped:
        return 0
    if kind.name in _LOOSE:
        return valid if valid >= MIN_LOOSE_SHARE * n else 0
    return valid if valid >= MIN_MATCHES or valid >= MIN_SHARE * n else 0


def _texts(column: ColumnProfile, candidate: Candidate) -> Mapping[str, int]:
    """Texts (or whole numbers as texts) of a column with how often each was seen."""
    if column.kind is Kind.CATEGORICAL:
        if column.storage_type == "bool":
            return {}
        if column.categories is not None and column.categories.exact:
            return column.categories.counts
        return Counter(str(value) for value in _spread(column, candidate))
    if column.kind is Kind.NUMERIC and column.storage_type in ("int64", "uint64", "double"):
        if column.moments is None or not column.moments.maximum >= _SMALLEST_IDENTIFIER:
            return {}
        numbers = (value for value in _spread(column, candidate) if not isinstance(value, str))
        whole = (int(number) for number in numbers if number == int(number))
        return Counter(str(number) for number in whole if number >= _SMALLEST_IDENTIFIER)
    return {}


def _spread(column: ColumnProfile, candidate: Candidate) -> Iterator[str | float]:
    """Up to ``SAMPLE`` values that are not missing, evenly spread over the rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    step, start = max(1, -(-column.rows // SAMPLE)), 0
    for piece in pieces(candidate, column.name):
        places = pa.array(range(-start % step, len(piece), step), pa.int64())
        start += len(piece)
        for value in pc.take(piece, places).drop_null().to_pylist():
            if value == value and value not in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN differs from itself
                yield value


def _named(column: ColumnProfile, candidate: Candidate) -> bool:
    """Whether a column has a telling name, and values that are mostly distinct."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|[\s\-.]+", "_", column.name).casefold()
    values = column.rows - column.missing
    return values > 0 and _NAMES.search(spaced) is not None and 2 * _distinct(column, candidate) > values


def _distinct(column: ColumnProfile, candidate: Candidate) -> int:
    """Distinct values: from the profile where it tells them apart, from the rows elsewhere."""
    if column.categories is not None:
        return column.categories.distinct
    if column.distribution is None or column.distribution.exact:
        return 0 if column.distribution is None else len(column.distribution.points)
    import pyarrow as pa
    import pyarrow.compute as pc

    values = pa.chunked_array(list(pieces(candidate, column.name)))
    return int(pc.count_distinct(values, mode="only_valid").as_py())


def _found(column: ColumnProfile, kind: Identifier, found: int, n: int) -> Finding:
    whole = n == column.rows - column.missing
    return Finding(
        target=column.name,
        measure="identifying fraction",
        status=Status.FAIL,
        reason=f"{found:,} of {count(n, 'value')}{'' if whole else ' examined'} ({percent(found / n)}) "
        f"look like {'an' if kind.name[0] in 'eIi' else 'a'} {kind.name}, and the column is not declared personal",
        observed=found / n,
        limit=MIN_SHARE if kind.name not in _LOOSE else MIN_LOOSE_SHARE,
        unit="fraction",
        n=n,
        remedy=f"Drop or pseudonymise '{column.name}', or declare it with 'personal: true' and a legal basis.",
    )


def _suspected(column: ColumnProfile, candidate: Candidate) -> Finding:
    values = column.rows - column.missing
    share = min(1.0, _distinct(column, candidate) / values)
    return Finding(
        target=column.name,
        measure="distinct fraction under a telling name",
        status=Status.INCONCLUSIVE,
        reason=f"its name says personal data and {percent(share)} of its values differ, but none was recognised",
        observed=share,
        limit=0.5,
        unit="fraction",
        n=values,
        remedy=f"Declare '{column.name}' with 'personal: true', rename it, or accept the finding in the record.",
    )


def _summary(examined: int, values: int, *, clean: bool) -> Finding:
    return Finding(
        target="",
        measure="examined columns",
        status=Status.PASS if values or examined == 0 else Status.INCONCLUSIVE,
        reason=f"{count(examined, 'column')} with {count(values, 'value')} examined for {count(len(KINDS), 'kind')} of "
        f"identifying texts{', none found' if clean and values else ''}",
        observed=examined,
        unit="columns",
        n=values,
    )
