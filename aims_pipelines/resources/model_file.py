"""A fitted estimator as bytes that can be loaded again without running foreign code.

The format is that of ``skops``: a schema beside plain arrays. Pickle is never written and never read. A type
that is neither safe by ``skops``' own rules nor on the allow-list is not constructed when loading, so a model
that holds one is not registered in the first place.
"""

import io
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from aims_pipelines.core.digest import sha256_digest
from aims_pipelines.core.errors import GateRefused

# Internals of scikit-learn's estimators that skops does not trust by itself, because a forged file could
# hold them malformed. They are allowed here since the bytes are compared with the ledger before loading.
SKLEARN_INTERNALS = frozenset(
    {
        "numpy.dtype",
        "numpy.mean",
        "scipy.interpolate._bsplines.BSpline",
        "sklearn._loss.loss.HalfGammaLoss",
        "sklearn._loss.loss.HalfPoissonLoss",
        "sklearn._loss.loss.HalfTweedieLoss",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.cluster._kmeans._kmeans_single_lloyd",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.feature_selection._univariate_selection.f_regression",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.gaussian_process.kernels.ConstantKernel",
        "sklearn.gaussian_process.kernels.Product",
        "sklearn.gaussian_process.kernels.RBF",
        "sklearn.gaussian_process.kernels.Sum",
        "sklearn.gaussian_process.kernels.WhiteKernel",
        "sklearn.metrics._classification.balanced_accuracy_score",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.metrics._dist_metrics.ManhattanDistance64",
        "sklearn.metrics._dist_metrics.MinkowskiDistance64",
        "sklearn.metrics._scorer._CurveScorer",
        "sklearn.metrics._scorer._Scorer",
        "sklearn.multiclass._ConstantPredictor",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        "sklearn.utils._metadata_requests.MetadataRequest",
        "sklearn.utils._metadata_requests.MethodMetadataRequest",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """An estimator in the skops format.

    Args:
        content: The bytes; empty where ``problem`` is not.
        needs: Types in it, beyond those that skops trusts itself, that loading must allow, sorted.
        untrusted: Those of them that are not allowed, sorted.
        problem: Why it could not be saved; empty if it could.
    """

    content: bytes
    needs: tuple[str, ...] = ()
    untrusted: tuple[str, ...] = ()
    problem: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes."""
        return sha256_digest(self.content)

    @property
    def safe(self) -> bool:
        """Whether it can be loaded again with the allow-list that it was saved under."""
        return bool(self.content) and not self.untrusted and not self.problem


def save_model(estimator: object, *, trusted: Collection[str] = ()) -> ModelFile:
    """Turn an estimator into bytes, and say which of its types stand in the way of loading it again.

    Args:
        estimator: Any fitted object that follows scikit-learn's conventions.
        trusted: Types, as ``module.Class``, that a reviewer allowed besides scikit-learn's own.
    """
    import skops.io
    from skops.io.exceptions import UnsupportedTypeException

    try:
        content = skops.io.dumps(estimator, compression=zipfile.ZIP_DEFLATED, compresslevel=6)
        needs = tuple(sorted(set(skops.io.get_untrusted_types(data=content))))
    except UnsupportedTypeException as error:
        return ModelFile(content=b"", problem=str(error))
    except Exception as error:  # noqa: BLE001 - users' classes raise what they like when taken apart
        return ModelFile(content=b"", problem=f"saving it raised {type(error).__name__}")
    allowed = SKLEARN_INTERNALS | set(trusted)
    return ModelFile(
        content=content, needs=needs, untrusted=tuple(name for name in needs if name not in allowed)
    )


def load_model(content: bytes, *, trusted: Collection[str] = ()) -> Any:
    """Build the estimator from its bytes. Compare their digest with the ledger first.

    Args:
        content: The bytes, in the skops format.
        trusted: Types, as ``module.Class``, that a reviewer allowed besides scikit-learn's own.

    Raises:
        GateRefused: The bytes are not in the skops format, or hold a type that is not allowed.
    """
    import skops.io

    try:
        types = sorted(set(skops.io.get_untrusted_types(data=content)))
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise GateRefused(
            f"Refused to load: the bytes are not a model in the skops format ({type(error).__name__}). "
            "Pickled models are not loaded."
        ) from error
    foreign = [name for name in types if name not in SKLEARN_INTERNALS and name not in set(trusted)]
    if foreign:
        raise GateRefused(
            f"Refused to load: the model holds types that nobody allowed: {', '.join(foreign)}.\n"
            "Next: review them; if harmless, list them under model.trusted_types of the system record."
        )
    with io.BytesIO(content) as file:
        return skops.io.load(file, trusted=types)
