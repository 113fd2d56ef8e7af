"""Control charts tried on the past: what they would have refused, before a record declares them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from aims_pipelines.core.replay import Basis, Effect
from aims_pipelines.core.verdict import Status
from aims_pipelines.storage.dataset_tables import contents

Tables = Callable[..., pa.Table]
CHARTS = 'control_charts: {statistics: ["mean(amount)"], reference: 6, run_length: 1000}\n'


def test_a_record_that_declares_charts_would_have_refused_what_crept(
    scene: Any, table: Tables, tmp_path: Path
) -> None:
    scene.policy(limits="drift_effect: 0.6")
    for seed in range(10):
        scene.judge(table(seed))
    for seed in range(10, 18):
        assert scene.judge(table(seed, shift=0.15)).judgement.status is Status.PASS
    record = scene.folder / "governance" / "orders.yaml"
    proposal = tmp_path / "proposal.yaml"
    proposal.write_text(record.read_text(encoding="utf-8") + CHARTS, encoding="utf-8")
    found = scene.replay(file=proposal)
    effects = [window.effect for window in found.windows]
    assert effects[:10] == [Effect.NONE] * 10
    assert Effect.BLOCKED in effects[10:]
    blocked = next(window for window in found.windows if window.effect is Effect.BLOCKED)
    assert blocked.after.answer("control_charts").status is Status.FAIL


def test_without_the_profile_of_an_earlier_version_only_the_charts_cannot_be_told(
    scene: Any, table: Tables
) -> None:
    scene.record(more=CHARTS)
    for seed in range(8):
        assert scene.judge(table(seed)).judgement.status is Status.PASS
    gone = scene.judged[3].digest
    with scene.project.database.write() as connection:
        connection.execute(contents.delete().where(contents.c.digest == gone))
    last = scene.replay(set=("min_rows=60",)).windows[-1]
    charts, rows = (last.after.answer(check) for check in ("control_charts", "completeness"))
    assert (charts.status, charts.basis) == (Status.PASS, Basis.RECORDED)
    assert "is not in the store" in charts.note
    assert (rows.status, rows.basis) == (Status.PASS, Basis.REPLAYED)


def joining(judged: Any) -> str:
    """What the check says while the reference is being published."""
    answers = {answer.check: answer.reason for answer in judged.judgement.not_applicable}
    return answers["control_charts"]


def test_versions_before_the_day_on_which_the_reference_begins_are_left_out(
    scene: Any, table: Tables
) -> None:
    scene.record(more=CHARTS.replace("reference: 6", "reference: 6, since: 2026-01-03"))
    said = [joining(scene.judge(table(seed))) for seed in range(5)]
    assert [text.split(" ")[0] for text in said] == ["0", "0", "0", "1", "2"]


def test_a_partition_is_held_against_those_whose_keys_come_before_its_own(scene: Any, table: Tables) -> None:
    scene.record(more=CHARTS)
    said = [joining(scene.judge(table(seed), partition=f"2026-0{seed}")) for seed in (1, 2, 4, 3)]
    assert [text.split(" ")[0] for text in said] == ["0", "1", "2", "2"]
