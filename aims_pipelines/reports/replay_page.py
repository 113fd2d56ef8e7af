"""A replay as one self-contained HTML page: windows by checks over time, and the same in figures."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from aims_pipelines.core.replay import Answer, Basis, Effect, Outcome, Window
from aims_pipelines.core.verdict import Status
from aims_pipelines.reports import replay_story as story
from aims_pipelines.reports.drift_page import environment
from aims_pipelines.reports.markup import safe_svg
from aims_pipelines.reports.timeline import MOST_COLUMNS, Mark, Row, swatch, timeline
from aims_pipelines.stats.replay import DatasetReplay, Replay

_MOST_DATASETS = 30
_MOST_TURNS = 60
_OF_OUTCOME = {
    Outcome.PASS: Mark.PASS,
    Outcome.FAIL: Mark.FAIL,
    Outcome.INCONCLUSIVE: Mark.INCONCLUSIVE,
    Outcome.UNKNOWN: Mark.UNKNOWN,
}
_WORDS = {
    Mark.PASS: "pass",
    Mark.FAIL: "fail",
    Mark.INCONCLUSIVE: "inconclusive",
    Mark.WARNED: "not passed, but warns only",
    Mark.UNKNOWN: "not told",
    Mark.STANDS: "passed then, not replayed",
    Mark.NONE: "does not apply",
}


def replay_page(made: Replay) -> str:
    """Render the page.

    Args:
        made: What was found.

    Returns:
        HTML with no script and no reference to another file; under 100 kB a dataset.
    """
    told = [item for item in made.datasets if item.windows]
    return (
        environment()
        .get_template("replay.html.j2")
        .render(
            head=story.headline(made),
            status=made.status.value,
            word={
                Status.PASS: "nothing speaks against it",
                Status.FAIL: "it would block too much",
                Status.INCONCLUSIVE: "it cannot be told yet",
            }[made.status],
            day=made.at.date().isoformat(),
            since=made.since.date().isoformat() if made.since is not None else "",
            as_it_was=story.AS_IT_WAS if any(window.then for item in told for window in item.windows) else "",
            datasets=[_dataset(item) for item in told[:_MOST_DATASETS]],
            more=[item.dataset for item in told[_MOST_DATASETS:]],
            silent=[item.dataset for item in made.datasets if not item.windows],
            legend=[(safe_svg(swatch(mark)), _WORDS[mark]) for mark in Mark if mark is not Mark.NONE],
        )
    )


def _dataset(item: DatasetReplay) -> dict[str, Any]:
    rows = _rows(item)
    turned = story.turns(item)
    tallies = [Counter(row.marks) for row in rows]
    shown = [mark for mark in _WORDS if any(tally[mark] for tally in tallies)]
    return {
        "name": item.dataset,
        "status": item.status.value,
        "sentence": story.sentence(item),
        "alarms": story.alarms(item),
        "period": story.period(item.windows),
        "windows": story.windows(len(item.windows)),
        "changes": item.changes,
        "picture": safe_svg(_picture(item, rows)),
        "shared": -(-len(item.windows) // MOST_COLUMNS) if len(item.windows) > MOST_COLUMNS else 0,
        "headings": [_WORDS[mark] for mark in shown],
        "tallies": [
            {"name": row.name, "cells": [tally[mark] for mark in shown]}
            for row, tally in zip(rows, tallies, strict=True)
        ],
        "turns": turned[:_MOST_TURNS],
        "turns_more": max(0, len(turned) - _MOST_TURNS),
        "left_open": story.left_open(item),
        "notes": item.notes,
    }


def _picture(item: DatasetReplay, rows: Sequence[Row]) -> str:
    flagged = [window.effect is Effect.BLOCKED for window in item.windows]
    named = [f"{window.at:%Y-%m-%d}" if window.at is not None else window.name for window in item.windows]
    blocked = [story.window_name(window) for window in item.windows if window.effect is Effect.BLOCKED]
    what = ", ".join(blocked[:12]) + (f" and {len(blocked) - 12} more" if len(blocked) > 12 else "")
    label = (
        f"{len(item.windows)} windows of {item.dataset} in order, a row a check. "
        f"Newly blocked: {what or 'none'}. The table below says the same in numbers."
    )
    return timeline(rows, names=named, flagged=flagged, label=label)


def _rows(item: DatasetReplay) -> list[Row]:
    """What became of the windows under each set of rules, then each check under the last of them."""
    rows = []
    for name, found in story.sides(item):
        marks = [Mark.NONE if side is None else _OF_OUTCOME[side.outcome] for side in found]
        rows.append(Row(name=name, marks=marks, strong=True))
    checks = dict.fromkeys(answer.check for window in item.windows for answer in window.after.answers)
    for check in checks:
        marks = [_mark(window, check) for window in item.windows]
        if any(mark is not Mark.NONE for mark in marks):
            rows.append(Row(name=check, marks=marks))
    return rows


def _mark(window: Window, check: str) -> Mark:
    answer = window.after.answer(check)
    if answer is None or not answer.applies:
        return Mark.NONE
    return _of_answer(answer)


def _of_answer(answer: Answer) -> Mark:
    if answer.status is None:
        return Mark.UNKNOWN
    if answer.status is Status.PASS:
        return Mark.PASS if answer.basis is Basis.REPLAYED else Mark.STANDS
    if not answer.gates:
        return Mark.WARNED
    return Mark.FAIL if answer.status is Status.FAIL else Mark.INCONCLUSIVE
