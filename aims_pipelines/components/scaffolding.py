"""What ``dg scaffold defs`` writes for the components, so that a new file is complete."""

import dagster as dg
from pydantic import BaseModel, Field


class DatasetParameters(BaseModel):
    """What is asked for when a dataset component is started."""

    dataset: str = Field(description="Id of the dataset record.")


class DatasetScaffolder(dg.Scaffolder[DatasetParameters]):
    """Starts a ``GovernedDataset``."""

    @classmethod
    def get_scaffold_params(cls) -> type[DatasetParameters]:
        """The options of the command."""
        return DatasetParameters

    def scaffold(self, request: dg.ScaffoldRequest[DatasetParameters]) -> None:
        """Write the component's file."""
        dg.scaffold_component(request, request.params.model_dump())


class ModelParameters(BaseModel):
    """What is asked for when a model component is started."""

    system: str = Field(description="Id of the system record.")
    function: str = Field(description="module:function that returns a fitted estimator.")


class ModelScaffolder(dg.Scaffolder[ModelParameters]):
    """Starts a ``GovernedModel``."""

    @classmethod
    def get_scaffold_params(cls) -> type[ModelParameters]:
        """The options of the command."""
        return ModelParameters

    def scaffold(self, request: dg.ScaffoldRequest[ModelParameters]) -> None:
        """Write the component's file."""
        dg.scaffold_component(request, request.params.model_dump())
