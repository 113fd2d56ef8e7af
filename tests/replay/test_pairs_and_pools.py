"""Pairs and pools in a project with a past: what the store hands the drift check."""

import re
from typing import Any

import numpy as np
import pyarrow as pa

from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.storage.ledger import Entry

RULES = "max_row_loss: 1.0, max_outliers: 1.0"


def linked(seed: int, *, rows: int, strength: float) -> pa.Table:
    """Orders whose amount goes with their colour."""
    draw = np.random.default_rng(seed)
    colour = draw.choice(["red", "green", "blue"], rows)
    amount = 100 + 10 * (draw.normal(0, 1, rows) + strength * ((colour == "red") - 1.0 * (colour == "blue")))
    return pa.table({"amount": amount, "colour": colour, "note": ["none"] * rows})


def drift(judged: Any) -> dict[str, Finding]:
    (verdict,) = (item for item in judged.judgement.verdicts if item.check == "drift")
    return {item.target: item for item in verdict.findings}


def test_a_pair_that_is_declared_later_is_counted_in_the_kept_rows_of_the_reference(scene: Any) -> None:
    scene.policy(inconclusive="refuse", limits=RULES)
    scene.record()
    scene.keeps_rows = True
    assert scene.judge(linked(1, rows=12_000, strength=0.6)).judgement.status is Status.PASS
    scene.record(more="pairs: [[amount, colour]]")
    turned = drift(scene.judge(linked(2, rows=12_000, strength=-0.6)))
    assert turned["amount × colour"].status is Status.FAIL
    assert turned["amount"].status is turned["colour"].status is Status.PASS
    assert scene.judge(linked(3, rows=12_000, strength=0.6)).judgement.status is Status.PASS


def test_without_those_rows_a_pair_that_is_declared_later_does_not_pass(scene: Any) -> None:
    scene.policy(inconclusive="refuse", limits=RULES)
    scene.record()
    scene.judge(linked(1, rows=12_000, strength=0.6))
    scene.record(more="pairs: [[amount, colour]]")
    pair = drift(scene.judge(linked(2, rows=12_000, strength=0.6)))["amount × colour"]
    assert pair.status is Status.INCONCLUSIVE
    assert "only the current window was profiled by this pair" in pair.reason


def test_evidence_names_the_pair_and_its_part_and_holds_no_table(scene: Any) -> None:
    scene.policy(inconclusive="refuse", limits=RULES)
    scene.record(more="pairs: [[amount, colour]]")
    scene.judge(linked(1, rows=12_000, strength=0.6))
    judged = scene.judge(linked(2, rows=12_000, strength=-0.6))
    project = scene.project
    (entry,) = (one for one in project.ledger.entries() if one.id == judged.evidence)
    assert isinstance(entry, Entry)
    (verdict,) = (one for one in entry.body["judgement"]["verdicts"] if one["check"] == "drift")
    (finding,) = verdict["findings"]
    assert (finding["target"], finding["part"]) == ("amount × colour", 1.0)
    assert not re.search(r"\b(red|green|blue)\b", str(entry.body))
    project.database.close()


def test_the_window_after_the_first_version_is_not_pooled_with_it(scene: Any, table: Any) -> None:
    scene.policy(inconclusive="pool", limits=RULES)
    scene.record()
    assert scene.judge(table(1, rows=9000)).judgement.status is Status.PASS
    judged = scene.judge(table(2, rows=300, shift=0.15))
    assert judged.judgement.status is Status.INCONCLUSIVE
    assert all("pooled" not in item.reason for item in drift(judged).values())


def test_trying_a_refused_window_again_with_a_changed_row_does_not_let_it_in(scene: Any, table: Any) -> None:
    scene.policy(inconclusive="pool", limits=RULES)
    scene.record()
    scene.judge(table(1, rows=9000))
    window = table(2, rows=900, shift=0.1)
    for attempt in range(12):
        amount = window.column("amount").to_numpy().copy()
        amount[attempt] += 0.01
        judged = scene.judge(window.set_column(0, "amount", pa.array(amount)))
        assert judged.judgement.status is Status.INCONCLUSIVE, attempt


def test_a_partition_is_not_pooled_with_earlier_rows_of_its_own(scene: Any, table: Any) -> None:
    """Noise on every row of each attempt: no two rows are the same, but it is one partition."""
    scene.policy(inconclusive="pool", limits=RULES)
    scene.record()
    scene.judge(table(1, rows=9000), partition="2026-01")
    window = table(2, rows=900, shift=0.1)
    for attempt in range(12):
        noise = np.random.default_rng(attempt).normal(0, 0.001, 900)
        amount = window.column("amount").to_numpy() + noise
        judged = scene.judge(window.set_column(0, "amount", pa.array(amount)), partition="2026-02")
        assert judged.judgement.status is Status.INCONCLUSIVE, attempt


def test_small_windows_of_a_steady_source_get_in_together(scene: Any, table: Any) -> None:
    scene.policy(inconclusive="pool", limits=RULES)
    scene.record()
    scene.judge(table(1, rows=9000))
    answers = [scene.judge(table(seed, rows=900)).judgement.status for seed in range(2, 14)]
    assert answers[0] is Status.INCONCLUSIVE
    assert answers[-1] is Status.PASS
