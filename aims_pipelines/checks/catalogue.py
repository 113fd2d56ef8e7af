"""The checks of a dataset candidate by name, and the one road on which all of them answer.

Importing this module is cheap: a check's own module is loaded when it first judges.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final

from aims_pipelines.checks.answering import judge_all
from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.verdict import Finding, NotApplicable, Status, Verdict

if TYPE_CHECKING:
    from aims_pipelines.checks.candidate import Candidate


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
        version="2",
        description="Is every hop from the declared source to this table known: source file and digest or external "
        "origin, admitted inputs, code version, licence and legal basis?",
    ),
    CatalogueEntry(
        name="schema",
        version="3",
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
        version="3",
        description="Do values keep to the declared range, list of values or pattern?",
    ),
    CatalogueEntry(
        name="uniqueness",
        version="3",
        description="Are keys unique, and are there no more repeated rows than the limit allows?",
    ),
    CatalogueEntry(
        name="freshness",
        version="2",
        description="Is the newest event recent enough, and none in the future?",
    ),
    CatalogueEntry(
        name="outliers",
        version="4",
        description="Do no more values than the limit allows lie beyond fences fitted to the column's shape?",
    ),
    CatalogueEntry(
        name="expectations",
        version="2",
        description="Does the table meet the Great Expectations suites that its record names?",
    ),
    CatalogueEntry(
        name="representation",
        version="1",
        description="Is every group of each protected attribute large enough to be judged and served?",
    ),
    CatalogueEntry(
        name="label_rate_gap",
        version="3",
        description="Do protected groups carry the positive label at rates no further apart than the limit?",
    ),
    CatalogueEntry(
        name="proxies",
        version="4",
        description="Does no feature give a protected attribute away more strongly than the limit?",
    ),
    CatalogueEntry(
        name="drift",
        version="4",
        description="Does the table still look like the reference version, as a whole and inside each group?",
    ),
    CatalogueEntry(
        name="control_charts",
        version="1",
        description="Is every statistic that the record watches over time still in control?",
    ),
    CatalogueEntry(
        name="leakage",
        version="2",
        description="Does the table share no rows with the datasets that it must be disjoint from?",
    ),
    CatalogueEntry(
        name="personal_data",
        version="2",
        description="Do columns that are not declared personal hold no e-mail addresses, phone, bank, card "
        "or identity numbers?",
    ),
)


def judge_dataset(candidate: "Candidate") -> Judgement:
    """Let every check of the catalogue answer for a candidate.

    Shortfalls accepted by the record are applied, then the policy's stages. Never raises for what a candidate
    holds: a check that raises is inconclusive.
    """
    return judge_all(
        DATASET_CHECKS,
        candidate,
        subject=candidate.asset,
        accepted=candidate.record.accepted,
        stages=candidate.stages,
        today=candidate.now.date(),
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
