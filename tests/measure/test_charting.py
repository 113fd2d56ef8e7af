"""Charts of what profiles tell: the figures are those of the rows, and what is not there is said."""

import math

import numpy as np
import pandas as pd
import pytest

from aims_pipelines.core.errors import BadInput
from aims_pipelines.core.verdict import Status
from aims_pipelines.measure import chart, empty_profile, profile_frame
from aims_pipelines.stats.control_charts import ChartKind
from aims_pipelines.stats.expressions import parse_statistic
from aims_pipelines.stats.profile import GroupSpec
from aims_pipelines.stats.readings import read_series

SEX = (GroupSpec(columns=("sex",)),)


def month(seed: int, *, rows: int = 400, shift: float = 0.0, rate: float = 0.2) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    amount = draw.normal(100.0 + shift, 20.0, rows)
    amount[draw.random(rows) < 0.05] = math.nan
    return pd.DataFrame(
        {
            "amount": amount,
            "sex": draw.choice(["f", "m"], rows),
            "region": draw.choice(["north", "south"], rows, p=[0.3, 0.7]),
            "outcome": draw.choice(["default", "paid"], rows, p=[rate, 1 - rate]),
        }
    )


def profiled(frame: pd.DataFrame):
    return profile_frame(frame, groups=SEX, rows=False)


@pytest.fixture(scope="module")
def steady():
    return {f"2024-{number:02}": profiled(month(500 + number)) for number in range(24)}


def one(text: str, frame: pd.DataFrame):
    return read_series(parse_statistic(text), [profiled(frame)], reference=1)[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rows", len),
        ("mean(amount)", lambda rows: rows.amount.mean()),
        ("sd(amount)", lambda rows: rows.amount.std()),
        ("median(amount)", lambda rows: rows.amount.quantile(0.5, interpolation="lower")),
        (
            "quantile(amount, 0.9)",
            lambda rows: np.sort(rows.amount.dropna())[math.ceil(0.9 * rows.amount.count()) - 1],
        ),
        ("missing(amount)", lambda rows: rows.amount.isna().mean()),
        ("share(region=north)", lambda rows: (rows.region == "north").mean()),
        ("rate(outcome=default | sex=f)", lambda rows: (rows[rows.sex == "f"].outcome == "default").mean()),
        ("mean(amount | sex=m)", lambda rows: rows[rows.sex == "m"].amount.mean()),
        (
            "gap(outcome=default | sex)",
            lambda rows: np.ptp((rows.outcome == "default").groupby(rows.sex).mean().to_numpy()),
        ),
    ],
)
def test_a_figure_of_a_profile_is_that_of_the_rows(text, told):
    frame = month(1, rows=900)
    assert one(text, frame).value == pytest.approx(told(frame), rel=1e-9)


@pytest.fixture(scope="module")
def samples():
    return [profile_frame(month(seed), rows=False) for seed in range(250)]


@pytest.mark.parametrize(
    "text", ["mean(amount)", "sd(amount)", "median(amount)", "quantile(amount, 0.9)", "share(region=north)"]
)
def test_the_standard_error_is_how_far_samples_scatter(text, samples):
    readings = read_series(parse_statistic(text), samples, reference=1)
    scatter = np.std([reading.value for reading in readings], ddof=1)
    assert np.mean([reading.error for reading in readings]) == pytest.approx(scatter, rel=0.15)


def test_drift_holds_each_window_of_the_reference_against_the_others_and_later_ones_against_all():
    frames = [month(seed) for seed in range(4)]
    readings = read_series(
        parse_statistic("drift(region)"), [profiled(frame) for frame in frames], reference=3
    )

    def distance(one, other):
        return abs((one.region == "north").mean() - (other.region == "north").mean())

    for at in range(3):
        others = pd.concat([frame for place, frame in enumerate(frames[:3]) if place != at])
        assert readings[at].value == pytest.approx(distance(frames[at], others))
    assert readings[3].value == pytest.approx(distance(frames[3], pd.concat(frames[:3])))


@pytest.mark.parametrize(
    "text",
    [
        "rows",
        "mean(amount)",
        "missing(amount)",
        "rate(outcome=default | sex=f)",
        "gap(outcome=default | sex)",
        "quantile(amount, 0.9)",
    ],
)
def test_what_has_not_changed_is_in_control(text, steady):
    (made,) = chart(steady, text, run_length=5000)
    assert made.chart.status in ((Status.INCONCLUSIVE,) if text == "rows" else (Status.PASS,))


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("mean(amount)", {"shift": 8.0}),
        ("median(amount)", {"shift": 8.0}),
        ("drift(amount)", {"shift": 12.0}),
        ("rate(outcome=default)", {"rate": 0.3}),
        ("rate(outcome=default | sex=f)", {"rate": 0.32}),
    ],
)
@pytest.mark.parametrize("kind", [ChartKind.EWMA, ChartKind.CUSUM])
def test_what_has_changed_signals_soon(text, changed, kind, steady):
    moved = {f"2025-{number:02}": profiled(month(90 + number, **changed)) for number in range(10)}
    (made,) = chart({**steady, **moved}, text, kind=kind)
    assert made.chart.status is Status.FAIL
    assert {point.name for point in made.chart.signals} <= moved.keys()


def test_several_charts_share_the_budget(steady):
    made = chart(steady, ["mean(amount)", "sd(amount)"], run_length=100)
    assert [item.chart.run_length for item in made] == [200, 200]


def test_a_window_without_the_column_group_or_rows_is_inconclusive_and_says_why(steady):
    without = profile_frame(month(77).drop(columns="amount"), groups=SEX, rows=False)
    (made,) = chart({**steady, "last": without}, "mean(amount)")
    assert made.chart.status is Status.INCONCLUSIVE
    assert made.chart.reason == "last cannot be judged: there is no column 'amount'"
    men = profiled(month(77)[lambda rows: rows.sex == "m"])
    (made,) = chart({**steady, "last": men}, "mean(amount | sex=f)")
    assert made.chart.reason == "last cannot be judged: there is no group 'f'"
    (made,) = chart({**steady, "last": empty_profile()}, "missing(amount)")
    assert made.chart.status is Status.INCONCLUSIVE
    (made,) = chart({**steady, "last": profiled(month(77)[:0])}, "missing(amount)")
    assert made.chart.reason == "last cannot be judged: there are no rows"


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e-90, 1e90, 1e160, 1e300])
@pytest.mark.parametrize("text", ["sd(x)", "mean(x)"])
def test_a_spread_whose_powers_leave_the_range_of_floats_gets_an_answer(text, size):
    series = {f"w{k}": profile_frame(pd.DataFrame({"x": np.arange(1, 11) * size})) for k in range(12)}
    (made,) = chart(series, text)
    assert made.chart.status is not Status.FAIL
    if text == "sd(x)" and abs(np.log10(size)) > 80:  # their fourth powers are 0 or infinite
        assert made.chart.status is Status.INCONCLUSIVE
        assert made.chart.reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "mean(amuont)",
            "one of the columns amount, sex, region, outcome, found 'amuont'. Did you mean 'amount'?",
        ),
        ("mean(region)", "a column of numbers (amount), found 'region' of type"),
        ("share(region=nowhere)", "a value that occurs, such as north, south, found 'nowhere'"),
        ("share(amount=3)", "a value that occurs, found '3'"),
        ("mean(amount | region=north)", "one of the groupings sex, found 'region'"),
        ("mean(amount | sex=x)", "one of the groups f, m, found 'x'"),
        ("gap(outcome=default | region)", "one of the groupings sex"),
    ],
)
def test_what_no_profile_has_is_said_with_what_there_is(text, said, steady):
    with pytest.raises(BadInput) as error:
        chart(steady, text)
    assert said in str(error.value)


def test_all_faults_are_said_at_once(steady):
    with pytest.raises(BadInput) as error:
        chart(
            steady, ["mean(x)", "nothing"], run_length=1, reference=2, hysteresis=0, smoothing=0, allowance=9
        )
    assert len(error.value.faults) == 7
    with pytest.raises(BadInput, match="ewma"):
        chart(steady, "rows", kind="pie")
    with pytest.raises(BadInput, match="at least one"):
        chart(steady, [])


def test_no_profiles_at_all_are_inconclusive():
    (made,) = chart({}, "mean(amount)")
    assert made.chart.status is Status.INCONCLUSIVE
