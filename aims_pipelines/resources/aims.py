"""The resource that governed assets require: a project's records, ledger, rows and models."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from aims_pipelines.resources.project import Project, load_project

if TYPE_CHECKING:
    import pyarrow as pa

RESOURCE_KEY = "aims"


class AimsResource(dg.ConfigurableResource["AimsResource"]):
    """Give governed assets their records, ledger, dataset store and model registry.

    Register it under the key ``aims``. Every location is read from the folder's ``aims.toml`` when it is first
    needed, so that no address with a password is ever part of the resource's configuration.
    """

    folder: str = Field(description="Project folder: the one that holds aims.toml.")

    @cached_property
    def project(self) -> Project:
        """The project, with handles that open on first use.

        Raises:
            BadInput: The folder has no readable ``aims.toml``, or it holds faults.
        """
        return load_project(Path(self.folder))

    def read_source(self, dataset: str) -> "pa.Table":
        """Read the source file that a dataset's record declares, with the record's texts for missing values.

        Raises:
            BadInput: The file is missing or cannot be read as a table; says where and why.
        """
        from aims_pipelines.measure import read_table

        record = self.project.records().dataset(dataset)
        return read_table(self.project.source_path(dataset), null_values=record.source.null_values)
