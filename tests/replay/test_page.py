"""The page of a replay: what a manager reads, and that it stands alone."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from aims_pipelines.core.replay import Answer, Basis, Side, Window
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.reports.replay_page import replay_page
from aims_pipelines.reports.timeline import MOST_COLUMNS, Mark, Row, timeline
from aims_pipelines.stats.replay import DatasetReplay, Replay

AT = datetime(2026, 5, 4, tzinfo=UTC)


class Outline(HTMLParser):
    """Tags that must be closed, references to other files, labels of pictures, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.tags: list[str] = []
        self.labels: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.tags.append(tag)
        if tag not in {"meta", "br"}:
            self.open.append(tag)
        self.references += [value for name, value in attributes if name in {"src", "href"}]
        self.labels += [value for name, value in attributes if name == "aria-label"]

    def handle_startendtag(self, tag: str, attributes: Any) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Outline:
    outline = Outline()
    outline.feed(html)
    outline.close()
    assert outline.open == []
    return outline


def answer(check: str, status: Status | None, *, basis: Basis = Basis.REPLAYED, gates: bool = True) -> Answer:
    problem = Finding(
        target="amount",
        measure="missing fraction",
        status=status or Status.FAIL,
        reason="3 of 9 are <missing>",
        observed=1 / 3,
        limit=0.1,
        unit="fraction",
    )
    failed = status not in (None, Status.PASS)
    return Answer(check=check, status=status, gates=gates, basis=basis, problems=(problem,) if failed else ())


def window(n: int, *, fails: bool = False, **facts: Any) -> Window:
    passes = Side(
        answers=(answer("drift", Status.PASS), answer("validity", Status.PASS, basis=Basis.RECORDED))
    )
    shut = Side(answers=(answer("drift", Status.FAIL), answer("validity", None, basis=Basis.UNKNOWN)))
    return Window(
        name=f"e-{n}",
        digest=f"d{n}",
        rows=100,
        let_stand=True,
        at=AT + timedelta(days=n),
        version=n,
        then=passes,
        now=passes,
        proposed=shut if fails else passes,
        **facts,
    )


def page(*windows: Window, name: str = "orders", **facts: Any) -> str:
    item = DatasetReplay(
        dataset=name, windows=windows, confidence=0.95, changes=("drift: warn → block",), **facts
    )
    return replay_page(Replay(datasets=(item,), at=AT))


def test_the_page_stands_alone_and_is_well_formed() -> None:
    outline = read(page(window(1), window(2, fails=True)))
    assert outline.references == []
    assert not {"script", "link", "img", "iframe"} & set(outline.tags)


def test_it_says_in_words_what_the_picture_shows() -> None:
    outline = read(page(window(1), window(2, fails=True), window(3)))
    (label,) = outline.labels
    assert label.startswith("3 windows of orders in order, a row a check. Newly blocked: version 2.")
    text = " ".join(" ".join(outline.text).split())
    assert "The change would newly block 1 of 3 windows." in text
    assert "2026-05-06 version 2 drift amount: missing fraction" in text
    assert re.search(r"with the change 2 1 – –|with the change 2 1", text)
    assert "Each window is judged as it was" in text
    assert "drift: warn → block" in text


def test_what_was_not_replayed_is_not_drawn_as_a_pass() -> None:
    html = page(window(1), window(2, fails=True))
    rows = dict(re.findall(r"<tr><td>(\w+)</td>(.*?)</tr>", html))
    headings = re.findall(r'<th class="number">([^<]+)</th>', html.split("The picture in numbers")[1])
    cells = re.findall(r">([^<]+)</td>", rows["validity"])
    told = dict(zip(headings, cells, strict=True))
    assert told == {"pass": "–", "fail": "–", "not told": "1", "passed then, not replayed": "1"}


def test_names_cannot_break_out_of_the_page() -> None:
    html = page(window(1), window(2, fails=True), name="<script>alert(1)</script>", notes=("<i>slanted</i>",))
    outline = read(html)
    assert "script" not in outline.tags
    assert "i" not in outline.tags
    assert "3 of 9 are <missing>" in " ".join(outline.text)


def test_a_page_about_nothing_is_still_a_page() -> None:
    outline = read(page())
    assert "There is nothing to replay: no candidate was judged." in " ".join(outline.text)
    assert outline.labels == []
    assert read(replay_page(Replay(datasets=(), at=AT))).labels == []


def test_a_thousand_windows_stay_a_small_page_that_says_that_columns_are_shared() -> None:
    html = page(*(window(n, fails=n % 50 == 0) for n in range(1000)))
    assert len(html.encode()) < 100_000
    text = " ".join(read(html).text)
    assert "A column stands for up to 7 windows and shows the worst answer among them." in text


def test_the_same_replay_gives_the_same_page() -> None:
    assert page(window(1), window(2, fails=True)) == page(window(1), window(2, fails=True))


@pytest.fixture
def bars() -> Callable[[str], list[tuple[float, float]]]:
    """Left edge and width of every bar of a picture."""

    def found(svg: str) -> list[tuple[float, float]]:
        return [(float(x), float(w)) for x, w in re.findall(r"M([\d.]+) [\d.]+h([\d.]+)v", svg)]

    return found


class TestTimeline:
    """The picture."""

    def test_every_window_has_a_bar_where_there_is_room(self, bars: Any) -> None:
        marks = [Mark.PASS, Mark.FAIL, Mark.NONE, Mark.PASS]
        svg = timeline([Row(name="drift", marks=marks)], names=list("abcd"), flagged=[False] * 4, label="x")
        assert len(bars(svg)) == 3
        assert max(x + width for x, width in bars(svg)) < 920

    @pytest.mark.parametrize("windows", [1, 2, 149, 150, 151, 1000])
    def test_bars_lie_side_by_side_and_cover_the_width(self, bars: Any, windows: int) -> None:
        marks = [Mark.PASS if n % 2 else Mark.FAIL for n in range(windows)]
        names = [str(n) for n in range(windows)]
        svg = timeline([Row(name="a", marks=marks)], names=names, flagged=[False] * windows, label="x")
        found = sorted(bars(svg))
        assert len(found) <= MOST_COLUMNS
        for (x, width), (following, _) in pairwise(found):
            assert x + width <= following + 0.11
        assert sum(width for _, width in found) > 0.6 * 700

    def test_of_several_windows_in_a_column_the_worst_is_shown(self, bars: Any) -> None:
        marks = [Mark.PASS] * 1000
        marks[503] = Mark.FAIL
        flagged = [n == 503 for n in range(1000)]
        svg = timeline([Row(name="a", marks=marks)], names=["n"] * 1000, flagged=flagged, label="x")
        assert svg.count("#a11c1c") == 2  # one path, filled and outlined
        assert svg.count("<path") == 3  # the flag, the failure, and the passes around it

    def test_nothing_gives_no_picture(self) -> None:
        assert timeline([], names=[], flagged=[], label="x") == ""
