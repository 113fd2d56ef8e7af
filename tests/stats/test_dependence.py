"""A change of how two columns depend on each other is found as such, and a shift of either column is not."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from aims_pipelines.core.verdict import Status, worst
from aims_pipelines.measure import merge_all, profile_table
from aims_pipelines.stats.dependence import dependence_shifts
from aims_pipelines.stats.drift import compare
from aims_pipelines.stats.families import PARTS, Family
from aims_pipelines.stats.pair_cells import grids
from aims_pipelines.stats.power import dependence_resolution
from aims_pipelines.stats.profile import PairTable, Profile
from aims_pipelines.stats.shifts import FIRST, Shift

POLICY = {"effect": 0.1, "alpha": 0.01}
PAIRS = [
    ("x", "y"),
    ("income", "age"),
    ("job", "town"),
    ("job", "x"),
    ("debt", "y"),
    ("paid", "x"),
    ("far", "y"),
]


def table(rows, seed, *, rho=0.5, move=0.0, stretch=1.0, in_debt=0.4, towns=1.0, jitter=0.0):
    """Columns of many shapes that depend on each other; ``move``, ``stretch``, ``in_debt`` change one column alone."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(rows)
    y = rho * x + np.sqrt(1.0 - rho**2) * rng.standard_normal(rows)
    debt = np.where(rng.random(rows) < in_debt, np.exp(y + rng.standard_normal(rows)), 0.0)
    job = np.digitize(x + rng.standard_normal(rows), [-1.5, -0.5, 0.3, 1.0, 2.0])
    town = np.digitize(towns * y + 2.0 * rng.standard_normal(rows), np.linspace(-4.0, 4.0, 12))
    jitters = rng.normal(0.0, jitter, 3) if jitter else np.zeros(3)
    return pa.table(
        {
            "x": move + stretch * x + jitters[0],
            "y": y + jitters[1],
            "income": np.exp(9.0 + 0.6 * x + 0.5 * rng.standard_normal(rows) + jitters[2]).round(2),
            "age": np.clip(np.round(42.0 + 12.0 * y + 5.0 * rng.standard_normal(rows)), 18, 95),
            "job": np.array([f"job {number}" for number in range(6)])[job],
            "town": np.array([f"town {number}" for number in range(13)])[town],
            "debt": debt,
            "paid": rng.random(rows) < 1.0 / (1.0 + np.exp(1.0 - x)),
            "far": 1000.0 + x + 0.3 * rng.standard_normal(rows),
        }
    )


def window(rows, seed, **changed) -> Profile:
    return profile_table(table(rows, seed, **changed), pairs=PAIRS, rows=False)


def failed(findings):
    return {finding.target for finding in findings if finding.status is Status.FAIL}


def of_pairs(findings):
    return [finding for finding in findings if finding.measure.startswith("dependence")]


def pair_in(columns: dict[str, object]) -> PairTable:
    return profile_table(pa.table(columns), pairs=[("a", "b")]).pairs["a", "b"]


REFERENCE = window(10_000, 1)


def test_a_window_like_the_reference_passes_with_every_pair_named():
    findings = compare(REFERENCE, window(10_000, 2), **POLICY)
    assert worst(finding.status for finding in findings) is Status.PASS
    assert {finding.target for finding in of_pairs(findings)} == {
        "x × y",
        "age × income",
        "job × town",
        "job × x",
        "debt × y",
        "paid × x",
        "far × y",
    }


def test_a_swapped_correlation_is_found_though_every_column_is_as_it_was():
    findings = compare(REFERENCE, window(10_000, 2, rho=-0.5), **POLICY)
    assert {"x × y", "age × income", "far × y"} <= failed(findings)
    assert failed(findings) <= {"x × y", "age × income", "far × y", "job × town"}
    (finding,) = (one for one in findings if one.target == "x × y")
    assert finding.measure == "dependence: rank correlation shift"
    assert finding.observed == pytest.approx(2 * 6 / np.pi * np.arcsin(0.5 / 2), abs=0.06)
    assert "the rank correlation fell" in finding.reason
    assert finding.limit is not None
    assert finding.observed > finding.limit
    assert finding.p_adjusted is not None
    assert finding.p_adjusted <= POLICY["alpha"]


def test_a_correlation_that_becomes_weaker_is_found_in_ten_thousand_rows():
    found = [
        "x × y" in failed(compare(window(10_000, 100 + seed), window(10_000, 200 + seed, rho=0.35), **POLICY))
        for seed in range(6)
    ]
    assert all(found)


def test_a_dependence_without_correlation_is_found():
    rng = np.random.default_rng(5)
    x = rng.standard_normal(10_000)
    noise = rng.standard_normal(10_000)
    profiles = [
        profile_table(pa.table({"a": x, "b": bent + 0.0 * x}), pairs=[("a", "b")])
        for bent in (noise, np.sort(noise)[np.argsort(np.argsort(np.abs(x) + noise))])
    ]
    findings = compare(*profiles, **POLICY)
    assert failed(findings) == {"a × b"}
    (finding,) = of_pairs(findings)
    assert finding.measure == "dependence: total variation beyond the columns"
    assert finding.observed > finding.limit > 0.0


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"move": 0.3}, "x"),
        ({"stretch": 1.4}, "x"),
        ({"in_debt": 0.6}, "debt"),
        ({"move": 3.0, "stretch": 0.2}, "x"),
    ],
    ids=["moved", "stretched", "fewer zeros", "moved far and squeezed"],
)
def test_a_shift_of_one_column_is_that_columns_and_no_pairs(change, column):
    findings = compare(REFERENCE, window(10_000, 3, **change), **POLICY)
    assert failed(findings) == {column}


@pytest.mark.parametrize("rows", [1000, 10_000])
def test_clean_windows_with_harmless_jitter_hardly_ever_fail(rows):
    tally = Counter(
        finding.status
        for seed in range(40 if rows == 1000 else 15)
        for finding in of_pairs(
            compare(window(rows, 300 + seed), window(rows, 500 + seed, jitter=0.015), **POLICY)
        )
    )
    assert tally[Status.FAIL] == 0
    assert tally[Status.PASS if rows == 10_000 else Status.INCONCLUSIVE] == sum(tally.values())


def test_no_more_clean_pairs_are_flagged_than_the_level_says():
    p = np.array(
        [
            float(dependence_shifts(grids(before.pairs[pair], after.pairs[pair]), wobble=0.0).p[0])
            for seed in range(60)
            for before, after in [(window(1500, 900 + seed), window(700, 1900 + seed))]
            for pair in before.pairs
        ]
    )
    for level in (0.05, 0.01):
        assert stats.binomtest(int((p <= level).sum()), p.size, level, alternative="greater").pvalue > 0.001


def test_the_fit_is_a_logistic_regression_on_the_rows_themselves():
    """Oracle: scikit-learn, fed with the raw rows, and Pearson's statistic of the cells by its chances."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(7)
    rows = 4000
    a, now = rng.integers(0, 5, rows), np.arange(rows) >= 2500
    b = (a + rng.integers(0, 3, rows) + (now & (rng.random(rows) < 0.2))) % 6
    pairs = [
        pair_in({"a": [f"a{one}" for one in a[part]], "b": [f"b{one}" for one in b[part]]})
        for part in (~now, now)
    ]
    (view,) = grids(*pairs)
    shifts = dependence_shifts([view], wobble=0.0)
    design = np.concatenate([np.eye(5)[a], np.eye(6)[b]], axis=1)
    model = LogisticRegression(C=1e9, tol=1e-10, max_iter=5000).fit(design, now)
    chance = model.predict_proba(design)[:, 1]
    statistic, cells = 0.0, 0
    for one in range(5):
        for other in range(6):
            at = (a == one) & (b == other)
            if at.sum() * 1500 / 4000 >= 5.0:
                cells += 1
                expected = chance[at].sum()
                statistic += (now[at].sum() - expected) ** 2 / (expected * (1.0 - expected / at.sum()))
    assert shifts.kind[0] == Shift.DEPENDENCE
    assert shifts.tests[0] == cells - 10
    assert shifts.p[0] == pytest.approx(stats.chi2.sf(statistic, cells - 10), rel=1e-3)


def test_the_p_value_of_a_correlation_is_that_of_permuted_rows():
    """Oracle: the difference of Spearman's correlations, with the rows of both windows shuffled 2,000 times."""
    rng = np.random.default_rng(8)
    rows = 1200
    x = rng.standard_normal(rows)
    y = 0.5 * x + rng.standard_normal(rows)
    now = rng.permutation(rows) >= 700
    y[now] += -0.16 * x[now]

    def gap(part):
        return stats.spearmanr(x[part], y[part])[0] - stats.spearmanr(x[~part], y[~part])[0]

    seen = abs(gap(now))
    p = np.mean([abs(gap(rng.permutation(now))) >= seen for _ in range(2000)])
    tables = [pair_in({"a": x[part], "b": y[part]}) for part in (~now, now)]
    views = grids(*tables)
    by_rank = dependence_shifts(views[1:], wobble=0.0)
    assert by_rank.kind[0] == Shift.ASSOCIATION
    assert abs(by_rank.observed[0]) == pytest.approx(seen, abs=0.02)
    assert np.log(by_rank.p[0] * FIRST) == pytest.approx(np.log(p), abs=0.7)
    assert dependence_shifts(views, wobble=0.0).p[0] >= by_rank.p[0]


def test_independent_rows_and_columns_make_it_an_ordinary_test_of_homogeneity():
    """Oracle: with one level of the second column in one window's odds, scipy's two by two table of odds."""
    before, after = np.array([[400, 300], [200, 100]]), np.array([[150, 250], [170, 80]])
    tables = []
    for counts in (before, after):
        columns = {
            "a": np.repeat(["f", "m"], counts.sum(axis=1)),
            "b": np.concatenate([np.repeat(["n", "y"], r) for r in counts]),
        }
        tables.append(pair_in(columns))
    shifts = dependence_shifts(grids(*tables), wobble=0.0)
    # Woolf: the difference of two log odds ratios, with the sum of the inverse counts as variance.
    odds = [np.log(c[0, 0] * c[1, 1] / (c[0, 1] * c[1, 0])) for c in (before, after)]
    z = (odds[1] - odds[0]) / np.sqrt((1.0 / before).sum() + (1.0 / after).sum())
    assert shifts.p[0] * FIRST == pytest.approx(2 * stats.norm.sf(abs(z)), rel=0.2)


@settings(max_examples=40, deadline=None)
@given(
    freedom=st.integers(1, 60),
    effect=st.floats(0.03, 0.5),
    wobble=st.floats(0.0, 0.058),
    asked=st.booleans(),
)
def test_a_pass_would_have_shown_the_tolerated_change_whatever_it_looks_like(freedom, effect, wobble, asked):
    """Oracle: scipy's noncentral chi-square."""
    shifts = _shifts(freedom, asked=asked)
    level = np.array([1e-4])
    able = dependence_resolution(
        shifts,
        level=level,
        shown_level=level,
        tolerated=effect,
        power=0.95,
        wobble=wobble * effect,
        freedom=np.array([float(freedom)]),
    )
    v = float(able.largest_variance[0])
    critical = stats.chi2.isf(1e-4 * (1.0 - FIRST if asked else 1.0), freedom)
    needed = critical * (v + (2.0 * wobble * effect) ** 2) / v
    assert stats.ncx2.sf(needed, freedom, 4.0 * effect**2 / v) == pytest.approx(0.95, abs=1e-3)


def _shifts(freedom, *, asked):
    pair = pair_in({"a": np.tile([1.0, 2.0], 50), "b": np.repeat([1.0, 2.0], 50)})
    shifts = dependence_shifts(grids(pair, pair), wobble=0.0)
    shifts.tests[:] = freedom
    shifts.spread[:] = 1.0 if asked else 0.0
    shifts.before[:] = shifts.after[:] = 1e6
    return shifts


def test_inconclusive_says_how_many_rows_and_they_are_enough():
    findings = compare(window(600, 1), window(600, 2), **POLICY)
    needs = {finding.target: finding.rows_needed for finding in of_pairs(findings)}
    assert all(need is not None and 600 < need < 12_000 for need in needs.values())
    rows = max(needs.values()) + 500
    again = compare(window(rows, 3), window(rows, 4), **POLICY)
    assert {finding.status for finding in of_pairs(again)} == {Status.PASS}


def test_ten_small_windows_together_find_what_one_large_window_finds():
    parts = [window(1000, 40 + seed, rho=0.42) for seed in range(10)]
    assert "x × y" not in failed(compare(REFERENCE, parts[0], **POLICY))
    assert "x × y" in failed(compare(REFERENCE, merge_all(parts), **POLICY))


def test_missing_values_that_come_to_depend_on_another_column_are_found():
    rng = np.random.default_rng(11)
    profiles = []
    for linked in (False, True):
        x, chance = rng.standard_normal(10_000), rng.random(10_000)
        gone = chance < (0.2 * (1.0 + np.tanh(2.0 * x)) if linked else 0.2)
        columns = {"a": pa.array(rng.standard_normal(10_000), mask=gone), "b": x}
        profiles.append(profile_table(pa.table(columns), pairs=[("a", "b")]))
    assert failed(compare(*profiles, **POLICY)) == {"a × b"}


@pytest.mark.parametrize(
    ("before", "after", "status", "said"),
    [
        ({"a": [1.0] * 3000}, {"a": [1.0] * 3000}, Status.PASS, "a has one value in both windows"),
        ({"a": [1.0] * 3000}, {"a": [2.0] * 3000}, Status.INCONCLUSIVE, "too few rows with the same values"),
        (
            {"a": np.arange(3000)},
            {"a": ["x", "y"] * 1500},
            Status.INCONCLUSIVE,
            "a is numeric in the reference, categorical now",
        ),
        (
            {"a": [f"t{n}" for n in range(6000)]},
            {"a": [f"u{n}" for n in range(6000)]},
            Status.INCONCLUSIVE,
            "a key or free text",
        ),
        ({"a": [None] * 3000}, {"a": [None] * 3000}, Status.PASS, "a has one value in both windows"),
    ],
    ids=["constant", "another constant", "kind", "text", "nothing"],
)
def test_a_pair_that_cannot_be_told_says_why(before, after, status, said):
    profiles = []
    for columns in (before, after):
        rows = len(columns["a"])
        whole = {**columns, "b": np.random.default_rng(rows).standard_normal(rows)}
        profiles.append(profile_table(pa.table(whole), pairs=[("a", "b")]))
    (finding,) = (one for one in compare(*profiles, **POLICY) if one.target == "a × b")
    assert finding.status is status
    assert said in finding.reason


def test_numbers_too_close_together_for_coarse_keys_are_inconclusive():
    rng = np.random.default_rng(12)
    columns = {"a": np.append(1e6 + rng.standard_normal(4999), -1.0), "b": rng.standard_normal(5000)}
    profile = profile_table(pa.table(columns), pairs=[("a", "b")])
    (finding,) = (one for one in compare(profile, profile, **POLICY) if one.target == "a × b")
    assert finding.status is Status.INCONCLUSIVE
    assert "too close together" in finding.reason


def test_a_pair_that_only_one_window_was_profiled_by_is_inconclusive_and_an_ignored_one_is_passed_over():
    lone = profile_table(table(10_000, 2), pairs=PAIRS[:1], rows=False)
    told = {one.target: one for one in compare(REFERENCE, lone, **POLICY) if "×" in one.target}
    assert told["job × town"].status is Status.INCONCLUSIVE
    assert "only the reference window" in told["job × town"].reason
    assert told["x × y"].status is Status.PASS
    assert not any(
        "x" in one.target.split(" × ")
        for one in compare(REFERENCE, lone, ignore=("x",), **POLICY)
        if "×" in one.target
    )


def test_without_pairs_the_level_is_divided_as_ever():
    assert sum(part for family, part in PARTS.items() if family is not Family.PAIRS) == pytest.approx(1.0)


def answers(rows, categories, *, swapped, seed=0):
    """A category and an answer that goes with it; from one window to the next it turns round for some."""
    rng = np.random.default_rng(seed)
    shares = np.concatenate([np.full(8, 2.0), np.ones(categories - 8)])
    made = []
    for turned in ((), swapped):
        place = rng.choice(categories, rows, p=shares / shares.sum())
        chance = np.where((place % 2 == 0) != np.isin(place, turned), 0.9, 0.1)
        answer = np.where(rng.random(rows) < chance, "yes", "no")
        made.append(pa.table({"a": np.char.add("c", place.astype(str)), "y": answer}))
    return [profile_table(one, pairs=[("a", "y")], rows=False) for one in made]


def test_a_dependence_that_turns_round_for_rare_categories_is_found():
    findings = compare(*answers(40_000, 20, swapped=range(8, 20)), **POLICY)
    assert "a × y" in failed(findings)
    (finding,) = of_pairs(compare(*answers(40_000, 20, swapped=()), **POLICY))
    assert finding.status is Status.PASS


@pytest.mark.parametrize("categories", [(40, 30), (300, 2)], ids=["too many for cells", "too many for names"])
def test_what_rare_categories_do_among_themselves_is_not_passed_where_it_is_not_seen(categories):
    rng = np.random.default_rng(6)
    windows = [
        pa.table(
            {
                name: rng.integers(0, most, 40_000).astype(str)
                for name, most in zip("ay", categories, strict=True)
            }
        )
        for _ in range(2)
    ]
    (finding,) = of_pairs(
        compare(*(profile_table(one, pairs=[("a", "y")], rows=False) for one in windows), **POLICY)
    )
    assert finding.status is Status.INCONCLUSIVE
    assert "values too rare to be told apart" in finding.reason
    assert finding.rows_needed is None
    assert "merge rare ones" in finding.remedy


@pytest.mark.parametrize(("rows", "categories"), [(1_000, 16), (2_500, 16), (8_000, 16), (900, 12)])
def test_the_rows_that_a_pair_of_many_cells_takes_are_enough(rows, categories):
    def window(rows, seed):
        rng = np.random.default_rng(seed)
        made = {"a": rng.integers(0, categories, rows).astype(str), "y": rng.standard_normal(rows)}
        return profile_table(pa.table(made), pairs=[("a", "y")], rows=False)

    (finding,) = of_pairs(compare(window(rows, 1), window(rows, 2), **POLICY))
    assert finding.status is Status.INCONCLUSIVE
    assert finding.rows_needed is not None
    enough = finding.rows_needed
    (settled,) = of_pairs(compare(window(enough, 3), window(enough, 4), **POLICY))
    assert settled.status is Status.PASS


@pytest.mark.parametrize("rows", [100, 600, 2_500, 10_000, 40_000])
def test_a_pair_that_no_number_of_rows_settles_says_so(rows):
    rng = np.random.default_rng(7)
    windows = [
        profile_table(
            pa.table({name: rng.integers(0, 40, rows).astype(str) for name in "ay"}),
            pairs=[("a", "y")],
            rows=False,
        )
        for _ in range(2)
    ]
    (finding,) = (one for one in compare(*windows, **POLICY) if one.target == "a × y")
    assert finding.status is Status.INCONCLUSIVE
    assert finding.rows_needed is None
    assert "merge rare ones" in finding.remedy
