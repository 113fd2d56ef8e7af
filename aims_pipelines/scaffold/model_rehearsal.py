"""The first training, rehearsed: the model of the new project is fitted once and judged by the checks it will meet."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from aims_pipelines.core.errors import AimsError
from aims_pipelines.core.verdict import Status
from aims_pipelines.scaffold.shortfalls import Shortfall, reach, shortfalls_of

if TYPE_CHECKING:
    import pyarrow as pa

    from aims_pipelines.checks.model_candidate import ModelCandidate
    from aims_pipelines.records.load import Records

MOST_ROWS = 300_000

# Shortfalls that a person can decide about. A model that is not good enough, is shown not to generalise or knows what
# it must not know is refused: no date makes it better.
_REASONS = {
    "subgroup_performance": "The first model is this much worse for one group than for another. Find out why.",
    "fairness_gap": "The first model treats the groups this differently. Decide whether its use can bear that.",
    "calibration": "The probabilities of the first model are off by this much.",
}

_UNSHOWN = {
    "generalisation": "The first model loses no more than the limit on rows that it has not seen, but they are too few "
    "to show it."
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a model rehearsal works on.

    Args:
        system: The system record.
        code: Python text that defines ``fit``, from the same template as the project's pipeline.
        training: Rows to fit on.
        holdout: Rows to judge by.
    """

    system: str
    code: str
    training: "pa.Table"
    holdout: "pa.Table"


def rehearse_model(trial: Trial, records: "Records", *, today: date) -> tuple[list[Shortfall], str]:
    """Fit the model of a new project and list what its gate would refuse.

    Returns:
        The shortfalls, and a sentence for the user where no model could be fitted; empty otherwise.
    """
    from aims_pipelines.checks.model_catalogue import judge_model

    if trial.training.num_rows > MOST_ROWS:
        return (
            [],
            f"No model was tried, as there are more than {MOST_ROWS:,} rows; its gate may refuse the first one.",
        )
    try:
        candidate = _fitted(trial, records, today=today)
        judgement = judge_model(candidate)
    except (ValueError, TypeError, AimsError) as error:
        # scikit-learn's own complaint about these columns may hold values, so only its kind is told
        return (
            [],
            f"The model of definitions.py could not be fitted to this table ({type(error).__name__}): look there.",
        )
    found = [
        shortfall
        for verdict in judgement.verdicts
        for shortfall in shortfalls_of(trial.system, verdict, today=today, reasons=_REASONS, unshown=_UNSHOWN)
    ]
    return [*found, *_hardly_enough(candidate, found, trial.system, today=today)], ""


def _hardly_enough(
    candidate: "ModelCandidate", found: list[Shortfall], system: str, *, today: date
) -> Iterator[Shortfall]:
    """Groups that are judged now, but that the next table may have too few rows of by chance."""
    from aims_pipelines.checks.model_catalogue import judge_model

    least = candidate.limits.min_group_size
    wary = candidate.limits.model_copy(update={"min_group_size": reach(least)})
    known = {(item.check, item.target) for item in found}
    for verdict in judge_model(replace(candidate, limits=wary)).verdicts:
        counts = replace(
            verdict,
            findings=tuple(
                replace(finding, status=Status.PASS, limit=least, reason=f"{finding.observed:g} of {least}")
                for finding in verdict.findings
                if finding.measure == "group rows"
                and finding.observed is not None
                and (verdict.check, finding.target) not in known
            ),
        )
        yield from shortfalls_of(system, counts, today=today, reasons=_REASONS)


def _fitted(trial: Trial, records: "Records", *, today: date) -> "ModelCandidate":
    from aims_pipelines.assets.model_examination import ModelInputs, examine
    from aims_pipelines.checks.candidate import InputVersion
    from aims_pipelines.measure import content_digest
    from aims_pipelines.resources.model_evidence import Training
    from aims_pipelines.resources.model_file import save_model

    names: dict[str, Any] = {}
    exec(trial.code, names)  # noqa: S102 - our own template, filled with quoted column names
    fit: Callable[[Any], Any] = names["fit"]
    system = records.system(trial.system)
    frames = {"training": trial.training.to_pandas(), "holdout": trial.holdout.to_pandas()}
    versions = {
        role: InputVersion(
            asset=getattr(system.model, role), digest=content_digest(table), evidence="rehearsal"
        )
        for role, table in (("training", trial.training), ("holdout", trial.holdout))
    }
    estimator = fit(frames["training"])
    return examine(
        estimator,
        save_model(estimator, trusted=system.model.trusted_types),
        ModelInputs(
            training=frames["training"],
            holdout=frames["holdout"],
            training_version=versions["training"],
            holdout_version=versions["holdout"],
        ),
        Training(
            system=trial.system,
            asset=trial.system,
            partition="",
            run_id="rehearsal",
            code_version="rehearsal",
            policy_digest=records.digest_for_system(trial.system),
            at=datetime.combine(today, time(12), UTC),
        ),
        records,
    )
