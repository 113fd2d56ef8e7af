"""The policy record: limits of the checks of datasets and models, and how strictly each is enforced."""

from datetime import date
from enum import StrEnum
from typing import Literal

from pydantic import Field

from aims_pipelines.records.parts import Envelope, Fraction, Open, Part

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


class Stage(StrEnum):
    """How strictly a check is enforced."""

    WARN = "warn"
    BLOCK = "block"


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
    drift_effect: Open = Field(0.1, description="Smallest shift worth refusing, total variation distance.")
    drift_alpha: Open = Field(0.01, description="Chance that a window in which nothing has changed fails.")
    drift_inconclusive: Inconclusive = Field(
        Inconclusive.REFUSE, description="What an inconclusive answer does."
    )
    confidence: Open = Field(0.95, description="Coverage of intervals.")
    false_alarm_budget: Open | None = Field(
        None,
        description="Largest share of the windows that people let stand which the gate may refuse; 'aims replay' "
        "measures it on past windows.",
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
