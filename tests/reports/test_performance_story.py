"""What is said of a model in service: one sentence that is right about each of the ways it can end."""

import numpy as np
import pytest

from aims_pipelines.core.verdict import Status
from aims_pipelines.reports import performance_story as story
from aims_pipelines.stats.performance_series import performance_series
from aims_pipelines.stats.score_table import score_table


def drawn(draw, rows, *, centre=-1.0, slope=1.2, known=1.0):
    log_odds = draw.normal(centre, 1.5, rows)
    labels = (draw.random(rows) < 1 / (1 + np.exp(-slope * log_odds))).astype(float)
    labels[draw.random(rows) >= known] = np.nan
    return score_table(1 / (1 + np.exp(-log_odds)), labels)


def series(*windows, rows=1500, **terms):
    draw = np.random.default_rng(3)
    reference = drawn(draw, 6000)
    return performance_series(
        reference,
        {f"{number:02}": drawn(draw, rows, **window) for number, window in enumerate(windows)},
        **terms,
    )


@pytest.mark.parametrize(
    ("windows", "terms", "status", "words"),
    [
        ([{}] * 3, {}, Status.PASS, "Labels are as the scores promise in all 3 windows due."),
        ([{}] * 12, {}, Status.PASS, "in all 12 windows due, and the error rate is in control."),
        ([{}, {"known": 0}], {"pending": 1}, Status.PASS, "in the one window due. 1 more window waits for labels."),
        ([{}, {"slope": 0.2}], {}, Status.FAIL, "labels contradict them in 01."),
        ([{}] * 12 + [{"centre": 0.0}] * 7, {"rows": 3000}, Status.FAIL, "cases became harder or easier; the relation"),
        ([{}, {"known": 0.3}], {}, Status.INCONCLUSIVE, "It cannot be told yet for 1 of 2 windows due: 01."),
        ([{"known": 0}], {"pending": 1}, Status.INCONCLUSIVE, "no labels are due"),
    ],
    ids=["as promised", "on the chart", "one waits", "contradicted", "harder cases", "too few labels", "nothing due"],
)  # fmt: skip
def test_the_answer_in_one_sentence(windows, terms, status, words):
    made = series(*windows, **terms)
    assert (made.status, words in story.headline(made)) == (status, True), story.headline(made)
    assert (
        status is not Status.FAIL
        or "Train again" in story.next_step(made)
        or "first window beyond" in story.next_step(made)
    )
    assert (story.next_step(made) == "") == (status is Status.PASS or "no labels are due" in words)


def test_a_chart_in_alarm_is_not_called_harder_cases_while_some_windows_are_open():
    made = series(*[{}] * 12, *[{"centre": 0.1}] * 7, {"known": 0.1})
    assert made.status is Status.FAIL
    assert "has moved" in story.headline(made)
    assert "harder" not in story.headline(made)


def test_estimates_are_told_only_where_labels_are_not_known_well_enough():
    lines = story.lines(series({}, {"known": 0.3}, {"known": 0.0}))
    assert [line.basis for line in lines] == [
        story.Basis.MEASURED,
        story.Basis.ESTIMATED,
        story.Basis.ESTIMATED,
    ]
    assert [line.labels for line in lines][::2] == ["100%", "0%"]


def test_why_nothing_is_estimated_is_told_once():
    far = series({"centre": 8.0}, {"centre": 8.0})
    assert sum("Nothing is estimated" in remark for remark in story.remarks(far)) <= 2
    draw = np.random.default_rng(1)
    poor = performance_series(drawn(draw, 60), {"now": drawn(draw, 500)})
    said = [
        remark for remark in story.remarks(poor) if "Nothing is estimated, as the reference has" in remark
    ]
    assert len(said) == 1
    assert "it would take about" in said[0]


@pytest.mark.parametrize(
    ("figure", "text"),
    [((0.8123, 0.79, 0.83), "0.81 (0.79–0.83)"), ((0.8123, 0.806, 0.819), "0.812 (0.806–0.819)")],
)
def test_figures_have_as_many_digits_as_tell_their_ends_apart(figure, text):
    assert str(story.Figure(value=figure[0], low=figure[1], high=figure[2])) == text
