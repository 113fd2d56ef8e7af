"""The record kinds as types. One YAML file holds one record; unknown keys are faults.

Field descriptions become the JSON Schema that editors use, and the records reference.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Open = Annotated[float, Field(gt=0.0, lt=1.0, allow_inf_nan=False)]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=100)]
Text = Annotated[str, Field(min_length=1)]
Scalar = str | int | float | bool

DATASET_CHECK_NAMES = (
    "provenance",
    "schema",
    "completeness",
    "validity",
    "uniqueness",
    "freshness",
    "outliers",
    "expectations",
    "representation",
    "label_rate_gap",
    "proxies",
    "drift",
    "control_charts",
    "leakage",
    "personal_data",
)
MODEL_CHECK_NAMES = (
    "provenance",
    "performance",
    "subgroup_performance",
    "fairness_gap",
    "calibration",
    "generalisation",
    "leakage",
)


class Part(BaseModel):
    """Base of everything inside a record: immutable, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Stage(StrEnum):
    """How strictly a check is enforced."""

    WARN = "warn"
    BLOCK = "block"


class ColumnType(StrEnum):
    """What a column holds, whatever its storage."""

    INTEGER = "integer"
    NUMBER = "number"
    STRING = "string"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"


class ColumnContract(Part):
    """What one column must look like."""

    type: ColumnType = Field(description="What the column holds.")
    description: str = Field("", description="Meaning, unit and origin, for people.")
    max_missing: Fraction = Field(0.0, description="Largest share of missing values, 0 to 1.")
    min: float | None = Field(None, description="Smallest valid number.", allow_inf_nan=False)
    max: float | None = Field(None, description="Largest valid number.", allow_inf_nan=False)
    allowed: tuple[Scalar, ...] | None = Field(None, description="The only valid values.")
    pattern: str | None = Field(None, description="Regular expression that every value must match in full.")
    max_invalid: Fraction = Field(
        0.0, description="Largest share of values outside min, max, allowed or pattern."
    )
    unique: bool = Field(False, description="Whether each value may occur only once.")
    feature: bool = Field(
        True, description="Whether a model may learn from it; if not, the search for proxies passes it over."
    )
    personal: bool = Field(
        False, description="Whether the column holds personal data (names, e-mail, numbers …)."
    )


class Label(Part):
    """The column to predict."""

    column: str = Field(description="Name of the label column.")
    positive: Scalar | None = Field(
        None, description="For classification: the value that is the favourable or flagged outcome."
    )
    task: Literal["classification", "regression"] = Field("classification", description="Kind of prediction.")


class Protected(Part):
    """An attribute whose groups must not be treated worse."""

    column: str = Field(description="Name of the column.")
    bands: tuple[float, ...] = Field((), description="Inner band edges, ascending, for a numeric column.")


class External(Part):
    """An origin outside: what the asset's own code reads, and whose bytes are not pinned by a digest."""

    kind: Literal["database", "api", "object_store", "stream"] = Field(description="What it is.")
    name: Text = Field(description="What people call it, such as 'core banking'.")
    locator: Text = Field(
        description="Where in it the data lies: address, table, query or prefix, without user, password or token."
    )
    retrieved_by: Text = Field(description="Job, role or service account that reads it.")


class Source(Part):
    """Where the data comes from and on what basis it may be used."""

    path: str | None = Field(None, description="File, relative to the project folder, or absolute.")
    external: External | None = Field(
        None,
        description="In place of a file: the database, API, object store or stream that it is read from.",
    )
    upstream: tuple[str, ...] = Field((), description="Governed assets it is derived from.")
    null_values: tuple[str, ...] = Field(
        (), description="Texts that mean 'missing' in a CSV file, besides the empty field."
    )
    sha256: str | None = Field(
        None,
        pattern=r"^sha256:[0-9a-f]{64}$",
        description="Pin: only a file with this digest is accepted (sha256: and 64 hex digits).",
    )
    licence: Text = Field(description="Licence or contract under which the data may be used.")
    legal_basis: Text = Field(description="Legal basis for the processing, or 'no personal data'.")
    origin: str = Field("", description="Who collected it, when and how.")


class Accepted(Part):
    """A known shortfall that a person has looked at: shown, time-limited, and only as bad as measured."""

    check: str = Field(description="Name of the check, such as label_rate_gap.")
    target: str = Field(
        "", description="Target within the check, such as sex or sex=Female; empty for the whole."
    )
    observed: float = Field(description="Value measured when it was accepted.", allow_inf_nan=False)
    tolerance: float = Field(
        0.0, ge=0, description="How much worse than observed it may become.", allow_inf_nan=False
    )
    reason: str = Field(min_length=1, description="Why it is acceptable for now.")
    review_by: date = Field(description="From this day on it is no longer accepted.")


class ExpectationSuite(Part):
    """A Great Expectations suite of the user, run as is."""

    path: str = Field(description="Suite as JSON, relative to the records folder.")
    rows: int | None = Field(
        None, ge=1, description="Run on a sample of this many rows; the whole table if absent."
    )


class ControlCharts(Part):
    """Statistics that are watched over the published versions, so that what creeps is found."""

    statistics: tuple[Text, ...] = Field(
        min_length=1,
        description="What is charted, such as mean(amount) or share(region=north); see 'aims chart'.",
    )
    chart: Literal["ewma", "cusum", "shewhart"] = Field(
        "ewma", description="The first two find small lasting shifts, the last large sudden ones."
    )
    run_length: float = Field(
        370.0,
        ge=10.0,
        le=1e7,
        allow_inf_nan=False,
        description="Versions up to a false alarm of any of the charts, on average.",
    )
    reference: int = Field(
        10,
        ge=5,
        description="First versions, taken as in control; until there are as many nothing is judged.",
    )
    smoothing: float = Field(
        0.1, ge=0.01, le=1.0, allow_inf_nan=False, description="Of an ewma: weight of the newest version."
    )
    allowance: float = Field(
        0.5,
        ge=0.05,
        le=1.0,
        allow_inf_nan=False,
        description="Of a cusum: shift to let pass, in standard deviations.",
    )
    since: date | None = Field(
        None, description="Day on which the reference begins; versions published before are left out."
    )


class OutlierAction(StrEnum):
    """What happens to rows with outlying values."""

    FLAG = "flag"
    CLIP = "clip"
    QUARANTINE = "quarantine"


class Reference(StrEnum):
    """Which earlier version drift is judged against."""

    FIRST = "first"
    PREVIOUS = "previous"
    ALL = "all"


class Inconclusive(StrEnum):
    """What an inconclusive drift answer does."""

    REFUSE = "refuse"
    POOL = "pool"
    ACCEPT = "accept"


class Limits(Part):
    """Limits of the checks of a dataset. Defaults are documented in the records reference."""

    min_rows: int = Field(100, ge=1, description="Fewest rows that a version may have.")
    max_row_loss: Fraction = Field(
        0.5, description="Largest share of rows fewer than in the current version."
    )
    max_duplicate_rows: Fraction = Field(0.01, description="Largest share of rows that repeat another row.")
    max_age_days: float | None = Field(
        None, gt=0, description="Oldest newest time value, in days before now."
    )
    max_outliers: Fraction = Field(0.02, description="Largest share of outlying values in a numeric column.")
    outlier_action: OutlierAction = Field(OutlierAction.FLAG, description="What to do with outlying values.")
    max_suite_rows: int | None = Field(
        None,
        ge=1,
        description="Most rows that a Great Expectations suite is asked of; of a larger table a sample, of any "
        "table all rows if absent.",
    )
    min_group_size: int = Field(100, ge=1, description="Fewest rows for which a group is judged.")
    min_group_share: Fraction = Field(
        0.0, description="Smallest share of the rows that each group must have."
    )
    max_label_rate_gap: Fraction = Field(0.1, description="Largest gap between groups' positive-label rates.")
    max_proxy_strength: Fraction = Field(
        0.5, description="Largest strength (0 to 1) with which one feature may predict a protected attribute."
    )
    drift_reference: Reference = Field(
        Reference.FIRST,
        description="Version that drift is judged against; `all` is every other partition's current one together.",
    )
    drift_effect: Positive = Field(
        0.1, description="Smallest shift worth refusing, total variation distance."
    )
    drift_alpha: Open = Field(0.01, description="False-discovery rate of the drift check.")
    drift_inconclusive: Inconclusive = Field(
        Inconclusive.REFUSE, description="What an inconclusive answer does."
    )
    confidence: Open = Field(0.95, description="Coverage of intervals.")
    false_alarm_budget: Open | None = Field(
        None,
        description="Largest share of the windows that people let stand which the gate may refuse; 'aims replay' "
        "measures it on past windows.",
    )


class Envelope(Part):
    """What every record carries."""

    id: Identifier = Field(description="Unique among records of its kind.")
    title: str = Field(min_length=1, description="Name for people.")
    owner: str = Field(min_length=1, description="Role or party who answers for it.")
    controls: tuple[str, ...] = Field((), description="Catalogue ids that the record serves, such as A.7.4.")
    review_by: date | None = Field(None, description="Day on which the record is due for review.")
    rationale: str = Field("", description="Why it is as it is.")


class DatasetRecord(Envelope):
    """A dataset: its source, contract, protected attributes and limits."""

    kind: Literal["dataset"] = Field(description="Always dataset.")
    status: Literal["proposed", "admitted", "restricted", "expired", "erased"] = Field(
        description="Where it is in its life."
    )
    purpose: str = Field(min_length=1, description="What the data may be used for.")
    role: Literal["source", "derived", "training", "holdout", "operational"] = Field(
        "source", description="What part it plays in a pipeline."
    )
    asset: str | None = Field(
        None, min_length=1, description="Key of its asset, parts joined by '/'; the id if absent."
    )
    source: Source = Field(description="Where the data comes from and on what basis it may be used.")
    like: str | None = Field(
        None,
        description="Dataset whose columns, extra_columns, label, protected, intersections, pairs, subject and time "
        "apply here too, except for those written here.",
    )
    columns: dict[str, ColumnContract] = Field(
        default_factory=dict, description="The contract, column by column; required without 'like'."
    )
    extra_columns: Literal["refuse", "allow"] = Field("refuse", description="What undeclared columns mean.")
    label: Label | None = Field(None, description="The column to predict.")
    protected: tuple[Protected, ...] = Field((), description="Attributes whose groups are compared.")
    intersections: tuple[tuple[str, ...], ...] = Field(
        (), description="Protected attributes judged together."
    )
    pairs: tuple[tuple[str, str], ...] = Field(
        (),
        description="Pairs of columns, numbers or categories, whose dependence on each other must not drift.",
    )
    subject: str | None = Field(None, description="Column that identifies the person a row is about.")
    time: str | None = Field(None, description="Column with the event time.")
    disjoint_from: tuple[str, ...] = Field((), description="Datasets that must share no row with this one.")
    expectations: tuple[ExpectationSuite, ...] = Field(
        (), description="Great Expectations suites, run as they are."
    )
    control_charts: ControlCharts | None = Field(
        None, description="Statistics that are watched over the published versions; none if absent."
    )
    policy: Identifier = Field("default", description="Policy record whose limits apply.")
    limits: Limits | None = Field(None, description="Limits of this dataset that differ from its policy's.")
    accepted: tuple[Accepted, ...] = Field(
        (), description="Known shortfalls that a person accepted for a time."
    )


class ModelLimits(Part):
    """Limits of the checks of a model version."""

    min_holdout_rows: int = Field(500, ge=1, description="Fewest rows of the pinned holdout.")
    metric: Literal["roc_auc", "accuracy", "balanced_accuracy", "r2", "mae"] = Field(
        "roc_auc", description="How performance is measured; r2 and mae are for regression."
    )
    min_metric: float = Field(0.7, description="The interval's lower end must reach it.", allow_inf_nan=False)
    max_metric: float | None = Field(None, description="For error metrics such as mae.", allow_inf_nan=False)
    max_subgroup_gap: Fraction = Field(0.1, description="Largest gap of the metric between groups.")
    max_selection_rate_gap: Fraction = Field(0.2, description="Largest gap between groups' selection rates.")
    min_selection_rate_ratio: Fraction | None = Field(
        None,
        description="Smallest ratio of groups' lowest to highest selection rate; 0.8 is the four-fifths rule. Measured "
        "but not judged if absent.",
    )
    max_error_rate_gap: Fraction = Field(0.2, description="Largest gap between groups' TPR, and FPR.")
    min_error_rate_ratio: Fraction | None = Field(
        None, description="Smallest ratio of groups' TPR, and FPR. Measured but not judged if absent."
    )
    max_precision_gap: Fraction | None = Field(
        None, description="Largest gap between groups' precision. Measured but not judged if absent."
    )
    min_precision_ratio: Fraction | None = Field(
        None, description="Smallest ratio of groups' precision. Measured but not judged if absent."
    )
    max_bias_amplification: Fraction = Field(
        0.1, description="Largest growth of a gap between groups from the labels to the model's decisions."
    )
    max_calibration_error: Fraction = Field(0.1, description="Largest expected calibration error.")
    min_group_calibration_ratio: Fraction | None = Field(
        None,
        description="Smallest ratio of positives that came to those that a group's probabilities promise, or the other "
        "way round. Measured but not judged if absent.",
    )
    max_generalisation_gap: Fraction = Field(
        0.1, description="Largest loss of the metric from train to holdout."
    )
    min_group_size: int = Field(50, ge=1, description="Fewest members for which a group is judged.")
    confidence: Open = Field(0.95, description="Coverage of intervals.")


class PolicyRecord(Envelope):
    """Limits and stages of enforcement that apply to datasets and models."""

    kind: Literal["policy"] = Field(description="Always policy.")
    status: Literal["draft", "approved", "in_force", "superseded"] = Field(
        description="Where it is in its life."
    )
    effective_from: date = Field(
        description="First day on which it applies; runs before it are not judged by it."
    )
    dataset_limits: Limits = Field(default_factory=Limits, description="Limits of datasets.")
    model_limits: ModelLimits = Field(default_factory=ModelLimits, description="Limits of models.")
    stages: dict[str, Stage] = Field(
        default_factory=dict, description="Check name to stage; block if absent."
    )


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


Record = Annotated[DatasetRecord | PolicyRecord | SystemRecord, Field(discriminator="kind")]
