"""A card's figures in sentences for people who do not build models."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from aims_pipelines.model_cards.document import Figure, GroupFigures, ModelCard, Rate

_NAMES = {
    "roc_auc": "Ranking quality (ROC AUC)",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "r2": "Explained variation (R²)",
    "mae": "Mean absolute error",
    "expected_calibration_error": "Calibration error",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A question that a reader has, and sentences that answer it."""

    question: str
    sentences: tuple[str, ...]


def in_short(card: ModelCard) -> tuple[Answer, ...]:
    """The first half page: what it is for, how good it is, for whom it is worse, what must not be done."""
    return (
        Answer(question="What is it for?", sentences=(card.purpose.purpose, card.purpose.intended_use)),
        Answer(question="Whom does it affect?", sentences=(card.purpose.affected,)),
        Answer(question="How good is it?", sentences=how_good(card)),
        Answer(question="Is it worse for some people?", sentences=for_whom_worse(card)),
        Answer(question="What was accepted for now?", sentences=accepted(card)),
        Answer(question="What must it not be used for?", sentences=(card.purpose.out_of_scope,)),
    )


def how_good(card: ModelCard) -> tuple[str, ...]:
    """Say what the headline figure and the calibration mean."""
    if not card.figures:
        return ("Nothing was measured.",)
    said = [_meaning(card.figures[0], card), _certainty(card.figures[0], card)]
    said += [
        f"Its probabilities are off by {_points(figure.value)} percentage points on average."
        for figure in card.figures[1:]
        if figure.name == "expected_calibration_error"
    ]
    identity = card.identity
    if identity.threshold is not None:
        said.append(
            f"It calls a case {identity.positive} from a probability of {identity.threshold:.4g} on; what is said of "
            "its decisions holds for that threshold."
        )
    return tuple(said)


def for_whom_worse(card: ModelCard) -> tuple[str, ...]:
    """Compare the best and the worst served group of each protected attribute."""
    if not card.groups:
        return ("The records declare no protected attribute, so nothing was compared between groups.",)
    said: list[str] = []
    for attribute in attributes(card):
        groups = [group for group in card.groups if group.attribute == attribute]
        said.extend(_attribute(card, attribute, groups))
    return tuple(said)


def decisions(card: ModelCard) -> str:
    """Say what makes a decision of a probability, for whoever deploys; empty where the model decides itself."""
    identity = card.identity
    if identity.threshold is None:
        return ""
    said = f"{identity.positive} from a probability of {identity.threshold:.4g} on"
    if not identity.threshold_overrules:
        return f"{said}, as the model's own predict does"
    return f"{said}; the model's own predict decides otherwise, so apply this threshold to its predict_proba"


def accepted(card: ModelCard) -> tuple[str, ...]:
    """List the shortfalls that a person accepted, with their dates."""
    if not card.accepted:
        return ("Nothing: every check that keeps the gate shut passed by itself.",)
    return tuple(
        f"{_subject(item.check, item.target)}: {item.reason.rstrip('.')}. Accepted until {item.review_by}"
        + ("." if item.needed else "; not needed by this version.")
        for item in card.accepted
    )


def verdict_line(card: ModelCard) -> str:
    """One line that says how the gate answered."""
    gating = [check for check in card.checks if check.gating and check.status != "not applicable"]
    needed = sum(item.needed for item in card.accepted)
    line = f"Passed all {len(gating)} gating checks"
    if needed:
        line += f", with {needed} shortfall{'s' if needed > 1 else ''} accepted for a limited time"
    return line


def attributes(card: ModelCard) -> tuple[str, ...]:
    """Protected attributes of the card, in order."""
    return tuple(dict.fromkeys(group.attribute for group in card.groups))


def measure_name(name: str) -> str:
    """The name of a measure for people."""
    return _NAMES.get(name, name.replace("_", " "))


def number(value: float) -> str:
    """A figure to about three digits: 0.926, 41.3, 12,400; never in exponent form."""
    size = abs(value)
    if size < 1:
        return f"{value:.3f}"
    return f"{value:.3g}" if size < 1_000 else f"{value:,.0f}"


def interval(value: "Figure | Rate") -> str:
    """The two ends of an interval."""
    return f"{number(value.low)} – {number(value.high)}"


def percent(value: float) -> str:
    """A share of 100."""
    return f"{100 * value:.0f}" if value >= 0.1 or value == 0 else f"{100 * value:.1f}"


def _meaning(figure: Figure, card: ModelCard) -> str:
    value, base = figure.value, figure.baseline
    match figure.name:
        case "roc_auc":
            return (
                f"Shown one case of each kind, it ranks them the right way round {percent(value)} times out of 100; "
                "tossing a coin would do so 50 times."
            )
        case "accuracy":
            rule = (
                ""
                if base is None
                else f"; always giving the most common answer would be right in {percent(base)}"
            )
            return f"It is right in {percent(value)} of 100 cases{rule}."
        case "balanced_accuracy":
            rule = "" if base is None else f"; guessing would be right in {percent(base)}"
            return f"Taking each kind of case as equally important, it is right in {percent(value)} of 100{rule}."
        case "r2":
            return (
                f"It explains {percent(value)} % of the differences in {card.identity.label} between cases."
            )
        case "mae":
            rule = (
                ""
                if base is None
                else f"; always predicting the typical value would be off by {number(base)}"
            )
            return f"Its predictions of {card.identity.label} are off by {number(value)} on average{rule}."
        case _:
            return f"{measure_name(figure.name)} is {number(value)}."


def _certainty(figure: Figure, card: ModelCard) -> str:
    holdout = next((use for use in card.data if use.role == "holdout"), None)
    # Of other tables that the training function got, it is not known in general whether they tell of the same cases.
    apart = not any(use.role.startswith("input ") for use in card.data)
    cases = "cases that it had not seen" if apart else "cases of the holdout"
    rows = f" on {holdout.rows:,} {cases}" if holdout else ""
    return (
        f"Measured{rows}; with {percent(card.confidence)} % confidence the true figure "
        f"({measure_name(figure.name)}) lies between {number(figure.low)} and {number(figure.high)}."
    )


def _attribute(card: ModelCard, attribute: str, groups: Sequence[GroupFigures]) -> Iterable[str]:
    """Decisions, and the kind of error that differs most: the tables of the card show the rest."""
    positive = card.identity.positive
    errors = {
        "true_positive_rate": f"of 100 who really are {positive} it finds",
        "false_positive_rate": "of 100 others it wrongly flags",
        "precision": f"of 100 that it takes for {positive} it is right about",
    }
    widest = max(errors, key=lambda name: _spread(groups, name))
    ranges = [
        _range(groups, "selection_rate", f"of 100 people it predicts {positive} for", percent),
        _range(groups, widest, errors[widest], percent),
    ]
    if not any(ranges):
        ranges = [_range(groups, "metric", f"{_metric_word(card)} is", number)]
    if any(ranges):
        yield f"By {attribute}: {'; '.join(part for part in ranges if part)}."
    small = [group.level for group in groups if group.metric is None]
    if small:
        yield f"By {attribute}: too few cases to say how well it does for {_listed(small)}."


def compared_measure(name: str, card: ModelCard) -> str:
    """The name of a comparison for people."""
    positive = card.identity.positive
    return {
        "selection rate": f"predicted {positive}",
        "true positive rate": "positives found",
        "false positive rate": "others wrongly flagged",
        "precision": f"of those predicted {positive}, right",
        "bias amplification": "gap in decisions beyond that in outcomes",
        "group calibration": "came for each one promised, or the other way round",
    }.get(name, name)


def _known(groups: Sequence[GroupFigures], name: str) -> list[tuple[float, str]]:
    return [(rate.value, group.level) for group in groups if (rate := getattr(group, name)) is not None]


def _spread(groups: Sequence[GroupFigures], name: str) -> float:
    values = [value for value, _ in _known(groups, name)]
    return max(values) - min(values) if values else 0.0


def _range(groups: Sequence[GroupFigures], name: str, said: str, shown: Callable[[float], str]) -> str:
    """The lowest and the highest figure among the groups, with the groups' names."""
    known = _known(groups, name)
    if len(known) < 2:
        return ""
    (low, lowest), (high, highest) = min(known), max(known)
    return f"{said} {shown(low)} ({lowest}) to {shown(high)} ({highest})"


def _metric_word(card: ModelCard) -> str:
    name = measure_name(card.group_measure)
    return f"the {name[0].lower()}{name[1:]}"


def _subject(check: str, target: str) -> str:
    name = check.replace("_", " ").capitalize()
    return f"{name} ({target})" if target else name


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _points(value: float) -> str:
    return f"{100 * value:.1f}"
