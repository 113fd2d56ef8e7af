"""How Dagster itself behaves around blocking checks. The gate's design rests on these facts: if an upgrade
changes one, this notices."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest


class Spy(dg.IOManager):
    """Remembers what was written."""

    def __init__(self) -> None:
        self.written: dict[str, Any] = {}

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        self.written[context.asset_key.to_user_string()] = obj

    def load_input(self, context: dg.InputContext) -> Any:
        return self.written[context.asset_key.to_user_string()]


def run(assets: list[Any], spy: Spy, instance: dg.DagsterInstance | None = None, **options: Any) -> Any:
    return dg.materialize(
        assets, resources={"io_manager": spy}, instance=instance, raise_on_error=False, **options
    )


def materialised(result: dg.ExecuteInProcessResult) -> list[str]:
    return [
        event.asset_key.to_user_string()
        for event in result.get_asset_materialization_events()
        if event.asset_key
    ]


@dg.asset
def offers() -> int:
    return 1


@dg.asset
def below(offers: int) -> int:
    return offers


@dg.asset_check(asset=offers, blocking=True)
def separate() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False)


@dg.asset_check(asset=offers, blocking=True)
def separate_warn() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)


@dg.asset_check(asset=offers, blocking=True)
def separate_raises() -> dg.AssetCheckResult:
    raise ValueError("crash")


@pytest.mark.parametrize(
    ("check", "downstream_runs", "recorded"),
    [(separate, False, 1), (separate_warn, True, 1), (separate_raises, False, 0)],
)
def test_a_failed_blocking_check_does_not_stop_the_asset_itself(
    check: Any, downstream_runs: bool, recorded: int
) -> None:
    spy = Spy()
    result = run([offers, below, check], spy)
    assert "offers" in spy.written
    assert "offers" in materialised(result)
    assert ("below" in materialised(result)) is downstream_runs
    assert len(result.get_asset_check_evaluations()) == recorded


def test_leaving_the_checks_out_of_a_selection_lets_downstream_run() -> None:
    spy = Spy()
    selection = dg.AssetSelection.assets(offers, below).without_checks()
    result = run([offers, below, separate], spy, selection=selection)
    assert materialised(result) == ["offers", "below"]


def test_a_later_run_of_the_downstream_asset_alone_starts_from_the_refused_version() -> None:
    spy, instance = Spy(), dg.DagsterInstance.ephemeral()
    assert not run([offers, below, separate], spy, instance).success
    later = run([offers, below, separate], spy, instance, selection=[below])
    assert later.success
    assert materialised(later) == ["below"]


@pytest.mark.parametrize("check_first", [True, False])
def test_a_failed_check_of_the_step_itself_does_not_stop_its_output(check_first: bool) -> None:
    @dg.asset(name="stepped", check_specs=[dg.AssetCheckSpec("inside", asset="stepped", blocking=True)])
    def stepped() -> Iterator[Any]:
        answer = dg.AssetCheckResult(passed=False)
        yield from (answer, dg.Output(1)) if check_first else (dg.Output(1), answer)

    spy = Spy()
    result = run([stepped], spy)
    assert spy.written == {"stepped": 1}
    assert materialised(result) == ["stepped"]


def test_evaluations_then_failure_before_the_output_leave_nothing_but_the_evaluations() -> None:
    @dg.asset(name="gated", check_specs=[dg.AssetCheckSpec("inside", asset="gated", blocking=True)])
    def gated() -> Iterator[Any]:
        yield dg.AssetCheckEvaluation(asset_key=dg.AssetKey("gated"), check_name="inside", passed=False)
        raise dg.Failure("refused", allow_retries=False)

    spy = Spy()
    result = run([gated], spy)
    assert not result.success
    assert spy.written == {}
    assert materialised(result) == []
    assert [event.passed for event in result.get_asset_check_evaluations()] == [False]


def test_a_hand_made_materialisation_of_a_refused_asset_is_accepted() -> None:
    instance = dg.DagsterInstance.ephemeral()
    instance.report_runless_asset_event(dg.AssetMaterialization(asset_key="offers"))
    assert instance.get_latest_materialization_event(dg.AssetKey("offers")) is not None


def test_code_after_the_output_runs_once_the_io_manager_has_written() -> None:
    spy, seen = Spy(), []

    @dg.asset(name="ordered")
    def ordered() -> Iterator[Any]:
        yield dg.Output(1)
        seen.append(dict(spy.written))

    run([ordered], spy)
    assert seen == [{"ordered": 1}]


def test_an_io_manager_that_fails_closes_the_step_at_its_output() -> None:
    class Broken(Spy):
        def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
            raise OSError("disk full")

    seen = []

    @dg.asset(name="closed")
    def closed() -> Iterator[Any]:
        try:
            yield dg.Output(1)
        except GeneratorExit:
            seen.append("closed")
            raise
        seen.append("went on")

    assert not run([closed], Broken()).success
    assert seen == ["closed"]


def two(**outs: Any) -> Any:
    """Two assets of one function, each with a check of its own that the step answers."""
    checks = [dg.AssetCheckSpec("inside", asset=key, blocking=True) for key in ("left", "right")]
    return dg.multi_asset(
        outs={"left": dg.AssetOut(**outs), "right": dg.AssetOut(**outs)},
        check_specs=checks,
        can_subset=bool(outs),
    )


@dg.asset
def below_left(left: int) -> int:
    return left


@dg.asset
def below_right(right: int) -> int:
    return right


def test_a_step_that_fails_after_one_of_its_outputs_keeps_that_one_and_stops_what_is_below_both() -> None:
    @two()
    def pair() -> Iterator[Any]:
        yield dg.AssetCheckEvaluation(asset_key=dg.AssetKey("right"), check_name="inside", passed=False)
        yield dg.Output(1, output_name="left")
        yield dg.AssetCheckResult(asset_key="left", check_name="inside", passed=True)
        raise dg.Failure("refused right", allow_retries=False)

    spy = Spy()
    result = run([pair, below_left, below_right], spy)
    assert not result.success
    assert spy.written == {"left": 1}
    assert materialised(result) == ["left"]
    answers = {item.asset_key.to_user_string(): item for item in result.get_asset_check_evaluations()}
    assert answers["left"].target_materialization_data is not None
    assert answers["right"].target_materialization_data is None


def test_leaving_the_checks_of_a_subset_out_does_not_keep_a_step_from_answering_them() -> None:
    @two(is_required=False)
    def pair(context: dg.AssetExecutionContext) -> Iterator[Any]:
        assert context.selected_output_names == {"left"}
        yield dg.AssetCheckEvaluation(asset_key=dg.AssetKey("left"), check_name="inside", passed=False)
        raise dg.Failure("refused left", allow_retries=False)

    result = run([pair], Spy(), selection=dg.AssetSelection.assets("left").without_checks())
    assert [(item.asset_key, item.passed) for item in result.get_asset_check_evaluations()] == [
        (dg.AssetKey("left"), False)
    ]


def test_the_checks_of_a_subset_can_be_selected_without_its_asset() -> None:
    seen: list[Any] = []

    @two(is_required=False)
    def pair(context: dg.AssetExecutionContext) -> Iterator[Any]:
        seen.append(
            (set(context.selected_asset_keys), {key.name for key in context.selected_asset_check_keys})
        )
        yield from ()

    check = dg.AssetCheckKey(dg.AssetKey("left"), "inside")
    assert run([pair], Spy(), selection=dg.AssetSelection.checks(check)).success
    assert seen == [(set(), {"inside"})]


def test_an_output_without_a_value_is_made_up_for_a_function_that_ends_without_it() -> None:
    @dg.multi_asset(specs=[dg.AssetSpec("left"), dg.AssetSpec("right")])
    def pair() -> Iterator[Any]:
        yield dg.MaterializeResult("left")

    assert sorted(materialised(run([pair], Spy()))) == ["left", "right"]


def test_an_output_yielded_before_one_it_is_made_from_fails_the_step() -> None:
    @dg.multi_asset(
        outs={"left": dg.AssetOut(), "right": dg.AssetOut()},
        internal_asset_deps={"left": set(), "right": {dg.AssetKey("left")}},
    )
    def pair() -> Iterator[Any]:
        yield dg.Output(2, output_name="right")
        yield dg.Output(1, output_name="left")

    assert not run([pair], Spy()).success
