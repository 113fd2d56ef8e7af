"""New values among too many categories to name: found when they are more than sampling explains, and only then."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import binomtest

from aims_pipelines.core.verdict import Status
from aims_pipelines.measure import profile_table
from aims_pipelines.stats.categories import exact_categories, hashed_categories
from aims_pipelines.stats.drift import compare
from aims_pipelines.stats.hashing import mix
from aims_pipelines.stats.novelty import new_values
from aims_pipelines.stats.profile import BUCKETS, CATEGORY_SAMPLE, UNBOUNDED
from aims_pipelines.stats.sketches import bounded


def hashed(counts, seed=0):
    """Categories as a profile keeps them, from the count of each of a fixed set of categories."""
    hashes = mix(np.arange(len(counts), dtype=np.uint64) + np.uint64(seed << 32))
    buckets = np.bincount((hashes % np.uint64(BUCKETS)).astype(int), counts, BUCKETS).astype(np.int64)
    order = np.argsort(hashes[counts > 0])
    kept = hashes[counts > 0][order], counts[counts > 0][order].astype(np.int64)
    return hashed_categories(buckets, bounded(*kept, UNBOUNDED, CATEGORY_SAMPLE))


def windows(weights, rows, other=None, seed=1):
    """Two windows drawn from two sets of weights of the same categories."""
    rng = np.random.default_rng(seed)
    other = weights if other is None else other
    return [hashed(rng.multinomial(n, w / w.sum())) for n, w in zip(rows, (weights, other), strict=True)]


def moved_to_others(weights, share):
    """Weights of twice as many categories, before and after a share of the rows goes to new ones."""
    none = np.zeros(len(weights))
    before = np.concatenate([weights, none])
    return before, np.concatenate([(1.0 - share) * weights, share * weights])


@pytest.mark.parametrize(
    ("before", "after"),
    [([1, 1, 2, 2, 5], [2, 2, 3, 0, 0]), ([1, 2, 3], [3, 2, 1])],
    ids=["some gone", "none new"],
)
def test_the_excess_is_that_of_good_and_turing(before, after):
    """On few categories, repeated until the sample is large enough to judge, by hand from the counts."""
    times = 50
    p, excess = new_values(
        [exact_categories({f"{i} {k}": c for i in range(times) for k, c in enumerate(before) if c})],
        [exact_categories({f"{i} {k}": c for i in range(times) for k, c in enumerate(after) if c})],
        harmless=0.0,
    )
    gone = sum(b for b, a in zip(before, after, strict=True) if not a) / sum(before)
    left_unseen = sum(a == 1 for a in after) / sum(after)
    expected = max(0.0, gone - left_unseen)
    assert excess[0] == pytest.approx(-expected)
    assert (p[0] < 0.001) == (expected > 0.0)


@pytest.mark.parametrize(
    ("weights", "rows"),
    [
        (np.ones(10_000), (200_000, 200_000)),
        (np.ones(10_000), (200_000, 15_000)),
        (np.ones(30_000), (20_000, 20_000)),
        (1.0 / np.arange(1, 30_001), (100_000, 50_000)),
        (np.append(50_000.0, np.ones(10_000)), (100_000, 100_000)),
        (np.ones(60_000), (3_000, 3_000)),
    ],
    ids=["alike", "small window", "half unseen", "Zipf", "one common", "hardly any twice"],
)
def test_windows_of_one_source_raise_no_more_alarms_than_stated(weights, rows):
    p = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        shuffled = rng.permutation(weights)  # other categories in the sample each time
        p.append(new_values(*([one] for one in windows(shuffled, rows, seed=seed)), harmless=0.0)[0][0])
    for level in (0.01, 0.05, 0.2):
        assert (
            binomtest(int(np.sum(np.array(p) <= level)), len(p), level, alternative="greater").pvalue > 0.001
        )


@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
@pytest.mark.parametrize(
    ("weights", "rows"),
    [
        (np.ones(20_000), (400_000, 400_000)),
        (np.ones(20_000), (400_000, 50_000)),
        (1.0 / np.sqrt(np.arange(1, 50_001)), (400_000, 400_000)),
    ],
    ids=["alike", "small window", "uneven"],
)
def test_rows_that_move_to_new_categories_are_counted(weights, rows, share):
    p, excess = new_values(*([one] for one in windows(*reordered(weights, rows, share))), harmless=0.04)
    assert p[0] < 1e-6
    assert excess[0] == pytest.approx(share, abs=0.2)


def reordered(weights, rows, share):
    before, after = moved_to_others(weights, share)
    order = np.random.default_rng(2).permutation(len(before))
    return before[order], rows, after[order]


def test_a_share_up_to_the_harmless_one_is_not_tested():
    arguments = windows(*reordered(np.ones(20_000), (400_000, 400_000), 0.03))
    assert new_values(*([one] for one in arguments), harmless=0.1)[0][0] == 1.0


def test_where_hardly_any_value_comes_twice_nothing_can_be_told():
    first, second = hashed(np.ones(10_000, int)), hashed(np.ones(10_000, int), seed=1)
    assert new_values([first], [second], harmless=0.0)[0][0] > 0.05


def test_few_categories_are_no_evidence():
    first, second = hashed(np.full(15, 1_000)), hashed(np.full(15, 1_000), seed=1)
    assert new_values([first], [second], harmless=0.0)[0][0] == 1.0
    assert new_values([None], [second], harmless=0.0)[0][0] == 1.0


def test_drift_finds_that_all_of_many_rare_values_gave_way_to_others():
    """Hash buckets do not show it: each holds some twenty categories before and after."""
    codes = np.repeat(np.arange(20_000), 5)
    was = pa.table({"code": [f"A{code}" for code in codes], "sex": ["f", "m"] * 50_000})
    now = pa.table({"code": [f"B{code}" for code in codes], "sex": ["f", "m"] * 50_000})
    arguments = {"effect": 0.1, "alpha": 0.01}
    (worst, *_) = compare(profile_table(was, rows=False), profile_table(now, rows=False), **arguments)
    assert (worst.status, worst.target) == (Status.FAIL, "code")
    assert worst.measure == "share of rows with new values"
    assert "of the rows have values that the reference lacks" in worst.reason
    assert worst.observed == pytest.approx(1.0, abs=0.1)
    again = compare(profile_table(was, rows=False), profile_table(was, rows=False), **arguments)
    assert {finding.status for finding in again} == {Status.PASS}
