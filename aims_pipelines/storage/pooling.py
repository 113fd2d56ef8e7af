"""Which earlier windows of a dataset may be pooled with the next one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

#: Reason of quarantine of a candidate that nothing but drift kept out.
DRIFT_ALONE = "drift"
#: Windows that one window may be pooled with, at most.
MOST_POOLED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedWindow:
    """Rows that were published, or that drift alone kept out.

    Args:
        at: When, aware UTC.
        partition: Partition key; empty for a dataset without partitions.
        digest: Their data version.
    """

    at: datetime
    partition: str
    digest: str


def poolable_windows(
    windows: Iterable[JudgedWindow], *, partition: str, limit: int = MOST_POOLED
) -> list[str]:
    """Choose the windows before the next one, the newest first.

    Each partition is one window, whose latest rows stand for it, and which is as old as its first ones: neither
    computing it again nor trying other rows makes two windows of it, or a newer one. The same holds for the same rows
    of a dataset without partitions. The partition that the next window is of does not count.

    Windows that drift kept out count, also those whose shift was shown: they came from the same source, and without
    them a lucky window of a source that has drifted would be thinned by good ones from before.

    Args:
        windows: All of them, in any order.
        partition: Partition key of the next window.
        limit: Most windows.

    Returns:
        Their data versions.
    """
    first: dict[str, datetime] = {}
    latest: dict[str, str] = {}
    for window in sorted(windows, key=lambda window: window.at):
        key = f"p {window.partition}" if window.partition else f"d {window.digest}"
        first.setdefault(key, window.at)
        latest[key] = window.digest
    latest.pop(f"p {partition}", None)
    newest = sorted(latest, key=lambda key: first[key], reverse=True)
    return list(dict.fromkeys(latest[key] for key in newest))[:limit]
