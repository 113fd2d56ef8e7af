"""How answers look in Dagster: evaluations, results, metadata, and the failure of a refused step."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from aims_pipelines._dagster_compat import RETRY_TAG, AssetCheckEvaluation
from aims_pipelines.checks.wording import count
from aims_pipelines.core.gate import Judgement, describe
from aims_pipelines.core.verdict import Finding, NotApplicable, Severity, Status, Verdict

_MOST_FINDINGS_SHOWN = 50
_SEVERITIES = {Severity.ERROR: dg.AssetCheckSeverity.ERROR, Severity.WARN: dg.AssetCheckSeverity.WARN}


def failed_evaluations(
    key: dg.AssetKey,
    judgement: Judgement,
    *,
    declared: tuple[str, ...],
    evidence: str,
    reports: Mapping[str, Path] | None = None,
) -> Iterator[AssetCheckEvaluation]:
    """Answers about a candidate that will not be published: they point at no version.

    Every declared check gets one, so that none is left as planned forever.

    Args:
        key: The asset.
        judgement: The answers.
        declared: Names of the checks that Dagster expects.
        evidence: Ledger entry that holds the answers.
        reports: Per check, a page for people to look at.
    """
    answers = _answers(judgement)
    for name in declared:
        passed, severity, description, metadata = _answer(answers.get(name), evidence)
        if reports and name in reports:
            metadata["aims/report"] = dg.MetadataValue.path(reports[name])
        yield AssetCheckEvaluation(
            asset_key=key,
            check_name=name,
            passed=passed,
            severity=severity,
            description=description,
            metadata=metadata,
        )


def published_results(
    key: dg.AssetKey,
    judgement: Judgement,
    *,
    declared: tuple[str, ...],
    evidence: str,
    reports: Mapping[str, Path] | None = None,
) -> Iterator[dg.AssetCheckResult]:
    """Answers about a version that was just published: they point at it."""
    answers = _answers(judgement)
    for name in declared:
        passed, severity, description, metadata = _answer(answers.get(name), evidence)
        if reports and name in reports:
            metadata["aims/report"] = dg.MetadataValue.path(reports[name])
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=name,
            passed=passed,
            severity=severity,
            description=description,
            metadata=metadata,
        )


def refusal(
    context: dg.AssetExecutionContext,
    message: str,
    *,
    outcome: str,
    evidence: str = "",
    each: Mapping[str, tuple[str, str]] | None = None,
) -> dg.Failure:
    """The failure that ends a refused step, so that neither the step nor the run is retried.

    Args:
        context: Context of the step.
        message: What people read on the run page.
        outcome: ``refused`` by a gate, or ``bad input``.
        evidence: Ledger entry with the verdicts, if there is one.
        each: For a step of several assets: outcome and message of each that was refused, by its key.
    """
    if context.instance.has_run(context.run_id):
        context.instance.add_run_tags(context.run_id, {RETRY_TAG: "false"})
    metadata: dict[str, Any] = {"aims/outcome": outcome}
    if evidence:
        metadata["aims/evidence"] = evidence
    if each and len(context.assets_def.keys) > 1:
        metadata["aims/refused"] = dg.MetadataValue.json({name: list(told) for name, told in each.items()})
    return dg.Failure(description=message, metadata=metadata, allow_retries=False)


def version_metadata(*, dataset: str, number: int, digest: str, evidence: str, rows: int) -> dict[str, Any]:
    """Metadata of a published version, namespaced except where Dagster's UI knows the name."""
    return {
        "aims/dataset": dataset,
        "aims/version": number,
        "aims/data_version": digest,
        "aims/evidence": evidence,
        "dagster/row_count": rows,
    }


def _answers(judgement: Judgement) -> Mapping[str, Verdict | NotApplicable]:
    answers: dict[str, Verdict | NotApplicable] = {verdict.check: verdict for verdict in judgement.verdicts}
    return {**answers, **{item.check: item for item in judgement.not_applicable}}


def _answer(
    answer: Verdict | NotApplicable | None, evidence: str
) -> tuple[bool, dg.AssetCheckSeverity, str, dict[str, Any]]:
    metadata: dict[str, Any] = {"aims/evidence": evidence} if evidence else {}
    if answer is None:
        metadata["aims/status"] = str(Status.INCONCLUSIVE)
        return (
            False,
            dg.AssetCheckSeverity.ERROR,
            "Not judged: another reason refused the candidate first.",
            metadata,
        )
    metadata["aims/method"] = f"{answer.check}@{answer.version}"
    if isinstance(answer, NotApplicable):
        metadata["aims/status"] = "not applicable"
        return True, dg.AssetCheckSeverity.WARN, f"Does not apply: {answer.reason}", metadata
    metadata["aims/status"] = str(answer.status)
    shown = [*answer.problems, *(item for item in answer.findings if item.status is Status.PASS)]
    if shown:
        metadata["aims/findings"] = dg.MetadataValue.table(
            records=[_record(finding) for finding in shown[:_MOST_FINDINGS_SHOWN]]
        )
    if len(shown) == 1 and shown[0].observed is not None:
        metadata["aims/observed"] = shown[0].observed
    if answer.problems:
        more = f" (and {len(answer.problems) - 1} more)" if len(answer.problems) > 1 else ""
        description = describe(answer.check, answer.problems[0]) + more
    else:
        description = f"{count(len(answer.findings), 'finding')}, all pass."
    return answer.status is Status.PASS, _SEVERITIES[answer.severity], description, metadata


def _record(finding: Finding) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "target": finding.target,
            "measure": finding.measure,
            "status": str(finding.status),
            "observed": _shown(finding.observed),
            "limit": _shown(finding.limit),
            "unit": finding.unit,
            "n": "" if finding.n is None else finding.n,
            "reason": finding.reason,
        }
    )


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
