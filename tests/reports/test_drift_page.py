"""The comparison page: what a manager reads, and what must not be on it."""

import re
from datetime import date
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from aims_pipelines.core.verdict import Status
from aims_pipelines.measure import compare
from aims_pipelines.reports.drift_page import drift_page

DAY = date(2026, 5, 4)


def people(seed: int, rows: int = 8000) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "sex": draw.choice(["f", "m"], rows),
            "age": draw.integers(18, 80, rows),
            "income": np.exp(draw.normal(10, 0.5, rows)),
            "town": draw.choice(["Ghent", "Bruges", "Ostend"], rows, p=[0.5, 0.3, 0.2]),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(draw.integers(0, 900, rows), unit="D"),
            "granted": draw.choice(["yes", "no"], rows),
        }
    )


def page(reference: pd.DataFrame, current: pd.DataFrame, **options) -> str:
    shown = {"show_values": options.pop("show_values", False)}
    comparison = compare(reference, current, label="granted", protected=["sex"], **options)
    return drift_page(comparison, reference_name="may.csv", current_name="june.csv", day=DAY, **shown)


class Outline(HTMLParser):
    """Tags that must be closed, references to other files, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in {"meta", "br", "link"}:
            self.open.append(tag)
        self.references += [value for name, value in attributes if name in {"src", "href"}]

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(html: str) -> Outline:
    outline = Outline()
    outline.feed(html)
    outline.close()
    return outline


def moved() -> pd.DataFrame:
    frame = people(2)
    frame.loc[frame.sex == "f", "income"] *= 1.6
    frame.loc[frame.index % 7 == 0, "town"] = None
    frame.loc[(frame.index % 4 == 0) & (frame.sex == "m"), "granted"] = "yes"
    return frame


def test_the_page_stands_alone_and_is_well_formed():
    outline = read(page(people(1), moved()))
    assert outline.open == []
    assert outline.references == []
    assert not {"script", "link", "img", "iframe"} & set(outline.tags)


def test_the_headline_names_what_changed_most_and_where_it_did():
    text = " ".join(read(page(people(1), moved())).text)
    assert "most of all in income" in text
    assert re.search(r"income\s.*up to 3\d % of rows moved.*sex = f", text, re.DOTALL)
    assert re.search(r"Missing values rose from 0 % to 14 %", text)
    assert re.search(r"The share of “\w+” (rose|fell) from \d+ % to \d+ %", text)


def test_changes_are_ranked_by_how_much_moved():
    html = page(people(1), moved())
    strengths = [float(value) for value in re.findall(r"up to ([\d.]+) % of rows moved", html)]
    assert len(strengths) >= 3
    assert strengths == sorted(strengths, reverse=True)


def test_a_pass_says_what_would_have_been_seen():
    html = page(people(1), people(2))
    assert "The data has not changed in a way that matters." in html
    assert "a shift of 10 % of them" in html
    assert "What changed" not in html
    assert "What could not be told" not in html


def test_too_few_rows_are_no_pass_and_the_page_says_how_many_it_takes():
    comparison = compare(people(1), people(2, rows=90))
    html = drift_page(comparison, reference_name="may.csv", current_name="june.csv", day=DAY)
    assert comparison.status is Status.INCONCLUSIVE
    assert "It cannot be told yet whether the data has changed." in html
    assert f"About {comparison.rows_needed:,} rows would be enough; there were 90." in html


def test_values_of_other_columns_are_named_only_on_request_and_never_those_of_a_handful():
    current = people(2)
    current.loc[current.town == "Ostend", "town"] = "Ghent"
    current.loc[:3, "town"] = "Lone Cottage"
    assert "Ghent" not in page(people(1), current)
    named = page(people(1), current, show_values=True)
    assert "Ghent" in named
    assert "Lone Cottage" not in named


def test_names_of_columns_and_groups_cannot_break_out_of_the_page():
    frames = [people(1), moved()]
    for frame in frames:
        frame["sex"] = frame["sex"].map({"f": "<script>alert(1)</script>", "m": "m&m"})
        frame.rename(columns={"income": "<b>in\"come'"}, inplace=True)
    outline = read(page(*frames))
    assert outline.open == []
    assert "script" not in outline.tags
    assert outline.tags.count("b") == 8  # the facts below the headline, and the legend
    assert "<script>alert(1)" in " ".join(outline.text)


@pytest.mark.parametrize("rows", [0, 1])
def test_a_page_about_next_to_nothing_is_still_a_page(rows):
    outline = read(page(people(1), people(2).head(rows)))
    assert outline.open == []
    assert "It cannot be told yet" in " ".join(outline.text)


def test_two_hundred_columns_and_many_groups_stay_under_half_a_megabyte():
    draw = np.random.default_rng(3)
    frames = []
    for shift in (0.0, 1.0):
        numbers = pd.DataFrame(
            draw.normal(shift, 1, (2500, 200)), columns=[f"measurement_{n}" for n in range(200)]
        )
        numbers["region"] = draw.choice([f"region {n}" for n in range(40)], 2500)
        frames.append(numbers)
    comparison = compare(*frames, protected=["region"])
    html = drift_page(comparison, reference_name="a", current_name="b", day=DAY)
    assert len(html.encode()) < 500_000
    assert html.count("<svg") <= 40


def test_a_column_in_one_table_only_is_listed_as_not_told():
    text = " ".join(read(page(people(1), people(2).assign(extra=1))).text)
    assert "extra" in text
    assert "only in the current window" in text


def test_the_same_comparison_gives_the_same_page():
    assert page(people(1), moved()) == page(people(1), moved())


def turned(seed: int, sign: int) -> pd.DataFrame:
    """People whose income follows age, or runs against it, and whose town follows their income."""
    frame = people(seed)
    noise = np.random.default_rng(seed).normal(0, 12, len(frame))
    order = np.argsort(np.argsort(sign * frame["age"] + noise))
    frame["income"] = np.sort(frame["income"].to_numpy())[order]
    rank = np.argsort(np.argsort(sign * frame["income"])) / len(frame)
    frame["town"] = np.where(rank < 0.5, "Ghent", np.where(rank < 0.8, "Bruges", "Ostend"))
    return frame


PAIRS = [("age", "income"), ("town", "income")]


def test_a_pair_that_turned_round_is_told_and_drawn_as_two_tables():
    html = page(turned(1, 1), turned(2, -1), pairs=PAIRS)
    text = " ".join(read(html).text)
    assert "most of all in the dependence of" in text
    assert "age and income rise together less than before: the rank correlation changed by" in text
    assert "Values of income and town go together otherwise" in text
    assert html.count("in the reference and now") == 2
    assert "6 columns and 2 pairs of them" in text
    assert "of all that moved" in text
    assert read(html).open == []


def test_a_picture_of_a_pair_names_categories_on_request_only():
    hidden = page(turned(1, 1), turned(2, -1), pairs=PAIRS)
    assert "Ostend" not in hidden
    assert "value 1" in hidden
    assert "Ostend" in page(turned(1, 1), turned(2, -1), pairs=PAIRS, show_values=True)


def test_cells_of_few_rows_are_left_blank_in_the_picture_of_a_pair():
    html = page(turned(1, 1), turned(2, -1), pairs=PAIRS)
    cells = re.findall(r"<rect [^>]*fill=\"(#\w+)\"[^>]*><title>([^<]*)</title>", html)
    blank = [fill for fill, told in cells if "too few rows to show" in told]
    assert blank
    assert set(blank) == {"#ffffff"}
    assert any("%" in told for _, told in cells)


def test_the_page_says_which_groups_carry_a_change_and_how_much():
    text = " ".join(read(page(people(1), moved())).text)
    assert "carried by" in text
    assert re.search(r"sex=f 1\d\d %|sex=f 9\d %", text)
    assert "label shift" in text
