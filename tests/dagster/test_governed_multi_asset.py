"""Several assets of one function: each is judged by its own evidence, and a refused one leaves nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from aims_pipelines import AimsResource, govern, governed_asset, governed_multi_asset, uncovered
from aims_pipelines.core.errors import BadInput
from aims_pipelines.resources.project import Project
from aims_pipelines.resources.run_report import report_run
from aims_pipelines.storage.ledger_audit import audit_ledger

Tables = Callable[..., pd.DataFrame]
Run = Callable[..., Any]

OUTS = {"raw": dg.AssetOut(), "more": dg.AssetOut()}
SUBSET = {"raw": dg.AssetOut(is_required=False), "more": dg.AssetOut(is_required=False)}
BOTH = {"raw": "raw", "more": "more"}
CHAIN = {"offers": dg.AssetOut(), "prices": dg.AssetOut()}
CHAINED = {"offers": {dg.AssetKey("raw")}, "prices": {dg.AssetKey("offers")}}


class Spy(dg.IOManager):
    """A user's own IO manager: keeps values in memory; fails on those it is told to."""

    def __init__(self, *, fails_on: str = "") -> None:
        self.written: dict[str, Any] = {}
        self.fails_on = fails_on

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        name = context.asset_key.to_user_string()
        if name == self.fails_on:
            raise OSError("disk full")
        self.written[name] = obj

    def load_input(self, context: dg.InputContext) -> Any:
        return self.written[context.asset_key.to_user_string()]


@pytest.fixture(autouse=True)
def more(add_record: Callable[..., None]) -> None:
    """A second dataset that enters from a source."""
    add_record("more")


@pytest.fixture
def spy() -> Spy:
    return Spy()


@pytest.fixture
def run(aims: AimsResource, spy: Spy, instance: dg.DagsterInstance) -> Run:
    def go(*assets: Any, **options: Any) -> Any:
        resources = {"aims": aims, "io_manager": options.pop("io_manager", spy)}
        return dg.materialize(
            list(assets), resources=resources, instance=instance, raise_on_error=False, **options
        )

    return go


def reason(result: Any) -> str:
    (event,) = result.get_step_failure_events()
    assert event.step_failure_data.user_failure_data is not None, event.step_failure_data.error
    return str(event.step_failure_data.user_failure_data.description)


def materialised(result: Any) -> set[str]:
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}


def heads(project: Project) -> dict[str, int]:
    return {version.dataset: version.number for version in project.store.versions()}


def failing(result: Any) -> set[tuple[str, str]]:
    return {
        (item.asset_key.to_user_string(), item.check_name)
        for item in result.get_asset_check_evaluations()
        if not item.passed and item.metadata["aims/status"].value == "fail"
    }


def below(name: str) -> dg.AssetsDefinition:
    @dg.asset(name=f"below_{name}", ins={"table": dg.AssetIn(name)})
    def made(table: pd.DataFrame) -> pd.DataFrame:
        return table

    return made


def pair(left: Any, right: Any, **options: Any) -> dg.AssetsDefinition:
    @governed_multi_asset(**{"datasets": BOTH, "outs": OUTS, **options})
    def both() -> tuple[Any, Any]:
        return left, right

    return both


def test_values_that_pass_are_published_each_with_evidence_of_its_own(
    run: Run, good: Tables, project: Project, spy: Spy
) -> None:
    result = run(pair(good(1), good(2)), below("raw"), below("more"))
    assert result.success
    assert spy.written.keys() == {"raw", "more", "below_raw", "below_more"}
    assert heads(project) == {"raw": 1, "more": 1}
    evaluations = result.get_asset_check_evaluations()
    assert len(evaluations) == 30
    assert all(item.passed and item.target_materialization_data is not None for item in evaluations)
    for event in result.get_asset_materialization_events():
        name = event.asset_key.to_user_string()
        if name in BOTH:
            head = project.store.head(name)
            assert head is not None
            assert event.materialization.metadata["aims/evidence"].value == head.evidence
            assert project.ledger.get(head.evidence).subject_id == name


def test_a_refused_value_leaves_nothing_while_its_sibling_becomes_current(
    run: Run, good: Tables, bad: Tables, project: Project, spy: Spy
) -> None:
    result = run(pair(good(1), bad(2)), below("raw"), below("more"))
    assert not result.success
    assert spy.written.keys() == {"raw"}
    assert materialised(result) == {"raw"}  # and nothing below either: the step failed
    assert heads(project) == {"raw": 1}
    assert failing(result) == {("more", "completeness")}
    answers = result.get_asset_check_evaluations()
    assert len(answers) == 30
    assert {item.asset_key.to_user_string() for item in answers if item.target_materialization_data} == {
        "raw"
    }
    assert [item.reason for item in project.store.quarantine_list()] == ["completeness"]
    assert "Refused 'more'" in reason(result)
    assert "Published all the same, by their own evidence: 'raw' (version 1)" in reason(result)
    (event,) = result.get_step_failure_events()
    metadata = event.step_failure_data.user_failure_data.metadata
    assert metadata["aims/outcome"].value == "refused"
    assert metadata["aims/refused"].value.keys() == {"more"}


def test_the_last_good_version_of_a_refused_value_stays_current_and_nothing_below_starts_from_the_new_one(
    run: Run, good: Tables, bad: Tables, project: Project, spy: Spy
) -> None:
    assert run(pair(good(1), good(2))).success
    before = project.store.head("more")
    assert not run(pair(good(3), bad(4))).success
    assert heads(project) == {"raw": 2, "more": 1}
    assert project.store.head("more") == before
    spy.written["more"] = bad(4)  # somebody puts the refused rows where consumers find them

    @governed_asset(dataset="offers", name="offers")
    def offers(more: pd.DataFrame) -> pd.DataFrame:
        return more

    later = run(pair(good(3), bad(4)), offers, selection=["offers"])
    assert "not admitted" in reason(later)


def test_the_report_of_a_run_tells_the_assets_of_one_step_apart(
    run: Run, good: Tables, bad: Tables, instance: dg.DagsterInstance
) -> None:
    result = run(pair(good(1), bad(2)), below("raw"))
    report = report_run(instance, result.run_id, ["raw", "more", "below_raw"])
    assert [asset.outcome for asset in report.assets] == ["published as version 1", "refused", "not run"]
    assert "Refused 'more'" in report.assets[1].message
    assert report.exit_code == 1
    crashed = run(pair(good(1), 7))
    outcomes = [asset.outcome for asset in report_run(instance, crashed.run_id, ["raw", "more"]).assets]
    assert outcomes == ["published as version 2", "bad input"]
    broken = run(pair(good(1), good(2)), io_manager=Spy(fails_on="more"))
    outcomes = [asset.outcome for asset in report_run(instance, broken.run_id, ["raw", "more"]).assets]
    assert outcomes == ["published as version 3", "error"]


def test_all_may_be_refused(run: Run, bad: Tables, project: Project) -> None:
    result = run(pair(bad(1), bad(2)))
    assert materialised(result) == set()
    assert heads(project) == {}
    assert failing(result) == {("raw", "completeness"), ("more", "completeness")}
    assert "Published" not in reason(result)
    assert audit_ledger(project.ledger, project.evidence).intact


@pytest.mark.parametrize("form", ["outputs", "mixed", "results", "async", "returned results", "checks"])
def test_every_form_in_which_a_function_may_give_several_values_is_judged(
    form: str, run: Run, good: Tables, bad: Tables, project: Project
) -> None:
    left, right = good(1), bad(2)
    options: dict[str, Any] = {"datasets": BOTH, "outs": OUTS}
    if form == "results":
        specs = [dg.AssetSpec(key).with_io_manager_key("io_manager") for key in BOTH]
        options = {"datasets": BOTH, "specs": specs}
    if form == "checks":
        options["check_specs"] = [dg.AssetCheckSpec("mine", asset=key) for key in BOTH]

    def generator() -> Iterator[Any]:
        yield dg.Output(right, output_name="more", metadata={"mine": 1})
        if form == "outputs":
            yield dg.Output(left, output_name="raw", metadata={"mine": 1})
        else:
            yield dg.AssetObservation("raw")
            yield dg.MaterializeResult("raw", value=left, metadata={"mine": 1})

    async def asynchronous():  # no annotation: Dagster wants a tuple's here, whatever is yielded
        for event in generator():
            yield event

    def results() -> Iterator[Any]:
        for key, table in (("raw", left), ("more", right)):
            yield dg.MaterializeResult(key, value=table, metadata={"mine": 1})

    def returned() -> tuple[Any, Any]:
        return dg.MaterializeResult("more", value=right), dg.Output(
            left, metadata={"mine": 1}, output_name="raw"
        )

    def with_checks() -> tuple[Any, Any, Any, Any]:
        answers = [dg.AssetCheckResult(asset_key=key, check_name="mine", passed=True) for key in BOTH]
        return dg.Output(left, metadata={"mine": 1}), right, *answers

    functions: dict[str, Callable[..., Any]] = {
        "outputs": generator,
        "mixed": generator,
        "results": results,
        "async": asynchronous,
        "returned results": returned,
        "checks": with_checks,
    }
    result = run(governed_multi_asset(**options)(functions[form]))
    assert failing(result) == {("more", "completeness")}, reason(result)
    assert heads(project) == {"raw": 1}
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["mine"].value == 1


def test_a_frame_that_is_changed_after_it_was_yielded_is_published_as_it_was_yielded(
    good: Tables, run: Run, spy: Spy
) -> None:
    table = good()

    @governed_multi_asset(name="both", outs=OUTS, datasets=BOTH)
    def both() -> Iterator[Any]:
        frame = table.copy()
        yield dg.Output(frame, "raw")
        frame["amount"] = (frame["amount"] / 10).round(2)
        yield dg.MaterializeResult(asset_key="more", value=frame)
        frame["amount"] = 1.0

    assert run(both).success
    assert spy.written["raw"].equals(table)
    assert spy.written["more"]["amount"].equals((table["amount"] / 10).round(2))


def test_only_the_selected_assets_of_a_subset_are_judged(
    run: Run, good: Tables, bad: Tables, project: Project
) -> None:
    @governed_multi_asset(datasets=BOTH, outs=SUBSET, can_subset=True)
    def both(context: dg.AssetExecutionContext) -> Iterator[Any]:
        for key, table in (("raw", good(1)), ("more", bad(2))):
            if dg.AssetKey(key) in context.selected_asset_keys:
                yield dg.Output(table, output_name=key)

    result = run(both, selection=["raw"])
    assert result.success
    assert heads(project) == {"raw": 1}
    assert len(result.get_asset_check_evaluations()) == 15
    refused = run(both, selection=["more"])
    assert failing(refused) == {("more", "completeness")}
    unchecked = run(both, selection=dg.AssetSelection.assets("more").without_checks())
    assert failing(unchecked) == {("more", "completeness")}
    assert heads(project) == {"raw": 1}
    alone = run(both, selection=dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("raw"), "drift")))
    assert "the checks alone" in reason(alone)


def chain(offers_table: pd.DataFrame, prices_table: pd.DataFrame, **options: Any) -> dg.AssetsDefinition:
    @governed_multi_asset(
        datasets={"offers": "offers", "prices": "prices"},
        **{"outs": CHAIN, "internal_asset_deps": CHAINED, **options},
    )
    def chained(context: dg.AssetExecutionContext, raw: pd.DataFrame) -> Iterator[Any]:
        for name, table in (("prices", prices_table), ("offers", offers_table)):
            if dg.AssetKey(name) in context.selected_asset_keys:
                yield dg.Output(table, output_name=name)

    return chained


def source(table: pd.DataFrame) -> dg.AssetsDefinition:
    @governed_asset(dataset="raw", name="raw")
    def raw() -> pd.DataFrame:
        return table

    return raw


def test_a_value_made_from_a_sibling_names_the_evidence_of_that_sibling(
    run: Run, good: Tables, project: Project
) -> None:
    assert run(source(good(1)), chain(good(2), good(3))).success
    offers, prices = project.store.head("offers"), project.store.head("prices")
    assert offers is not None
    assert prices is not None
    entry = project.ledger.get(prices.evidence)
    assert entry.body["inputs"] == [{"asset": "offers", "digest": offers.digest, "evidence": offers.evidence}]


def test_a_value_made_from_a_refused_sibling_is_refused_for_its_provenance(
    run: Run, good: Tables, bad: Tables, project: Project
) -> None:
    result = run(source(good(1)), chain(bad(2), good(3)))
    assert failing(result) == {("offers", "completeness"), ("prices", "provenance")}
    assert heads(project) == {"raw": 1}


def test_a_value_made_from_a_sibling_whose_rows_were_clipped_is_refused_for_its_provenance(
    run: Run, good: Tables, project: Project, folder: Path
) -> None:
    """Its own code saw the rows as they were before outlying values were clipped: nobody published those."""
    record = folder / "governance" / "offers.yaml"
    record.write_text(record.read_text() + "limits: {outlier_action: clip}\n", encoding="utf-8")
    spoilt = good(2)
    spoilt["amount"] = spoilt["amount"] / 100
    spoilt.loc[0, "amount"] = 999.0
    result = run(source(good(1)), chain(spoilt, good(3)))
    assert failing(result) == {("prices", "provenance")}
    assert heads(project) == {"raw": 1, "offers": 1}


def test_a_subset_whose_sibling_was_not_computed_with_it_is_refused_for_its_provenance(
    run: Run, good: Tables, project: Project
) -> None:
    outs = {name: dg.AssetOut(is_required=False) for name in CHAIN}
    chained = chain(good(2), good(3), outs=outs, can_subset=True)
    assert run(source(good(1)), chained).success
    alone = run(source(good(1)), chained, selection=["prices"])
    assert failing(alone) == {("prices", "provenance")}
    assert heads(project) == {"raw": 1, "offers": 1, "prices": 1}


def test_nothing_is_computed_from_an_input_that_is_not_admitted(
    run: Run, good: Tables, bad: Tables, project: Project, spy: Spy
) -> None:
    spy.written["raw"] = bad(1)
    result = run(source(good(1)), chain(good(2), good(3)), selection=["offers", "prices"])
    assert "Refused 'offers', 'prices': 1 input not admitted; nothing was computed." in reason(result)
    assert failing(result) == {("offers", "provenance"), ("prices", "provenance")}
    assert heads(project) == {}


def test_parts_of_a_split_are_held_against_each_other_not_against_earlier_versions(
    run: Run, good: Tables, project: Project, add_record: Callable[..., None]
) -> None:
    add_record("more", more="disjoint_from: [raw]\n")

    @governed_multi_asset(
        datasets={"more": "more", "raw": "raw"}, outs={"more": dg.AssetOut(), "raw": OUTS["raw"]}
    )
    def split() -> tuple[pd.DataFrame, pd.DataFrame]:
        return tables

    tables = good(1), good(2)
    assert run(split).success
    tables = good(2), good(1)  # the sides changed places: each overlaps with the older version of the other
    assert run(split).success
    tables = good(3), good(3)
    result = run(split)
    assert failing(result) == {("more", "leakage")}
    assert heads(project) == {"raw": 3, "more": 2}


def test_a_value_that_need_not_be_given_is_skipped_and_a_missing_one_refused(
    run: Run, good: Tables, project: Project
) -> None:
    def half() -> Iterator[Any]:
        yield dg.Output(good(1), output_name="raw")

    optional = {"raw": dg.AssetOut(), "more": dg.AssetOut(is_required=False)}
    result = run(governed_multi_asset(datasets=BOTH, outs=optional, name="half")(half), below("more"))
    assert result.success
    assert materialised(result) == {"raw"}
    refused = run(governed_multi_asset(datasets=BOTH, outs=OUTS, name="half")(half))
    assert "found 0 values" in reason(refused)
    assert heads(project) == {"raw": 2}


@pytest.mark.parametrize(
    ("stray", "says"),
    [
        (dg.Output(1, output_name="third"), "an Output named 'third'"),
        (dg.MaterializeResult("third"), "a MaterializeResult of 'third'"),
        (dg.AssetCheckResult(passed=True, check_name="mine"), "an answer to something else"),
        (7, "found int"),
    ],
)
def test_something_that_belongs_to_none_of_the_assets_keeps_all_gates_shut(
    stray: Any, says: str, run: Run, good: Tables, project: Project
) -> None:
    @governed_multi_asset(datasets=BOTH, outs=OUTS)
    def both() -> Iterator[Any]:
        yield dg.Output(good(1), output_name="raw")
        yield dg.Output(good(2), output_name="more")
        yield stray

    result = run(both)
    assert says in reason(result)
    assert heads(project) == {}
    entry = project.ledger.latest("dataset", "more")
    assert entry is not None
    assert entry.body["event"] == "refused before judgement"


def test_a_tuple_of_another_length_or_a_value_of_an_unselected_asset_keeps_all_gates_shut(
    run: Run, good: Tables, project: Project
) -> None:
    @governed_multi_asset(datasets=BOTH, outs=OUTS)
    def three() -> tuple[Any, Any]:
        return good(1), good(2), good(3)  # type: ignore[return-value]  # one too many

    assert "a tuple of 3" in reason(run(three))

    @governed_multi_asset(datasets=BOTH, outs=SUBSET, can_subset=True)
    def regardless() -> Iterator[Any]:
        yield dg.Output(good(1), output_name="raw")
        yield dg.Output(good(2), output_name="more")

    assert "one for 'more', which is not" in reason(run(regardless, selection=["raw"]))
    assert heads(project) == {}


def test_a_sibling_without_a_gate_is_written_unless_it_is_made_from_a_refused_one(
    run: Run, good: Tables, bad: Tables, spy: Spy, aims: AimsResource
) -> None:
    def three(table: pd.DataFrame) -> dg.AssetsDefinition:
        @governed_multi_asset(
            datasets={"raw": "raw"},
            outs={"notes": dg.AssetOut(), "summary": dg.AssetOut(), "raw": dg.AssetOut()},
            internal_asset_deps={"notes": set(), "summary": {dg.AssetKey("raw")}, "raw": set()},
        )
        def made() -> tuple[Any, Any, Any]:
            return "a note", len(table), table

        return made

    defs = dg.Definitions(assets=[three(good(1))], resources={"aims": aims})
    assert uncovered(defs) == [dg.AssetKey("notes"), dg.AssetKey("summary")]
    assert materialised(run(three(bad(1)))) == {"notes"}
    assert materialised(run(three(good(1)))) == {"notes", "summary", "raw"}
    assert spy.written["summary"] == 400


def test_an_io_manager_that_fails_leaves_what_was_published_before_it(
    run: Run, good: Tables, project: Project
) -> None:
    assert not run(pair(good(1), good(2)), io_manager=Spy(fails_on="more")).success
    assert heads(project) == {"raw": 1}
    assert run(pair(good(1), good(2))).success
    assert heads(project) == {"raw": 2, "more": 1}


def test_a_value_judged_together_with_one_that_could_not_be_published_is_not_published_either(
    run: Run, good: Tables, project: Project
) -> None:
    assert run(source(good(1))).success
    with project.store.claimed("offers", "", expect=None, run_id="another"):
        result = run(source(good(1)), chain(good(2), good(3)), selection=["offers", "prices"])
    assert "run another is publishing it right now" in reason(result)
    assert "judged together with 'offers'" in reason(result)
    assert heads(project) == {"raw": 1}


def test_each_partition_of_several_assets_is_judged_by_itself(
    run: Run, good: Tables, bad: Tables, project: Project
) -> None:
    @governed_multi_asset(
        datasets=BOTH, outs=OUTS, partitions_def=dg.StaticPartitionsDefinition(["monday", "tuesday"])
    )
    def both(context: dg.AssetExecutionContext) -> tuple[pd.DataFrame, pd.DataFrame]:
        return good(1), good(2) if context.partition_key == "monday" else bad(2)

    assert run(both, partition_key="monday").success
    assert ("more", "completeness") in failing(run(both, partition_key="tuesday"))
    assert project.store.head("raw", "tuesday") is not None
    assert project.store.head("more", "tuesday") is None


def test_data_that_no_io_manager_writes_goes_to_its_writer_after_the_gate_opened(
    run: Run, good: Tables, bad: Tables, project: Project
) -> None:
    written: list[tuple[str, int]] = []

    def writer(name: str) -> Callable[..., None]:
        return lambda _, value: written.append((name, len(value)))

    @governed_multi_asset(
        datasets=BOTH,
        specs=[dg.AssetSpec(key) for key in BOTH],
        publish={key: writer(key) for key in BOTH},
    )
    def both() -> Iterator[Any]:
        yield dg.MaterializeResult("raw", value=good(1))
        yield dg.MaterializeResult("more", value=bad(2))

    assert materialised(run(both)) == {"raw"}
    assert written == [("raw", 400)]


def test_a_multi_asset_of_a_code_location_is_adopted_key_by_key(
    folder: Path, good: Tables, bad: Tables, resources: dict[str, Any], project: Project
) -> None:
    @dg.multi_asset(
        outs={"raw": dg.AssetOut(), "more": dg.AssetOut(), "loose": dg.AssetOut()}, group_name="mine"
    )
    def three() -> tuple[Any, Any, Any]:
        return good(1), bad(2), good(3)

    before = dg.Definitions(
        assets=[three, dg.AssetSpec("offers")],
        resources={**resources, "io_manager": Spy()},
        jobs=[dg.define_asset_job("everything")],
    )
    after = govern(before, folder / "governance")
    assert uncovered(after) == [dg.AssetKey("loose")]
    assert after.resolve_asset_graph().get(dg.AssetKey("more")).group_name == "mine"
    job = after.resolve_job_def("everything")
    result = job.execute_in_process(instance=dg.DagsterInstance.ephemeral(), raise_on_error=False)
    assert materialised(result) == {"raw", "loose"}
    assert heads(project) == {"raw": 1}
    assert uncovered(govern(after, folder / "governance")) == [dg.AssetKey("loose")]  # twice changes nothing


def test_an_asset_that_a_record_claims_beside_a_governed_one_is_told_when_definitions_load(
    folder: Path,
) -> None:
    @governed_multi_asset(name="both", outs=OUTS, datasets={"raw": "raw"})
    def both() -> Iterator[Any]:
        yield from ()

    with pytest.raises(BadInput, match="'more'"):
        govern(dg.Definitions(assets=[both]), records=folder / "governance")


def test_what_cannot_be_judged_before_it_is_written_is_told_when_definitions_load(
    folder: Path, good: Tables
) -> None:
    @dg.op
    def make() -> pd.DataFrame:
        return good(1)

    @dg.graph_asset
    def raw() -> pd.DataFrame:
        return make()

    @dg.multi_asset(specs=[dg.AssetSpec("offers"), dg.AssetSpec("more")])
    def written_inside() -> tuple[None, None]: ...

    @dg.multi_asset(outs={"prices": dg.AssetOut()}, check_specs=[dg.AssetCheckSpec("drift", asset="prices")])
    def checked() -> tuple[Any, Any]: ...

    defs = dg.Definitions(assets=[raw, written_inside, checked])
    with pytest.raises(BadInput) as told:
        govern(defs, folder / "governance")
    assert [fault.where for fault in told.value.faults] == [
        "asset 'raw'",
        "asset 'offers'",
        "asset 'more'",
        "asset 'prices': check_specs",
    ]
    assert "a graph of ops" in str(told.value)
    assert uncovered(defs) == [dg.AssetKey(name) for name in ("more", "offers", "prices", "raw")]


def test_assets_that_are_only_observed_or_known_of_are_left_alone(folder: Path) -> None:
    @dg.observable_source_asset
    def raw() -> dg.DataVersion:
        return dg.DataVersion("1")

    defs = govern(dg.Definitions(assets=[raw, dg.AssetSpec("offers")]), folder / "governance")
    assert uncovered(defs) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"datasets": {}}, "the dataset record of at least one asset"),
        ({"datasets": {"row": "raw"}}, "datasets: 'row'"),
        ({"datasets": {"raw": "raw"}, "publish": {"more": print}}, "publish: 'more'"),
    ],
)
def test_names_that_fit_no_asset_are_told_when_definitions_load(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        governed_multi_asset(name="both", outs=OUTS, **arguments)(lambda: None)
