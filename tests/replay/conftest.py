"""A project with a past: tables judged one after the other, published if they passed, as a run of Dagster does it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from aims_pipelines.assets.judging import Circumstances, Judged, judge_table
from aims_pipelines.assets.replay import replay_project
from aims_pipelines.core.verdict import Status, Verdict
from aims_pipelines.records.proposal import read_proposal
from aims_pipelines.resources.project import Project, load_project
from aims_pipelines.stats.replay import DatasetReplay
from aims_pipelines.storage.dataset_tables import Version
from aims_pipelines.storage.ledger import EntryDraft

START = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)
POLICY = """\
kind: policy
id: default
title: Limits
owner: data steward
status: in_force
effective_from: 2020-01-01
dataset_limits: {{min_rows: 50, min_group_size: 30, drift_inconclusive: {inconclusive}{limits}}}
stages: {{{stages}}}
"""
DATASET = """\
kind: dataset
id: {id}
title: Orders
owner: data steward
status: admitted
review_by: 2027-06-30
purpose: tests
source: {{path: orders.csv, licence: CC0-1.0, legal_basis: no personal data}}
columns:
  amount: {{type: number}}
  colour: {{type: string, allowed: [red, green, blue]}}
  note: {{type: string{note}}}
{more}
"""


def orders(
    seed: int, *, rows: int = 400, shift: float = 0.0, missing: float = 0.0, notes: int = 0
) -> pa.Table:
    """Orders; ``shift`` moves the amounts, in standard deviations; ``notes`` distinct texts, or few."""
    draw = np.random.default_rng(seed)
    amount = draw.normal(100, 10, rows) + 10 * shift
    return pa.table(
        {
            "amount": pa.array(np.where(draw.random(rows) < missing, np.nan, amount), from_pandas=True),
            "colour": draw.choice(["red", "green", "blue"], rows),
            "note": [f"{seed}-{n % notes}" if notes else "none" for n in range(rows)],
        }
    )


@dataclass
class Scene:
    """A project on disk, and the day on which the next table is judged.

    Rows of published versions are kept only where a test asks for it: so Evidently, which takes seconds to load, has no
    reference to draw a page from when drift refuses.
    """

    folder: Path
    day: int = 0
    keeps_rows: bool = False
    judged: list[Judged] = field(default_factory=list)

    @property
    def project(self) -> Project:
        return load_project(self.folder)

    def policy(self, *, inconclusive: str = "accept", limits: str = "", stages: str = "") -> None:
        text = POLICY.format(inconclusive=inconclusive, limits=limits and f", {limits}", stages=stages)
        (self.folder / "governance" / "policy.yaml").write_text(text, encoding="utf-8")

    def record(self, *, id: str = "orders", note: str = "", more: str = "") -> None:
        text = DATASET.format(id=id, note=note and f", {note}", more=more)
        (self.folder / "governance" / f"{id}.yaml").write_text(text, encoding="utf-8")

    def judge(
        self,
        table: pa.Table,
        *,
        dataset: str = "orders",
        partition: str = "",
        publish: bool = True,
        own: tuple[Verdict, ...] = (),
    ) -> Judged:
        """Judge a table on the next day, and publish it if it passed."""
        project, at = self.project, START + timedelta(days=self.day)
        self.day += 1
        facts = Circumstances(
            dataset=dataset,
            asset=dataset,
            partition=partition,
            run_id=f"run-{self.day}",
            code_version="1",
            source_digest="sha256:" + "0" * 64,
            now=at,
        )
        judged = judge_table(table, facts, project=project, records=project.records(), own_verdicts=own)
        if publish and judged.judgement.status is Status.PASS:
            self._publish(project, judged, facts)
        self.judged.append(judged)
        project.database.close()
        return judged

    def replay(
        self,
        *,
        set: tuple[str, ...] = (),
        stage: tuple[str, ...] = (),
        file: Path | None = None,
        dataset: str = "orders",
        **options: Any,
    ) -> DatasetReplay:
        """Replay one dataset."""
        project = self.project
        proposal = read_proposal(project.records(), file=file, limits=set, stages=stage)
        made = replay_project(
            project,
            now=START + timedelta(days=400),
            datasets=(dataset,),
            proposal=proposal,
            **options,
        )
        if "database" in vars(project):  # opened, if there was one
            project.database.close()
        (found,) = made.datasets
        return found

    def _publish(self, project: Project, judged: Judged, facts: Circumstances) -> None:
        if self.keeps_rows:
            project.store.stage(facts.dataset, judged.digest, judged.table)
        version = Version(
            dataset=facts.dataset,
            partition=facts.partition,
            number=(judged.head.number if judged.head else 0) + 1,
            digest=judged.digest,
            rows=judged.table.num_rows,
            evidence=judged.evidence,
            run_id=facts.run_id,
            published_at=facts.now,
        )
        draft = EntryDraft(
            kind="observation",
            actor=f"run:{facts.run_id}",
            subject_kind="publication",
            subject_id=facts.dataset,
            digests={"content": judged.digest},
            body=publication(version, asset=facts.asset),
            at=facts.now,
        )
        claim = project.store.claimed(facts.dataset, facts.partition, expect=judged.head, run_id=facts.run_id)
        with claim, project.database.write() as connection:
            project.ledger.append([draft], connection=connection)
            project.store.publish(version, expect=judged.head, connection=connection)


def publication(version: Version, *, asset: str) -> Mapping[str, Any]:
    """What the ledger says of a publication; held against that of a real run in the tests."""
    return {
        "event": "published",
        "asset": asset,
        "partition": version.partition,
        "number": version.number,
        "rows": version.rows,
        "run": version.run_id,
        "evidence_of": version.evidence,
    }


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    (tmp_path / "aims.toml").write_text("", encoding="utf-8")
    (tmp_path / "governance").mkdir()
    (tmp_path / "orders.csv").write_text("anything\n1\n", encoding="utf-8")
    made = Scene(tmp_path)
    made.policy()
    made.record()
    return made


@pytest.fixture
def said() -> Callable[..., Mapping[str, Any]]:
    """What the ledger says of a publication in these tests."""
    return publication


@pytest.fixture
def table() -> Callable[..., pa.Table]:
    return orders
