"""Cards as pages: the same bytes for the same facts, no other file needed, and readable by people and hubs.

To accept an intended change of the golden files: UPDATE_GOLDEN=1 pytest tests/model_cards
"""

import dataclasses
import html.parser
import os
from pathlib import Path

import pytest
import yaml

from aims_pipelines.model_cards.document import Bin, Histogram, Plots
from aims_pipelines.model_cards.render import summary, to_html, to_markdown

GOLDEN = Path(__file__).with_name("golden")


@pytest.mark.parametrize(("name", "render"), [("card.html", to_html), ("card.md", to_markdown)])
def test_the_same_facts_give_the_same_bytes(name, render, card):
    rendered = render(card)
    golden = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_bytes(rendered)
    assert rendered == golden.read_bytes(), f"{name} differs; if that is intended, run with UPDATE_GOLDEN=1"


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.urls, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.urls += [value for name, value in attrs if name in {"src", "href", "action", "data"}]

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_needs_nothing_from_outside_and_runs_nothing(card):
    page = to_html(card).decode()
    parsed = Page(page)
    assert parsed.urls == []
    assert {"script", "iframe", "img", "link", "object"}.isdisjoint(parsed.tags)
    assert "url(" not in page
    assert "@import" not in page
    assert parsed.tags.count("svg") == 5  # ROC, scores, calibration, and one a protected attribute


def test_every_plot_has_a_text_alternative(card):
    page = to_html(card).decode()
    assert page.count("<svg") == page.count('role="img" aria-label="')


@pytest.mark.parametrize("field", ["title", "risk", "out_of_scope"])
def test_text_from_records_is_never_markup(field, card):
    hostile = "<script>alert(1)</script> [click](http://example.org) | `x`"
    purpose = dataclasses.replace(card.purpose, **{field: hostile})
    changed = dataclasses.replace(card, purpose=purpose)
    assert "script" not in Page(to_html(changed).decode()).tags
    markdown = to_markdown(changed).decode()
    assert "<script>" not in markdown
    assert "[click](" not in markdown


def test_a_group_name_is_never_markup_in_a_plot(card):
    groups = tuple(dataclasses.replace(group, level="<b onload=x>") for group in card.groups)
    page = to_html(dataclasses.replace(card, groups=groups)).decode()
    assert "<b onload" not in page


def test_hubs_find_task_dataset_and_metrics_in_the_front_matter(card):
    text = to_markdown(card).decode()
    front = yaml.safe_load(text.split("---\n")[1])
    (entry,) = front["model-index"]
    (result,) = entry["results"]
    assert entry["name"] == "adult-income"
    assert result["task"] == {"type": "tabular-classification"}
    assert result["dataset"]["revision"] == "sha256:" + "0c" * 32
    assert {metric["type"]: metric["value"] for metric in result["metrics"]}["roc_auc"] == 0.9262


def test_the_first_half_page_says_what_a_manager_asks(card):
    text = " ".join(Page(to_html(card).decode()).text)
    for said in (
        "What is it for?",
        "93 times out of 100",
        "of 100 who really are >50K it finds 55 (Female) to 64 (Male)",
        "of 100 people it predicts >50K for 7.7 (Female) to 25 (Male)",
        "Accepted until 2026-12-01",
        "What must it not be used for?",
        "Credit, employment, tax",
    ):
        assert said in text


def test_the_first_half_page_names_the_error_that_differs_most_and_no_other(card):
    text = " ".join(Page(to_html(card).decode()).text)
    assert "of 100 others it wrongly flags" not in text
    assert "it is right about" not in text


def test_both_forms_say_how_far_apart_groups_are_and_what_is_required(card):
    page = " ".join(Page(to_html(card).decode()).text)
    for text in (page, to_markdown(card).decode().replace("\\", "")):
        assert "0.306 (0.276 – 0.336)" in text
        assert "gap ≤ 0.200, ratio ≥ 0.800" in text
        assert "measured only" in text
        assert "-0.021 (-0.033 – -0.009)" in text


def test_a_group_of_a_few_people_is_named_without_figures(card):
    text = to_markdown(card).decode()
    assert "| Other \\<unknown\\> | fewer than 10 | too few cases |" in text


def test_a_card_of_a_number_has_no_curve_but_errors(card):
    identity = dataclasses.replace(card.identity, task="regression", label="count", positive="")
    figure = dataclasses.replace(
        card.figures[0], name="mae", value=24.3, low=23.1, high=25.6, baseline=142.0, train=20.1
    )
    bins = tuple(
        Bin(x=float(x), y=x * 1.1, low=x * 1.05, high=x * 1.15, rows=100) for x in range(10, 400, 40)
    )
    plots = Plots(calibration=bins, scores=Histogram(edges=(-50.0, 0.0, 50.0), negatives=(400, 500)))
    changed = dataclasses.replace(
        card, identity=identity, figures=(figure,), groups=(), plots=plots, group_measure="mae"
    )
    text = " ".join(Page(to_html(changed).decode()).text)
    assert "off by 24.3 on average" in text
    assert "ROC" not in text
    assert "error in count" in text


def test_the_summary_fits_a_registry_description(card):
    assert len(summary(card)) < 5000


def test_a_card_without_figures_says_so(card):
    empty = dataclasses.replace(card, figures=(), groups=(), plots=Plots())
    assert b"Nothing was measured." in to_html(empty)
    assert b"Nothing was measured." in to_markdown(empty)
