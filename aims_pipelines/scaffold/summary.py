"""Shortfalls of a first table in few sentences: what would refuse the first run before what is accepted for now."""

from collections.abc import Iterator

from aims_pipelines.scaffold.shortfalls import Shortfall

_MOST_NAMED = 5


def summarised(shortfalls: list[Shortfall]) -> Iterator[str]:
    """One sentence for each check and target, whatever the number of datasets that show it; one for small groups.

    Those that cannot be accepted, and so would refuse the first run, come first.
    """
    refusing = [item for item in shortfalls if item.observed is None]
    refused = {(item.check, item.target) for item in refusing}
    accepted = [item for item in shortfalls if (item.check, item.target) not in refused]
    for items in _by_target(refusing):
        yield _refusing(items)
    for items in _by_target([item for item in accepted if not item.is_count and not item.near]):
        yield _accepted(items)
    for check in dict.fromkeys(item.check for item in accepted if item.is_count):
        yield _small_groups(check, [item for item in accepted if item.check == check and item.is_count])
    near = [item for item in accepted if item.near and not item.is_count]
    if near:
        named = _listed([_name(items[0]) for items in _by_target(near)])
        yield (
            f"{named}: within the limit, but so narrowly that the next table may miss it by chance; accepted "
            f"until {near[0].review_by}."
        )


def _by_target(shortfalls: list[Shortfall]) -> Iterator[list[Shortfall]]:
    groups: dict[tuple[str, str], list[Shortfall]] = {}
    for item in shortfalls:
        groups.setdefault((item.check, item.target), []).append(item)
    yield from groups.values()


def _refusing(items: list[Shortfall]) -> str:
    first = items[0]
    datasets = ", ".join(dict.fromkeys(item.dataset for item in items))
    advice = f" {first.remedy}" if first.remedy else ""
    return f"{_name(first)} of {datasets} would refuse the first run: {first.finding}.{advice}"


def _accepted(items: list[Shortfall]) -> str:
    first = items[0]
    figures = ", ".join(f"{item.dataset} {item.observed:g}" for item in items)
    limit = "" if first.limit is None else f" (limit {first.limit:g})"
    return f"{_name(first)}: {figures}{limit}, accepted until {first.review_by}. {_sentence(first.finding)}"


def _small_groups(check: str, items: list[Shortfall]) -> str:
    """Groups by how far they are from being judged, the smallest first."""
    fewest: dict[str, Shortfall] = {}
    for item in items:
        known = fewest.setdefault(item.target, item)
        if (item.observed or 0.0) < (known.observed or 0.0):
            fewest[item.target] = item
    ordered = sorted(fewest.values(), key=lambda item: (item.observed or 0.0, item.target))
    named = _listed(
        [f"{item.target} ({item.observed:g} in {item.dataset}, {item.limit:g} needed)" for item in ordered]
    )
    return f"{check}: few rows, or hardly enough, of {named}; accepted until {items[0].review_by}."


def _name(item: Shortfall) -> str:
    return f"{item.check}[{item.target}]" if item.target else item.check


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return shown if len(names) <= _MOST_NAMED else f"{shown}, … ({len(names)} in all)"


def _sentence(text: str) -> str:
    first = text.split(" ", maxsplit=1)[0]
    return f"{text if '_' in first else text[:1].upper() + text[1:]}."
