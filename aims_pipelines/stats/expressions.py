"""Statistics of a profile by a short expression, such as ``mean(amount)`` or ``rate(outcome=default | sex=female)``.

Parsed here without looking at any profile; names with signs in them go between quotation marks.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from aims_pipelines.core.errors import BadInput, Fault


class Measure(StrEnum):
    """What can be told of a profile in one figure."""

    ROWS = "rows"
    MEAN = "mean"
    SD = "sd"
    MEDIAN = "median"
    QUANTILE = "quantile"
    MISSING = "missing"
    SHARE = "share"
    RATE = "rate"
    GAP = "gap"
    DRIFT = "drift"


#: How each is written, and what it is.
FORMS = {
    Measure.ROWS: ("rows", "number of rows"),
    Measure.MEAN: ("mean(COLUMN)", "mean of the values"),
    Measure.SD: ("sd(COLUMN)", "standard deviation of the values"),
    Measure.MEDIAN: ("median(COLUMN)", "median of the values"),
    Measure.QUANTILE: ("quantile(COLUMN, 0.9)", "value below which that part of the values lies"),
    Measure.MISSING: ("missing(COLUMN)", "share of rows without a value"),
    Measure.SHARE: ("share(COLUMN=VALUE)", "share of a value among all values"),
    Measure.RATE: ("rate(COLUMN=VALUE)", "share of a value among all values"),
    Measure.GAP: ("gap(COLUMN=VALUE | GROUPING)", "largest difference of that rate between groups"),
    Measure.DRIFT: ("drift(COLUMN)", "share of rows that moved, against the reference"),
}
#: Measures of numeric columns alone.
NUMERIC = frozenset({Measure.MEAN, Measure.SD, Measure.MEDIAN, Measure.QUANTILE})
#: Measures that count a value.
VALUED = frozenset({Measure.SHARE, Measure.RATE, Measure.GAP})
_TOKEN = re.compile(
    r"\s*(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<sign>[()=,|])|(?P<bare>[^()=,|\"']+))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """One figure of a profile.

    Args:
        text: The expression as written.
        measure: What is told.
        column: Of which column; empty for rows.
        value: The value that is counted, for shares and gaps.
        part: Part of the values that lie below, in (0, 1), for quantiles.
        grouping: Grouping within which it is told; empty for all rows.
        level: Group of it; empty for all rows, and for gaps.
    """

    text: str
    measure: Measure
    column: str = ""
    value: str = ""
    part: float = 0.5
    grouping: str = ""
    level: str = ""


def parse_statistic(text: str, *, where: str = "statistic") -> Statistic:
    """Read an expression.

    Args:
        text: The expression.
        where: How faults call it.

    Raises:
        BadInput: It is none; the message says what there is.

    Example:
        >>> found = parse_statistic("rate(outcome=default | sex=female)")
        >>> found.column, found.value, found.grouping, found.level
        ('outcome', 'default', 'sex', 'female')
    """
    tokens = _tokens(text)
    name = tokens[0][1] if tokens and tokens[0][0] == "name" else ""
    if name not in set(Measure):
        listed = ", ".join(form for form, _ in FORMS.values())
        close = get_close_matches(name, list(Measure), n=1)
        remedy = f"Did you mean {FORMS[Measure(close[0])][0]}?" if close else ""
        raise BadInput(Fault(where=where, expected=f"one of {listed}", found=repr(text), remedy=remedy))
    measure = Measure(name)
    made = _read(text, measure, tokens[1:])
    if made is None:
        form = FORMS[measure][0]
        if measure not in {Measure.ROWS, Measure.GAP}:
            form = f"{form}, or {form[:-1]} | GROUPING=GROUP)"
        remedy = "Put names with signs or brackets in them between quotation marks."
        raise BadInput(Fault(where=where, expected=form, found=repr(text), remedy=remedy))
    return made


def _tokens(text: str) -> list[tuple[str, str]]:
    """Names and signs of an expression; a character that is neither ends it with a sign that fits nowhere."""
    found: list[tuple[str, str]] = []
    at = 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return [*found, ("sign", text[at])]
        if match["sign"] is not None:
            found.append(("sign", match["sign"]))
        else:
            quoted = match["double"] if match["double"] is not None else match["single"]
            bare = match["bare"]
            if quoted is not None or bare.strip():
                found.append(("name", quoted if quoted is not None else bare.strip()))
        at = match.end()
    return found


def _read(text: str, measure: Measure, tokens: list[tuple[str, str]]) -> Statistic | None:
    """The statistic; ``None`` where the tokens do not fit its form."""
    if measure is Measure.ROWS:
        return Statistic(text=text.strip(), measure=measure) if not tokens else None
    signs = "".join(value if kind == "sign" else "n" for kind, value in tokens)
    inner = {Measure.QUANTILE: r"n,n"}.get(measure, r"n=n" if measure in VALUED else "n")
    group = r"\|n" if measure is Measure.GAP else r"(\|n=n)?"
    if not re.fullmatch(rf"\({inner}{group}\)", signs):
        return None
    names = [value for kind, value in tokens if kind == "name"]
    if not all(names):
        return None
    column, rest = names[0], names[1:]
    value, part = "", 0.5
    if measure in VALUED:
        value, rest = rest[0], rest[1:]
    if measure is Measure.QUANTILE:
        try:
            part, rest = float(rest[0]), rest[1:]
        except ValueError:
            return None
        if not 0.0 < part < 1.0:
            return None
    grouping = " & ".join(name.strip() for name in rest[0].split("&")) if rest else ""
    return Statistic(
        text=text.strip(),
        measure=measure,
        column=column,
        value=value,
        part=part,
        grouping=grouping,
        level=rest[1] if len(rest) > 1 else "",
    )
