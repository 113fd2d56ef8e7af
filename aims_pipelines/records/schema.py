"""JSON Schema of each record kind, so that editors complete, explain and check while a record is written."""

import json
from typing import Any

from aims_pipelines.records.validation import KINDS


def json_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a record kind.

    It knows what types know; references between records are for ``aims validate``.

    Args:
        kind: ``dataset``, ``policy`` or ``system``.
    """
    schema = KINDS[kind].model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"AIMS {kind} record",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def schema_text(kind: str) -> str:
    """The JSON Schema of a record kind as the text of a file."""
    return json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n"
