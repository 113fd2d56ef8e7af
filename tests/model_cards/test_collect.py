"""From a judgement and the records to a card: complete for people, silent about small groups of them."""

import json
from datetime import date

import pytest

from aims_pipelines.core.errors import BadInput
from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.verdict import Finding, NotApplicable, Status, Verdict
from aims_pipelines.model_cards.collect import CardMeasurements, collect
from aims_pipelines.model_cards.document import Bin, GroupFigures, Histogram, Plots, Rate
from aims_pipelines.records.system_record import SystemRecord

RECORD = {
    "kind": "system",
    "id": "income",
    "title": "Income",
    "owner": "outreach",
    "status": "assessed",
    "purpose": "p",
    "intended_use": "u",
    "out_of_scope": "o",
    "affected": "a",
    "risk": "r",
    "model": {"name": "income", "training": "training", "holdout": "holdout"},
}


def system(**changes):
    return SystemRecord.model_validate_json(json.dumps(RECORD | changes))


def judgement(*findings):
    return Judgement(
        subject="income",
        required=("fairness_gap", "calibration"),
        verdicts=(Verdict(check="fairness_gap", version="1", findings=findings),),
        not_applicable=(NotApplicable(check="calibration", version="1", reason="no probabilities"),),
    )


def passing(**changes):
    values = {"target": "sex", "measure": "gap", "status": Status.PASS, "reason": "small"} | changes
    return Finding(**values)


def make(card, *, record=None, findings=(), groups=(), plots=None):
    return collect(
        identity=card.identity,
        measured=CardMeasurements(
            figures=card.figures,
            groups=groups,
            plots=plots or Plots(),
            confidence=0.95,
            group_measure="roc_auc",
        ),
        judgement=judgement(*(findings or (passing(),))),
        questions={"fairness_gap": "Alike?", "calibration": "True?"},
        system=record or system(),
        data=card.data,
    )


def test_groups_bins_and_bars_of_fewer_than_ten_people_are_left_out(card):
    rate = Rate(value=0.5, low=0.1, high=0.9)
    made = make(
        card,
        groups=(
            GroupFigures(attribute="sex", level="a", rows=9, metric=rate, selection_rate=rate),
            GroupFigures(attribute="sex", level="b", rows=10, metric=rate),
        ),
        plots=Plots(
            calibration=(Bin(x=0.1, y=0.1, low=0, high=1, rows=9), Bin(x=0.2, y=0.1, low=0, high=1, rows=10)),
            scores=Histogram(edges=(0.0, 0.5, 1.0), negatives=(9, 10), positives=(0, 1)),
        ),
    )
    assert made.groups[0] == GroupFigures(attribute="sex", level="a", rows=None)
    assert made.groups[1].rows == 10
    assert [item.rows for item in made.plots.calibration] == [10]
    assert made.plots.scores.negatives == (None, 10)
    assert made.plots.scores.positives == (0, None)


def test_a_note_about_a_small_group_does_not_say_how_small(card):
    small = Finding(
        target="race=Other",
        measure="group rows",
        status=Status.PASS,
        reason="accepted until 2099-01-01 by the record (few); otherwise inconclusive: 7 rows in the holdout",
        observed=7,
        unit="rows",
        n=7,
        accepted_until=date(2099, 1, 1),
        otherwise="inconclusive: 7 rows in the holdout",
    )
    record = system(
        accepted=[
            {
                "check": "fairness_gap",
                "target": "race=Other",
                "measure": "group rows",
                "observed": 7,
                "reason": "few",
                "review_by": "2099-01-01",
            }
        ]
    )
    made = make(card, record=record, findings=(small,))
    assert "7" not in "".join(made.checks[0].notes).replace("2099-01-01", "")
    assert made.accepted[0].observed is None
    assert made.accepted[0].needed


def test_an_acceptance_that_was_not_needed_says_so(card):
    record = system(
        accepted=[
            {
                "check": "fairness_gap",
                "target": "sex",
                "measure": "selection rate gap",
                "observed": 0.3,
                "reason": "x",
                "review_by": "2099-01-01",
            }
        ]
    )
    assert not make(card, record=record).accepted[0].needed


def test_a_check_that_does_not_apply_is_in_the_card_with_its_reason(card):
    answer = make(card).checks[1]
    assert (answer.status, answer.notes) == ("not applicable", ("no probabilities",))


@pytest.mark.parametrize("field", ["purpose", "intended_use", "out_of_scope", "affected", "risk", "owner"])
def test_a_blank_human_section_is_refused(field, card):
    with pytest.raises(BadInput, match=f"system income: {field}"):
        make(card, record=system(**{field: "   "}))
