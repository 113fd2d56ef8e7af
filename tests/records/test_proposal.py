"""Changes of the rules, as people write them on a command line or in a file."""

import pytest

from aims_pipelines.core.errors import BadInput
from aims_pipelines.records.load import load_records
from aims_pipelines.records.policy_record import Inconclusive, Stage
from aims_pipelines.records.proposal import (
    differences,
    differing_limits,
    differing_parts,
    read_limits,
    read_proposal,
    rules_for,
)


@pytest.fixture
def records(write, valid):
    return load_records(write({f"{name}.yaml": text for name, text in valid.items()}))


def change(records, dataset="people", **options):
    before = rules_for(records, dataset)
    proposal = read_proposal(records, **options)
    assert proposal is not None
    return before, proposal.rules(dataset)


def test_nothing_said_is_nothing_proposed(records):
    assert read_proposal(records) is None


@pytest.mark.parametrize(
    ("setting", "name", "value"),
    [
        ("drift_effect=0.05", "drift_effect", 0.05),
        (" min_rows = 7 ", "min_rows", 7),
        ("drift_inconclusive=pool", "drift_inconclusive", Inconclusive.POOL),
        ("max_age_days=null", "max_age_days", None),
        ("max_outliers=1e-3", "max_outliers", 0.001),
        ("false_alarm_budget=0.01", "false_alarm_budget", 0.01),
    ],
)
def test_a_limit_is_set_over_those_of_policy_and_record(records, setting, name, value):
    _, after = change(records, limits=(setting,))
    assert getattr(after.limits, name) == value
    assert type(getattr(after.limits, name)) is type(value)


def test_a_stage_is_set_for_one_check_and_said_in_words(records):
    before, after = change(records, stages=("drift=warn",))
    assert after.stages["drift"] is Stage.WARN
    assert differences(before, after) == ("drift: block → warn",)


def test_every_fault_of_every_setting_is_told_at_once(records, tmp_path):
    with pytest.raises(BadInput) as caught:
        read_proposal(
            records,
            file=tmp_path / "none.yaml",
            limits=(
                "min_row=3",
                "min_rows=many",
                "min_rows=4",
                "drift_effect",
                "max_outliers=2",
                "a: b=3",
                "=1",
            ),
            stages=("drfit=block", "drift=blok"),
        )
    assert sorted(fault.where for fault in caught.value.faults) == sorted(
        [
            "--set min_row",
            "--set min_rows",
            "--set min_rows",
            "--set",
            "--set max_outliers",
            "--set a: b",
            "--set",
            "--stage drfit",
            "--stage drift",
            str(tmp_path / "none.yaml"),
        ]
    )
    said = str(caught.value)
    assert "Did you mean 'min_rows'?" in said
    assert "Did you mean 'drift'?" in said
    assert "Did you mean 'block'?" in said
    assert "none.yaml" in said


@pytest.mark.parametrize("value", [".nan", ".inf", "[1]", "{a: 1}", "*a", "yes", "1 2", "0", "-1", "9" * 400])
def test_a_value_that_is_no_such_limit_is_a_fault(value):
    with pytest.raises(BadInput):
        read_limits((f"drift_effect={value}",))


def test_a_policy_of_a_known_id_takes_its_place_for_the_datasets_that_name_it(records, valid, tmp_path):
    file = tmp_path / "new.yaml"
    file.write_text(valid["policy"].replace("in_force", "draft") + "dataset_limits: {min_rows: 7}\n")
    before, after = change(records, file=file)
    assert after.policy.status == "draft"
    assert after.policy.id == before.policy.id
    assert differences(before, after) == ("min_rows: 100 → 7",)


def test_a_policy_of_another_id_takes_the_place_of_every_policy(records, tmp_path):
    file = tmp_path / "strict.yaml"
    file.write_text(
        "kind: policy\nid: strict\ntitle: t\nowner: o\nstatus: draft\neffective_from: 2030-01-01\n"
        "dataset_limits: {drift_effect: 0.02}\n"
    )
    for dataset in records.datasets:
        before, after = change(records, dataset, file=file)
        assert after.policy.id == "strict"
        assert after.record == before.record
    assert change(records, file=file)[1].limits.drift_effect == 0.02


def test_a_dataset_record_of_a_file_takes_the_place_of_the_one_with_its_id(records, valid, tmp_path):
    file = tmp_path / "people.yaml"
    file.write_text(valid["people"].replace("max: 100", "max: 90"))
    before, after = change(records, file=file)
    assert differing_parts(before, after) == ("columns",)
    assert differing_limits(before, after) == frozenset()
    assert differences(before, after) == ("record: columns",)


def test_what_a_record_says_to_people_is_no_change_of_the_rules(records, valid, tmp_path):
    file = tmp_path / "people.yaml"
    file.write_text(valid["people"].replace("title: People", "title: Others"))
    assert differences(*change(records, file=file)) == ()


def test_a_file_of_the_records_folder_itself_changes_nothing(records):
    before, after = change(records, file=records.folder / "policy.yaml")
    assert before == after


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: policy\nid: default\n", "expected a value, found nothing"),
        ("", "an empty file"),
        ("[", "YAML"),
        ("kind: policy\nid: default\nlimits: 3\n", "known key"),
    ],
)
def test_a_faulty_file_is_told_with_its_faults(records, tmp_path, text, says):
    file = tmp_path / "new.yaml"
    file.write_text(text)
    with pytest.raises(BadInput) as caught:
        read_proposal(records, file=file)
    assert str(file) in str(caught.value)
    assert says in str(caught.value)


def test_a_dataset_that_nobody_knows_is_told_with_a_suggestion(records, valid, tmp_path):
    file = tmp_path / "new.yaml"
    file.write_text(valid["people"].replace("id: people", "id: poeple"))
    with pytest.raises(BadInput, match="Did you mean 'people'"):
        read_proposal(records, file=file)


def test_two_policies_of_ids_of_their_own_are_one_too_many(records, tmp_path):
    policy = "kind: policy\nid: {}\ntitle: t\nowner: o\nstatus: draft\neffective_from: 2030-01-01\n"
    file = tmp_path / "new.yaml"
    file.write_text("---\n".join(policy.format(name) for name in ("strict", "lax")))
    with pytest.raises(BadInput, match="strict, lax"):
        read_proposal(records, file=file)
