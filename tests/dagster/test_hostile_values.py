"""Values that are read only once, change between reads, or come with answers that belong to no check."""

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from aims_pipelines import AimsResource, governed_asset
from aims_pipelines.core.errors import BadInput
from aims_pipelines.resources.project import Project

Tables = Callable[..., pd.DataFrame]


class Loader(dg.IOManager):
    """A user's own IO manager: keeps values in memory, and hands them out as ``load`` makes them."""

    def __init__(self, load: Callable[[Any], Any] = lambda value: value) -> None:
        self.written: dict[str, Any] = {}
        self.load = load

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        self.written[context.asset_key.to_user_string()] = obj

    def load_input(self, context: dg.InputContext) -> Any:
        return self.load(self.written[context.asset_key.to_user_string()])


class Shifting:
    """A table of another library whose first reading differs from the later ones."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.readings = 0

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        self.readings += 1
        same = pa.array([2.5] * self.table.num_rows)
        table = self.table if self.readings == 1 else self.table.set_column(1, "amount", same)
        return table.__arrow_c_stream__(requested_schema)


def arrow(table: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(table, preserve_index=False)


def governed(make: Callable[[], Any]) -> dg.AssetsDefinition:
    @governed_asset(dataset="raw", name="raw")
    def raw() -> Any:
        return make()

    return raw


def run(assets: list[Any], resources: dict[str, Any], instance: dg.DagsterInstance) -> Any:
    return dg.materialize(assets, resources=resources, instance=instance, raise_on_error=False)


def reason(result: Any) -> str:
    (event,) = result.get_step_failure_events()
    assert event.step_failure_data.user_failure_data is not None
    return str(event.step_failure_data.user_failure_data.description)


def test_a_reader_is_written_with_the_rows_that_were_judged(
    good: Tables, resources: dict[str, Any], project: Project, instance: dg.DagsterInstance
) -> None:
    assert run([governed(lambda: arrow(good()).to_reader())], resources, instance).success
    head = project.store.head("raw")
    assert head is not None
    assert project.store.read("raw", head.digest).equals(arrow(good()))


def test_a_reader_reaches_the_users_io_manager_as_a_reader(
    good: Tables, aims: AimsResource, instance: dg.DagsterInstance
) -> None:
    loader = Loader()
    result = run(
        [governed(lambda: arrow(good()).to_reader())], {"aims": aims, "io_manager": loader}, instance
    )
    assert result.success
    assert isinstance(loader.written["raw"], pa.RecordBatchReader)
    assert loader.written["raw"].read_all().num_rows == 400


def test_a_table_that_changes_between_readings_is_written_as_it_was_judged(
    good: Tables, resources: dict[str, Any], project: Project, instance: dg.DagsterInstance
) -> None:
    assert run([governed(lambda: Shifting(arrow(good())))], resources, instance).success
    head = project.store.head("raw")
    assert head is not None
    assert project.store.read("raw", head.digest).equals(arrow(good()))


def consumer(seen: list[int]) -> dg.AssetsDefinition:
    @governed_asset(dataset="offers", name="offers")
    def offers(raw: Any) -> pa.Table:
        table = raw.read_all() if isinstance(raw, pa.RecordBatchReader) else pa.table(raw)
        seen.append(table.num_rows)
        return table

    return offers


def test_a_consumer_reads_an_admitted_reader_from_its_beginning(
    good: Tables, aims: AimsResource, instance: dg.DagsterInstance
) -> None:
    seen: list[int] = []
    resources = {"aims": aims, "io_manager": Loader(lambda table: arrow(table).to_reader())}
    assert run([governed(good), consumer(seen)], resources, instance).success
    assert seen == [400]


def test_an_input_that_is_read_anew_each_time_is_not_admitted(
    good: Tables, aims: AimsResource, instance: dg.DagsterInstance
) -> None:
    seen: list[int] = []
    resources = {"aims": aims, "io_manager": Loader(lambda table: Shifting(arrow(table)))}
    result = run([governed(good), consumer(seen)], resources, instance)
    assert "reads its rows anew each time" in reason(result)
    assert seen == []


def test_rows_that_only_round_to_the_judged_ones_are_not_admitted(
    good: Tables, aims: AimsResource, instance: dg.DagsterInstance
) -> None:
    """Judged as 32-bit numbers, loaded as 64-bit ones a little off: a cast would make them equal."""

    def off(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(amount=table["amount"].astype("float64") * (1 + 1e-9))

    seen: list[int] = []
    resources = {"aims": aims, "io_manager": Loader(off)}
    single = governed(lambda: good().astype({"amount": "float32"}))
    assert "no passing verdict" in reason(run([single, consumer(seen)], resources, instance))
    assert seen == []

    exact = Loader(lambda table: table.assign(amount=table["amount"].astype("float64")))
    assert run([single, consumer(seen)], {"aims": aims, "io_manager": exact}, instance).success


MINE = [dg.AssetCheckSpec("mine", asset="raw")]


@pytest.mark.parametrize(
    ("answers", "specs", "says"),
    [
        ([], MINE, "did not answer it"),
        ([{"check_name": "mine"}, {"check_name": "mine"}], MINE, "a second answer"),
        ([{"check_name": "another"}], [], "an answer to something else"),
        ([{"check_name": "completeness"}], [], "an answer to something else"),
        ([{"check_name": "mine", "asset_key": "offers"}], MINE, "an answer to something else"),
    ],
)
def test_an_own_check_without_exactly_one_answer_keeps_the_gate_shut(  # noqa: PLR0917 - pytest passes by name
    answers: list[dict[str, Any]],
    specs: list[dg.AssetCheckSpec],
    says: str,
    good: Tables,
    resources: dict[str, Any],
    project: Project,
    instance: dg.DagsterInstance,
) -> None:
    @governed_asset(dataset="raw", name="raw", check_specs=specs)
    def raw() -> Iterator[Any]:
        for answer in answers:
            yield dg.AssetCheckResult(passed=True, **answer)
        yield dg.Output(good())

    assert says in reason(run([raw], resources, instance))
    assert project.store.versions() == []


def test_the_only_check_of_its_own_may_be_answered_without_its_name(
    good: Tables, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    @governed_asset(dataset="raw", name="raw", check_specs=MINE)
    def raw() -> Iterator[Any]:
        yield dg.AssetCheckResult(passed=True)
        yield dg.Output(good())

    result = run([raw], resources, instance)
    assert result.success
    assert "mine" in {item.check_name for item in result.get_asset_check_evaluations()}


def test_an_own_check_cannot_take_the_name_of_a_check_of_the_gate(good: Tables) -> None:
    def raw() -> Iterator[Any]:
        yield dg.Output(good())

    declare = governed_asset(
        dataset="raw", name="raw", check_specs=[dg.AssetCheckSpec("completeness", asset="raw")]
    )
    with pytest.raises(BadInput, match="completeness"):
        declare(raw)


def test_assets_that_are_loaded_with_a_key_prefix_are_judged_under_their_new_keys(
    good: Tables, folder: Any, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    import types

    for name in ("raw", "offers"):
        record = folder / "governance" / f"{name}.yaml"
        record.write_text(record.read_text() + f"asset: landing/{name}\n")

    @governed_asset(dataset="offers", name="offers")
    def offers(raw: pd.DataFrame) -> pd.DataFrame:
        return raw

    module = types.ModuleType("located")
    vars(module).update(raw=governed(good), offers=offers)
    assets = dg.load_assets_from_modules([module], key_prefix="landing")
    assert run(list(assets), resources, instance).success


def test_a_column_on_its_own_is_bad_input(
    good: Tables, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    result = run([governed(lambda: good()["amount"])], resources, instance)
    assert "expected a table, found Series" in reason(result)


@pytest.mark.parametrize("index", ["an unnamed index", "an unnamed level of an index", "notes"])
def test_what_no_check_saw_of_a_pandas_table_is_not_written(
    index: str, good: Tables, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    table = good()
    addresses = [f"person{number}@example.org" for number in range(len(table))]
    if index == "an unnamed index":
        table.index = pd.Index(addresses)
    elif index == "an unnamed level of an index":
        table.index = pd.MultiIndex.from_arrays([addresses, range(len(table))])
    else:
        table.attrs["people"] = addresses
    spy = Loader()
    assert run([governed(lambda: table)], {**resources, "io_manager": spy}, instance).success
    assert b"example.org" not in pickle.dumps(spy.written["raw"])
    assert spy.written["raw"].equals(good())
    assert "person7@example.org" in str(table.attrs) + str(
        table.index.to_list()
    )  # the user's own stays as it is


def test_a_named_index_is_judged_and_kept(
    good: Tables, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    table = good().set_index("number")
    spy = Loader()
    assert run([governed(lambda: table)], {**resources, "io_manager": spy}, instance).success
    assert spy.written["raw"].index.name == "number"
