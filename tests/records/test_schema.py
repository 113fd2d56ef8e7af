"""JSON Schema for editors, and the reference page."""

from pathlib import Path

import jsonschema
import pytest

from aims_pipelines.records.document import parse
from aims_pipelines.records.reference import records_reference
from aims_pipelines.records.schema import json_schema

KIND_OF = {"policy": "policy", "people": "dataset", "holdout": "dataset", "system": "system"}


@pytest.mark.parametrize("kind", ["dataset", "policy", "system"])
def test_schemas_are_valid_json_schema_and_describe_every_key(kind):
    schema = json_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    for part in (schema, *schema["$defs"].values()):
        for name, value in part.get("properties", {}).items():
            assert "$ref" in value or value.get("description"), name


def test_schemas_accept_valid_records(valid):
    for name, text in valid.items():
        record = parse(text, name=name).documents[0].value
        jsonschema.Draft202012Validator(json_schema(KIND_OF[name])).validate(record)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("max: 100", "maximum: 100"),
        ("type: integer", "type: int"),
        ("id: people", "id: People"),
        ("title: People\n", ""),
    ],
)
def test_schemas_refuse_what_validation_refuses_by_type(valid, before, after):
    record = parse(valid["people"].replace(before, after), name="x").documents[0].value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema("dataset")).validate(record)


def test_the_records_reference_is_current():
    page = Path(__file__).parents[2] / "docs" / "reference" / "records.md"
    assert page.read_text(encoding="utf-8") == records_reference(), (
        "write it again: python -m aims_pipelines.records.reference > docs/reference/records.md"
    )
