"""Partitions of a dataset add up: drift against all others, and one profile of all, without reading a row again."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from aims_pipelines import governed_asset
from aims_pipelines.assets.history import InStore, known_before
from aims_pipelines.cli.main import app
from aims_pipelines.core.errors import BadInput, StoreUnavailable
from aims_pipelines.measure import profile_table, read_profile, to_arrow, to_bytes, without_rows
from aims_pipelines.records.policy_record import Reference
from aims_pipelines.resources.project import Project
from aims_pipelines.resources.published_profiles import current_versions, merged_profile, profile_in
from aims_pipelines.stats.profile import GroupSpec, Profile
from aims_pipelines.stats.rows import shared_rows
from aims_pipelines.storage.dataset_tables import Version, contents

MONTHS = ("january", "february", "march", "april")
Tables = Callable[..., pd.DataFrame]


@pytest.fixture
def against_all(folder: Path) -> Path:
    """The project with a policy that judges drift against all other partitions, and groups of colours."""
    policy = folder / "governance" / "policy.yaml"
    policy.write_text(
        policy.read_text() + "  drift_reference: all\n  max_duplicate_rows: 1.0\n", encoding="utf-8"
    )
    record = folder / "governance" / "raw.yaml"
    record.write_text(record.read_text() + "protected: [{column: colour}]\n", encoding="utf-8")
    return folder


def months(tables: dict[str, pd.DataFrame]) -> dg.AssetsDefinition:
    @governed_asset(dataset="raw", name="raw", partitions_def=dg.StaticPartitionsDefinition([*tables]))
    def raw(context: dg.AssetExecutionContext) -> pd.DataFrame:
        return tables[context.partition_key]

    return raw


def run(asset: Any, key: str, resources: dict[str, Any], instance: dg.DagsterInstance) -> Any:
    return dg.materialize(
        [asset], resources=resources, instance=instance, raise_on_error=False, partition_key=key
    )


def counted(profile: Profile) -> dict[str, Any]:
    """All counts of a profile: what is exact in a sum, too."""
    tables = {"": profile.columns} | {
        f"{grouping}={level}": group.columns
        for grouping, levels in profile.groups.items()
        for level, group in levels.items()
    }
    return {
        f"{place}: {name}": (
            (column.rows, column.nulls, column.nans),
            column.categories and dict(column.categories.counts),
            column.distribution
            and (column.distribution.points.tolist(), column.distribution.counts.tolist()),
        )
        for place, columns in tables.items()
        for name, column in columns.items()
    }


def judged_against(project: Project) -> dict[str, str]:
    entry = project.ledger.latest("dataset", "raw")
    assert entry is not None
    return {item["partition"]: item["digest"] for item in entry.body["references"]}


def test_each_partition_is_judged_against_all_others_and_together_they_are_one_profile(  # noqa: PLR0917 - fixtures
    against_all: Path,
    good: Tables,
    resources: dict[str, Any],
    project: Project,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tables = {month: good(seed=seed, rows=1500) for seed, month in enumerate(MONTHS)}
    moved = good(seed=9, rows=1500)
    moved["amount"] = moved["amount"] ** 1.5 / 30
    asset = months({**tables, "may": moved})
    for place, month in enumerate(MONTHS):
        assert run(asset, month, resources, instance).success
        heads = current_versions(project.store.versions("raw"))
        assert judged_against(project) == {other: heads[other].digest for other in MONTHS[:place]}
    # A partition that is computed again is judged against the others, and not against itself.
    assert run(asset, "february", resources, instance).success
    assert judged_against(project).keys() == {"january", "march", "april"}

    result = run(asset, "may", resources, instance)
    assert not result.success
    assert judged_against(project).keys() == set(MONTHS)
    drift = next(item for item in result.get_asset_check_evaluations() if item.check_name == "drift")
    assert (drift.passed, drift.metadata["aims/status"].value) == (False, "fail")

    monkeypatch.chdir(against_all)
    aims = CliRunner()
    printed = aims.invoke(app, ["profile", "--dataset", "raw", "--out", "all.json"])
    assert printed.exit_code == 0, printed.output
    assert "6,000 rows, 3 columns" in printed.stdout
    assert "version 2 of partition february: 1,500 rows, sha256:" in printed.stdout
    groups = [GroupSpec(columns=("colour",))]
    whole = profile_table(pa.concat_tables([to_arrow(table) for table in tables.values()]), groups=groups)
    assert counted(read_profile("all.json")) == counted(whole)
    assert (
        aims.invoke(
            app, ["profile", "--dataset", "raw", "--partition", "march", "--out", "march.json"]
        ).exit_code
        == 0
    )
    one = profile_table(to_arrow(tables["march"]), groups=groups)
    assert to_bytes(read_profile("march.json")) == to_bytes(without_rows(one))
    moved.to_csv("may.csv", index=False)
    compared = aims.invoke(app, ["compare", "all.json", "may.csv", "--ignore", "number", "--format", "json"])
    assert json.loads(compared.stdout)["status"] == "fail"


def published(project: Project, dataset: str, partition: str, profile: Profile) -> Version:
    """A version whose rows nobody has, as after they were deleted."""
    number = 1 + sum(one.partition == partition for one in project.store.versions(dataset))
    head = project.store.head(dataset, partition)
    version = Version(
        dataset=dataset, partition=partition, number=number, digest=f"sha256:{partition or 'whole'}-{number}",
        rows=profile.rows, evidence="e", run_id="r", published_at=datetime.now(UTC),
    )  # fmt: skip
    with (
        project.store.claimed(dataset, partition, expect=head, run_id="r"),
        project.database.write() as connection,
    ):
        project.store.describe_content(
            dataset, version.digest, schema=pa.schema([]), profile=to_bytes(profile), connection=connection
        )
        project.store.publish(version, expect=head, connection=connection)
    return version


def profile_of(**columns: list[Any]) -> Profile:
    return profile_table(pa.table(columns), groups=[GroupSpec(columns=("sex",))] if "sex" in columns else [])


def references(project: Project, partition: str, reference: Reference = Reference.ALL) -> dict[str, str]:
    records = project.records()
    limits = records.limits_for("raw", datetime.now(UTC).date())
    limits = limits.model_copy(update={"drift_reference": reference})
    known = known_before(records.dataset("raw"), limits, partition=partition, earlier=InStore(project.store))
    return {version.partition: version.digest for version in known.references}


def test_without_other_partitions_all_means_the_previous_version(project: Project) -> None:
    assert references(project, "monday") == {}
    for _ in range(2):
        published(project, "raw", "monday", profile_of(a=[1]))
    assert references(project, "monday") == {"monday": "sha256:monday-2"}
    assert references(project, "tuesday") == {"monday": "sha256:monday-2"}
    published(project, "raw", "", profile_of(a=[1]))  # as if it had lost its partitions
    assert references(project, "") == {"": "sha256:whole-1"}
    assert references(project, "tuesday") == {"monday": "sha256:monday-2"}
    assert references(project, "tuesday", Reference.FIRST) == {"monday": "sha256:monday-1"}
    assert references(project, "tuesday", Reference.PREVIOUS) == {"": "sha256:whole-1"}


def test_columns_and_groupings_that_came_later_are_no_reference_for_drift_but_refused_in_a_sum(
    project: Project,
) -> None:
    old = published(project, "raw", "old", profile_of(a=[1, 2]))
    new = published(project, "raw", "new", profile_of(sex=["f", "m", "f"], a=[3, 4, 5]))
    for versions in ([old, new], [new, old]):
        together = merged_profile(versions, partial(profile_in, project.store, "raw"), shared_only=True)
        assert (together.rows, list(together.columns), together.groups) == (5, ["a"], {})
        with pytest.raises(BadInput) as refused:
            merged_profile(versions, partial(profile_in, project.store, "raw"))
        assert {fault.where for fault in refused.value.faults} == {
            f"partition {versions[1].partition!r}: column 'sex'",
            f"partition {versions[1].partition!r}: grouping 'sex'",
        }


def test_partitions_that_cannot_be_added_up_are_named_and_none_is_left_out(project: Project) -> None:
    number = published(project, "raw", "old", profile_of(a=[1, 2]))
    text = published(project, "raw", "new", profile_of(a=["x"]))
    with pytest.raises(BadInput, match="partition 'new': column 'a'"):
        merged_profile([number, text], partial(profile_in, project.store, "raw"), shared_only=True)
    with project.database.write() as connection:
        connection.execute(contents.delete().where(contents.c.digest == text.digest))
    with pytest.raises(StoreUnavailable, match="partition 'new'"):
        merged_profile([number, text], partial(profile_in, project.store, "raw"), shared_only=True)


def test_a_dataset_is_kept_apart_from_all_partitions_of_another(project: Project) -> None:
    records = project.records()
    record = records.dataset("offers").model_copy(update={"disjoint_from": ("raw",)})

    def others() -> dict[str, Profile]:
        limits = records.limits_for("offers", datetime.now(UTC).date())
        return {**known_before(record, limits, partition="", earlier=InStore(project.store)).others}

    assert others() == {}
    published(project, "raw", "old", profile_of(a=[1, 2]))
    published(project, "raw", "new", profile_of(a=[7]))
    published(project, "raw", "new", profile_of(a=[2, 3, 5]))
    (other,) = others().values()
    assert shared_rows(profile_of(a=[1, 3, 7, 9]).row_sketch, other.row_sketch).rows == 2
    published(project, "raw", "late", profile_of(a=["x"]))
    assert others() == {}, "what cannot be added up is nothing to compare with"
    with project.database.write() as connection:
        connection.execute(contents.update().values(profile=b"damaged"))
    with pytest.raises(BadInput, match="profile"):  # and is not taken for one that is missing
        others()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dataset", "rwa"], "raw"),
        (["--dataset", "raw"], "aims materialize --select raw"),
        (["--dataset", "offers", "--partition", "june"], "one of the published partitions may, found 'june'"),
        (["--dataset", "prices", "--partition", "june"], "none, as it has no partitions"),
        (
            ["--dataset", "prices", "raw.csv", "--protected", "sex"],
            "--protected: expected either it or --dataset",
        ),
        (["--partition", "june", "raw.csv"], "--partition: expected --dataset beside it"),
        ([], "FILE: expected files, or --dataset"),
    ],
)
def test_what_cannot_be_exported_is_explained_and_nothing_written(
    arguments: list[str], said: str, project: Project, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(project, "offers", "may", profile_of(a=[1]))
    published(project, "prices", "", profile_of(a=[1]))
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(app, ["profile", *arguments, "--out", "p.json"])
    assert isinstance(result.exception, BadInput), result.output
    assert said in str(result.exception)
    assert not (folder / "p.json").exists()


def test_outside_a_project_a_dataset_has_no_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["profile", "--dataset", "raw", "--out", "p.json"])
    assert "expected a project folder" in str(result.exception)


def test_a_reference_whose_profile_is_gone_refuses_rather_than_counts_as_the_first_version(
    good: Tables, resources: dict[str, Any], project: Project, instance: dg.DagsterInstance
) -> None:
    asset = months({month: good(seed=seed) for seed, month in enumerate(MONTHS)})
    assert run(asset, "january", resources, instance).success
    with project.database.write() as connection:
        connection.execute(contents.delete())
    result = run(asset, "february", resources, instance)
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert "The profile of partition 'january'" in failure.step_failure_data.user_failure_data.description
    assert project.store.head("raw", "february") is None
