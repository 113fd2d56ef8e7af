"""A replay as text for a terminal, and as Markdown for a merge request."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aims_pipelines.cli.answers import COLOURS
from aims_pipelines.cli.text_console import text_console
from aims_pipelines.core.replay import Effect, Outcome
from aims_pipelines.core.verdict import Status
from aims_pipelines.reports import replay_story as story

if TYPE_CHECKING:
    from rich.console import Console

    from aims_pipelines.stats.replay import DatasetReplay, Replay

_FILE_WIDTH = 132
_MOST_TURNS = 40
_HEADINGS = ("judged", "window", "check", "what", "observed", "limit", "")


def text(made: "Replay", *, to_file: bool) -> str:
    """Print a table of outcomes a dataset, what turns, and what is not known; coloured only on a terminal."""
    console, written = text_console(to_file=to_file, file_width=_FILE_WIDTH)
    for item in made.datasets:
        _dataset(console, item)
    if any(window.then is not None for item in made.datasets for window in item.windows):
        console.print(story.AS_IT_WAS, style="dim", soft_wrap=True)
    console.print(
        f"{made.status.value}: {story.headline(made)}",
        markup=False,
        style=COLOURS[made.status],
        soft_wrap=True,
    )
    return written.getvalue()


def markdown(made: "Replay") -> str:
    """Write the same for a merge request."""
    lines = [f"### {_MARKS[made.status]} {story.headline(made)}", ""]
    for item in made.datasets:
        lines += [f"**`{item.dataset}`** {_facts(item)}", ""]
        if not item.windows:
            lines += ["No candidate was judged.", ""]
            continue
        names = list(story.OUTCOMES.values())
        lines += [f"| windows | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
        for name, by_outcome in story.counts(item):
            cells = [str(by_outcome[outcome] or "–") for outcome in Outcome]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines.append("")
        found = story.turns(item)
        if found:
            lines += [f"| {' | '.join(_HEADINGS)} |", f"|{'---|' * len(_HEADINGS)}"]
            lines += [
                f"| {' | '.join(' '.join(cell.replace('|', chr(92) + '|').split()) for cell in _cells(turn))} |"
                for turn in found[:_MOST_TURNS]
            ]
            lines.append("")
        lines += [f"- {line}" for line in _remarks(item, len(found))]
        lines.append("")
    lines.append(story.AS_IT_WAS)
    return "\n".join(lines) + "\n"


_MARKS = {Status.PASS: "✓", Status.FAIL: "✗", Status.INCONCLUSIVE: "?"}


def _dataset(console: "Console", item: "DatasetReplay") -> None:
    from rich.table import Table

    console.print(f"{item.dataset}: {_facts(item)}", markup=False, style="bold", soft_wrap=True)
    if not item.windows:
        console.print("No candidate was judged.\n")
        return
    table = Table()
    table.add_column("windows")
    for name in story.OUTCOMES.values():
        table.add_column(name, justify="right")
    for name, by_outcome in story.counts(item):
        table.add_row(name, *(str(by_outcome[outcome] or "–") for outcome in Outcome))
    console.print(table)
    found = story.turns(item)
    if found:
        console.print(_turned(found[:_MOST_TURNS]))
    for line in _remarks(item, len(found)):
        console.print(line, markup=False, soft_wrap=True)
    console.print()


def _turned(found: "Sequence[story.Turn]") -> object:
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    for heading in _HEADINGS:
        table.add_column(
            heading, overflow="fold", justify="right" if heading in ("observed", "limit") else "left"
        )
    for turn in found:
        colour = "red" if turn.effect is Effect.BLOCKED else "green"
        *cells, effect = _cells(turn)
        table.add_row(*map(escape, cells), f"[{colour}]{escape(effect)}[/]")
    return table


def _cells(turn: "story.Turn") -> tuple[str, ...]:
    return (turn.day, turn.window, turn.check, turn.target, turn.observed, turn.limit, turn.result)


def _facts(item: "DatasetReplay") -> str:
    period = story.period(item.windows)
    parts = [f"{story.windows(len(item.windows))}{f', {period}' if period else ''}", *item.changes]
    return "; ".join(parts)


def _remarks(item: "DatasetReplay", turned: int) -> list[str]:
    lines = []
    if turned > _MOST_TURNS:
        lines.append(f"… and {turned - _MOST_TURNS} more; --format json has all of them.")
    lines.append(f"False alarms: {story.alarms(item)}.")
    lines += [f"Not replayed: {line}" for line in story.left_open(item)]
    lines += [f"Note: {note}" for note in item.notes]
    return lines
