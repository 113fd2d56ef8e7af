"""What is kept of the published partitions of a dataset adds up to the profile of all their rows."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aims_pipelines.measure import profile_table, to_bytes
from aims_pipelines.resources.project import Locations, Project
from aims_pipelines.resources.published_profiles import merged_profile, published_versions
from aims_pipelines.stats.profile import GroupSpec, Profile
from aims_pipelines.storage.dataset_tables import Version


def published(project: Project, dataset: str, partition: str, number: int, profile: Profile) -> None:
    """Publish a version whose rows nobody has, as after they were deleted."""
    head = project.store.head(dataset, partition)
    version = Version(
        dataset=dataset, partition=partition, number=number, digest=f"sha256:{partition}-{number}",
        rows=profile.rows, evidence="e", run_id="r", published_at=datetime.now(UTC),
    )  # fmt: skip
    with project.database.write() as connection:
        project.store.describe_content(
            dataset, version.digest, schema=pa.schema([]), profile=to_bytes(profile), connection=connection
        )
        project.store.publish(version, expect=head, connection=connection)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), sizes=st.lists(st.sampled_from([0, 1, 40, 1500]), min_size=1, max_size=5))
def test_the_sum_over_partitions_is_the_profile_of_their_rows(
    make_table: Callable[[int, int], pa.Table],
    assert_same_profile: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    sizes: list[int],
) -> None:
    folder = tmp_path_factory.mktemp("project")
    project = Project(locations=Locations.from_mapping(folder, {}, where="aims.toml"))
    options: dict[str, Any] = {"groups": [GroupSpec(columns=("sex",))], "keys": [("word",)]}
    whole = make_table(seed, sum(sizes))
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    tables = [whole.slice(start, size) for start, size in zip(starts, sizes, strict=True)]
    for place, table in enumerate(tables):
        published(project, "raw", f"p{place}", 1, profile_table(make_table(0, 40), **options))  # superseded
        published(project, "raw", f"p{place}", 2, profile_table(table, **options))
    versions = published_versions(project, "raw", None)
    assert [version.number for version in versions] == [2] * len(sizes)
    assert_same_profile(merged_profile(project, versions), profile_table(whole, **options), rtol=1e-7)
