"""What a model check may see of a candidate: plain arrays and facts, never the estimator or the framework."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.checks.candidate import InputVersion
from aims_pipelines.records.dataset_record import DatasetRecord
from aims_pipelines.records.policy_record import ModelLimits, Stage
from aims_pipelines.records.system_record import SystemRecord
from aims_pipelines.stats.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What really was and what the model says, row by row.

    Args:
        truth: For two classes 1.0 for the positive one and 0.0 otherwise; for more classes their number; for
            regression the value. NaN where the label is missing.
        predicted: The model's decision, in the same terms. NaN where it gave none.
        scores: For two classes: larger means more likely positive; ``None`` if the model gives no scores.
        probabilities: Whether ``scores`` are probabilities.
        classes: Number of classes; 0 for regression.
        overruled: Whether a declared threshold decides otherwise than the model itself for some row.
    """

    truth: NDArray[np.float64]
    predicted: NDArray[np.float64]
    scores: NDArray[np.float64] | None = None
    probabilities: bool = False
    classes: int = 2
    overruled: bool = False

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.truth)

    @property
    def binary(self) -> bool:
        """Whether one class is sought among all others."""
        return self.classes == 2

    def only(self, mask: NDArray[np.bool_]) -> "Outcomes":
        """The rows under a mask."""
        return Outcomes(
            truth=self.truth[mask],
            predicted=self.predicted[mask],
            scores=None if self.scores is None else self.scores[mask],
            probabilities=self.probabilities,
            classes=self.classes,
            overruled=self.overruled,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatorFacts:
    """What is known of the fitted estimator.

    Args:
        name: Its class, with its steps if it is a pipeline.
        parameters: Settings that differ from the defaults, as text.
        features: Columns that it uses.
        digest: Digest of its bytes; empty if they could not be made.
        untrusted: Types in its bytes that nobody allowed.
        problem: Why it could not be saved; empty if it could.
        reloads_alike: Whether it predicts the same after loading its bytes; ``None`` if that was not tried.
        packages: Version of each package that loading it needs.
    """

    name: str
    features: tuple[str, ...]
    digest: str
    parameters: tuple[tuple[str, str], ...] = ()
    untrusted: tuple[str, ...] = ()
    problem: str = ""
    reloads_alike: bool | None = None
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCandidate:
    """A fitted model that is not yet registered.

    Args:
        asset: Name of the model asset.
        system: Its system record.
        record: Record of the holdout: label and protected attributes.
        limits: The limits in force for it.
        estimator: What is known of the fitted estimator.
        training: Admitted version that it was fitted on, ``None`` if there is none.
        holdout: Admitted version that it is judged on, ``None`` if there is none.
        on_training: Outcomes on the training rows.
        on_holdout: Outcomes on the holdout rows.
        groups: Per protected attribute (or intersection), the level of each holdout row.
        training_profile: Profile of the training rows, grouped by the label if it has few values.
        holdout_profile: Profile of the holdout rows.
        further_profiles: Profiles, over the columns of the holdout, of other tables that have them and that the
            training function got, by role.
        now: The one reference time of the judgement, aware UTC.
        code_version: Version or digest of the code that fitted it; empty if unknown.
        policy_digest: Digest of the records that it is judged by; empty if unknown.
        stages: Stage of enforcement per check name, from the policy; a check that is not named blocks.
    """

    asset: str
    system: SystemRecord
    record: DatasetRecord
    limits: ModelLimits
    estimator: EstimatorFacts
    training: InputVersion | None
    holdout: InputVersion | None
    on_training: Outcomes
    on_holdout: Outcomes
    groups: Mapping[str, NDArray[np.str_]]
    training_profile: Profile
    holdout_profile: Profile
    now: datetime
    code_version: str = ""
    policy_digest: str = ""
    stages: Mapping[str, Stage] = field(default_factory=dict)
    further_profiles: Mapping[str, Profile] = field(default_factory=dict)
