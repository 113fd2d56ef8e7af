"""The checks of a dataset candidate by name, and the one road on which all of them answer.

Importing this module is cheap: a check's own module is loaded when it first judges.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

from aims_pipelines.core.errors import AimsError
from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.verdict import Finding, NotApplicable, Severity, Status, Verdict

if TYPE_CHECKING:
    from aims_pipelines.checks.candidate import Candidate

_PACKAGE: Final = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """A check as Dagster's page, the records and the documentation know it.

    Args:
        name: Fixed name; also the name of the module that measures.
        version: Version of the method; it changes when the same data could get another answer.
        description: What it asks, in one sentence for people.
    """

    name: str
    version: str
    description: str

    def judge(self, candidate: "Candidate") -> Verdict | NotApplicable:
        """Answer for the candidate at severity ``error``; exceptions of the measurement pass through."""
        from aims_pipelines.checks.candidate import Inapplicable

        answer = import_module(f"aims_pipelines.checks.{self.name}").judge(candidate)
        if isinstance(answer, Inapplicable):
            return NotApplicable(check=self.name, version=self.version, reason=answer.reason)
        findings = tuple(answer)
        if candidate.profile.rows == 0 and all(finding.status is Status.PASS for finding in findings):
            findings = (*findings, _empty())
        return Verdict(check=self.name, version=self.version, findings=findings)


DATASET_CHECKS: Final[tuple[CatalogueEntry, ...]] = (
    CatalogueEntry(
        name="provenance",
        version="1",
        description="Is every hop from the declared source to this table known: source file and digest, "
        "admitted inputs, code version, licence and legal basis?",
    ),
    CatalogueEntry(
        name="schema",
        version="1",
        description="Are the declared columns there, with the declared types, and no others?",
    ),
    CatalogueEntry(
        name="completeness",
        version="1",
        description="Are there enough rows, and no larger share of missing values in a column than its "
        "contract allows?",
    ),
    CatalogueEntry(
        name="validity",
        version="1",
        description="Do values keep to the declared range, list of values or pattern?",
    ),
    CatalogueEntry(
        name="uniqueness",
        version="1",
        description="Are keys unique, and are there no more repeated rows than the limit allows?",
    ),
    CatalogueEntry(
        name="freshness",
        version="1",
        description="Is the newest event recent enough, and none in the future?",
    ),
    CatalogueEntry(
        name="outliers",
        version="1",
        description="Do no more values than the limit allows lie beyond fences fitted to the column's shape?",
    ),
    CatalogueEntry(
        name="expectations",
        version="1",
        description="Does the table meet the Great Expectations suites that its record names?",
    ),
    CatalogueEntry(
        name="representation",
        version="1",
        description="Is every group of each protected attribute large enough to be judged and served?",
    ),
    CatalogueEntry(
        name="label_rate_gap",
        version="1",
        description="Do protected groups carry the positive label at rates no further apart than the limit?",
    ),
    CatalogueEntry(
        name="proxies",
        version="1",
        description="Does no feature give a protected attribute away more strongly than the limit?",
    ),
    CatalogueEntry(
        name="drift",
        version="1",
        description="Does the table still look like the reference version, as a whole and inside each group?",
    ),
    CatalogueEntry(
        name="leakage",
        version="1",
        description="Does the table share no rows with the datasets that it must be disjoint from?",
    ),
    CatalogueEntry(
        name="personal_data",
        version="1",
        description="Do columns that are not declared personal hold no e-mail addresses, phone, bank, card "
        "or identity numbers?",
    ),
)


def judge_dataset(candidate: "Candidate") -> Judgement:
    """Let every check of the catalogue answer for a candidate.

    A check that raises gives an inconclusive verdict that names the exception's type and place, never its
    text, which may hold values. Shortfalls accepted by the record are applied, then the policy's stages.
    Never raises for what a candidate holds.
    """
    from aims_pipelines.checks import accepted

    verdicts: list[Verdict] = []
    not_applicable: list[NotApplicable] = []
    for check in DATASET_CHECKS:
        answer = _answer(check, candidate)
        if isinstance(answer, NotApplicable):
            not_applicable.append(accepted.note(answer, candidate.record.accepted))
        else:
            answer = accepted.apply(answer, candidate.record.accepted, today=candidate.now.date())
            verdicts.append(_staged(answer, candidate))
    return Judgement(
        subject=candidate.asset,
        required=tuple(check.name for check in DATASET_CHECKS),
        verdicts=tuple(verdicts),
        not_applicable=tuple(not_applicable),
    )


def _answer(check: CatalogueEntry, candidate: "Candidate") -> Verdict | NotApplicable:
    try:
        return check.judge(candidate)
    except Exception as error:  # noqa: BLE001 - a crashed check must refuse, whatever it raised
        return Verdict(check=check.name, version=check.version, findings=(_crashed(error),))


def _staged(verdict: Verdict, candidate: "Candidate") -> Verdict:
    if candidate.stages.get(verdict.check) != "warn":
        return verdict
    return Verdict(
        check=verdict.check, version=verdict.version, findings=verdict.findings, severity=Severity.WARN
    )


def _empty() -> Finding:
    return Finding(
        target="",
        measure="rows",
        status=Status.INCONCLUSIVE,
        reason="the table has no rows, so nothing was judged",
        observed=0,
        unit="rows",
        n=0,
        rows_needed=1,
    )


def _crashed(error: Exception) -> Finding:
    if isinstance(error, AimsError):  # our own messages hold no values
        reason = f"the check could not run: {error}"
    else:
        reason = f"the check raised {type(error).__name__}{_place(error.__traceback__)}"
    return Finding(
        target="",
        measure="answer",
        status=Status.INCONCLUSIVE,
        reason=reason,
        remedy="Correct what the reason names; if it names nothing, report it with this place.",
    )


def _place(trace: TracebackType | None) -> str:
    """Where in this package an exception passed last: file and line, no values."""
    place = ""
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path.is_relative_to(_PACKAGE):
            place = f" at {path.relative_to(_PACKAGE.parent).as_posix()}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
