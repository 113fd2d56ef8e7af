"""Loading records: all valid together, or every fault at once."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from aims_pipelines.core.errors import BadInput, RecordsInvalid
from aims_pipelines.records.kinds import Record
from aims_pipelines.records.load import load_records
from aims_pipelines.records.policy_record import DATASET_CHECK_NAMES, MODEL_CHECK_NAMES

TODAY = date(2026, 6, 1)


def _faults(folder):
    with pytest.raises(RecordsInvalid) as raised:
        load_records(folder, today=TODAY)
    assert raised.value.exit_code == 2
    return {fault.where.replace(str(folder) + os.sep, ""): fault for fault in raised.value.faults}


def test_valid_records_load_with_their_defaults(write, valid):
    records = load_records(write(valid), today=TODAY)
    assert set(records.datasets) == {"people", "people-holdout"}
    assert records.dataset("people").columns["age"].max == 100
    assert records.system("income").model.holdout == "people-holdout"
    assert records.policy("default").dataset_limits.max_label_rate_gap == 0.1
    assert [record.id for record in records] == ["default", "people", "people-holdout", "income"]


def test_several_records_in_one_file_and_in_nested_folders_load_alike(write, valid):
    together = load_records(write({"all": "---\n".join(valid.values())}), today=TODAY)
    (together.folder / "all.yaml").unlink()
    apart = load_records(write({f"deep/er/{name}.yml": text for name, text in valid.items()}), today=TODAY)
    assert together.digest == apart.digest


def test_files_in_hidden_folders_are_not_records(write, valid):
    assert load_records(write({**valid, ".schemas/x.yaml": "nonsense: ["}), today=TODAY)


def test_every_fault_of_every_file_is_reported_with_file_line_and_path(write, valid):
    valid["people"] = (
        valid["people"].replace("max: 100", "maximum: 100").replace("positive: high", "positive: rich")
    )
    valid["people"] += "controls: [A.7.4, A.7.44]\n"
    valid["policy"] += textwrap.dedent("""
        stages:
          drit: warn
          drift: wran
        dataset_limits:
          drift_effect: -1
          confidence: 1
    """)
    valid["system"] = (
        valid["system"].replace("purpose: Estimate income.\n", "").replace("people-holdout", "peple")
    )
    faults = _faults(write(valid))
    checks = dict.fromkeys((*DATASET_CHECK_NAMES, *MODEL_CHECK_NAMES))
    assert {where: (fault.expected, fault.found, fault.remedy) for where, fault in faults.items()} == {
        "people.yaml:9 columns.age.maximum": ("a known key", "'maximum'", "Did you mean 'max'?"),
        "people.yaml:12 label.positive": ("one of the allowed values of 'income'", "'rich'", ""),
        "people.yaml:14 controls[1]": (
            "a control or clause of the catalogue, such as A.7.4",
            "'A.7.44'",
            "Did you mean 'A.7.4'?",
        ),
        "policy.yaml:10 stages.drift": ("one of warn, block", "'wran'", "Did you mean 'warn'?"),
        "policy.yaml:9 stages.drit": (f"one of {', '.join(checks)}", "'drit'", "Did you mean 'drift'?"),
        "policy.yaml:12 dataset_limits.drift_effect": ("a number more than 0", "-1", ""),
        "policy.yaml:13 dataset_limits.confidence": ("a number less than 1", "1", ""),
        "system.yaml:1 purpose": ("a value", "nothing", "Add 'purpose': What it is for."),
        "system.yaml:10 model.holdout": ("the id of a dataset record", "'peple'", "Did you mean 'people'?"),
    }


@pytest.mark.parametrize(
    ("before", "after", "where", "expected"),
    [
        ("max: 100", "max: -1", "people.yaml:9 columns.age.max", "at least min, 0"),
        ("max: 100", "max: .nan", "people.yaml:9 columns.age.max", "a finite number"),
        ("max: 100", "max: many", "people.yaml:9 columns.age.max", "a number"),
        ("max: 100", "max_missing: -0.1", "people.yaml:9 columns.age.max_missing", "a number at least 0"),
        ("max: 100", "max_missing: 1.1", "people.yaml:9 columns.age.max_missing", "a number at most 1"),
        ("max: 100", "pattern: a+", "people.yaml:9 columns.age.pattern", "a column of type string"),
        ("max: 100", "unique: yes", "people.yaml:9 columns.age.unique", "true or false"),
        ("Female, Male", "1, Male", "people.yaml:10 columns.sex.allowed[0]", "a value of type string"),
        ("Female, Male", "", "people.yaml:10 columns.sex.allowed", "at least one value"),
        ("Female, Male", "Male, Male", "people.yaml:10 columns.sex.allowed[1]", "each value once"),
        (
            "Female, Male]",
            "a], min: 1",
            "people.yaml:10 columns.sex.min",
            "a numeric column, for a limit on its numbers",
        ),
        (
            "Female, Male]",
            "a], pattern: (a+)+",
            "people.yaml:10 columns.sex.pattern",
            "a safe regular expression",
        ),
        (
            "type: integer",
            "type: int",
            "people.yaml:9 columns.age.type",
            "one of integer, number, string, boolean, date, timestamp",
        ),
        (
            "positive: high",
            "positive: 1",
            "people.yaml:12 label.positive",
            "a value of type string, like the label column",
        ),
        (
            ", positive: high",
            "",
            "people.yaml:12 label.positive",
            "the value that is the favourable or flagged outcome",
        ),
        (
            "positive: high",
            "positive: high, task: regression",
            "people.yaml:12 label.positive",
            "no positive value for a regression",
        ),
        (
            "column: income",
            "column: Income",
            "people.yaml:12 label.column",
            "a column that is declared under 'columns'",
        ),
        (
            "{column: sex}",
            "{column: income}",
            "people.yaml:13 protected[0].column",
            "another column than the label's",
        ),
        (
            "column: sex}",
            "column: sex, bands: [1]}",
            "people.yaml:13 protected[0].bands",
            "bands for a numeric column only",
        ),
        (
            "bands: [30, 50]",
            "bands: [50, 30]",
            "people.yaml:13 protected[1].bands",
            "edges in ascending order, each once",
        ),
        (
            "purpose:",
            "subject: ssn\npurpose:",
            "people.yaml:6 subject",
            "a column that is declared under 'columns'",
        ),
        ("purpose:", "time: age\npurpose:", "people.yaml:6 time", "a column of type date or timestamp"),
        (
            "purpose:",
            "intersections: [[sex, income]]\npurpose:",
            "people.yaml:6 intersections[0][1]",
            "a column that is declared under 'protected'",
        ),
        (
            "purpose:",
            "pairs: [[sex, incme]]\npurpose:",
            "people.yaml:6 pairs[0][1]",
            "a column that is declared under 'columns'",
        ),
        ("purpose:", "pairs: [[sex, sex]]\npurpose:", "people.yaml:6 pairs[0]", "two different columns"),
        (
            "purpose:",
            "pairs: [[sex, income], [income, sex]]\npurpose:",
            "people.yaml:6 pairs[1]",
            "each pair once",
        ),
        ("purpose:", "pairs: [[sex, income, age]]\npurpose:", "people.yaml:6 pairs[0]", "at most 2 entries"),
        ("purpose:", "policy: strict\npurpose:", "people.yaml:6 policy", "the id of a policy record"),
        (
            "purpose:",
            "disjoint_from: [people]\npurpose:",
            "people.yaml:6 disjoint_from[0]",
            "another dataset",
        ),
        (
            "purpose:",
            "limits: {max_age_days: 3}\npurpose:",
            "people.yaml:6 limits.max_age_days",
            "a 'time' column to judge it by",
        ),
        (
            "purpose:",
            "expectations: [{path: ../people.csv}]\npurpose:",
            "people.yaml:6 expectations[0].path",
            "a file inside the records folder",
        ),
        (
            "purpose:",
            "accepted: [{check: drift, measure: m, observed: 1, reason: r, review_by: 9999-12-31}]\npurpose:",
            "people.yaml:6 accepted[0].review_by",
            "a review within two years",
        ),
        (
            "purpose:",
            "accepted: [{check: luck, measure: m, observed: 1, reason: r, review_by: 2026-12-31}]\npurpose:",
            "people.yaml:6 accepted[0].check",
            None,
        ),
        (
            "path: people.csv, ",
            "",
            "people.yaml:7 source",
            "a path, upstream datasets, or an external origin",
        ),
        (
            "path: people.csv, ",
            "path: x, sha256: abc, ",
            "people.yaml:7 source.sha256",
            "sha256: and 64 hexadecimal digits",
        ),
        (
            "source: {path: people.csv, licence: CC BY 4.0, legal_basis: research}",
            "source: {upstream: [people-holdout], licence: a, legal_basis: b}",
            None,
            None,
        ),
    ],
)
def test_each_contradiction_is_named_where_it_is(write, valid, before, after, where, expected):  # noqa: PLR0917 - a table
    assert before in valid["people"]
    valid["people"] = valid["people"].replace(before, after, 1)
    if where is None:  # legal: the holdout does not come from it
        load_records(write(valid), today=TODAY)
        return
    faults = _faults(write(valid))
    assert where in faults
    if expected is not None:
        assert faults[where].expected == expected


def test_lineage_that_loops_is_named_once(write, valid):
    for name, other in (("people", "people-holdout"), ("holdout", "people")):
        valid[name] = valid[name].replace("path: people.csv", f"upstream: [{other}]")
    faults = _faults(write(valid))
    assert [fault.found for fault in faults.values()] == ["people from people-holdout from people"]


def test_an_id_used_twice_names_both_places(write, valid):
    folder = write({**valid, "z": valid["people"]})
    faults = _faults(folder)
    assert list(faults) == ["z.yaml:2 id"]
    assert f"{folder}{os.sep}people.yaml:2" in faults["z.yaml:2 id"].found


def test_a_reference_to_a_record_with_faults_is_not_a_second_fault(write, valid):
    valid["policy"] = valid["policy"].replace("in_force", "inforce")
    assert list(_faults(write(valid))) == ["policy.yaml:5 status"]


def test_a_file_that_cannot_be_read_does_not_make_references_to_it_unknown(write, valid):
    valid["policy"] = "kind: policy\nid: [default"
    assert [where.split(":")[0] for where in _faults(write(valid))] == ["policy.yaml"]


def test_training_and_holdout_must_be_two_datasets_with_one_label(write, valid):
    valid["holdout"] = valid["holdout"].replace("positive: high", "positive: low")
    assert (
        _faults(write(valid))["system.yaml:11 model.holdout"].expected
        == "the same label as the training data"
    )


@pytest.mark.parametrize("threshold", ["0", "1", "1.5", ".nan", "half"])
def test_a_threshold_lies_between_nought_and_one(write, valid, threshold):
    valid["system"] = valid["system"].replace("people-holdout}", f"people-holdout, threshold: {threshold}}}")
    assert list(_faults(write(valid))) == ["system.yaml:11 model.threshold"]


def test_a_threshold_is_for_the_positive_value_of_a_classification(write, valid):
    valid["system"] = valid["system"].replace("people-holdout}", "people-holdout, threshold: 0.3}")
    assert load_records(write(valid), today=TODAY).system("income").model.threshold == 0.3
    for name in ("people", "holdout"):
        valid[name] = valid[name].replace(
            "label: {column: income, positive: high}", "label: {column: age, task: regression}"
        )
        valid[name] = valid[name].replace(", {column: age, bands: [30, 50]}", "")
    faults = _faults(write(valid))
    assert list(faults) == ["system.yaml:11 model.threshold"]
    assert faults["system.yaml:11 model.threshold"].remedy.startswith("Name label.positive")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xff\xfe", "UTF-8 text"),
        (b"", "a record"),
        (b"# nothing here\n", "a record"),
        (b"- a\n- b\n", "a record: keys and values"),
        (b"kind: datset\n", "one of dataset, policy, system"),
        (b"id: x\n", "one of dataset, policy, system"),
        (b"x: " + b"y" * 1_000_001, "a record of at most 1,000,000 bytes"),
        (b'kind: policy\ntitle: "\\ud800"\n', None),
    ],
)
def test_a_file_that_is_no_record_is_refused(write, valid, content, expected):
    folder = write(valid)
    (folder / "odd.yaml").write_bytes(content)
    faults = _faults(folder)
    assert all(where.startswith("odd.yaml") for where in faults)
    if expected:
        assert [fault.expected for fault in faults.values()] == [expected]


@pytest.mark.parametrize("make", [lambda _: None, Path.mkdir, Path.touch])
def test_a_folder_without_records_is_refused(tmp_path, make):
    make(tmp_path / "governance")
    with pytest.raises(RecordsInvalid):
        load_records(tmp_path / "governance")


def test_own_limits_replace_single_limits_of_the_policy(write, valid):
    valid["policy"] += "dataset_limits: {min_rows: 7, min_group_size: 9}\nmodel_limits: {min_metric: 0.9}\n"
    valid["people"] += "limits: {min_rows: 5}\n"
    valid["system"] += "limits: {max_subgroup_gap: 0.3}\n"
    records = load_records(write(valid), today=TODAY)
    assert (
        records.limits_for("people", TODAY).min_rows,
        records.limits_for("people", TODAY).min_group_size,
    ) == (5, 9)
    assert records.limits_for("people-holdout", TODAY).min_rows == 7
    limits = records.model_limits_for("income", TODAY)
    assert (limits.min_metric, limits.max_subgroup_gap) == (0.9, 0.3)


@pytest.mark.parametrize(
    ("key", "value"), [("status", "draft"), ("status", "superseded"), ("effective_from", "2026-06-02")]
)
def test_a_policy_that_is_not_in_force_judges_nothing(write, valid, key, value):
    old = {"status": "status: in_force", "effective_from": "effective_from: 2026-01-01"}[key]
    valid["policy"] = valid["policy"].replace(old, f"{key}: {value}")
    records = load_records(write(valid), today=TODAY)
    for limits in (
        lambda: records.limits_for("people", TODAY),
        lambda: records.model_limits_for("income", TODAY),
    ):
        with pytest.raises(BadInput, match=key):
            limits()


def test_a_policy_judges_from_its_first_day_on(write, valid):
    records = load_records(write(valid), today=TODAY)
    assert records.limits_for("people", date(2026, 1, 1))
    with pytest.raises(BadInput, match="predate"):
        records.limits_for("people", date(2025, 12, 31))


def test_a_policy_names_the_checks_that_only_warn(write, valid):
    valid["policy"] += "stages: {drift: warn}\n"
    assert load_records(write(valid), today=TODAY).policy("default").stages == {"drift": "warn"}


def test_an_unknown_id_suggests_a_close_one(write, valid):
    with pytest.raises(BadInput, match="Did you mean 'people'"):
        load_records(write(valid), today=TODAY).dataset("peopel")


def test_digest_depends_on_meaning_and_not_on_writing(write, valid):
    first = load_records(write(valid), today=TODAY)
    valid["people"] = "# a comment\n" + valid["people"].replace("max: 100", "max: 1.0e+2")
    assert load_records(write(valid), today=TODAY).digest == first.digest
    valid["people"] = valid["people"].replace("1.0e+2", "101")
    assert load_records(write(valid), today=TODAY).digest != first.digest


def test_a_key_that_says_nothing_leaves_the_digest_as_it_is(write, valid):
    first = load_records(write(valid), today=TODAY).digest
    valid["people"] += "pairs: []\n"
    assert load_records(write(valid), today=TODAY).digest == first


def test_digest_tells_which_limits_a_dataset_states_even_if_they_say_what_is_the_default(write, valid):
    people = valid["people"]

    def digest(limits):
        valid["people"] = people + limits
        return load_records(write(valid), today=TODAY).digest

    stated = [
        "limits: {min_rows: 100}\n",
        "limits: {max_suite_rows: null}\n",
        "limits: {min_rows: 100, max_suite_rows: null}\n",
    ]
    assert len({digest(limits) for limits in ["", *stated]}) == 4
    assert digest("limits: {}\n") == digest("")


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_in(field.annotation)
    for part in get_args(annotation):
        yield from models_in(part)


@pytest.mark.parametrize("model", sorted(set(models_in(Record)), key=lambda model: model.__name__))
def test_absent_none_and_empty_mean_the_same_in_every_record(model):
    """The digest takes them for one another, so that a new version of the package may know more keys."""
    for name, field in model.model_fields.items():
        if field.is_required():
            continue
        default = field.get_default(call_default_factory=True)
        if type(None) in get_args(field.annotation):
            assert default is None, name
        if isinstance(default, tuple | list | dict):
            assert not default, name


def test_digest_of_what_judges_a_dataset_ignores_other_records(write, valid):
    first = load_records(write(valid), today=TODAY)
    valid["system"] = valid["system"].replace("title: Income", "title: Incomes")
    second = load_records(write(valid), today=TODAY)
    assert second.digest != first.digest
    assert second.digest_for_dataset("people") == first.digest_for_dataset("people")
    assert second.digest_for_system("income") != first.digest_for_system("income")
    valid["policy"] += "dataset_limits: {min_rows: 3}\n"
    assert load_records(write(valid), today=TODAY).digest_for_dataset("people") != first.digest_for_dataset(
        "people"
    )


def test_digest_covers_the_expectation_suites_that_records_refer_to(write, valid):
    valid["people"] += "expectations: [{path: expectations/people.json}]\n"
    suite = '{"expectations": [{"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}}]}'
    first = load_records(write({**valid, "expectations/people.json": suite}), today=TODAY)
    second = load_records(
        write({**valid, "expectations/people.json": suite.replace("1}", "2}")}), today=TODAY
    )
    assert first.digest != second.digest
    assert first.digest_for_dataset("people") != second.digest_for_dataset("people")


@pytest.mark.parametrize("content", [None, "{", "[]", '{"expectations": []}', "[" * 100_000])
def test_a_suite_that_is_missing_broken_or_empty_is_a_fault(write, valid, content):
    valid["people"] += "expectations: [{path: suite.json}]\n"
    files = {**valid, "suite.json": content} if content is not None else valid
    assert list(_faults(write(files))) == ["people.yaml:14 expectations[0].path"]


def test_a_suite_behind_a_link_out_of_the_folder_is_a_fault(write, valid, tmp_path):
    valid["people"] += "expectations: [{path: suite.json}]\n"
    (tmp_path / "outside.json").write_text('{"expectations": [1]}')
    folder = write(valid)
    (folder / "suite.json").symlink_to(tmp_path / "outside.json")
    assert (
        _faults(folder)["people.yaml:14 expectations[0].path"].expected == "a file inside the records folder"
    )


def test_loading_records_loads_no_heavy_library(write, valid):
    code = (
        "import sys; from aims_pipelines.records.load import load_records; load_records(sys.argv[1]);"
        "print(*sorted({'dagster', 'mlflow', 'pandas', 'pyarrow', 'sklearn', 'great_expectations'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(write(valid))], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == ""


def test_a_dataset_like_another_shares_its_contract_but_for_what_it_states(write, valid):
    valid["holdout"] = """
kind: dataset
id: people-holdout
title: Holdout
owner: data team
status: admitted
purpose: Judge.
source: {upstream: [people], licence: as people, legal_basis: as people}
like: people
protected: [{column: age, bands: [40]}]
"""
    records = load_records(write(valid), today=TODAY)
    people, holdout = records.dataset("people"), records.dataset("people-holdout")
    assert (holdout.columns, holdout.label) == (people.columns, people.label)
    assert [item.bands for item in holdout.protected] == [(40.0,)]
    before = records.digest_for_dataset("people-holdout")
    valid["people"] = valid["people"].replace("max: 100", "max: 99")
    assert load_records(write(valid), today=TODAY).digest_for_dataset("people-holdout") != before


def test_faults_of_a_shared_contract_are_named_once_where_they_are(write, valid):
    valid["people"] = valid["people"].replace("bands: [30, 50]", "bands: [50, 30]")
    valid["holdout"] = (
        "kind: dataset\nid: people-holdout\ntitle: t\nowner: o\nstatus: admitted\npurpose: p\n"
        "source: {upstream: [people], licence: a, legal_basis: b}\nlike: people\ntime: age\n"
    )
    assert list(_faults(write(valid))) == ["holdout.yaml:9 time", "people.yaml:13 protected[1].bands"]


@pytest.mark.parametrize("like", ["peple", "people-holdout", "third"])
def test_a_dataset_cannot_be_like_itself_nothing_or_a_likeness(write, valid, like):
    valid["holdout"] = (
        "kind: dataset\nid: people-holdout\ntitle: t\nowner: o\nstatus: admitted\npurpose: p\n"
        f"source: {{upstream: [people], licence: a, legal_basis: b}}\nlike: {like}\n"
    )
    valid["third"] = (
        valid["holdout"].replace("people-holdout", "third").replace(f"like: {like}", "like: people")
    )
    assert "holdout.yaml:8 like" in _faults(write(valid))


def test_a_dataset_without_columns_is_a_fault(write, valid):
    valid["people"] = valid["people"].replace("columns:", "columns: {}\nignored:")
    assert "people.yaml:8 columns" in _faults(write(valid))


EXTERNAL = """
  external:
    kind: database
    name: core banking
    locator: postgresql://db.internal/core, table applications
    retrieved_by: service account etl
"""


def _from_outside(valid, before="", after=""):
    path = "source: {path: people.csv, licence: CC BY 4.0, legal_basis: research}"
    source = (
        "source:\n  licence: CC BY 4.0\n  legal_basis: research" + EXTERNAL.replace(before, after).rstrip()
    )
    return {**valid, "people": valid["people"].replace(path, source)}


def test_an_external_origin_stands_in_place_of_a_file(write, valid):
    external = load_records(write(_from_outside(valid)), today=TODAY).dataset("people").source.external
    assert (external.kind, external.name) == ("database", "core banking")


@pytest.mark.parametrize(
    ("before", "after", "where", "expected"),
    [
        ("database", "spreadsheet", "kind", "one of database, api, object_store, stream"),
        ("    retrieved_by: service account etl", "    read_by: me", "read_by", "a known key"),
        ("service account etl", '""', "retrieved_by", "text"),
        ("//db.internal", "//etl:hunter2@db.internal", "locator", "no user, password, key or token"),
        ("table applications", "password=hunter2", "locator", "no user, password, key or token"),
        (
            "service account etl",
            "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.x",
            "retrieved_by",
            "no user, pass",
        ),
    ],
)
def test_faults_of_an_external_origin_are_told(write, valid, before, after, where, expected):  # noqa: PLR0917 - by name
    faults = _faults(write(_from_outside(valid, before, after)))
    (fault,) = (fault for place, fault in faults.items() if place.endswith(f"source.external.{where}"))
    assert fault.expected.startswith(expected)
    assert "hunter2" not in str(faults)


def test_data_enters_by_a_file_or_from_outside_and_not_by_both(write, valid):
    (fault,) = _faults(write(_from_outside(valid, "  external", "  path: people.csv\n  external"))).values()
    assert (fault.expected, fault.found) == ("either a file or an external origin", "both")


def test_a_pin_that_is_about_no_file_is_told_beside_what_an_external_origin_lacks(write, valid):
    valid["people"] = valid["people"].replace("path: people.csv", "external: {kind: api}")
    valid["holdout"] = valid["holdout"].replace(
        "path: people.csv", f"upstream: [people], sha256: sha256:{'0' * 64}"
    )
    places = sorted(place.partition(" ")[2] for place in _faults(write(valid)))
    assert places == [
        *(f"source.external.{name}" for name in ("locator", "name", "retrieved_by")),
        "source.sha256",
    ]
