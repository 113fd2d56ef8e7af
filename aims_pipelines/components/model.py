"""The component of a governed model."""

from collections.abc import Callable
from typing import Annotated, Any

import dagster as dg
from pydantic import Field

from aims_pipelines.assets.wrapping import source_digest
from aims_pipelines.components.place import asset_key, load_function, project_folder, resources
from aims_pipelines.components.scaffolding import ModelScaffolder


@dg.scaffold_with(ModelScaffolder)
class GovernedModel(dg.Component, dg.Model, dg.Resolvable):
    """A model that is registered only with passing verdicts of all model checks.

    What it is trained and judged on, and its limits, stand in its system record.
    """

    system: Annotated[str, Field(description="Id of the system record.")]
    function: Annotated[
        str,
        Field(
            description="module:function that takes the training table (pandas) and returns a fitted estimator."
        ),
    ]
    asset: Annotated[str | None, Field(description="Key of the asset; the system's id if absent.")] = None
    project: Annotated[
        str | None,
        Field(description="Project folder, relative to this file; the nearest with an aims.toml if absent."),
    ] = None
    group: Annotated[str | None, Field(description="Asset group.")] = None

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Make the governed model asset.

        Raises:
            BadInput: There is no project, record or function.
        """
        from aims_pipelines.assets.model import governed_model
        from aims_pipelines.records.load import load_records
        from aims_pipelines.resources.project import load_project

        folder = project_folder(context.path, self.project)
        records = load_records(load_project(folder).locations.records)
        record = records.system(self.system)
        function = load_function(self.function, where=f"component of system {self.system!r}: function")
        keys = {
            role: dataset.asset or dataset.id
            for role in ("training", "holdout")
            for dataset in [records.dataset(getattr(record.model, role))]
        }
        asset = governed_model(
            system=self.system,
            training=keys["training"],
            holdout=keys["holdout"],
            key=asset_key(self.asset or record.id),
            group_name=self.group,
            description=record.purpose,
            code_version=source_digest(function) or f"{self.function} (source not to be had)",
        )(_fit(function))
        return dg.Definitions(assets=[asset], resources=dict(resources(folder)))


def _fit(function: Callable[..., Any]) -> Callable[..., Any]:
    def fit(training: Any) -> Any:  # the IO manager gives pandas where nothing else is asked for
        return function(training)

    return fit
