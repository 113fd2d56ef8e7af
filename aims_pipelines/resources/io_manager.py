"""The embedded IO manager: content-addressed Parquet behind governed assets."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, get_args, get_origin

import dagster as dg

from aims_pipelines._dagster_compat import metadata_value
from aims_pipelines.core.errors import AimsError, BadInput, Fault
from aims_pipelines.resources.aims import AimsResource


class DatasetIOManager(dg.ConfigurableIOManager):
    """Keep governed tables in the project's store, and hand out only bytes that verify.

    Writes pandas and Polars frames and Arrow tables; reads what the consumer's annotation asks for, a pandas frame
    if there is none. An input of several partitions arrives as a dictionary of partition key to table, of the kind
    that the annotation names for its values.

    What it writes becomes the current version only when the gate's step publishes it, in one transaction with the
    evidence; a step that dies in between leaves the last version current.
    """

    aims: dg.ResourceDependency[AimsResource]

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write the rows of a candidate whose gate opened.

        Raises:
            dagster.Failure: The asset is not governed, so there is no verdict about its rows; or the store cannot be
                written, and the last version stays current.
        """
        with _told():
            self._write(context, obj)

    def load_input(self, context: dg.InputContext) -> Any:
        """Read the current version of an upstream dataset.

        Raises:
            dagster.Failure: No record claims the asset, nothing was published yet, or the stored bytes are missing or
                were changed.
        """
        with _told():
            return self._read(context)

    def _write(self, context: dg.OutputContext, obj: Any) -> None:
        from aims_pipelines.measure import to_arrow

        digest = context.output_metadata.get("aims/data_version")
        dataset = context.output_metadata.get("aims/dataset")
        if digest is None or dataset is None:
            raise BadInput(
                Fault(
                    where=f"asset {context.asset_key.to_user_string()!r}",
                    expected="an asset with a gate, since this IO manager keeps judged rows only",
                    found="no verdict about the value",
                    remedy="Declare it with @governed_asset, or give it another io_manager_key.",
                )
            )
        store = self.aims.project.store
        store.stage(str(metadata_value(dataset)), str(metadata_value(digest)), to_arrow(obj))

    def _read(self, context: dg.InputContext) -> Any:
        key = context.asset_key.to_user_string()
        record = self.aims.project.records().for_asset(key)
        if record is None:
            raise BadInput(
                Fault(
                    where=f"asset {key!r}",
                    expected="an asset that a dataset record claims",
                    found="none",
                    remedy="Write a dataset record for it, or load it with another IO manager.",
                )
            )
        if not context.has_asset_partitions:
            return self._load(record.id, "", context)
        tables = {
            partition: self._load(record.id, partition, context) for partition in context.asset_partition_keys
        }
        return next(iter(tables.values())) if len(tables) == 1 else tables

    def _load(self, dataset: str, partition: str, context: dg.InputContext) -> Any:
        store = self.aims.project.store
        head = store.head(dataset, partition)
        if head is None:
            where = f"dataset {dataset!r}" + (f", partition {partition!r}" if partition else "")
            raise BadInput(
                Fault(
                    where=where,
                    expected="a published version",
                    found="none",
                    remedy=f"Materialise '{dataset}' first; if it was refused, its verdicts say why.",
                )
            )
        table = store.read(dataset, head.digest)
        wanted = context.dagster_type.typing_type
        if get_origin(wanted) in (dict, Mapping):  # of several partitions
            wanted = get_args(wanted)[-1]
        module = getattr(wanted, "__module__", "")
        if module.startswith("pyarrow"):
            return table
        if module.startswith("polars"):
            import polars as pl

            return pl.from_arrow(table)
        return table.to_pandas()


@contextmanager
def _told() -> Iterator[None]:
    """Tell people what is wrong in our words: Dagster shows them a failure's text, but a stack for any other error."""
    try:
        yield
    except AimsError as error:
        raise dg.Failure(description=str(error), metadata={"aims/outcome": "bad input"}) from error
