"""The reference and the how-to say what the code does, and their examples run."""

import json
import re

import pyarrow as pa
import pytest
import yaml

from aims_pipelines.checks import fences, identifiers, outliers, personal_data
from aims_pipelines.checks.catalogue import DATASET_CHECKS
from aims_pipelines.checks.model_catalogue import MODEL_CHECKS
from aims_pipelines.core.verdict import Status
from aims_pipelines.records.dataset_record import ColumnContract, ControlCharts
from aims_pipelines.records.parts import Accepted
from aims_pipelines.records.policy_record import Limits, ModelLimits
from aims_pipelines.stats.expressions import parse_statistic
from aims_pipelines.stats.profile import CATEGORY_CAP, LEVEL_CAP, ROW_CAP

YAML = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def reference(repository):
    return (repository / "docs/reference/checks.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def model_reference(repository):
    return (repository / "docs/reference/model-checks.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def how_to(repository):
    return (repository / "docs/how-to/use-your-great-expectations-suite.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("check", DATASET_CHECKS, ids=lambda check: check.name)
def test_every_check_has_its_section_with_version_and_question(reference, check):
    assert f"## {check.name}\n\nVersion {check.version}. {check.description}\n" in reference
    assert f"[`{check.name}`](#{check.name})" in reference


def test_no_section_describes_a_check_that_is_not_there(reference):
    sections = re.findall(r"^## (\w+)$", reference, flags=re.MULTILINE)
    assert sections == [check.name for check in DATASET_CHECKS]


@pytest.mark.parametrize(
    "field", [*Limits.model_fields, *sorted(set(ColumnContract.model_fields) - {"type", "description"})]
)
def test_every_limit_and_rule_is_explained(reference, field):
    assert re.search(rf"`{field}\b", reference)


@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: check.name)
def test_every_check_of_a_model_has_its_section_with_version_and_question(model_reference, check):
    assert f"## {check.name}\n\nVersion {check.version}. {check.description}\n" in model_reference
    assert f"[`{check.name}`](#{check.name})" in model_reference


def test_no_section_describes_a_model_check_that_is_not_there(model_reference):
    sections = re.findall(r"^## (\w+)$", model_reference, flags=re.MULTILINE)
    assert sections == [check.name for check in MODEL_CHECKS]


@pytest.mark.parametrize("field", ModelLimits.model_fields)
def test_every_limit_of_a_model_is_explained(model_reference, field):
    assert f"`{field}" in model_reference


def test_the_numbers_are_those_of_the_code(reference):
    for number in (
        f"{ROW_CAP:,} distinct rows",
        f"more than {LEVEL_CAP}",
        f"more than {CATEGORY_CAP:,} distinct texts",
        f"{personal_data.SAMPLE:,} evenly spread",
        f"at least {personal_data.MIN_MATCHES} values",
        f"{personal_data.MIN_SHARE:.0%}".replace("%", " %"),
        f"at most {outliers.MAX_CODES} distinct values",
        f"{fences.STRETCH} times",
        f"Fewer than {fences.MIN_VALUES} values",
    ):
        assert number in reference.replace("\n", " "), number
    assert len(identifiers.KINDS) == 13


def test_the_example_of_control_charts_is_one(reference):
    block = next(block for block in YAML.findall(reference) if "control_charts:" in block)
    declared = ControlCharts.model_validate_json(json.dumps(yaml.safe_load(block)["control_charts"]))
    assert [parse_statistic(text).measure for text in declared.statistics] == ["mean", "missing", "rate"]


def test_the_example_of_an_accepted_shortfall_is_one(reference):
    block = next(block for block in YAML.findall(reference) if "accepted:" in block)
    entry = yaml.safe_load(block)["accepted"][0]
    assert Accepted.model_validate(entry).check == "label_rate_gap"


@pytest.mark.usefixtures("great_expectations")
def test_the_how_to_leads_to_a_suite_that_judges(how_to, build, answer, tmp_path, monkeypatch):
    (program,) = re.findall(r"```python\n(.*?)```", how_to, flags=re.DOTALL)
    declared = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", how_to, flags=re.DOTALL)]
    monkeypatch.chdir(tmp_path)
    exec(program, {})  # noqa: S102 - the document's own example
    table = pa.table({"age": [30, 17] * 100, "income": [1.0, None] * 100})
    candidate = build(table, record=declared[0], records_dir=tmp_path / "governance")
    problems = answer("expectations", candidate).problems
    assert {item.target for item in problems if item.status is Status.FAIL} == {
        "expect_column_values_to_be_between(age)",
        "expect_column_values_to_not_be_null(income)",
    }
