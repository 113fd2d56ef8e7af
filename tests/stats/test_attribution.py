"""What carries a drift: columns, pairs and groups in order, with parts that add up."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.statement import judgement_from_json, judgement_to_json
from aims_pipelines.core.verdict import Status, Verdict
from aims_pipelines.measure import profile_table
from aims_pipelines.stats.attribution import attribution
from aims_pipelines.stats.drift import compare
from aims_pipelines.stats.profile import GroupSpec

POLICY = {"effect": 0.1, "alpha": 0.01, "labels": ("granted",)}
GROUPS = (GroupSpec(columns=("sex",)), GroupSpec(columns=("region",)))


def window(seed, *, inside=0.0, whole=0.0, women=0.3, rate=0.3, follow=0.0, gone=0.0, rows=20_000):
    rng = np.random.default_rng(seed)
    female = rng.random(rows) < women
    age, income = rng.standard_normal(rows), rng.standard_normal(rows)
    table = pa.table(
        {
            "sex": np.where(female, "f", "m"),
            "region": rng.choice(["n", "e", "s", "w"], rows),
            "income": pa.array(income + whole + inside * female, mask=rng.random(rows) < gone * female),
            "age": age,
            "granted": rng.random(rows) < rate + follow * np.tanh(age),
        }
    )
    return profile_table(table, groups=GROUPS, pairs=[("age", "granted")], rows=False)


REFERENCE = window(1)


def judged(current, reference=REFERENCE):
    findings = compare(reference, current, **POLICY)
    return findings, attribution(findings, reference, current, labels=("granted",))


def test_a_shift_of_one_group_is_told_as_that_groups_part_of_the_whole():
    findings, (only,) = judged(window(2, inside=0.8))
    assert (only.target, only.subject, only.kind, only.part) == ("income", "values", "column", 1.0)
    assert only.groups[0].group == "sex=f"
    assert only.groups[0].part == pytest.approx(1.0, abs=0.08)
    assert only.groups[0].rows == pytest.approx(0.3, abs=0.02)
    (whole,) = (one for one in findings if one.target == "income" and one.status is Status.FAIL)
    assert "of it in sex=f with 30% of the rows" in whole.reason


def test_a_shift_of_all_rows_is_told_of_no_group():
    findings, (only,) = judged(window(2, whole=0.4))
    assert {group.group.split("=")[0] for group in only.groups} in ({"sex"}, {"region"})
    for group in only.groups:
        assert group.part == pytest.approx(group.rows, abs=0.15)
    (whole,) = (one for one in findings if one.target == "income" and one.status is Status.FAIL)
    assert "of it in" not in whole.reason


def test_missing_values_of_one_group_are_that_groups_part():
    _, contributions = judged(window(2, gone=0.5))
    (missing,) = (one for one in contributions if one.subject == "missing")
    assert missing.groups[0].group == "sex=f"
    assert missing.groups[0].part == pytest.approx(1.0, abs=0.02)


def test_the_label_is_told_apart_from_the_rest_and_its_relation_from_both():
    findings, contributions = judged(window(3, rate=0.4, whole=0.6))
    kinds = {one.target: one.kind for one in contributions}
    assert kinds["granted"] == "label shift"
    assert kinds["income"] == "column"
    (label,) = (one for one in findings if one.target == "granted" and one.status is Status.FAIL)
    assert label.reason.startswith("label shift: ")
    findings, (only,) = judged(window(4, follow=0.25))
    assert (only.target, only.kind) == ("age × granted", "relation to the label")
    (relation,) = (one for one in findings if one.status is Status.FAIL)
    assert relation.reason.startswith("relation to the label: the rank correlation rose")


def test_contributions_are_ranked_add_up_and_order_the_findings():
    findings, contributions = judged(window(3, rate=0.36, whole=0.6, women=0.4, follow=0.2))
    parts = [one.part for one in contributions]
    assert parts == sorted(parts, reverse=True)
    assert sum(parts) == pytest.approx(1.0)
    assert contributions[0].target == "income"
    failed = [one for one in findings if one.status is Status.FAIL]
    assert [one.part for one in failed] == sorted((one.part for one in failed), reverse=True)
    assert all("of all that moved" in one.reason for one in failed)


def test_without_a_shown_shift_nothing_is_attributed():
    findings, contributions = judged(window(5))
    assert contributions == ()
    assert all(one.part is None for one in findings)


def test_parts_go_into_evidence_and_come_back():
    findings, _ = judged(window(2, inside=0.8, rate=0.4))
    judgement = Judgement(
        subject="people",
        required=("drift",),
        verdicts=(Verdict(check="drift", version="2", findings=findings),),
    )
    text = json.dumps(judgement_to_json(judgement))
    assert judgement_from_json(json.loads(text)) == judgement
    assert '"part": 0.' in text


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.tuples(*(st.integers(0, 60) for _ in range(4))), min_size=2, max_size=4))
def test_parts_of_groups_are_the_whole_change_whatever_grows_or_shrinks(counts):
    """Kitagawa's terms over all groups are the change of the whole; groups under 30 rows are not told, but counted."""
    sides = []
    for first in (0, 2):
        columns = {"g": [], "y": []}
        for number, group in enumerate(counts):
            yes, no = 31 + group[first], 31 + group[first + 1]
            columns["g"] += [f"g{number}"] * (yes + no)
            columns["y"] += ["yes"] * yes + ["no"] * no
        sides.append(profile_table(pa.table(columns), groups=[GroupSpec(columns=("g",))]))
    from aims_pipelines.core.verdict import Finding

    shown = Finding(
        target="y", measure="share shift", status=Status.FAIL, reason="-", observed=0.2, unit="fraction"
    )
    (one,) = attribution([shown], *sides)
    if one.groups:
        assert sum(group.part for group in one.groups) == pytest.approx(1.0)
