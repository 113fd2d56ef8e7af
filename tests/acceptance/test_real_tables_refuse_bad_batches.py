"""A newcomer's path on real tables: a project, a model with its card, and every bad batch refused by name.

Half of a real table is the first batch. A bad batch is made both of those very rows and of the other half, since the
next batch of a steward has other rows. The auditor then looks for what somebody did to the export.
"""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from aims_pipelines.resources.project import load_project

pytestmark = pytest.mark.slow


@dataclass(frozen=True, kw_only=True)
class Table:
    """A real table and where its bad batches are bad."""

    file: str
    label: str
    positive: object
    negative: object
    protected: str
    group: tuple[str, object]
    incomplete: str
    shifted: str
    renamed: str


TABLES = {
    "incomes": Table(
        file="adult-train.csv",
        label="income",
        positive=">50K",
        negative="<=50K",
        protected="sex,race",
        group=("sex", "Female"),
        incomplete="occupation",
        shifted="age",
        renamed="hours_per_week",
    ),
    "loans": Table(
        file="credit-card-clients.csv",
        label="default",
        positive=1,
        negative=0,
        protected="SEX,AGE",
        group=("SEX", 2),
        incomplete="BILL_AMT1",
        shifted="LIMIT_BAL",
        renamed="PAY_AMT1",
    ),
}
DRAW = np.random.default_rng(0)


def incomplete(rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    lost = DRAW.random(len(rows)) < 0.3
    return rows.assign(**{table.incomplete: rows[table.incomplete].astype(object).mask(lost)})


def labels_flipped_in_one_group(rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    column, group = table.group
    flipped = (rows[column] == group) & (rows[table.label] == table.negative)
    flipped &= DRAW.random(len(rows)) < 0.15
    return rows.assign(**{table.label: rows[table.label].mask(flipped, table.positive)})


def one_group_shifted(rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    column, group = table.group
    values = rows[table.shifted]
    return rows.assign(
        **{table.shifted: values.mask(rows[column] == group, (values * 1.25).round().astype(int))}
    )


def rows_repeated(rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    return pd.concat([rows, rows.sample(frac=0.05, random_state=0)])


def column_renamed(rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    return rows.rename(columns={table.renamed: f"{table.renamed}_new"})


# What was done to a batch, and the check (with its target, where there is one) that has to name it.
FAULTS: list[tuple[Callable[[pd.DataFrame, Table], pd.DataFrame], str]] = [
    (incomplete, "completeness[{incomplete}]: fail"),
    (labels_flipped_in_one_group, "drift[{group}: {label}]: fail"),
    (one_group_shifted, "drift[{group}: {shifted}]: fail"),
    (rows_repeated, "uniqueness: fail"),
    (column_renamed, "schema[{renamed}]: fail"),
]


class Newcomer:
    """Somebody at a command line, in a project made for the first half of a table, after its first run."""

    def __init__(
        self, name: str, table: Table, data: Path, folder: Path, command: Callable[..., tuple[int, str, str]]
    ) -> None:
        self.name, self.table, self.command = name, table, command
        rows = pd.read_csv(data / table.file, keep_default_na=False).sample(frac=1, random_state=1)
        middle = len(rows) // 2
        self.first, self.other = rows[:middle], rows[middle:]
        self.source = folder / f"{name}.csv"
        self.folder = folder / name
        self.deliver(self.first)
        options = ("--data", self.source.name, "--label", table.label, "--protected", table.protected)
        self.began = command(folder, "init", name, *options)
        self.published = self.aims("materialize")

    def deliver(self, rows: pd.DataFrame) -> None:
        rows.to_csv(self.source, index=False)

    def aims(self, *arguments: str) -> tuple[int, str, str]:
        return self.command(self.folder, *arguments)

    def everything_published(self) -> dict[str, object]:
        """All that a refused asset must not add to: files, versions, cards, materialisations."""
        project = load_project(self.folder)
        with dg.DagsterInstance.from_config(str(self.folder / ".aims" / "dagster")) as instance:
            records = {
                key.to_user_string(): len(instance.fetch_materializations(key, limit=1_000).records)
                for key in map(dg.AssetKey, (self.name, f"{self.name}_holdout", f"{self.name}_training"))
            }
        status = json.loads(self.aims("status", "--format", "json")[1])
        return {
            "materialisations": records,
            "current": {row["name"]: row["current"] for row in status},
            "models": {name: project.mlflow.latest(name).number for name in project.mlflow.names()},
            "cards": sorted(map(str, (self.folder / ".aims" / "mlflow-artifacts").rglob("card.*"))),
            "entries of publication": sum(
                entry.subject_kind in {"publication", "registration"}
                for entry in project.ledger.recent(10_000)
            ),
        }


@pytest.fixture(scope="module", params=TABLES)
def newcomer(
    request: pytest.FixtureRequest,
    real_data: Path,
    tmp_path_factory: pytest.TempPathFactory,
    aims_here: Callable[..., tuple[int, str, str]],
) -> Newcomer:
    folder = tmp_path_factory.mktemp("newcomer")
    return Newcomer(request.param, TABLES[request.param], real_data, folder, aims_here)


def test_a_project_and_a_model_with_its_card_come_of_the_first_batch(newcomer: Newcomer) -> None:
    code, out, _ = newcomer.began
    assert code == 0
    assert "would refuse the first run" not in out
    code, out, err = newcomer.published
    assert (code, err) == (0, ""), out + err
    card = newcomer.aims("card", f"{newcomer.name}_model@challenger")
    assert card[0] == 0
    assert f"Estimate how likely {newcomer.table.label} is" in card[1]
    assert newcomer.aims("gate", f"{newcomer.name}_model@challenger")[0] == 0
    assert newcomer.aims("materialize", "--select", newcomer.name)[0] == 0, (
        "the same rows again are no bad batch"
    )


@pytest.mark.parametrize(("spoil", "named"), FAULTS, ids=[spoil.__name__ for spoil, _ in FAULTS])
def test_a_bad_batch_is_refused_by_the_check_that_names_it_and_leaves_nothing(
    spoil: Callable[[pd.DataFrame, Table], pd.DataFrame], named: str, newcomer: Newcomer
) -> None:
    table = newcomer.table
    wanted = named.format(
        group="=".join(map(str, table.group)),
        label=table.label,
        incomplete=table.incomplete,
        shifted=table.shifted,
        renamed=table.renamed,
    )
    before = newcomer.everything_published()
    for rows in (newcomer.other, newcomer.first):
        newcomer.deliver(spoil(rows, table))
        code, out, err = newcomer.aims("materialize", "--select", newcomer.name)
        assert (code, err) == (1, ""), out + err
        assert f"Refused '{newcomer.name}'" in out
        assert wanted in out
        assert "stays current" in out
    assert newcomer.everything_published() == before


def test_what_lies_below_a_refused_batch_keeps_to_the_last_good_version(newcomer: Newcomer) -> None:
    newcomer.deliver(column_renamed(newcomer.other, newcomer.table))
    assert newcomer.aims("materialize", "--select", newcomer.name)[0] == 1
    below = f"{newcomer.name}_holdout"
    assert newcomer.aims("materialize", "--select", below)[0] == 0
    ledger = load_project(newcomer.folder).ledger
    good = next(
        entry
        for entry in ledger.recent(10_000, subject_id=newcomer.name)[::-1]
        if entry.subject_kind == "publication"
    )
    (used,) = ledger.latest("dataset", below).body["inputs"]
    assert used["digest"] == good.digests["content"]


def test_the_next_good_batch_opens_the_road_again(newcomer: Newcomer) -> None:
    newcomer.deliver(newcomer.other)
    code, out, err = newcomer.aims("materialize", "--select", newcomer.name)
    assert (code, err) == (0, ""), out + err
    assert "published as version" in out


Members = dict[str, bytes]


def edited(members: Members) -> None:
    members["ledger.jsonl"] = members["ledger.jsonl"].replace(b'"status":"fail"', b'"status":"pass"', 1)


def deleted(members: Members) -> None:
    lines = members["ledger.jsonl"].splitlines(keepends=True)
    members["ledger.jsonl"] = b"".join(lines[:3] + lines[4:])


def reordered(members: Members) -> None:
    lines = members["ledger.jsonl"].splitlines(keepends=True)
    lines[3], lines[4] = lines[4], lines[3]
    members["ledger.jsonl"] = b"".join(lines)


def inserted(members: Members) -> None:
    lines = members["ledger.jsonl"].splitlines(keepends=True)
    members["ledger.jsonl"] = b"".join([*lines[:5], lines[3], *lines[5:]])


def evidence_swapped(members: Members) -> None:
    one, other = [name for name in members if name.startswith("evidence/")][:2]
    members[one], members[other] = members[other], members[one]


def truncated(members: Members) -> None:
    lines = members["ledger.jsonl"].splitlines(keepends=True)
    members["ledger.jsonl"] = b"".join(lines[:-1])


def test_the_auditor_finds_what_was_done_to_the_export(newcomer: Newcomer, tmp_path: Path) -> None:
    newcomer.deliver(column_renamed(newcomer.other, newcomer.table))
    assert newcomer.aims("materialize", "--select", newcomer.name)[0] == 1
    export, verifier = tmp_path / "ledger.zip", tmp_path / "verify.py"
    kept = newcomer.aims("ledger", "checkpoint")[1].strip()
    assert newcomer.aims("ledger", "export", str(export))[0] == 0
    verifier.write_text(newcomer.aims("ledger", "verifier")[1], encoding="utf-8")

    def verify() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", str(verifier), str(export), "--checkpoint", kept]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert verify().returncode == 0
    with zipfile.ZipFile(export) as archive:
        before = {name: archive.read(name) for name in archive.namelist()}
    for corrupt in (edited, deleted, reordered, inserted, evidence_swapped, truncated):
        members = dict(before)
        corrupt(members)
        assert members != before, corrupt.__name__
        with zipfile.ZipFile(export, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        found = verify()
        assert found.returncode == 1, corrupt.__name__
        assert "Traceback" not in found.stdout + found.stderr
