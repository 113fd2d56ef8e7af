"""Control charts: they keep their budget of false alarms, find shifts, and never pass on what they do not know."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_pipelines.core.verdict import Status
from aims_pipelines.stats.control_charts import ChartKind, Scale, State, control_chart


def steady(count, seed=0):
    return np.random.default_rng(seed).normal(10.0, 1.0, count)


def run_length(windows, *, kind, budget, reference, series=400, longest=250, seed=11):
    """Windows watched for each first signal: with a constant chance of one, the average run length."""
    rng = np.random.default_rng(seed)
    watched = signals = 0
    for _ in range(series):
        values, beside = windows(rng, reference + longest)
        at = first_signal(
            values,
            beside,
            (reference + int(budget), reference + longest),
            kind=kind,
            budget=budget,
            reference=reference,
        )
        watched += at or longest
        signals += at is not None
    return watched / signals


def first_signal(values, beside, ends, *, kind, budget, reference):
    """The first window after the reference that signals, looked for in a short part of the series before the whole."""
    for end in ends:
        part = {name: item[:end] if name != "scale" else item for name, item in beside.items()}
        chart = control_chart(values[:end], kind=kind, run_length=budget, reference=reference, **part)
        at = next((at for at, point in enumerate(chart.points[reference:], 1) if point.alarm), None)
        if at is not None:
            return at
    return None


def alike(rng, count):
    return rng.normal(5.0, 2.0, count), {}


def measured(between):
    """Means of 100 to 1,000 rows, with a variance between windows."""

    def windows(rng, count):
        rows = rng.integers(100, 1001, count)
        errors = np.sqrt(rng.chisquare(rows - 1) / (rows - 1) / rows)
        return rng.normal(0.0, np.sqrt(between**2 + 1 / rows)), {"errors": errors, "rows": rows}

    return windows


def shares(between):
    """Shares of 500 to 2,000 rows, with a variance between windows."""

    def windows(rng, count):
        rows = rng.integers(500, 2001, count)
        rates = np.clip(rng.normal(0.2, between, count), 0.0, 1.0)
        return rng.binomial(rows, rates) / rows, {"rows": rows, "scale": Scale.RATE}

    return windows


@pytest.mark.parametrize("kind", ChartKind)
def test_in_control_the_run_length_is_the_budget_however_short_the_reference(kind):
    found = run_length(alike, kind=kind, budget=20.0, reference=10, series=600, longest=60)
    assert found == pytest.approx(20.0, rel=0.1)


@pytest.mark.parametrize("windows", [measured(0.05), shares(0.02)])
def test_the_budget_is_kept_where_windows_differ_in_their_rows_and_vary_beyond_sampling(windows):
    found = run_length(windows, kind=ChartKind.EWMA, budget=20.0, reference=12, series=400, longest=60)
    assert found == pytest.approx(20.0, rel=0.1)


@pytest.mark.simulation
@pytest.mark.parametrize(
    "windows", [alike, measured(0.0), measured(0.05), measured(0.5), shares(0.0), shares(0.02)]
)
@pytest.mark.parametrize("kind", ChartKind)
@pytest.mark.parametrize("reference", [10, 30])
def test_a_usual_budget_is_kept_within_a_tenth(windows, kind, reference):
    found = run_length(windows, kind=kind, budget=370.0, reference=reference, series=1000, longest=1500)
    assert found == pytest.approx(370.0, rel=0.1)


@pytest.mark.parametrize("kind", ChartKind)
def test_a_lasting_shift_is_found_soon_and_keeps_the_chart_in_alarm(kind):
    values = steady(60)
    values[40:] += 3.0
    chart = control_chart(values, kind=kind, reference=20)
    first = next(at for at, point in enumerate(chart.points) if point.state is State.SIGNAL)
    assert 40 <= first <= 46
    assert all(point.alarm for point in chart.points[first:])
    assert chart.status is Status.FAIL
    assert f"in alarm since {first + 1}" in chart.reason


def test_an_ewma_finds_small_lasting_shifts_that_a_shewhart_chart_does_not():
    found = dict.fromkeys(ChartKind, 0)
    for seed in range(12):
        values = steady(60, seed)
        values[40:] += 1.2
        for kind in found:
            found[kind] += control_chart(values, kind=kind, reference=30).status is Status.FAIL
    assert found[ChartKind.EWMA] > 2 * found[ChartKind.SHEWHART]
    assert found[ChartKind.CUSUM] > 2 * found[ChartKind.SHEWHART]


@pytest.mark.parametrize("kind", ChartKind)
def test_an_alarm_lasts_until_as_many_windows_in_control_as_the_hysteresis_says(kind):
    values = steady(40, 3)
    values[25:] = [40.0] + [10.0] * 14
    states = {}
    for hysteresis in (1, 3, 6):
        chart = control_chart(values, kind=kind, reference=20, hysteresis=hysteresis)
        assert [point.name for point in chart.signals] == ["26"]
        alarms = [point.alarm for point in chart.points]
        assert alarms[25:26] == [True]
        states[hysteresis] = sum(alarms)
        assert chart.status is Status.PASS
    assert states == {1: 1, 3: 3, 6: 6}
    chart = control_chart(values[:28], kind=kind, reference=20, hysteresis=3)
    assert chart.status is Status.FAIL
    assert "so far 2 of the 3 windows in control that end it" in chart.reason


def test_what_signals_is_not_learnt_from():
    values = steady(60, 4)
    values[30:] += 8.0
    chart = control_chart(values, kind=ChartKind.SHEWHART, reference=20)
    assert len({point.centre for point in chart.points[31:]}) == 1
    assert len(chart.signals) == 30


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=16, max_size=30),
    st.sampled_from(ChartKind),
    st.floats(0.01, 100),
    st.floats(-1e4, 1e4),
)
@settings(deadline=None, max_examples=25)
def test_units_do_not_matter(values, kind, factor, offset):
    values = np.round(np.array(values), 3)
    moved = values * factor + offset
    if np.ptp(values[:8]) < 1.0 or np.ptp(moved) < 1e-3 * abs(moved).max():
        return
    one, other = (control_chart(side, kind=kind, reference=8) for side in (values, moved))
    assert [point.score for point in one.points[8:]] == pytest.approx(
        [point.score for point in other.points[8:]], rel=1e-4, abs=1e-4
    )


def test_the_range_of_single_windows_is_left_where_a_shewhart_chart_signals():
    values = steady(80, 5)
    values[50:] += 2.5
    chart = control_chart(values, kind=ChartKind.SHEWHART, reference=15)
    for point in chart.points[15:]:
        assert (point.state is State.SIGNAL) == (not point.low <= point.value <= point.high)


@pytest.mark.parametrize(
    ("values", "reference", "reason"),
    [
        ([], 10, "too few windows for the reference: 0 of at least 5"),
        ([1.0], 10, "too few windows"),
        ([*steady(8), math.nan, math.nan], 10, "no window follows the reference of 10: there are 10"),
        ([math.nan] * 8 + [1.0, 2.0, 3.0], 10, "too few windows are known in the reference: 2 of at least 5"),
        ([2.0] * 20, 10, "the windows before it are all alike"),
        ([2.0] * 10 + [3.0], 10, "the windows before it are all alike"),
        ([*steady(15), math.nan], 10, "16 cannot be judged: the statistic is missing"),
        ([*steady(15), math.inf], 10, "16 cannot be judged: the statistic is infinite"),
        ([*steady(14), math.nan, 10.0], 10, "15 cannot be judged"),
    ],
)
@pytest.mark.parametrize("kind", ChartKind)
def test_what_is_not_known_never_passes(values, reference, reason, kind):
    chart = control_chart(values, reference=reference, kind=kind)
    assert chart.status is Status.INCONCLUSIVE
    assert reason in chart.reason
    assert chart.remedy


def test_a_missing_value_is_forgiven_after_as_many_windows_in_control_as_the_hysteresis_says():
    values = [*steady(14), math.nan, *steady(4, 1)]
    statuses = [control_chart(values[:end]).status for end in (15, 16, 17, 18, 19)]
    assert statuses == [Status.INCONCLUSIVE] * 3 + [Status.PASS] * 2


def test_a_missing_value_does_not_end_an_alarm():
    values = [*steady(14), 90.0, math.nan, 10.0, 10.5]
    assert control_chart(values, kind=ChartKind.SHEWHART).status is Status.FAIL


def test_windows_left_out_of_the_reference_are_named():
    values = steady(20)
    values[2] = math.nan
    chart = control_chart(values, names=[f"2026-{at:02}" for at in range(20)])
    assert chart.notes == ("Left out of the reference: 2026-02.",)


def test_a_reference_out_of_control_is_inconclusive_and_says_which_window_it_is():
    values = steady(25, 6)
    values[4] = 25.0
    chart = control_chart(values, reference=15)
    assert chart.status is Status.INCONCLUSIVE
    assert "the reference is out of control: 5 lies apart from the others" in chart.reason
    values = steady(25, 6)
    values[9:] += 6.0
    chart = control_chart(values, reference=15)
    assert chart.status is Status.INCONCLUSIVE
    assert "the level changes with 10" in chart.reason


def test_how_readily_a_reference_is_called_out_of_control_can_be_said():
    values = steady(25, 6)
    values[4] = 17.0
    assert control_chart(values, reference=15).status is Status.INCONCLUSIVE
    assert control_chart(values, reference=15, level=1e-6).status is Status.PASS


def test_windows_that_resemble_their_neighbours_are_noted():
    rng = np.random.default_rng(7)
    values = np.zeros(60)
    for at in range(1, 60):
        values[at] = 0.9 * values[at - 1] + rng.normal()
    assert any("resemble" in note for note in control_chart(values, reference=30).notes)
    assert control_chart(steady(60), reference=30).notes == ()


def test_windows_of_few_rows_may_lie_further_away():
    rows = np.full(31, 10_000)
    values = np.random.default_rng(8).normal(0.0, 0.01, 31)
    values[30] = 0.1
    errors = np.full(31, 0.01)
    kind = ChartKind.SHEWHART
    assert control_chart(values, errors=errors, rows=rows, kind=kind).status is Status.FAIL
    rows[30], errors[30] = 100, 0.1
    assert control_chart(values, errors=errors, rows=rows, kind=kind).status is Status.PASS


def test_a_window_that_varies_more_within_itself_may_not_for_that_lie_further_away():
    values = np.random.default_rng(9).normal(0.0, 0.01, 31)
    values[30], errors = 0.1, np.full(31, 0.01)
    errors[30] = 5.0
    chart = control_chart(values, errors=errors, rows=np.full(31, 10_000), kind=ChartKind.SHEWHART)
    assert chart.status is Status.FAIL


def test_rates_that_vary_beyond_sampling_do_not_signal_for_being_measured_on_many_rows():
    rng = np.random.default_rng(10)
    rows = np.full(60, 1_000_000)
    values = rng.binomial(rows, rng.normal(0.2, 0.01, 60)) / rows
    chart = control_chart(values, rows=rows, scale=Scale.RATE, kind=ChartKind.SHEWHART)
    assert chart.signals == ()
    sampling = math.sqrt(0.2 * 0.8 / 1_000_000)
    assert np.abs(values - 0.2).max() > 10 * sampling


def test_a_rate_that_was_always_zero_is_watched_by_what_sampling_allows():
    rows = [1000 + at for at in range(15)]
    for cases, status in ((0, Status.PASS), (1, Status.PASS), (40, Status.FAIL)):
        values = [0.0] * 14 + [cases / rows[-1]]
        chart = control_chart(values, rows=rows, scale=Scale.RATE, kind=ChartKind.SHEWHART)
        assert chart.status is status


def test_a_rate_that_is_always_zero_is_in_control_while_the_number_of_rows_grows():
    rows = [1000 + 150 * at for at in range(40)]
    chart = control_chart([0.0] * 40, rows=rows, scale=Scale.RATE)
    assert chart.status is Status.PASS
    assert chart.oddities == ()
    assert chart.notes == ()
    assert chart.signals == ()


@pytest.mark.parametrize("rare", [0.0, 1.0])
@pytest.mark.parametrize("rows", [(1_000, 100_000), (100_000, 1_000)])
def test_a_rate_at_its_end_is_in_control_however_the_number_of_rows_jumps(rare, rows):
    counts = [rows[0]] * 15 + [rows[1]] * 15
    for kind in ChartKind:
        chart = control_chart([rare] * 30, rows=counts, scale=Scale.RATE, kind=kind)
        assert chart.status is Status.PASS
        assert chart.signals == ()


@pytest.mark.parametrize("expected", [0.2, 2.0, 5.0, 12.0])
def test_rates_of_few_cases_do_not_signal_more_often_than_stated(expected):
    def windows(rng, count):
        rows = np.full(count, 1000)
        return rng.binomial(rows, expected / 1000) / rows, {"rows": rows, "scale": Scale.RATE}

    found = run_length(windows, kind=ChartKind.SHEWHART, budget=40.0, reference=15, series=100, longest=80)
    assert found > 0.9 * 40.0


@pytest.mark.parametrize("broken", [{"rows": [0] * 15}, {"errors": [math.nan] * 15}, {"errors": [0.0] * 15}])
def test_windows_without_rows_or_standard_errors_say_nothing(broken):
    chart = control_chart(steady(15), **broken)
    assert chart.status is Status.INCONCLUSIVE


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"reference": 4}, "reference of at least 5"),
        ({"hysteresis": 0}, "hysteresis of at least 1"),
        ({"run_length": 5}, "run length in"),
        ({"errors": [1.0]}, "as many as the values"),
        ({"scale": Scale.RATE}, "needs the rows"),
        ({"smoothing": 2.0}, "smoothing in"),
    ],
)
def test_parameters_out_of_range_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        control_chart(steady(15), **wrong)


def test_the_variance_of_a_single_row_times_the_rows_is_that_of_the_window():
    draw = np.random.default_rng(12)
    rows = draw.integers(100, 2000, 40)
    errors = 3.0 / np.sqrt(rows)
    values = draw.normal(0.0, np.sqrt(errors**2 + 0.1**2))
    stated = control_chart(values, errors=errors)
    pooled = control_chart(values, errors=errors, rows=rows)
    assert [point.score for point in pooled.points[10:]] == pytest.approx(
        [point.score for point in stated.points[10:]], rel=1e-9
    )


@pytest.mark.parametrize("unit", [1e-290, 1e-170, 1e150, 1e170, 1e300])
def test_huge_and_tiny_units_do_not_matter_either(unit):
    draw = np.random.default_rng(11)
    values = np.append(draw.normal(10.0, 1.0, 14), 25.0)
    plain, scaled = control_chart(values), control_chart(values * unit)
    assert (scaled.status, [point.state for point in scaled.points]) == (
        plain.status,
        [point.state for point in plain.points],
    )
    assert scaled.points[-1].centre == pytest.approx(plain.points[-1].centre * unit)
    assert scaled.points[-1].high == pytest.approx(plain.points[-1].high * unit)
