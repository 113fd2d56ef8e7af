"""Great Expectations on pandas frames: one frame at a time, or many frames whose counts add up.

All that is not public in Great Expectations is used here and nowhere else. Its metrics are computed by its own code
and its own expectations decide; what is ours is to hand the frames over one by one and to add up counts between the
two. Where a release has moved what is needed here, counts are not added up, and frames go the public way.

No data context is made for that, so that the one which the user's own code may have set stays in force.
"""

import copy
import logging
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from aims_pipelines.checks.beside_pyspark import beside_pyspark
from aims_pipelines.checks.suite_reach import kind_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

#: What is changed in Great Expectations for a while is changed back by whoever changed it.
_ALONE: Final = threading.RLock()
#: Counts, and none of the values that were not expected.
_FORMAT: Final = {"result_format": "BASIC", "partial_unexpected_count": 0}
#: Expectations for which a missing value is something to look at.
_ABOUT_MISSING: Final = ("ExpectColumnProportionOfNonNullValuesToBeBetween",)
_COUNT, _CONDITION, _VALUES = ".unexpected_count", ".condition", ".unexpected_values"
_FILTERED, _ROWS = ".filtered_row_count", "table.row_count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What Great Expectations answered about one expectation.

    Args:
        success: Its decision.
        result: Its counts and observed value.
        raised: Type of the exception that it met; empty if none. Its text may quote values.
        values: Values that it looked at, as far as is known: none missing, and in rows that meet its condition.
    """

    success: bool
    result: Mapping[str, Any]
    raised: str = ""
    values: int | None = None


@contextmanager
def quietly() -> Iterator[None]:
    """Load Great Expectations, and keep it quiet: its messages quote values. One thread at a time."""
    logger = logging.getLogger("great_expectations")
    with _ALONE:
        with beside_pyspark():
            import_module("great_expectations")
        level = logger.level
        logger.setLevel(logging.CRITICAL + 1)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            logger.setLevel(level)


@contextmanager
def numbers_read_at_once() -> Iterator[None]:
    """Spare means, sums and deviations two loops over values in Python, with the same numbers as the outcome.

    Within :func:`quietly`, so that no two threads do it at a time.

    Great Expectations looks for decimals in every column, where numbers cannot hold any; and for each decimal it walks
    the stack before it calls ``float``, which takes milliseconds a value.
    """
    import great_expectations.util as place
    import numpy as np

    search, convert = "does_ndarray_contain_decimal_dtype", "convert_ndarray_decimal_to_float_dtype"
    theirs = {name: getattr(place, name, None) for name in (search, convert)}
    if None in theirs.values():
        yield
        return

    def holds_decimals(data: "NDArray[Any]") -> bool:
        return data.dtype.kind not in "biufMm" and bool(theirs[search](data=data))  # type: ignore[misc]  # theirs is untyped

    def as_floats(data: "NDArray[Any]") -> "NDArray[Any]":
        floats: NDArray[Any] = np.vectorize(pyfunc=float)(data)
        return floats

    setattr(place, search, holds_decimals)
    setattr(place, convert, as_floats)
    try:
        yield
    finally:
        for name, function in theirs.items():
            setattr(place, name, function)


def ask(expectations: Sequence[Any], frame: "pd.DataFrame") -> list[Outcome]:
    """Let Great Expectations validate expectations on one frame, as if it were the table."""
    try:
        return _ask_engine(expectations, frame)
    except Exception:  # noqa: BLE001 - what expectations raise is in their outcome: this is a release that has changed
        return _ask_publicly(expectations, frame)


def _ask_engine(expectations: Sequence[Any], frame: "pd.DataFrame") -> list[Outcome]:
    """Without a context, and without the hash over all values that is made of every published batch."""
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.validator.validator import Validator

    engine = PandasExecutionEngine(caching=False)
    engine.load_batch_data("rows", frame)
    validator = Validator(execution_engine=engine)
    validator.metrics_calculator.show_progress_bars = False
    outcomes = []
    for expectation in expectations:
        (result,) = validator.graph_validate(
            configurations=[expectation.configuration],
            runtime_configuration={"result_format": dict(_FORMAT)},
        )
        outcomes.append(_outcome(result))
    # Engine and batch manager hold each other, and would hold the frame until the garbage is collected.
    engine.load_batch_data("rows", frame.iloc[:0])
    return outcomes


def is_computable(expectation: Any, names: "pd.DataFrame") -> bool:
    """Whether all that an expectation is about can be computed on pandas at all; queries in SQL cannot.

    Args:
        expectation: Any.
        names: A frame with the columns of the table, and no rows.
    """
    from great_expectations.exceptions import MetricProviderError
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.validator.metrics_calculator import MetricsCalculator

    engine = PandasExecutionEngine(batch_data_dict={"rows": names})
    try:
        needed = expectation.get_validation_dependencies(execution_engine=engine, runtime_configuration={})
        MetricsCalculator(engine).build_metric_dependency_graph(needed.get_metric_configurations())
    except MetricProviderError:
        return False
    except Exception:  # noqa: BLE001 - then asking it will tell
        return True
    return True


def add_up(
    expectations: Sequence[Any], frames: "Iterable[tuple[pd.DataFrame, NDArray[np.int64] | None]]"
) -> list[Outcome] | None:
    """Let Great Expectations count on each of many frames, and decide on the sums.

    For expectations that judge every row by itself, this is what it would answer about all frames as one.

    Args:
        expectations: All about the same columns.
        frames: Frames with these columns, all weighted or none: the weights are the numbers of rows of the table
            that each row of the frame stands for; ``None`` if each stands for itself.

    Returns:
        One outcome an expectation. ``None`` if something raised, or is not a sum of counts: nothing is known then.
    """
    try:
        return _add_up(expectations, frames)
    except Exception:  # noqa: BLE001 - whatever it was: the expectation is asked again on one frame, which reports it
        return None


def _add_up(
    expectations: Sequence[Any], frames: "Iterable[tuple[pd.DataFrame, NDArray[np.int64] | None]]"
) -> list[Outcome] | None:
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.validator.metrics_calculator import MetricsCalculator

    engine = PandasExecutionEngine(caching=False)
    calculator = MetricsCalculator(execution_engine=engine)
    wanted = [
        expectation.get_validation_dependencies(
            execution_engine=engine, runtime_configuration={"result_format": dict(_FORMAT)}
        ).metric_configurations
        for expectation in expectations
    ]
    names = {name for needed in wanted for name in needed}
    if any(not name.endswith((_COUNT, _VALUES, _FILTERED)) and name != _ROWS for name in names):
        return None
    totals: list[dict[str, int]] = [dict.fromkeys(needed, 0) for needed in wanted]
    graph, metrics = None, [dict[str, Any]()]
    for frame, weights in frames:
        engine.load_batch_data("rows", frame)
        if graph is None:
            metrics = [_metrics(needed, weighted=weights is not None) for needed in wanted]
            graph = calculator.build_metric_dependency_graph(
                [metric for one in metrics for metric in one.values()]
            )
        found, failed = calculator.resolve_validation_graph(graph)
        if failed:
            return None
        for total, one in zip(totals, metrics, strict=True):
            for name, metric in one.items():
                total[name] += _number(found[metric.id], weights)
    return [
        _decide(expectation, total, needed, engine)
        for expectation, total, needed in zip(expectations, totals, wanted, strict=True)
    ]


def _metrics(needed: Mapping[str, Any], *, weighted: bool) -> dict[str, Any]:
    """What to compute on a frame, by the name of the metric that it is for: counts, or which rows are counted."""
    from great_expectations.validator.metric_configuration import MetricConfiguration

    metrics: dict[str, Any] = {}
    for name, metric in needed.items():
        if name.endswith(_COUNT) and weighted:
            metrics[name] = MetricConfiguration(
                metric_name=name.removesuffix(_COUNT) + _CONDITION,
                metric_domain_kwargs=metric.metric_domain_kwargs,
                metric_value_kwargs=metric.metric_value_kwargs,
            )
        elif not name.endswith(_VALUES):
            metrics[name] = metric
    return metrics


def _number(value: Any, weights: "NDArray[np.int64] | None") -> int:
    """A metric of a frame as a number of rows of the table."""
    if weights is None:
        return int(value)
    if not isinstance(value, tuple):
        return int(weights.sum())  # the number of rows
    unexpected = value[0]  # a series: which of the rows that were looked at are not as expected
    places = unexpected.index.to_numpy()[unexpected.to_numpy(dtype=bool)]
    return int(weights[places].sum())


def _decide(expectation: Any, total: Mapping[str, int], needed: Mapping[str, Any], engine: Any) -> Outcome:
    metrics: dict[Any, Any] = {
        metric.id: [] if name.endswith(_VALUES) else total[name] for name, metric in needed.items()
    }
    return _outcome(
        expectation.metrics_validate(
            metrics=metrics,
            runtime_configuration={"result_format": dict(_FORMAT)},
            execution_engine=engine,
        )
    )


def values_asked(expectation: Any, frame: "pd.DataFrame") -> int | None:
    """How many values an expectation about a column finds in a frame: not missing, and in rows that meet its condition.

    ``None`` if it is about something else, or the frame does not tell.
    """
    column = getattr(expectation, "column", None)
    if not isinstance(column, str):
        return None
    rows = frame[column].notna() if column in frame else None
    if getattr(expectation, "row_condition", None) is None and rows is not None:
        return len(rows) if kind_of(expectation) in _ABOUT_MISSING else int(rows.sum())
    import great_expectations as gx

    condition = {
        name: getattr(expectation, name)
        for name in ("row_condition", "condition_parser")
        if getattr(expectation, name, None) is not None
    }
    present = gx.expectations.ExpectColumnValuesToNotBeNull(column=column, **condition)
    (counted,) = ask([present], frame)
    missing = counted.result.get("unexpected_count")
    if counted.values is None or missing is None or kind_of(expectation) in _ABOUT_MISSING:
        return counted.values
    return counted.values - int(missing)


def _ask_publicly(expectations: Sequence[Any], frame: "pd.DataFrame") -> list[Outcome]:
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
        ),
    )
    asset = context.data_sources.add_pandas("candidate").add_dataframe_asset("candidate")
    batch = asset.add_batch_definition_whole_dataframe("candidate").get_batch({"dataframe": frame})
    return [
        _outcome(batch.validate(copy.deepcopy(expectation), result_format=dict(_FORMAT)))
        for expectation in expectations
    ]


def _outcome(result: Any) -> Outcome:
    counts = dict(result.result or {})
    asked = counts.get("element_count")
    return Outcome(
        success=bool(result.success),  # some are numpy.bool
        result=counts,
        raised=_raised(result.exception_info),
        values=None if asked is None else int(asked) - int(counts.get("missing_count") or 0),
    )


def _raised(info: Any) -> str:
    """Type of the exception that an expectation met, or of its first cause where it is only wrapped.

    It stands in the line after the last frame of a traceback, before a message that may have lines of its own.
    """
    details = [info] if isinstance(info, dict) and "raised_exception" in info else list((info or {}).values())
    for detail in details:
        if isinstance(detail, dict) and detail.get("raised_exception"):
            traces = str(detail.get("exception_traceback") or "").split(
                "Traceback (most recent call last):\n"
            )
            ends = [
                next((line for line in trace.splitlines() if line[:1].strip()), "") for trace in traces[1:]
            ]
            kinds = [end.partition(":")[0].rsplit(".", 1)[-1].strip() for end in ends]
            wrapped = bool(kinds) and kinds[-1] == "MetricResolutionError"
            return (kinds[0 if wrapped else -1] if kinds else "") or "an exception"
    return ""
