"""A user's fitted estimator: which columns it uses, what it predicts, and how it is described.

Anything that follows scikit-learn's conventions will do: ``predict``, and ``predict_proba`` or
``decision_function`` where there are classes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.checks.model_candidate import EstimatorFacts, Outcomes
from aims_pipelines.checks.model_leakage import forbidden
from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.records.dataset_record import DatasetRecord, Label
from aims_pipelines.records.system_record import SystemRecord
from aims_pipelines.resources.model_file import ModelFile, load_model
from aims_pipelines.resources.model_package import pinned_requirements

_BATCH = 100_000
_COMPARED_ROWS = 200
_LONGEST_VALUE = 80
_ALIKE = 1e-9

Frame = Any  # pandas or Polars: whatever the IO manager gave the user's function


def check_fitted(estimator: object, *, asset: str) -> None:
    """Return if the object is a fitted estimator.

    Raises:
        BadInput: It is something else, or was not fitted.
    """
    where = f"asset {asset!r}"
    if not callable(getattr(estimator, "predict", None)) or isinstance(estimator, type):
        found = f"the class {estimator.__name__}" if isinstance(estimator, type) else type(estimator).__name__
        raise BadInput(
            Fault(
                where=where,
                expected="a fitted estimator, an object with a predict method",
                found=found,
                remedy="Return the estimator that you fitted.",
            )
        )
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except NotFittedError:
        raise BadInput(
            Fault(
                where=where,
                expected="a fitted estimator",
                found=f"{type(estimator).__name__}, which was not fitted",
                remedy="Return estimator.fit(features, label).",
            )
        ) from None
    except TypeError:
        return  # not a scikit-learn estimator: whether it was fitted shows when it predicts


def features_of(
    estimator: Any, columns: Sequence[str], record: DatasetRecord, system: SystemRecord
) -> tuple[str, ...]:
    """Columns that the estimator uses.

    Those that it saw when it was fitted, if it remembers them (``feature_names_in_``); otherwise all columns of
    the training table but label, subject, time and those that the records keep out of models.
    """
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:
        return tuple(str(name) for name in names)
    left_out = forbidden(record, system)
    return tuple(name for name in columns if name not in left_out)


def outcomes(
    estimator: Any,
    frame: Frame,
    *,
    features: Sequence[str],
    label: Label,
    dataset: str,
    threshold: float | None = None,
) -> Outcomes:
    """Let the estimator predict every row of a table, in batches.

    Args:
        estimator: Fitted estimator.
        frame: Rows to predict.
        features: Columns to predict from.
        label: Column that holds the truth.
        dataset: Name of the table, for messages.
        threshold: Probability in (0, 1) from which on a row is called positive; the estimator's own decisions if
            absent.

    Raises:
        BadInput: The table lacks a column that is needed, the estimator cannot predict it, or a threshold is given
            and the estimator gives no probabilities.
    """
    missing = [name for name in (*features, label.column) if name not in frame.columns]
    if missing:
        raise BadInput(
            Fault(
                where=f"dataset {dataset!r}",
                expected="the columns that the model was fitted on, and the label",
                found=f"none named {', '.join(repr(name) for name in missing)}",
                remedy="Put steps that make columns into a Pipeline, so that they are part of the model.",
            )
        )
    classes = getattr(estimator, "classes_", None)
    try:
        parts = [
            _predict(estimator, _rows(frame, start, start + _BATCH)[list(features)])
            for start in range(0, len(frame), _BATCH)
        ]
    except Exception as error:
        raise BadInput(
            Fault(
                where=f"dataset {dataset!r}",
                expected="rows that the model can predict",
                found=f"{type(estimator).__name__} raised {type(error).__name__}",
                remedy="Let the model handle missing values and unknown categories itself, for instance in a Pipeline.",
            )
        ) from error
    predicted = _joined([part[0] for part in parts])
    truth = _column(frame, label.column)
    if label.task == "regression":
        return Outcomes(truth=_numbers(truth), predicted=_numbers(predicted), classes=0)
    known = _classes(classes, truth)
    if label.positive is not None:
        sought = _sought(known, label.positive)
        scores = (
            None if parts and parts[0][1] is None else _scores([part[1] for part in parts], known, sought)
        )
        own, decided = _is(predicted, sought), None
        if threshold is not None:
            decided = _decided(scores if hasattr(estimator, "predict_proba") else None, threshold, estimator)
        return Outcomes(
            truth=_is(truth, label.positive),
            predicted=own if decided is None else decided,
            scores=scores,
            probabilities=scores is not None and hasattr(estimator, "predict_proba"),
            overruled=decided is not None and not np.array_equal(own, decided, equal_nan=True),
        )
    return _many_classes(truth, predicted, known)


def describe(
    estimator: Any, file: ModelFile, *, features: tuple[str, ...], sample: Frame, trusted: Sequence[str]
) -> EstimatorFacts:
    """Say what is known of an estimator, and whether it survives being saved and loaded."""
    return EstimatorFacts(
        name=_name(estimator),
        features=features,
        digest=file.digest if file.content else "",
        parameters=_parameters(estimator),
        untrusted=file.untrusted,
        problem=file.problem,
        reloads_alike=_reloads_alike(estimator, file, sample[list(features)], trusted) if file.safe else None,
        packages=pinned_requirements(file.needs),
    )


def _reloads_alike(estimator: Any, file: ModelFile, rows: Frame, trusted: Sequence[str]) -> bool:
    few = _rows(rows, 0, _COMPARED_ROWS)
    again = load_model(file.content, trusted=trusted)
    before, after = np.asarray(estimator.predict(few)), np.asarray(again.predict(few))
    if before.dtype.kind in "fc":
        return bool(np.allclose(before, after, rtol=_ALIKE, atol=_ALIKE, equal_nan=True))
    return bool((before == after).all())


def _predict(estimator: Any, rows: Frame) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
    predicted = np.asarray(estimator.predict(rows)).reshape(len(rows), -1)[:, 0]
    for name in ("predict_proba", "decision_function"):
        if hasattr(estimator, name):
            return predicted, np.asarray(getattr(estimator, name)(rows), dtype=np.float64)
    return predicted, None


def _scores(parts: Sequence[Any], classes: NDArray[Any], sought: Any) -> NDArray[np.float64]:
    raw = _joined(list(parts))
    at = int(np.flatnonzero([_same(value, sought) for value in classes.tolist()])[0])
    if raw.ndim == 2 and raw.shape[1] > 1:
        return np.ascontiguousarray(raw[:, at])
    flat = raw.reshape(-1)
    return flat if at == 1 or len(classes) == 1 else -flat


def _decided(
    probabilities: NDArray[np.float64] | None, threshold: float, estimator: object
) -> NDArray[np.float64]:
    """Decisions at a threshold, which itself is positive; NaN where there is no probability."""
    if probabilities is None:
        raise BadInput(
            Fault(
                where="model.threshold",
                expected="a model with predict_proba, since the system record declares a threshold",
                found=type(estimator).__name__,
                remedy="Calibrate the model into one that gives probabilities, or take the threshold out.",
            )
        )
    return np.where(np.isnan(probabilities), np.nan, (probabilities >= threshold).astype(np.float64))


def _many_classes(truth: NDArray[Any], predicted: NDArray[Any], classes: NDArray[Any]) -> Outcomes:
    numbers = {_plain(value): float(index) for index, value in enumerate(classes.tolist())}
    return Outcomes(
        truth=np.array([numbers.get(_plain(value), np.nan) for value in truth.tolist()], np.float64),
        predicted=np.array([numbers.get(_plain(value), np.nan) for value in predicted.tolist()], np.float64),
        classes=max(3, len(classes)),
    )


def _classes(classes: Any, truth: NDArray[Any]) -> NDArray[Any]:
    if classes is not None:
        return np.asarray(classes)
    return np.array(sorted({value for value in truth.tolist() if not _absent(value)}, key=str), dtype=object)


def _sought(classes: NDArray[Any], positive: Any) -> Any:
    """The estimator's own name of the positive class: the same value, or 1 of 0 and 1 where it was encoded."""
    for value in classes.tolist():
        if _same(value, positive):
            return value
    if {_plain(value) for value in classes.tolist()} == {"0", "1"}:
        return next(value for value in classes.tolist() if _plain(value) == "1")
    raise BadInput(
        Fault(
            where="label.positive",
            expected=f"one of the {len(classes)} classes that the model was fitted on, or a model fitted on 0 and 1",
            found=repr(positive),
            remedy="Fit on the label column as it is, or on 1 for the positive value and 0 for the others.",
        )
    )


def _is(values: NDArray[Any], sought: Any) -> NDArray[np.float64]:
    """1.0 where a value is the one sought, 0.0 where it is another, NaN where there is none."""
    found: dict[Any, float] = {}
    result = np.empty(len(values), np.float64)
    for index, value in enumerate(values.tolist()):
        answer = found.get(value)
        if answer is None:
            answer = found[value] = np.nan if _absent(value) else float(_same(value, sought))
        result[index] = answer
    return result


def _same(value: Any, other: Any) -> bool:
    return _plain(value) == _plain(other)


def _plain(value: Any) -> str:
    """One spelling for a class, whatever type it comes in: ``1``, ``1.0`` and ``True`` are the same class."""
    if isinstance(value, bool | np.bool_):
        return "1" if value else "0"
    if isinstance(value, int | float | np.number) and float(value).is_integer():
        return str(int(value))
    text = str(value)
    return {"true": "1", "false": "0"}.get(text.lower(), text)


def _absent(value: Any) -> bool:
    return value is None or value != value or type(value).__name__ in {"NAType", "NaTType"}  # noqa: PLR0124 - NaN


def _numbers(values: NDArray[Any]) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        return np.array([np.nan if _absent(value) else float(value) for value in values.tolist()], np.float64)


def _column(frame: Frame, name: str) -> NDArray[Any]:
    return np.asarray(frame[name].to_numpy())


def _rows(frame: Frame, start: int, stop: int) -> Frame:
    return frame.iloc[start:stop] if hasattr(frame, "iloc") else frame[start:stop]


def _joined(parts: list[Any]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0)


def _name(estimator: Any) -> str:
    steps = [type(step).__name__ for _, step in getattr(estimator, "steps", ())]
    name = type(estimator).__name__
    return f"{name}({', '.join(steps)})" if steps else name


def _parameters(estimator: Any) -> tuple[tuple[str, str], ...]:
    """Settings that differ from the defaults, of the estimator and its steps; plain values only."""
    found: dict[str, str] = {}
    parts = [("", estimator), *((f"{name}__", step) for name, step in getattr(estimator, "steps", ()))]
    for prefix, part in parts:
        if not hasattr(part, "get_params"):
            continue
        try:
            defaults = type(part)().get_params(deep=False)
        except TypeError:
            defaults = {}
        for name, value in part.get_params(deep=False).items():
            if isinstance(value, bool | int | float | str) and not (
                name in defaults and defaults[name] == value
            ):
                found[f"{prefix}{name}"] = str(value)[:_LONGEST_VALUE]
    return tuple(sorted(found.items()))
