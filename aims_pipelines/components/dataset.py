"""The component of a governed dataset."""

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import dagster as dg
from pydantic import Field

from aims_pipelines.assets.wrapping import source_digest
from aims_pipelines.components.place import (
    IO_MANAGER_KEY,
    asset_key,
    load_function,
    project_folder,
    resources,
)
from aims_pipelines.components.scaffolding import DatasetScaffolder
from aims_pipelines.core.digest import sha256_digest
from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.resources.aims import RESOURCE_KEY

if TYPE_CHECKING:
    import pyarrow as pa

    from aims_pipelines.records.dataset_record import DatasetRecord
    from aims_pipelines.records.load import Records


class Split(dg.Model, dg.Resolvable):
    """One side of a pinned split: rows that agree in some columns are on the same side in every batch."""

    part: Annotated[Literal["training", "holdout"], Field(description="Which side.")]
    by: Annotated[
        Sequence[str],
        Field(
            description="Columns that decide the side, such as the person's; all but the label if none is given."
        ),
    ] = ()
    holdout: Annotated[float, Field(gt=0, lt=1, description="Share to hold out.")] = 0.3


@dg.scaffold_with(DatasetScaffolder)
class GovernedDataset(dg.Component, dg.Model, dg.Resolvable):
    """A table that is published only with passing verdicts of all dataset checks.

    What it is judged by, and where it comes from, stand in its dataset record. A record with a source file needs
    nothing more; one with upstream datasets needs ``function`` or ``split``; one with an external origin needs
    ``function``, which reads it.
    """

    dataset: Annotated[str, Field(description="Id of the dataset record.")]
    function: Annotated[
        str | None,
        Field(
            description="module:function that makes the table of the upstream tables, given as Arrow tables, "
            "or reads it from its external origin."
        ),
    ] = None
    split: Annotated[
        Split | None, Field(description="Instead of a function: one side of the upstream table.")
    ] = None
    project: Annotated[
        str | None,
        Field(description="Project folder, relative to this file; the nearest with an aims.toml if absent."),
    ] = None
    group: Annotated[str | None, Field(description="Asset group.")] = None
    after: Annotated[
        Sequence[str], Field(description="Assets to materialise before, besides the upstream datasets.")
    ] = ()

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Make the governed asset.

        Raises:
            BadInput: There is no project or record, or the record and the attributes do not go together.
        """
        from aims_pipelines.assets.governed import governed_asset
        from aims_pipelines.records.load import load_records
        from aims_pipelines.resources.project import load_project

        folder = project_folder(context.path, self.project)
        records = load_records(load_project(folder).locations.records)
        record = records.dataset(self.dataset)
        inputs = {f"table_{index}": _key(records, name) for index, name in enumerate(record.source.upstream)}
        function = self._function(record)
        asset = governed_asset(
            dataset=self.dataset,
            key=asset_key(record.asset or record.id),
            ins={name: dg.AssetIn(key=asset_key(key)) for name, key in inputs.items()},
            deps=[
                asset_key(key) for key in _earlier(record, records, self.after) if key not in inputs.values()
            ],
            group_name=self.group,
            description=record.purpose,
            io_manager_key=IO_MANAGER_KEY,
            required_resource_keys={RESOURCE_KEY},
            code_version=self._code_version(function),
        )(_compute(self.dataset, function, list(inputs)))
        return dg.Definitions(assets=[asset], resources=dict(resources(folder)))

    def _function(self, record: "DatasetRecord") -> Callable[..., Any] | None:
        """What makes the table of the upstream tables; ``None`` for a table that is read from its source file."""
        where = f"component of dataset {self.dataset!r}"
        ways = [way for way in ("function", "split") if getattr(self, way) is not None]
        upstream = record.source.upstream
        if record.source.external is not None and not upstream:
            if self.function is None or self.split is not None:
                raise BadInput(
                    Fault(
                        where=where,
                        expected=f"'function', which reads the table from {record.source.external.name!r}",
                        found=" and ".join(map(repr, ways)) or "none",
                    )
                )
        elif not upstream:
            if ways:
                found = f"{ways[0]!r}, and no upstream dataset in its record"
                raise BadInput(
                    Fault(
                        where=where,
                        expected="only the source file of its record",
                        found=found,
                        remedy="Name the upstream datasets in source.upstream of the record.",
                    )
                )
            return None
        elif len(ways) != 1:
            raise BadInput(
                Fault(
                    where=where,
                    expected=f"either 'function' or 'split', as it comes from {', '.join(upstream)}",
                    found="both" if ways else "neither",
                )
            )
        if self.split is None:
            return load_function(str(self.function), where=f"{where}: function")
        if len(upstream) != 1:
            found = f"{len(upstream)} of them"
            raise BadInput(Fault(where=f"{where}: split", expected="one upstream dataset", found=found))
        return _side(self.split, record)

    def _code_version(self, function: Callable[..., Any] | None) -> str:
        """The digest of the user's function, or of what this component says where there is none."""
        from aims_pipelines import __version__

        if self.function is not None and function is not None:
            return source_digest(function) or f"{self.function} (source not to be had)"
        split = "" if self.split is None else self.split.model_dump_json()
        return sha256_digest(f"aims-pipelines {__version__} {split}".encode())


def _compute(dataset: str, function: Callable[..., Any] | None, inputs: Sequence[str]) -> Callable[..., Any]:
    """The function behind the gate, with one parameter for each upstream table."""

    def compute(context: dg.AssetExecutionContext, **tables: Any) -> Any:
        if function is None:
            return context.resources.aims.read_source(dataset)
        return function(*(tables[name] for name in inputs))

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter("context", kind, annotation=dg.AssetExecutionContext)]
    if inputs:
        import pyarrow as pa

        parameters += [inspect.Parameter(name, kind, annotation=pa.Table) for name in inputs]
    compute.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # functions take attributes
    compute.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return compute


def _side(split: Split, record: "DatasetRecord") -> Callable[..., Any]:
    label = record.label.column if record.label is not None else None

    def side(table: "pa.Table") -> "pa.Table":
        from aims_pipelines.measure.split import split_rows

        by = list(split.by) or [name for name in table.column_names if name != label]
        training, holdout = split_rows(table, by=by, holdout=split.holdout)
        return training if split.part == "training" else holdout

    return side


def _key(records: "Records", dataset: str) -> str:
    record = records.dataset(dataset)
    return record.asset or record.id


def _earlier(record: "DatasetRecord", records: "Records", after: Sequence[str]) -> list[str]:
    """Assets to materialise first: those named, and datasets to be disjoint from, unless these wait for this one."""
    waiting = [name for name in record.disjoint_from if record.id not in records.dataset(name).disjoint_from]
    return list(dict.fromkeys([*after, *(_key(records, name) for name in waiting)]))
