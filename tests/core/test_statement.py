"""Judgements are read back from JSON as they were said."""

import json
from datetime import date

from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.statement import judgement_from_json, judgement_to_json
from aims_pipelines.core.verdict import Finding, NotApplicable, Status, Verdict


def test_a_judgement_is_read_back_whole() -> None:
    accepted = Finding(
        target="sex",
        measure="label rate gap",
        status=Status.PASS,
        reason="accepted until 2099-01-01 by the record (known); otherwise fail: 0.2 apart",
        observed=0.2,
        limit=0.1,
        interval=(0.15, 0.25),
        n=1_000,
        accepted_until=date(2099, 1, 1),
        otherwise="fail: 0.2 apart",
    )
    judgement = Judgement(
        subject="orders",
        required=("label_rate_gap", "drift"),
        verdicts=(Verdict(check="label_rate_gap", version="2", findings=(accepted,)),),
        not_applicable=(NotApplicable(check="drift", version="3", reason="the first version"),),
    )
    assert judgement_from_json(json.loads(json.dumps(judgement_to_json(judgement)))) == judgement
