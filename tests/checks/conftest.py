"""Candidates built from tables, with a record derived from the table unless a test says otherwise."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest

from aims_pipelines.assets.measuring import pairs_of
from aims_pipelines.checks.candidate import Candidate
from aims_pipelines.checks.catalogue import DATASET_CHECKS
from aims_pipelines.core.verdict import Finding, NotApplicable, Verdict
from aims_pipelines.measure import content_digest, profile_table
from aims_pipelines.records.dataset_record import DatasetRecord
from aims_pipelines.records.policy_record import Limits
from aims_pipelines.stats.profile import GroupSpec, Profile

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ADULT_LABEL = {"column": "income", "positive": ">50K"}

Builder = Callable[..., Candidate]


def column_type(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_timestamp(kind):
        return "timestamp"
    return "date" if pa.types.is_date(kind) else "string"


def make_record(
    table: pa.Table, *, columns: Mapping[str, Mapping[str, Any]] | None = None, **fields: Any
) -> DatasetRecord:
    contracts = {
        field.name: {"type": column_type(field.type), **((columns or {}).get(field.name, {}))}
        for field in table.schema
    }
    for name in set(columns or {}) - set(contracts):
        contracts[name] = dict((columns or {})[name])
    record = {
        "kind": "dataset",
        "id": "offers",
        "title": "Offers",
        "owner": "data",
        "status": "admitted",
        "purpose": "tests",
        "source": {"path": "data/offers.csv", "licence": "CC BY 4.0", "legal_basis": "no personal data"},
        "columns": contracts,
        **fields,
    }
    return DatasetRecord.model_validate_json(json.dumps(record))


def profile_for(table: pa.Table, record: DatasetRecord) -> Profile:
    bands = {item.column: item.bands for item in record.protected if item.bands}
    groupings = [(item.column,) for item in record.protected] + [tuple(item) for item in record.intersections]
    usable = {
        field.name
        for field in table.schema
        if field.name not in bands or pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    }
    specs = [
        GroupSpec(columns=columns, bands={name: bands[name] for name in columns if name in bands})
        for columns in groupings
        if usable.issuperset(columns)
    ]
    keys = {name for name, contract in record.columns.items() if contract.unique} | {record.subject}
    return profile_table(
        table,
        groups=specs,
        keys=[(name,) for name in table.column_names if name in keys],
        pairs=pairs_of(record, table.schema),
    )


@pytest.fixture(scope="session")
def build() -> Builder:
    """Build a candidate from a table; ``reference``, ``others`` and ``preceding`` are tables too."""

    def build(
        table: pa.Table,
        *,
        model: pa.Table | None = None,
        record: Mapping[str, Any] | None = None,
        limits: Mapping[str, Any] | None = None,
        reference: pa.Table | None = None,
        preceding: Iterable[pa.Table] = (),
        others: Mapping[str, pa.Table] | None = None,
        **facts: Any,
    ) -> Candidate:
        the_record = make_record(table if model is None else model, **(record or {}))
        return Candidate(
            **{
                "asset": "offers",
                "record": the_record,
                "limits": Limits.model_validate_json(json.dumps(limits or {})),
                "digest": content_digest(table),
                "profile": profile_for(table, the_record),
                "batches": lambda columns=None: iter(
                    table.select(columns or table.column_names).to_batches(max_chunksize=1000)
                ),
                "now": NOW,
                "code_version": "1",
                "source_digest": "sha256:" + "0" * 64,
                "reference": None if reference is None else profile_for(reference, the_record),
                "preceding": tuple(profile_for(item, the_record) for item in preceding),
                "others": {name: profile_for(item, the_record) for name, item in (others or {}).items()},
                **facts,
            }
        )

    return build


@pytest.fixture(scope="session")
def answer() -> Callable[[str, Candidate], Verdict | NotApplicable]:
    """Let one check answer."""
    checks = {check.name: check for check in DATASET_CHECKS}
    return lambda name, candidate: checks[name].judge(candidate)


@pytest.fixture(scope="session")
def finding() -> Callable[[Verdict | NotApplicable, str], Finding]:
    """The one finding of a verdict about a target."""

    def finding(verdict: Verdict | NotApplicable, target: str) -> Finding:
        assert isinstance(verdict, Verdict), verdict
        (found,) = [item for item in verdict.findings if item.target == target]
        return found

    return finding


@pytest.fixture(scope="session")
def adult(real_data: Path) -> pa.Table:
    """The census table, ``?`` read as missing."""
    options = pa.csv.ConvertOptions(null_values=["", "?"], strings_can_be_null=True)
    return pa.csv.read_csv(real_data / "adult-train.csv", convert_options=options)


@pytest.fixture(scope="session")
def credit(real_data: Path) -> pa.Table:
    return pa.csv.read_csv(real_data / "credit-card-clients.csv")


@pytest.fixture(scope="session")
def bike(real_data: Path) -> pa.Table:
    return pa.csv.read_csv(real_data / "bike-hour.csv")


@pytest.fixture(scope="session")
def check_module() -> Callable[[str], Any]:
    return lambda name: import_module(f"aims_pipelines.checks.{name}")
