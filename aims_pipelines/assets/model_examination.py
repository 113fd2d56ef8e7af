"""From a fitted estimator and two tables to the facts that model checks judge."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from aims_pipelines.assets.estimator import describe, features_of, outcomes
from aims_pipelines.assets.measuring import groups_of
from aims_pipelines.checks.candidate import InputVersion
from aims_pipelines.checks.model_candidate import ModelCandidate
from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.resources.model_evidence import Training
from aims_pipelines.resources.model_file import ModelFile
from aims_pipelines.stats.profile import GroupSpec

if TYPE_CHECKING:
    import pyarrow as pa

    from aims_pipelines.records.dataset_record import DatasetRecord, Label
    from aims_pipelines.records.load import Records

_BANDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherInput:
    """A table beside training and holdout that the user's function got.

    Args:
        version: Its admitted version.
        value: The table.
    """

    version: InputVersion
    value: Any

    @property
    def rows(self) -> int:
        """Number of its rows."""
        parts = self.value.values() if isinstance(self.value, dict) else [self.value]
        return sum(len(part) for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInputs:
    """The tables of one training, with their evidence.

    Args:
        training: Training table as the user's function got it.
        holdout: Holdout table, of the same kind.
        training_version: Its admitted version.
        holdout_version: Its admitted version.
        further: Other tables that the function got, by role.
    """

    training: Any
    holdout: Any
    training_version: InputVersion
    holdout_version: InputVersion
    further: Mapping[str, FurtherInput] = field(default_factory=dict)

    @property
    def versions(self) -> dict[str, InputVersion]:
        """Admitted versions by role."""
        return {
            "training": self.training_version,
            "holdout": self.holdout_version,
            **{role: item.version for role, item in self.further.items()},
        }


def examine(
    estimator: object,
    file: ModelFile,
    inputs: ModelInputs,
    training: Training,
    records: "Records",
) -> ModelCandidate:
    """Let a fitted estimator predict both tables, and gather all that the checks may ask.

    Raises:
        BadInput: The record names no label, or the estimator cannot predict the tables.
    """
    from aims_pipelines.measure import profile_table, to_arrow

    system = records.system(training.system)
    record = records.dataset(system.model.holdout)
    label = label_of(record)
    trained, judged = as_frame(inputs.training), as_frame(inputs.holdout)
    features = features_of(estimator, list(trained.columns), record, system)
    on_holdout, on_training = (
        outcomes(
            estimator,
            frame,
            features=features,
            label=label,
            dataset=dataset,
            threshold=system.model.threshold,
        )
        for frame, dataset in ((judged, system.model.holdout), (trained, system.model.training))
    )
    table, other = to_arrow(trained), to_arrow(judged)
    today = training.at.date()
    return ModelCandidate(
        asset=training.asset,
        system=system,
        record=record,
        limits=records.model_limits_for(training.system, today),
        estimator=describe(
            estimator, file, features=features, sample=judged, trusted=system.model.trusted_types
        ),
        training=inputs.training_version,
        holdout=inputs.holdout_version,
        on_training=on_training,
        on_holdout=on_holdout,
        groups={spec.name: _levels(other, spec) for spec in groups_of(record, other.schema)},
        training_profile=profile_table(table, groups=_bylabel_of(label, on_training.truth)),
        holdout_profile=profile_table(other),
        further_profiles={
            role: profile_table(table.select(other.column_names))
            for role, item in inputs.further.items()
            if set(other.column_names) <= set((table := to_arrow(as_frame(item.value))).column_names)
        },
        now=training.at,
        code_version=training.code_version,
        policy_digest=training.policy_digest,
        stages=records.policy_in_force(system.policy, today).stages,
    )


def label_of(record: "DatasetRecord") -> "Label":
    """The column that a model predicts.

    Raises:
        BadInput: The record declares none.
    """
    if record.label is None:
        raise BadInput(
            Fault(
                where=f"dataset record {record.id!r}: label",
                expected="the column that the model predicts",
                found="none",
                remedy="Declare label.column in the record of the holdout.",
            )
        )
    return record.label


def _bylabel_of(label: "Label", truth: "np.ndarray[Any, np.dtype[np.float64]]") -> list[GroupSpec]:
    """How training rows are grouped by what they are to teach: by class, or by bands of a number."""
    if label.task == "classification":
        return [GroupSpec(columns=(label.column,))]
    known = truth[np.isfinite(truth)]
    if len(known) == 0:
        return []
    edges = np.unique(np.quantile(known, [step / _BANDS for step in range(1, _BANDS)]))
    return [GroupSpec(columns=(label.column,), bands={label.column: tuple(float(edge) for edge in edges)})]


def _levels(table: "pa.Table", spec: GroupSpec) -> "np.ndarray[Any, np.dtype[np.str_]]":
    """The level of each row, named as the dataset checks name it."""
    from aims_pipelines.measure.grouping import Grouping
    from aims_pipelines.measure.lowering import one_array

    grouping = Grouping(spec)
    cells, _ = grouping.assign([one_array(table[name]) for name in spec.columns])
    names = {cell: level for level, cell in grouping.levels.items()}
    return np.array([names.get(index, "") for index in range(cells.count)], dtype=np.str_)[cells.codes]


def as_frame(value: Any) -> Any:
    """One pandas or Polars frame from what an IO manager gave: Arrow tables and partitions included."""
    import pandas as pd
    import pyarrow as pa

    if isinstance(value, dict):
        return pd.concat([pandas_of(part) for part in value.values()], ignore_index=True)
    if isinstance(value, pa.Table | pa.RecordBatch):
        return value.to_pandas()
    return value


def pandas_of(value: Any) -> Any:
    """A pandas frame of the same rows."""
    return value.to_pandas() if hasattr(value, "to_pandas") else value
