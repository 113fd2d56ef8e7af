"""The checks of a model candidate by name. Importing this module is cheap."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final

from aims_pipelines.checks.answering import judge_all
from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.verdict import NotApplicable, Verdict

if TYPE_CHECKING:
    from aims_pipelines.checks.model_candidate import ModelCandidate


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCatalogueEntry:
    """A check as Dagster's page, the card and the documentation know it.

    Args:
        name: Fixed name; the module that measures is ``model_`` and the name.
        version: Version of the method; it changes when the same outcomes could get another answer.
        description: What it asks, in one sentence for people.
    """

    name: str
    version: str
    description: str

    def judge(self, candidate: "ModelCandidate") -> Verdict | NotApplicable:
        """Answer for the candidate at severity ``error``; exceptions of the measurement pass through."""
        from aims_pipelines.checks.candidate import Inapplicable

        answer = import_module(f"aims_pipelines.checks.model_{self.name}").judge(candidate)
        if isinstance(answer, Inapplicable):
            return NotApplicable(check=self.name, version=self.version, reason=answer.reason)
        return Verdict(check=self.name, version=self.version, findings=tuple(answer))


MODEL_CHECKS: Final[tuple[ModelCatalogueEntry, ...]] = (
    ModelCatalogueEntry(
        name="provenance",
        version="1",
        description="Are the data versions, the code, the records and the model's own bytes known, and do they "
        "fit together?",
    ),
    ModelCatalogueEntry(
        name="performance",
        version="2",
        description="Is the model good enough on rows that it has not seen, and better than a trivial rule?",
    ),
    ModelCatalogueEntry(
        name="subgroup_performance",
        version="4",
        description="Is it about as good for every group of each protected attribute?",
    ),
    ModelCatalogueEntry(
        name="fairness_gap",
        version="3",
        description="Are groups selected, found and wrongly flagged at similar rates, and no further apart than in the "
        "labels?",
    ),
    ModelCatalogueEntry(
        name="calibration",
        version="4",
        description="Can its probabilities be taken at their word, within each group too?",
    ),
    ModelCatalogueEntry(
        name="generalisation",
        version="2",
        description="Is it about as good on new rows as on those it was fitted on?",
    ),
    ModelCatalogueEntry(
        name="leakage",
        version="3",
        description="Is nothing among its features or training rows that it must not have known?",
    ),
)


def judge_model(candidate: "ModelCandidate") -> Judgement:
    """Let every model check answer for a candidate.

    Shortfalls accepted by the system record are applied, then the policy's stages. Never raises for what a
    candidate holds: a check that raises is inconclusive.
    """
    return judge_all(
        MODEL_CHECKS,
        candidate,
        subject=candidate.system.model.name,
        accepted=candidate.system.accepted,
        stages=candidate.stages,
        today=candidate.now.date(),
    )
