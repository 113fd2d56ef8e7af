"""The check of control charts: what creeps is found, nothing passes unseen, and a gate can always go on."""

from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
import pytest

from aims_pipelines.checks.candidate import Published
from aims_pipelines.checks.control_charts import charts_of
from aims_pipelines.core.errors import RowsNotKept
from aims_pipelines.core.verdict import NotApplicable, Status


def offers(seed: int, *, shift: float = 0.0, rows: int = 500) -> pa.Table:
    draw = np.random.default_rng(seed)
    return pa.table(
        {
            "amount": draw.normal(100.0 + shift, 20.0, rows),
            "sex": draw.choice(["f", "m"], rows),
            "outcome": draw.choice(["bad", "good"], rows, p=[0.1, 0.9]),
        }
    )


def record(*statistics: str, **more: object) -> dict[str, object]:
    charts = {"statistics": statistics or ("mean(amount)",), **more}
    return {"protected": [{"column": "sex"}], "control_charts": charts}


@pytest.fixture
def charted(build, answer):
    """What the check answers about a table after some published ones."""

    def charted(table, before, declared, **facts):
        candidate = build(table, record=declared)
        history = tuple(
            Published(
                name=f"version {number}",
                digest=f"sha256:{number}",
                profile=partial(lambda item: build(item, record=declared).profile, item),
            )
            for number, item in enumerate(before, 1)
        )
        return answer("control_charts", replace(candidate, history=history, **facts))

    return charted


STEADY = [offers(seed) for seed in range(40, 56)]


def test_it_does_not_apply_where_nothing_is_declared(charted):
    verdict = charted(offers(1), STEADY, {})
    assert isinstance(verdict, NotApplicable)
    assert verdict.reason == "the record declares no control charts"


@pytest.mark.parametrize("published", [0, 1, 9])
def test_until_the_reference_is_published_candidates_join_it(published, charted):
    verdict = charted(offers(1), STEADY[:published], record())
    assert isinstance(verdict, NotApplicable)
    assert verdict.reason == (
        f"{published} of the 10 versions that make the reference are published; this one joins them"
    )


def test_a_candidate_that_cannot_be_read_does_not_join_the_reference(charted):
    verdict = charted(offers(1, rows=1), STEADY[:3], record("mean(amount)", "missing(amount)"))
    assert verdict.status is Status.INCONCLUSIVE
    assert [finding.target for finding in verdict.findings] == ["mean(amount)"]
    assert "fewer than two values" in verdict.findings[0].reason


def test_a_candidate_like_those_before_passes_with_a_figure_for_each_statistic(charted):
    statistics = (
        "mean(amount)",
        "sd(amount)",
        "missing(amount)",
        "rate(outcome=bad | sex=f)",
        "drift(amount)",
    )
    verdict = charted(offers(1), STEADY, record(*statistics))
    assert verdict.status is Status.PASS
    assert tuple(finding.target for finding in verdict.findings) == statistics
    assert all(0.0 <= finding.observed <= finding.limit for finding in verdict.findings)
    assert {finding.n for finding in verdict.findings} >= {500}


@pytest.mark.parametrize("chart", ["ewma", "cusum"])
def test_what_creeps_fails_though_no_version_by_itself_is_odd(chart, charted):
    creeping = [offers(80 + step, shift=1.4) for step in range(14)]
    for step, table in enumerate(creeping):
        assert charted(table, STEADY, record(chart="shewhart")).status is Status.PASS
        verdict = charted(table, [*STEADY, *creeping[:step]], record(chart=chart))
        if verdict.status is Status.FAIL:
            break
    assert verdict.status is Status.FAIL
    (finding,) = verdict.findings
    assert finding.observed > finding.limit
    assert "set 'since'" in finding.remedy


def test_a_published_version_beyond_the_limits_does_not_keep_later_candidates_out(charted):
    wild = offers(2, shift=30.0)
    assert charted(wild, STEADY, record()).status is Status.FAIL
    for seed in range(3, 9):
        assert charted(offers(seed), [*STEADY, wild], record()).status is Status.PASS


def test_the_same_rows_judged_again_are_no_new_window(charted, build):
    table = offers(5, shift=2.4)
    digest = build(table, record=record()).digest
    first = charted(table, STEADY, record())
    again = build(table, record=record())
    history = [*(Published(name=f"version {n}", digest=f"d{n}", profile=partial(
        lambda item: build(item, record=record()).profile, item)) for n, item in enumerate(STEADY, 1)),
        *(Published(name=f"again {n}", digest=digest, profile=lambda: again.profile) for n in range(3))]  # fmt: skip
    made = charts_of(replace(again, history=tuple(history)))
    assert len(made[0].chart.points) == len(STEADY) + 1
    assert abs(made[0].chart.points[-1].statistic) == first.findings[0].observed


def test_several_charts_share_the_budget(charted):
    one = charted(offers(1), STEADY, record("mean(amount)")).findings[0].limit
    both = charted(offers(1), STEADY, record("mean(amount)", "sd(amount)")).findings[0].limit
    assert both > one


@pytest.mark.parametrize(
    ("statistics", "table", "reason"),
    [
        (("mean(amount)",), offers(1).drop_columns("amount"), "there is no column 'amount'"),
        (("share(outcome=bda)",), offers(1), "the value occurs in no version"),
        (("rate(outcome=bad | sex=x)",), offers(1), "known in the reference: 0 of at least 5"),
        (("mean(amount | sex=f)",), offers(1).slice(0, 1), "cannot be judged"),
    ],
)
def test_what_cannot_be_told_is_inconclusive(statistics, table, reason, charted):
    verdict = charted(table, STEADY, record(*statistics))
    assert verdict.status is Status.INCONCLUSIVE
    assert reason in verdict.findings[0].reason
    assert verdict.findings[0].remedy


def test_a_reference_out_of_control_is_inconclusive(charted):
    before = [*STEADY[:4], offers(3, shift=60.0), *STEADY[5:]]
    verdict = charted(offers(1), before, record())
    assert verdict.status is Status.INCONCLUSIVE
    assert "version 5 lies apart from the others" in verdict.findings[0].reason


def test_no_values_are_in_the_reasons(charted):
    verdict = charted(offers(1), STEADY, record("share(outcome=bda)"))
    assert not {"good", "bad"} & set(verdict.findings[0].reason.split())


def test_an_earlier_profile_that_is_gone_is_left_out_and_one_not_rebuilt_is_told_to_a_replay(build, answer):
    declared = record()
    candidate = build(offers(1), record=declared)
    profiles = [build(item, record=declared).profile for item in STEADY]
    history = [
        Published(name=f"v{n}", digest=f"d{n}", profile=partial(lambda it: it, item))
        for n, item in enumerate(profiles)
    ]
    gone = Published(name="gone", digest="gone", profile=lambda: None)
    assert answer("control_charts", replace(candidate, history=(*history, gone))).status is Status.PASS

    def lost():
        raise RowsNotKept("nothing is kept")

    with pytest.raises(RowsNotKept):
        answer("control_charts", replace(candidate, history=(*history, replace(gone, profile=lost))))
