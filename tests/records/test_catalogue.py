"""The catalogue of controls."""

import re

from aims_pipelines.records.catalogue import catalogue

ANNEX_A = {
    "A.2": [2, 3, 4],
    "A.3": [2, 3],
    "A.4": [2, 3, 4, 5, 6],
    "A.5": [2, 3, 4, 5],
    "A.6.1": [2, 3],
    "A.6.2": [2, 3, 4, 5, 6, 7, 8],
    "A.7": [2, 3, 4, 5, 6],
    "A.8": [2, 3, 4, 5],
    "A.9": [2, 3, 4],
    "A.10": [2, 3, 4],
}
CLAUSES = {
    "4": ["4.1", "4.2", "4.3", "4.4"],
    "5": ["5.1", "5.2", "5.3"],
    "6": ["6.1.1", "6.1.2", "6.1.3", "6.1.4", "6.2", "6.3"],
    "7": ["7.1", "7.2", "7.3", "7.4", "7.5.1", "7.5.2", "7.5.3"],
    "8": ["8.1", "8.2", "8.3", "8.4"],
    "9": ["9.1", "9.2.1", "9.2.2", "9.3.1", "9.3.2", "9.3.3"],
    "10": ["10.1", "10.2"],
}


def test_ids_are_the_38_controls_of_annex_a_and_the_32_clauses():
    controls = [f"{group}.{number}" for group, numbers in ANNEX_A.items() for number in numbers]
    clauses = [clause for leaves in CLAUSES.values() for clause in leaves]
    assert (len(controls), len(clauses)) == (38, 32)
    assert list(catalogue()) == clauses + controls


def test_annex_a_controls_say_what_is_refused_and_how_old_evidence_may_be():
    for control in catalogue().values():
        assert control.intent
        assert control.auditor_asks.endswith("?") or control.auditor_asks.endswith(".")
        if control.id.startswith("A."):
            assert control.gate
            assert control.max_age_days


def test_every_subcategory_of_the_nist_framework_is_related_to_a_control():
    related = {name for control in catalogue().values() for name in control.nist_ai_rmf}
    assert len(related) == 72
    assert all(re.fullmatch(r"(GOVERN|MAP|MEASURE|MANAGE) \d\.\d{1,2}", name) for name in related)
