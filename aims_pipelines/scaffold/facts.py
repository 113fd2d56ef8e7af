"""What the templates say about a plan, and what a person should look at."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from aims_pipelines.records.parts import Part
from aims_pipelines.records.policy_record import Limits, ModelLimits
from aims_pipelines.scaffold.plan import Plan, left_out
from aims_pipelines.scaffold.render import yaml_text
from aims_pipelines.scaffold.request import HOLDOUT_SHARE, Request, affirmative
from aims_pipelines.scaffold.shortfalls import REVIEW_DAYS

REVIEW_YEAR = timedelta(days=365)


def parts_of(plan: Plan) -> list[dict[str, object]]:
    """What the records of holdout and training say, holdout first."""
    how = (
        f"Pinned by a hash of '{plan.request.subject}': nobody is on both sides, in this batch or a later one."
        if plan.request.subject
        else "Pinned by a hash of each row's features: a row is on the same side in every batch, and its copies too."
    )
    return [
        {
            "id": plan.holdout,
            "title": f"{title_of(plan.request)}, held out",
            "role": "holdout",
            "purpose": "Judging every version of the model by rows that none was trained on.",
            "rationale": how,
            "controls": ["A.6.2.4", "A.7.5", "A.7.6"],
            "disjoint_from": "",
            "limits": own_limits(plan, plan.holdout, {"min_group_size": ModelLimits().min_group_size}),
        },
        {
            "id": plan.training,
            "title": f"{title_of(plan.request)}, for training",
            "role": "training",
            "purpose": "Training the model; never measuring how good it is.",
            "rationale": how,
            "controls": ["A.7.2", "A.7.5", "A.7.6"],
            "disjoint_from": plan.holdout,
            "limits": own_limits(plan, plan.training, {}),
        },
    ]


def own_limits(plan: Plan, dataset: str, limits: dict[str, object]) -> list[dict[str, object]]:
    """Limits of one dataset that differ from the policy's, each with the reason for it."""
    notes = {
        "min_group_size": "The model is judged for groups of this size and up (model_limits in policy.yaml).",
        "drift_inconclusive": "A table of this size cannot show in every column and group that it has not drifted. "
        "What it does show still refuses; what it cannot show passes, and says so, until the record's review.",
    }
    if dataset in plan.small:
        limits = {**limits, "drift_inconclusive": "accept"}
    return [{"name": name, "value": value, "note": notes[name]} for name, value in limits.items()]


def facts_of(plan: Plan, *, look: list[str]) -> dict[str, Any]:
    """Everything that templates may name, but for accepted shortfalls."""
    request, today = plan.request, plan.request.today
    numbers = [item.column.name for item in plan.contracts if item.feature == "number"]
    categories = [item.column.name for item in plan.contracts if item.feature == "category"]
    regression = plan.task == "regression"
    label = plan.columns[request.label]
    return {
        "slug": plan.source,
        "source": plan.source,
        "holdout": plan.holdout,
        "training": plan.training,
        "model": plan.model,
        "title": title_of(request),
        "rows": f"{plan.rows:,}",
        "today": today.isoformat(),
        "review_by": (today + REVIEW_YEAR).isoformat(),
        "soon": (today + timedelta(days=REVIEW_DAYS)).isoformat(),
        "purpose": f"Training and judging the model {plan.model}.",
        "path": _path(request),
        "null_values": list(request.null_values),
        "null_values_guessed": plan.guessed_nulls,
        "licence": f"For a trial only; the licence was not stated when the project was started on {today}.",
        "legal_basis": f"For a trial only; the basis was not stated when the project was started on {today}.",
        "limits": own_limits(plan, plan.source, {}),
        "subject": request.subject,
        "time": request.time,
        "label": request.label,
        "task": plan.task,
        "positive": plan.positive,
        "positive_note": ""
        if request.positive is not None
        else f"  # {_guessed_by(plan)}; is it the favourable or flagged one?",
        "protected": [{"column": name, "bands": list(plan.bands[name])} for name in request.protected],
        "intersections": list(request.protected[:2]) if len(request.protected) > 1 else [],
        "expectations": f"expectations/{plan.source}.json",
        "contracts": [
            {"name": item.column.name, "rules": item.rules, "note": item.note} for item in plan.contracts
        ],
        "dataset_limits": _limits(Limits(), {}),
        "model_limits": _limits(*_model_limits(plan)),
        "model_title": f"Model of {request.label}" + (f" = {plan.positive}" if not regression else ""),
        "model_purpose": f"Estimate {request.label} from the other columns of {plan.source}."
        if regression
        else f"Estimate how likely {request.label} is {plan.positive}, from the other columns of {plan.source}.",
        "model_doc": f"A linear model of {label.name} that a person can read."
        if regression
        else f"A logistic regression of {label.name} that a person can read.",
        "estimator": "Ridge" if regression else "LogisticRegression",
        "estimator_call": "Ridge(alpha=1.0)" if regression else "LogisticRegression(max_iter=2_000)",
        "exclude": [
            item.column.name for item in plan.contracts if not item.feature and item.why_not != "the label"
        ],
        "numbers": numbers,
        "categories": categories,
        "wide_numbers": len(repr(numbers)) > 98,
        "wide_categories": len(repr(categories)) > 95,
        "left_out": left_out(plan),
        "split_doc": f"Split by a hash of {request.subject}: nobody is on both sides, in this batch or a later one."
        if request.subject
        else "Split by a hash of each row's features: equal rows are on the same side, in this batch and later ones.",
        "look": look or ["Nothing stood out. The texts for people in the records are still to be written."],
    }


def _guessed_by(plan: Plan) -> str:
    return "by custom" if affirmative(plan.columns[plan.request.label]) else "the rarer class"


def _path(request: Request) -> str:
    """The source as the record names it: relative to the project if the user wrote it so, else absolute."""
    if request.data.is_absolute():
        return str(request.data)
    return Path(
        os.path.relpath(request.data.resolve(), request.folder.parent.resolve() / request.folder.name)
    ).as_posix()


def _limits(limits: Part, notes: dict[str, str]) -> list[dict[str, object]]:
    """Limits with their descriptions; those that are off are left out."""
    fields = type(limits).model_fields
    return [
        {
            "name": name,
            "value": getattr(value, "value", value),
            "description": fields[name].description,
            "note": notes.get(name, ""),
        }
        for name in fields
        if (value := getattr(limits, name)) is not None
    ]


# Limits without a default, as what is fair depends on the use: a new project starts with the question asked.
_FAIRNESS_LIMITS = {
    "min_selection_rate_ratio": 0.8,
    "max_precision_gap": 0.2,
    "min_group_calibration_ratio": 0.8,
}


def _model_limits(plan: Plan) -> tuple[ModelLimits, dict[str, str]]:
    limits, notes = ModelLimits(), {}
    if plan.task == "regression":
        limits = limits.model_copy(update={"metric": "r2", "min_metric": 0.3})
        notes["min_metric"] = "Chosen before any model was trained; set it to what the model's use needs."
    elif plan.request.protected:
        limits = limits.model_copy(update=_FAIRNESS_LIMITS)
        notes |= dict.fromkeys(
            _FAIRNESS_LIMITS,
            "No default: chosen so that the question is asked. What the first model misses is accepted in its record.",
        )
    expected = plan.rows * HOLDOUT_SHARE
    if expected * 0.8 < limits.min_holdout_rows:
        limits = limits.model_copy(update={"min_holdout_rows": int(expected * 0.8)})
        notes["min_holdout_rows"] = (
            "Less than the default of 500, as the table is small: expect wide intervals."
        )
    return limits, notes


def choices(plan: Plan) -> Iterator[str]:
    """What was chosen for the user and may be wrong."""
    request, source = plan.request, f"governance/{plan.source}.yaml"
    yield f"{source}: licence and legal basis of the data are not stated yet; it says 'for a trial only'."
    yield f"governance/{plan.model}.yaml: intended use, people affected and risk are still to be written."
    if plan.guessed_nulls:
        yield f"{source}: {', '.join(map(repr, request.null_values))} in the file was taken to mean missing."
    if plan.task == "classification" and request.positive is None:
        yield (
            f"{source}: the positive value of '{request.label}' is {yaml_text(plan.positive)}, {_guessed_by(plan)}. "
            "Is it the outcome that is favourable or flagged?"
        )
    for name, edges in plan.bands.items():
        if edges:
            yield f"{source}: '{name}' is judged in bands with the edges {', '.join(f'{edge:g}' for edge in edges)}."
    for name in plan.personal:
        yield f"{source}: '{name}' looks like personal data, so it is declared personal and is no feature."
    untold = {"the label", "protected", "personal data", "the event time", "it tells people apart"}
    for item in plan.contracts:
        if item.why_not and item.why_not not in untold:
            advice = (
                " Write its numbers with a decimal point at the source." if item.column.decimal_comma else ""
            )
            yield f"definitions.py: '{item.column.name}' is no feature ({item.why_not}).{advice}"
    passed_over = [
        item.column.name for item in plan.contracts if item.column.known and item.rules.get("drift") is False
    ]
    if passed_over:
        yield (
            f"{source}: drift of {', '.join(map(repr, passed_over))} is not judged, as the next batch will hold other "
            "values anyway (drift: false)."
        )
    for name, needed in plan.small.items():
        yield (
            f"governance/{name}.yaml: too small to show in every group that nothing drifted"
            + (f" (that takes about {needed:,} rows)" if needed else "")
            + "; an inconclusive answer is accepted until the record's review."
        )
    for name in _model_limits(plan)[1]:
        yield f"governance/policy.yaml: {name} is not the default; see the comment there."


def title_of(request: Request) -> str:
    """The project's name for people."""
    words = request.folder.name.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]
