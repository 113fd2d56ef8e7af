"""Two tables or saved profiles compared without a pipeline."""

import csv
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aims_pipelines.core.errors import BadInput
from aims_pipelines.core.verdict import Status
from aims_pipelines.measure import (
    compare,
    profile_file,
    profile_frame,
    read_profile,
    to_arrow,
    to_bytes,
    write_profile,
)
from aims_pipelines.measure.frames import ArrowFrame
from aims_pipelines.measure.groupings import Table, choose_groups, groups_of
from aims_pipelines.stats.banding import bands_agree, edges_of
from aims_pipelines.stats.profile import GroupSpec


def people(seed: int, rows: int = 8000) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": draw.integers(18, 80, rows),
            "sex": draw.choice(["f", "m"], rows),
            "income": np.exp(draw.normal(10, 0.5, rows)),
            "granted": draw.random(rows) < 0.4,
        }
    )


def failed(comparison) -> set[str]:
    return {finding.target for finding in comparison.findings if finding.status is Status.FAIL}


def test_two_samples_of_one_population_pass_and_say_how_many_rows_they_are():
    comparison = compare(people(1), people(2, rows=9000), label="granted", protected=["sex", "age"])
    assert comparison.status is Status.PASS
    assert (comparison.reference_rows, comparison.current_rows) == (8000, 9000)
    assert comparison.notes == ()


def test_a_shift_inside_one_group_is_named_with_its_group():
    moved = people(2)
    moved.loc[moved.sex == "f", "income"] *= 1.6
    comparison = compare(people(1), moved, protected=["sex"])
    assert comparison.status is Status.FAIL
    assert "sex=f: income" in failed(comparison)
    assert not any(target.startswith("sex=m") for target in failed(comparison))


def test_halves_of_a_real_table_pass_and_a_subgroup_fault_in_one_is_found(real_data, tmp_path):
    with (real_data / "adult-train.csv").open() as file:
        header, *rows = list(csv.reader(file))
    random.Random(7).shuffle(rows)  # noqa: S311 - a fixed order, not a secret
    sex, income = header.index("sex"), header.index("income")

    def written(name: str, content: list[list[str]]) -> Path:
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file).writerows([header, *content])
        return tmp_path / name

    first, second = written("a.csv", rows[:16000]), written("b.csv", rows[16000:])
    faulty = [row.copy() for row in rows[16000:]]
    for row in [row for row in faulty if row[sex] == "Female" and row[income] == "<=50K"][:700]:
        row[income] = ">50K"
    asked = {"label": "income", "protected": ["sex", "race", "age"], "null_values": ["?"]}
    assert compare(first, second, **asked).status is Status.PASS
    assert "sex=Female: income" in failed(compare(first, written("c.csv", faulty), **asked))


@pytest.mark.parametrize("saved", ["reference", "current", "both"])
def test_saved_profiles_give_the_findings_that_their_tables_give(saved, tmp_path):
    for name, seed in (("reference", 1), ("current", 2)):
        people(seed).to_parquet(tmp_path / f"{name}.parquet")
    specs = choose_groups(
        [Table(name="reference", source=tmp_path / "reference.parquet")], ["sex", "age", "age&sex"]
    )
    sides = []
    for name in ("reference", "current"):
        table = tmp_path / f"{name}.parquet"
        if saved in {name, "both"}:
            write_profile(profile_file(table, groups=specs, rows=False), tmp_path / name)
            sides.append(tmp_path / name)
        else:
            sides.append(table)
    tables = compare(
        tmp_path / "reference.parquet",
        tmp_path / "current.parquet",
        protected=["sex", "age", "age&sex"],
        label="granted",
    )
    assert compare(*sides, label="granted").findings == tables.findings


def test_groupings_are_told_from_a_profile():
    specs = (
        GroupSpec(columns=("age",), bands={"age": (30.0, 50.0)}),
        GroupSpec(columns=("sex", "age"), bands={"age": (-5.0, 40.5, 1e6)}),
        GroupSpec(columns=("sex",)),
    )
    assert groups_of(profile_frame(people(1), groups=specs)) == specs


def test_groupings_with_folded_levels_are_told_from_a_profile():
    many = people(1)
    many["town"] = [f"town {place % 90}" for place in range(len(many))]
    spec = GroupSpec(columns=("town", "age"), bands={"age": (50.0,)})
    assert groups_of(profile_frame(many, groups=[spec])) == (spec,)


@pytest.mark.parametrize(
    ("levels", "edges"),
    [
        (["<30", "30-50", ">=50"], (30, 50)),
        (["<-5", "-5--1.5", "-1.5-1e-07", ">=1e-07", "(missing)"], (-5, -1.5, 1e-07)),
        (["1", "2", "-3", "1e-07"], ()),
        (["2011-01-01"], ()),
        ([], ()),
    ],
)
def test_band_edges_are_read_back_from_names(levels, edges):
    assert edges_of(levels) == edges


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        (["<30", "30-50", ">=50"], ["<30", "30-50", ">=50"], True),
        (["<30", "30-50", ">=50"], ["30-50", ">=50", "(missing)"], True),
        (["<30", ">=30"], ["<40", ">=40"], False),
        (["<30", "30-50", ">=50"], ["<30", ">=30"], False),
        (["<30", ">=30"], ["25", "31"], False),
        (["1", "2"], ["1", "3"], True),
    ],
)
def test_bands_agree_only_where_one_set_of_edges_explains_both(one, other, agree):
    assert bands_agree(one, other) is agree
    assert bands_agree(other, one) is agree


def test_bands_of_a_numeric_column_have_round_edges_and_enough_members():
    frame = people(1)
    (spec,) = choose_groups([Table(name="t", source=ArrowFrame(to_arrow(frame)))], ["age"])
    edges = spec.bands["age"]
    assert len(edges) == 3
    assert all(edge == int(edge) for edge in edges)
    assert np.histogram(frame.age, [0, *edges, 200])[0].min() >= 1000


@pytest.mark.parametrize("rows", [0, 1, 2])
@pytest.mark.parametrize("side", ["reference", "current", "both"])
def test_next_to_no_rows_are_inconclusive(rows, side):
    full, short = people(1, rows=400), people(2, rows=400).head(rows)
    pair = {"reference": (short, full), "current": (full, short), "both": (short, short)}[side]
    assert compare(*pair, protected=["sex"]).status is Status.INCONCLUSIVE


def test_tables_of_nothing_but_missing_values_are_inconclusive():
    blank = pd.DataFrame({"a": [None] * 5000, "b": pd.Series([None] * 5000, dtype="float64")})
    assert compare(blank, blank.copy()).status is Status.INCONCLUSIVE


def test_constant_tables_are_inconclusive():
    same = pd.DataFrame({"a": [1] * 5000, "b": ["x"] * 5000})
    assert compare(same, same.copy()).status is Status.INCONCLUSIVE


def test_a_column_that_lost_all_its_values_has_failed_though_it_has_no_type_left():
    lost = people(2)
    lost["income"] = None
    findings = compare(people(1), lost, protected=["sex"]).findings
    missing = [one for one in findings if one.target == "income" and one.measure.startswith("missing")]
    assert [one.status for one in missing] == [Status.FAIL]


@pytest.mark.parametrize("limits", [{"effect": float("nan")}, {"alpha": float("nan")}, {"effect": 0.0}])
def test_limits_that_are_no_limits_are_inconclusive(limits):
    assert compare(people(1), people(2), **limits).status is Status.INCONCLUSIVE


def test_a_copy_is_compared_but_pointed_out():
    assert "copy" in compare(people(1), people(1)).notes[0]


def test_the_same_file_twice_is_refused_under_any_name(tmp_path):
    people(1, rows=50).to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "link.csv").symlink_to(tmp_path / "a.csv")
    with pytest.raises(BadInput, match="the same file twice"):
        compare(tmp_path / "a.csv", tmp_path / "link.csv")


def test_unknown_columns_are_all_named_with_what_was_probably_meant():
    with pytest.raises(BadInput) as caught:
        compare(people(1), people(2), protected=["sexx", "agee"])
    assert [fault.remedy for fault in caught.value.faults] == ["Did you mean 'sex'?", "Did you mean 'age'?"]
    with pytest.raises(BadInput) as caught:
        compare(people(1), people(2), label="grant", ignore=["nothing"])
    assert {fault.found for fault in caught.value.faults} == {"'grant'", "'nothing'"}


def test_profiles_made_with_different_groups_are_refused():
    one, other = (
        profile_frame(people(seed), groups=[GroupSpec(columns=(name,))])
        for seed, name in ((1, "sex"), (2, "granted"))
    )
    with pytest.raises(BadInput) as caught:
        compare(one, other)
    assert [fault.where for fault in caught.value.faults] == ["grouping 'sex'", "grouping 'granted'"]
    assert compare(one, other, protected=()).status is Status.PASS


@pytest.mark.parametrize("columns", [("age",), ("sex", "age")])
def test_profiles_made_with_different_bands_are_refused(columns):
    one, other = (
        profile_frame(people(seed), groups=[GroupSpec(columns=columns, bands={"age": edges})])
        for seed, edges in ((1, (30.0, 50.0)), (2, (35.0, 50.0)))
    )
    with pytest.raises(BadInput, match="edges 30, 50 and 35, 50"):
        compare(one, other)


def test_groups_that_a_profile_lacks_cannot_be_asked_of_it():
    with pytest.raises(BadInput, match=r"groups that it was made with \(none\)"):
        compare(profile_frame(people(1)), people(2), protected=["sex"])


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    with pytest.raises(BadInput, match="a file to write to"):
        write_profile(profile_frame(people(1, rows=5)), tmp_path / "no" / "p.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("deviation", ["cut", "altered", "newer", "nothing"])
def test_a_damaged_profile_is_refused_with_its_name(deviation, tmp_path):
    data = bytearray(to_bytes(profile_frame(people(1, rows=50))))
    if deviation == "altered":
        data[-9] ^= 1
    if deviation == "newer":
        data[8] = 9
    file = tmp_path / "p.json"
    file.write_bytes({"cut": data[:100], "nothing": b""}.get(deviation, bytes(data)))
    with pytest.raises(BadInput, match=r"p\.json"):
        read_profile(file)
