"""The system record: purpose, intended use, affected people, risk, and the model."""

from typing import Literal

from pydantic import Field

from aims_pipelines.records.parts import Accepted, Envelope, Identifier, Open, Part
from aims_pipelines.records.policy_record import ModelLimits


class SystemModel(Part):
    """The model of a system and what it is trained and judged on."""

    name: Identifier = Field(description="Registered model name in MLflow.")
    training: str = Field(description="Dataset record that it is trained on.")
    holdout: str = Field(description="Pinned dataset record that it is judged on.")
    exclude: tuple[str, ...] = Field((), description="Columns that must not be features.")
    threshold: Open | None = Field(
        None,
        description="Probability from which on a case is called positive; the model's own decisions if absent, which "
        "for most estimators means 0.5.",
    )
    trusted_types: tuple[str, ...] = Field(
        (),
        description="Types (module.Class) that a reviewer allows in the model file, besides scikit-learn's.",
    )


class SystemRecord(Envelope):
    """An AI system: purpose, intended use, affected people, risk, and its model."""

    kind: Literal["system"] = Field(description="Always system.")
    status: Literal[
        "idea", "registered", "assessed", "approved_to_build", "in_service", "restricted", "retired"
    ] = Field(description="Where it is in its life.")
    purpose: str = Field(min_length=1, description="What it is for.")
    intended_use: str = Field(
        min_length=1, description="Who uses it, for which decision, with what oversight."
    )
    out_of_scope: str = Field(min_length=1, description="What it must not be used for.")
    affected: str = Field(min_length=1, description="Whom its output affects.")
    risk: str = Field(min_length=1, description="What could go wrong, for whom, and what is done about it.")
    limitations: str = Field("", description="Known limits, for readers of the card.")
    model: SystemModel = Field(description="The model, and what it is trained and judged on.")
    policy: Identifier = Field("default", description="Policy record whose limits apply.")
    limits: ModelLimits | None = Field(
        None, description="Limits of this system that differ from its policy's."
    )
    accepted: tuple[Accepted, ...] = Field(
        (), description="Known shortfalls that a person accepted for a time."
    )
