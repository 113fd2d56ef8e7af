"""What was learned about a table: its columns, contracts, groups, and the tables that a pipeline makes of it."""

import keyword
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.records.parts import Scalar
from aims_pipelines.records.policy_record import Limits
from aims_pipelines.scaffold.guess import Contract, bands_for, guess_contracts
from aims_pipelines.scaffold.rehearsal import Rehearsed
from aims_pipelines.scaffold.request import FEWEST_ROWS, HOLDOUT_SHARE, Request, Task, positive_of, task_of
from aims_pipelines.scaffold.values import Column

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that was learned about the table.

    Args:
        request: What the user asked for; with the null texts that were found, if they gave none.
        rows: Rows of the table.
        task: Kind of prediction.
        positive: Positive value of a classification label.
        columns: The columns.
        contracts: Their guessed contracts.
        bands: Inner band edges of each protected attribute; empty for one whose values are its groups.
        personal: Columns that look like personal data.
        guessed_nulls: Whether the null texts were found rather than given.
        small: Datasets too small to show that nothing drifted, with the rows it takes.
    """

    request: Request
    rows: int
    task: Task
    positive: Scalar | None
    columns: dict[str, Column]
    contracts: list[Contract]
    bands: dict[str, tuple[float, ...]]
    personal: tuple[str, ...]
    guessed_nulls: bool
    small: Mapping[str, int] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Id of the source dataset, which is also a name in Python."""
        slug = self.request.slug
        return (
            f"{slug}_data"
            if keyword.iskeyword(slug) or slug in {"aims", "defs", "dg", "pa", "pd", "split"}
            else slug
        )

    @property
    def holdout(self) -> str:
        """Id of the holdout dataset."""
        return f"{self.source}_holdout"

    @property
    def training(self) -> str:
        """Id of the training dataset."""
        return f"{self.source}_training"

    @property
    def model(self) -> str:
        """Id of the system, and name of its model."""
        return f"{self.source}_model"


def make_plan(
    request: Request, table: "pa.Table", columns: dict[str, Column], *, guessed_nulls: bool
) -> Plan:
    """Guess all that can be guessed from the columns of a table."""
    label = columns[request.label]
    task = task_of(request, label)
    personal = _personal(request, table, columns)
    limits = Limits()
    return Plan(
        request=request,
        rows=table.num_rows,
        task=task,
        positive=positive_of(request, label) if task == "classification" else None,
        columns=columns,
        contracts=guess_contracts(columns, request, personal=personal),
        bands={
            name: bands_for(columns[name], smallest_group=limits.min_group_size, share=HOLDOUT_SHARE)
            for name in request.protected
        },
        personal=personal,
        guessed_nulls=guessed_nulls,
    )


def left_out(plan: Plan) -> str:
    """Columns that are no features, with the reasons."""
    reasons: dict[str, list[str]] = {}
    for item in plan.contracts:
        if item.why_not:
            reasons.setdefault(item.why_not, []).append(item.column.name)
    return "; ".join(f"{', '.join(names)} ({reason})" for reason, names in reasons.items())


def _personal(request: Request, table: "pa.Table", columns: dict[str, Column]) -> tuple[str, ...]:
    """Columns in which the check for personal data finds some, or which have a telling name."""
    from datetime import UTC, datetime

    from aims_pipelines.checks import personal_data
    from aims_pipelines.checks.candidate import Candidate, Inapplicable
    from aims_pipelines.checks.rows import batches_of
    from aims_pipelines.core.verdict import Status
    from aims_pipelines.measure import profile_table
    from aims_pipelines.records.dataset_record import ColumnContract, DatasetRecord, Source

    record = DatasetRecord(
        kind="dataset",
        id="x",
        title="x",
        owner="x",
        status="proposed",
        purpose="x",
        source=Source(path="x", licence="x", legal_basis="x"),
        columns={name: ColumnContract(type=column.type) for name, column in columns.items()},
        subject=request.subject,
    )
    answer = personal_data.judge(
        Candidate(
            asset="x",
            record=record,
            limits=Limits(),
            digest="",
            profile=profile_table(table),
            batches=batches_of(table),
            now=datetime.now(UTC),
        )
    )
    if isinstance(answer, Inapplicable):
        return ()
    return tuple(finding.target for finding in answer if finding.target and finding.status is not Status.PASS)


def tables_of(plan: Plan, table: "pa.Table", *, source_digest: str) -> list[Rehearsed]:
    """The tables of the pipeline in the order in which it makes them."""
    import pyarrow.compute as pc

    from aims_pipelines.measure.split import split_rows

    request = plan.request
    labelled = table.filter(pc.invert(table[request.label].is_null(nan_is_null=True)))
    by = (
        [request.subject]
        if request.subject
        else [name for name in table.column_names if name != request.label]
    )
    training, holdout = split_rows(labelled, by=by, holdout=HOLDOUT_SHARE)
    if min(training.num_rows, holdout.num_rows) < FEWEST_ROWS // 10:
        raise BadInput(
            Fault(
                where=str(request.data),
                expected="rows different enough to split in two",
                found=f"{training.num_rows} rows for training, {holdout.num_rows} to judge by",
                remedy="Check for repeated rows, or name the column that tells people apart: --subject COLUMN",
            )
        )
    return [
        Rehearsed(dataset=plan.source, table=table, source_digest=source_digest),
        Rehearsed(dataset=plan.holdout, table=holdout),
        Rehearsed(dataset=plan.training, table=training),
    ]
