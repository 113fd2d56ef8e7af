"""Provenance of a model: data versions, code, records and the model's own bytes are known, and fit together."""

from aims_pipelines.checks.candidate import InputVersion
from aims_pipelines.checks.findings import stated
from aims_pipelines.checks.model_candidate import ModelCandidate
from aims_pipelines.checks.wording import listing
from aims_pipelines.core.verdict import Finding, Status


def judge(candidate: ModelCandidate) -> tuple[Finding, ...]:
    """Judge every hop from data to bytes."""
    model = candidate.system.model
    return (
        _data("training", candidate.training, model.training),
        _data("holdout", candidate.holdout, model.holdout),
        _apart(candidate),
        _known(
            "code",
            candidate.code_version,
            "the version of the code is not known",
            "Set code_version on the asset.",
        ),
        _known("records", candidate.policy_digest, "the digest of the records is not known", ""),
        _file(candidate),
        _reload(candidate),
    )


def _data(role: str, version: InputVersion | None, dataset: str) -> Finding:
    if version is None:
        return stated(
            role,
            "admitted version",
            Status.FAIL,
            f"no version with passing verdicts was given as {role} data",
            f"Materialise '{dataset}' until its gate opens, then this model again.",
        )
    if version.asset != dataset:
        return stated(
            role,
            "admitted version",
            Status.FAIL,
            f"the {role} data is '{version.asset}', the system record says '{dataset}'",
            "Name the same dataset in the record and in the asset.",
        )
    return stated(
        role, "admitted version", Status.PASS, f"{dataset} {version.digest[:19]}… by {version.evidence}"
    )


def _apart(candidate: ModelCandidate) -> Finding:
    training, holdout = candidate.training, candidate.holdout
    if training is None or holdout is None:
        return stated(
            "holdout apart", "versions", Status.INCONCLUSIVE, "one of the two versions is not known"
        )
    if training.digest == holdout.digest:
        return stated(
            "holdout apart",
            "versions",
            Status.FAIL,
            "the holdout holds exactly the training rows",
            "Split the data, so that the model is judged on rows that it has not seen.",
        )
    return stated("holdout apart", "versions", Status.PASS, "training and holdout are different versions")


def _known(target: str, value: str, absent: str, remedy: str) -> Finding:
    if value:
        return stated(target, "version", Status.PASS, value[:80])
    return stated(target, "version", Status.INCONCLUSIVE, absent, remedy)


def _file(candidate: ModelCandidate) -> Finding:
    estimator = candidate.estimator
    where = f"model.trusted_types of the system record '{candidate.system.id}'"
    if estimator.problem:
        return stated(
            "model file",
            "types that nobody allowed",
            Status.FAIL,
            f"it cannot be saved without pickle: {estimator.problem}",
            "Use estimators and functions that are importable, not lambdas or local classes.",
        )
    if estimator.untrusted:
        return Finding(
            target="model file",
            measure="types that nobody allowed",
            status=Status.FAIL,
            reason=f"loading it would run code of {listing(estimator.untrusted)}",
            observed=len(estimator.untrusted),
            limit=0,
            unit="types",
            remedy=f"Review these types; if they are harmless, list them under {where}.",
        )
    if not estimator.digest:
        return stated(
            "model file", "types that nobody allowed", Status.INCONCLUSIVE, "its bytes are not known"
        )
    return stated(
        "model file", "types that nobody allowed", Status.PASS, f"{estimator.digest[:19]}…, without pickle"
    )


def _reload(candidate: ModelCandidate) -> Finding:
    match candidate.estimator.reloads_alike:
        case True:
            return stated("reload", "same predictions", Status.PASS, "loaded again, it predicts the same")
        case False:
            return stated(
                "reload",
                "same predictions",
                Status.FAIL,
                "loaded again from its bytes, it predicts otherwise",
                "Look for state outside the estimator, or randomness in predict.",
            )
        case None:
            return stated("reload", "same predictions", Status.INCONCLUSIVE, "it could not be loaded again")
