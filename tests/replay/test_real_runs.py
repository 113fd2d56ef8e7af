"""The past of real runs, and a long past."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa

from aims_pipelines import AimsResource, DatasetIOManager, governed_asset
from aims_pipelines.assets.history import InStore
from aims_pipelines.assets.past import AsOf, KeptRows
from aims_pipelines.core.replay import Basis, Effect
from aims_pipelines.core.verdict import Status
from aims_pipelines.resources.published_profiles import current_versions
from aims_pipelines.storage.dataset_tables import Version
from aims_pipelines.storage.ledger import EntryDraft

Tables = Callable[..., pa.Table]


def run(scene: Any, tables: list[pa.Table]) -> list[bool]:
    """Materialise the asset once for each table."""
    aims = AimsResource(folder=str(scene.folder))
    resources = {"aims": aims, "io_manager": DatasetIOManager(aims=aims)}
    instance, waiting = dg.DagsterInstance.ephemeral(), iter(tables)

    @governed_asset(dataset="orders", name="orders")
    def made() -> pa.Table:
        return next(waiting)

    return [
        dg.materialize([made], resources=resources, instance=instance, raise_on_error=False).success
        for _ in tables
    ]


def test_what_runs_decided_is_told_again_and_what_a_limit_would_have_changed(
    scene: Any, table: Tables
) -> None:
    done = run(scene, [table(1), table(2, missing=0.3), table(3, rows=300), table(4)])
    assert done == [True, False, True, True]
    for with_rows in (False, True):
        found = scene.replay(with_rows=with_rows)
        assert [window.version for window in found.windows] == [1, None, 2, 3]
        for window in found.windows:
            now = {answer.check: answer.status for answer in window.now.answers}
            assert now == {answer.check: answer.status for answer in window.then.answers}
    found = scene.replay(set=("min_rows=350",), budget=0.2)
    assert [window.effect for window in found.windows] == [
        Effect.NONE,
        Effect.NONE,
        Effect.BLOCKED,
        Effect.NONE,
    ]
    assert found.false_alarms.refused == 1
    assert found.status is Status.INCONCLUSIVE


def test_a_run_that_was_refused_before_it_was_judged_is_counted_and_not_replayed(
    scene: Any, table: Tables
) -> None:
    run(scene, [table(1), "no table"])  # type: ignore[list-item]  # that is the point
    found = scene.replay()
    assert len(found.windows) == 1
    assert any("Refused before they could be judged" in note for note in found.notes)


def test_publications_of_these_tests_say_what_those_of_real_runs_say(
    scene: Any, table: Tables, said: Any
) -> None:
    run(scene, [table(1)])
    project = scene.project
    entry = project.ledger.latest("publication", "orders")
    assert entry is not None
    (version,) = project.store.versions("orders")
    assert entry.body == said(version, asset="orders")


def test_what_was_known_then_is_what_the_store_told_then(scene: Any, table: Tables) -> None:
    scene.policy(inconclusive="refuse", limits="drift_effect: 0.3, max_row_loss: 1.0")
    draw = np.random.default_rng(5)
    told = []
    for n in range(24):
        partition = str(draw.choice(["", "a", "b"]))
        store = scene.project.store
        told.append(
            (
                partition,
                [(item.partition, item.number, item.digest) for item in store.versions("orders")],
                store.head("orders", partition),
                InStore(store).poolable("orders", partition),
            )
        )
        rows, missing = int(draw.choice([60, 900])), float(draw.choice([0.0, 0.0, 0.3]))
        scene.judge(table(n % 20, rows=rows, missing=missing), partition=partition)
    project = scene.project
    kept = KeptRows(project, with_rows=False)
    record = project.records().dataset("orders")
    judged = kept.past("orders").judged
    assert {item.version is None for item in judged} == {True, False}
    assert any(item.pooled for item in judged)
    for item, (partition, versions, head, poolable) in zip(judged, told, strict=True):
        then = AsOf(kept, record, seq=item.seq)
        mine = [(version.partition, version.number, version.digest) for version in then.versions("orders")]
        assert mine == versions
        current = current_versions(then.versions("orders"))
        assert current.get(partition) == head
        assert then.poolable("orders", item.partition) == poolable


def test_a_ledger_from_before_the_values_known_were_counted_is_replayed(scene: Any, table: Tables) -> None:
    scene.policy(limits="outlier_action: clip")
    wild = table(1).set_column(0, "amount", pa.array([1e6] * 3 + table(1)["amount"].to_pylist()[3:]))
    scene.judge(wild, publish=False)
    project = scene.project
    (entry,) = project.ledger.entries()
    assert entry.body["treated"][0]["values"] == 3
    older = [{key: value for key, value in item.items() if key != "known"} for item in entry.body["treated"]]
    body = {**entry.body, "treated": older}
    project.ledger.append([replace(draft(entry, at=entry.at + timedelta(days=1)), body=body)])
    for window in scene.replay().windows:
        now = {answer.check: answer.status for answer in window.now.answers}
        assert now == {answer.check: answer.status for answer in window.then.answers}


def test_a_thousand_windows_are_judged_again(scene: Any, table: Tables, said: Any) -> None:
    """A dozen contents, over and over."""
    for n in range(12):
        scene.judge(table(n, rows=1000))
    project = scene.project
    entries = list(project.ledger.entries())
    drafts = []
    seq = entries[-1].seq
    pairs = list(zip(entries[::2], entries[1::2], strict=True))
    for n in range(988):
        judged, published = pairs[n % 12]
        at = judged.at + timedelta(days=20, hours=n)
        drafts.append(draft(judged, at=at))
        seq += 1
        version = Version(
            dataset="orders",
            partition="",
            number=13 + n,
            digest=published.digests["content"],
            rows=1000,
            evidence=f"e-{seq}",
            run_id="run",
            published_at=at,
        )
        drafts.append(replace(draft(published, at=at), body=said(version, asset="orders")))
        seq += 1
    project.ledger.append(drafts)
    found = scene.replay(set=("min_rows=60",))
    assert len(found.windows) == 1000
    assert {window.effect for window in found.windows} == {Effect.NONE}
    assert all(answer.basis is Basis.REPLAYED for answer in found.windows[-1].after.answers)
    assert found.false_alarms.windows == 12


def draft(entry: Any, *, at: Any) -> EntryDraft:
    return EntryDraft(
        kind=entry.kind,
        actor=entry.actor,
        subject_kind=entry.subject_kind,
        subject_id=entry.subject_id,
        digests=entry.digests,
        body=entry.body,
        at=at,
    )
