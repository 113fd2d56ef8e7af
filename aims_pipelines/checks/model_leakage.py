"""Leakage: what the model must not have known is neither among its features nor in its training rows."""

from aims_pipelines.checks.findings import stated
from aims_pipelines.checks.model_candidate import ModelCandidate
from aims_pipelines.checks.model_metrics import LESS_IS_BETTER, estimate
from aims_pipelines.checks.shared_rows import MEASURE, comparable, shared_fraction
from aims_pipelines.checks.wording import count, listing, percent
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.records.dataset_record import DatasetRecord
from aims_pipelines.records.system_record import SystemRecord
from aims_pipelines.stats.profile import Profile
from aims_pipelines.stats.proxies import proxy_strength
from aims_pipelines.stats.rows import shared_rows

# Small tables share a few rows by coincidence; the same share that repeated rows inside a table may have by default.
_MOST_SHARED = 0.01
# A single feature that tells the label almost without error is the label in disguise more often than it is a find.
_TOO_STRONG = 0.98
_TOO_GOOD = 0.999
_NEARNESS = "nearness to perfection"


def judge(candidate: ModelCandidate) -> tuple[Finding, ...]:
    """Judge features, shared rows, and results too good to be true."""
    further = [
        _rows(candidate, profile, f"rows of {role}") for role, profile in candidate.further_profiles.items()
    ]
    trained = _rows(candidate, candidate.training_profile, "rows")
    return (_features(candidate), trained, *further, *_strongest(candidate), _metric(candidate))


def forbidden(record: DatasetRecord, system: SystemRecord) -> tuple[str, ...]:
    """Columns that a model must not use: label, subject, time, and what either record keeps out of it."""
    names = [
        *([record.label.column] if record.label else []),
        *(name for name in (record.subject, record.time) if name),
        *system.model.exclude,
        *(name for name, contract in record.columns.items() if not contract.feature),
    ]
    return tuple(dict.fromkeys(names))


def _features(candidate: ModelCandidate) -> Finding:
    used = set(candidate.estimator.features)
    found = [name for name in forbidden(candidate.record, candidate.system) if name in used]
    if not used:
        return stated(
            "features", "columns that must not be features", Status.INCONCLUSIVE, "features are not known"
        )
    return Finding(
        target="features",
        measure="columns that must not be features",
        status=Status.FAIL if found else Status.PASS,
        reason=f"the model uses {listing(found)}" if found else f"none of {count(len(used), 'feature')}",
        observed=len(found),
        limit=0,
        unit="columns",
        remedy="Leave label, subject, time and excluded columns out of the features." if found else "",
    )


def _rows(candidate: ModelCandidate, trained: Profile, target: str) -> Finding:
    """How many rows of the holdout are among those that the training function got."""
    judged = candidate.holdout_profile
    if trained.row_sketch is None or judged.row_sketch is None or not judged.rows or not trained.rows:
        return stated(target, MEASURE, Status.INCONCLUSIVE, "the rows cannot be compared")
    if not comparable(trained, judged):
        return stated(
            target,
            MEASURE,
            Status.INCONCLUSIVE,
            "training and holdout differ in columns or types, so their rows cannot be compared",
            "Give both the same columns.",
        )
    shared = shared_rows(judged.row_sketch, trained.row_sketch)
    return shared_fraction(
        target,
        shared,
        rows=judged.rows,
        most=_MOST_SHARED,
        reason=f"{percent(shared.rows / judged.rows)} of the holdout's rows were also trained on",
        remedy="Split the rows anew, so that none is in both.",
    )


def _strongest(candidate: ModelCandidate) -> list[Finding]:
    """The feature that tells the label best, by the training rows."""
    label = candidate.record.label
    levels = candidate.training_profile.groups.get(label.column, {}) if label else {}
    strengths = []
    for feature in candidate.estimator.features:
        columns = {
            level: group.columns[feature] for level, group in levels.items() if feature in group.columns
        }
        strength = (
            proxy_strength(columns, min_group_size=candidate.limits.min_group_size) if columns else None
        )
        if strength is not None:
            strengths.append((strength.value, feature, strength.n))
    if not strengths:
        said = "no feature could be held against the label"
        return [stated("strongest feature", "strength (Cramér's V)", Status.INCONCLUSIVE, said)]
    value, feature, rows = max(strengths)
    suspect = not value < _TOO_STRONG
    return [
        Finding(
            target="strongest feature",
            measure="strength (Cramér's V)",
            status=Status.FAIL if suspect else Status.PASS,
            reason=f"'{feature}' alone tells the label " + ("almost without error" if suspect else "best"),
            observed=value,
            limit=_TOO_STRONG,
            n=rows,
            remedy=f"Find out whether '{feature}' is known before the outcome; if not, exclude it."
            if suspect
            else "",
        )
    ]


def _metric(candidate: ModelCandidate) -> Finding:
    metric = candidate.limits.metric
    measured = estimate(metric, candidate.on_holdout)
    if not measured.known:
        return stated("result", _NEARNESS, Status.INCONCLUSIVE, "it cannot be measured on these rows")
    reached = measured.value
    if metric in LESS_IS_BETTER:
        spread = float(candidate.on_holdout.truth.std())
        reached = 1.0 - measured.value / spread if spread > 0.0 else 1.0
    suspect = not reached < _TOO_GOOD
    return Finding(
        target="result",
        measure=_NEARNESS,
        status=Status.INCONCLUSIVE if suspect else Status.PASS,
        reason="almost perfect, which is more often leakage than skill" if suspect else "plausible",
        observed=reached,
        limit=_TOO_GOOD,
        n=measured.n,
        remedy="Look for features that follow from the label; if there are none, accept this finding with a reason."
        if suspect
        else "",
    )
