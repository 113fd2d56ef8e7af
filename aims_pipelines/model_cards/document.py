"""A model card as data: what people read about one model version, whatever it is rendered as.

``ModelCard.from_json(card.to_json()) == card`` for every card. Figures that would describe fewer than
``SMALLEST_CELL`` people are not in it.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from types import UnionType
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

from aims_pipelines.core.canonical import canonical_json, parse_json

FORMAT = "aims-model-card/1"
SMALLEST_CELL = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What people decided about the system, in their words.

    Args:
        title: Name of the system.
        owner: Who answers for it.
        purpose: What it is for.
        intended_use: Who uses it, for which decision, with what oversight.
        out_of_scope: What it must not be used for.
        affected: Whom its output affects.
        risk: What could go wrong, for whom, and what is done about it.
        limitations: Known limits; may be empty.
        review_by: Day on which the record is due for review, ISO date; empty if none is set.
        controls: Catalogue ids that the system serves.
    """

    title: str
    owner: str
    purpose: str
    intended_use: str
    out_of_scope: str
    affected: str
    risk: str
    limitations: str = ""
    review_by: str = ""
    controls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which model this is.

    Args:
        name: Registered model.
        digest: SHA-256 of the model's bytes.
        asset: Dagster asset that trained it.
        partition: Its partition; empty if the asset has none.
        trained_at: When it was judged, ISO time in UTC.
        estimator: Class of the estimator, with its steps if it is a pipeline.
        task: ``classification`` or ``regression``.
        label: Column that it predicts.
        positive: For classification: the value it looks for, as text; empty otherwise.
        features: Columns it uses.
        parameters: Settings of the estimator that differ from its defaults.
        packages: Version of each package that loading it needs.
        code_version: Version or digest of the code that trained it.
        records_digest: Digest of the governance records it was judged by.
        threshold: Probability from which on a case is called positive, where the records declare one.
        threshold_overrules: Whether that decides otherwise than the model's own ``predict`` for some case.
    """

    name: str
    digest: str
    asset: str
    trained_at: str
    estimator: str
    task: str
    label: str
    features: tuple[str, ...]
    partition: str = ""
    positive: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    packages: tuple[str, ...] = ()
    code_version: str = ""
    records_digest: str = ""
    threshold: float | None = None
    threshold_overrules: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DataUse:
    """A dataset version that the model was trained or judged on.

    Args:
        role: ``training``, ``holdout``, or ``input`` and the parameter that got it.
        title: Name of the dataset for people.
        asset: Governed asset.
        digest: Digest of its rows.
        evidence: Ledger entry with its passing verdicts.
        rows: Number of rows.
        purpose: What the data may be used for.
        licence: Licence or contract.
        legal_basis: Legal basis for the processing.
        origin: Who collected it, when and how; may be empty.
    """

    role: str
    title: str
    asset: str
    digest: str
    evidence: str
    rows: int
    purpose: str
    licence: str
    legal_basis: str
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure.

    Args:
        name: Standard name of the measure, such as ``roc_auc``.
        value: What was measured on the holdout.
        low: Lower end of its interval.
        high: Upper end of its interval.
        limit: What policy asks for; ``None`` where it asks nothing of this measure.
        at_most: Whether the limit is a ceiling rather than a floor.
        baseline: What a trivial rule reaches; ``None`` if that makes no sense.
        train: The same measure on the training rows; ``None`` if unknown.
    """

    name: str
    value: float
    low: float
    high: float
    limit: float | None = None
    at_most: bool = False
    baseline: float | None = None
    train: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A figure of a group, with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """How the model treats one group of the holdout.

    Args:
        attribute: Protected attribute, or several joined by ``&``.
        level: The group within it.
        rows: Members; ``None`` where there are too few to be named.
        metric: The performance measure within the group.
        selection_rate: Share predicted positive.
        true_positive_rate: Share of the positives found.
        false_positive_rate: Share of the negatives wrongly flagged.
        precision: Share of those predicted positive that are.
        calibration: Positives that came, for each one that the probabilities promised.
    """

    attribute: str
    level: str
    rows: int | None
    metric: Rate | None = None
    selection_rate: Rate | None = None
    true_positive_rate: Rate | None = None
    false_positive_rate: Rate | None = None
    precision: Rate | None = None
    calibration: Rate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How far apart the groups of one attribute are, with intervals that hold for all pairs of groups together.

    Args:
        attribute: Protected attribute, or several joined by ``&``.
        measure: What is compared: a rate, ``group calibration`` or ``bias amplification``.
        lowest: The group for which it is lowest, or smaller in the labels.
        highest: The group for which it is highest, or larger in the labels; empty where only one group is meant.
        gap: The difference; for amplification, how much larger the gap is in the decisions than in the labels.
        ratio: Lowest over highest; for calibration, positives that came over those promised, or the other way round.
        max_gap: What policy asks for; ``None`` where it asks nothing.
        min_ratio: What policy asks for; ``None`` where it asks nothing.
    """

    attribute: str
    measure: str
    lowest: str
    highest: str = ""
    gap: Rate | None = None
    ratio: Rate | None = None
    max_gap: float | None = None
    min_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One bin of a plot: rows with a score (or prediction) around ``x``.

    Args:
        x: Mean score, or mean prediction, in the bin.
        y: Observed rate, or mean outcome, in the bin.
        low: Lower end of the interval of ``y``.
        high: Upper end of the interval of ``y``.
        rows: Rows in the bin, at least ``SMALLEST_CELL``.
    """

    x: float
    y: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Rows per bin, by what they really were. A bin with a few rows only holds ``None``.

    Args:
        edges: Bin edges, ascending, one more than there are bins.
        negatives: Rows per bin without the property (for regression: all rows).
        positives: Rows per bin with it (for regression: empty).
    """

    edges: tuple[float, ...]
    negatives: tuple[int | None, ...]
    positives: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plots:
    """What the plots show.

    Args:
        roc: Points (false-positive rate, true-positive rate); empty for regression.
        calibration: Observed against predicted.
        scores: Distribution of scores, or of errors for regression.
    """

    roc: tuple[tuple[float, float], ...] = ()
    calibration: tuple[Bin, ...] = ()
    scores: Histogram | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAnswer:
    """What one check answered.

    Args:
        name: Check.
        version: Version of its method.
        question: What it asks, in one sentence.
        status: ``pass``, ``fail``, ``inconclusive`` or ``not applicable``.
        gating: Whether it can keep the gate shut.
        measured: Number of findings.
        notes: A line for each finding that did not pass or passed by acceptance only; why it does not apply.
    """

    name: str
    version: str
    question: str
    status: str
    gating: bool
    measured: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedShortfall:
    """A shortfall that a person accepted in the record, for a time.

    Args:
        check: Check.
        target: Target within the check; empty for the whole.
        observed: Value when it was accepted; ``None`` where it is a count of too few people.
        reason: Why it is acceptable for now.
        review_by: From this day on it no longer is, ISO date.
        needed: Whether this model would have been refused without it.
    """

    check: str
    target: str
    observed: float | None
    reason: str
    review_by: str
    needed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """Everything that a card says.

    Args:
        identity: Which model this is.
        purpose: What people decided about the system.
        data: What it was trained and judged on.
        figures: Measured figures, the one that policy names first.
        groups: How it treats each group.
        plots: What the plots show.
        checks: What each check answered.
        accepted: Shortfalls that a person accepted.
        confidence: Coverage of the intervals, a fraction.
        group_measure: Name of the measure that ``groups`` hold as ``metric``.
        comparisons: How far apart groups are.
        format: Version of this format.
    """

    identity: Identity
    purpose: Purpose
    data: tuple[DataUse, ...]
    figures: tuple[Figure, ...]
    groups: tuple[GroupFigures, ...]
    plots: Plots
    checks: tuple[CheckAnswer, ...]
    accepted: tuple[AcceptedShortfall, ...]
    confidence: float
    group_measure: str
    comparisons: tuple[Comparison, ...] = ()
    format: str = FORMAT

    def to_json(self) -> bytes:
        """Canonical bytes: equal cards give equal bytes."""
        return canonical_json(asdict(self))

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read back what ``to_json`` wrote.

        Raises:
            ValueError: The bytes are not a card of this format.
        """
        value = parse_json(data)
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise ValueError(f"not a model card of the format {FORMAT}")
        try:
            card: Self = _build(cls, value)
        except (TypeError, KeyError) as error:
            raise ValueError(f"not a model card of the format {FORMAT}: {error}") from error
        return card


def _build(kind: Any, value: Any) -> Any:
    """Rebuild a value of an annotated type from plain JSON."""
    if value is None:
        return None
    if get_origin(kind) in {Union, UnionType}:
        (kind,) = (option for option in get_args(kind) if option is not type(None))
    if isinstance(kind, type) and is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise TypeError(f"expected an object for {kind.__name__}")
        hints = get_type_hints(kind)
        known = {item.name for item in fields(kind)}
        if unknown := value.keys() - known:
            raise TypeError(f"unknown keys {sorted(unknown)}")
        constructor: Callable[..., Any] = kind
        return constructor(**{name: _build(hints[name], item) for name, item in value.items()})
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        if inner[-1] is Ellipsis:
            return tuple(_build(inner[0], item) for item in value)
        return tuple(_build(part, item) for part, item in zip(inner, value, strict=True))
    return float(value) if kind is float else value
