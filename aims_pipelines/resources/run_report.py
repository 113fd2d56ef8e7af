"""What became of each asset in a run, read from Dagster's event log."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from aims_pipelines._dagster_compat import metadata_value

if TYPE_CHECKING:
    from dagster_shared.error import SerializableErrorInfo

# In the path of a file that the user did not write.
_NOT_THE_USERS = (
    "<frozen ",
    "site-packages",
    f"{os.sep}lib{os.sep}python3",
    f"{os.sep}aims_pipelines{os.sep}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """One check's answer in a run: its name, status, and what was found in one line."""

    name: str
    status: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetReport:
    """What became of one asset.

    Args:
        name: Asset key.
        outcome: ``published as version N``, ``materialised``, ``refused``, ``bad input``, ``error`` or
            ``not run``.
        checks: Answers in the order in which they were given.
        message: For what was not published: what people read; empty otherwise.
    """

    name: str
    outcome: str
    checks: tuple[CheckReport, ...]
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What became of all selected assets in a run.

    Args:
        run_id: The run.
        assets: One report an asset.
        failure: Why the run failed as a whole, before or between its steps; empty otherwise.
    """

    run_id: str
    assets: tuple[AssetReport, ...]
    failure: str = ""

    @property
    def exit_code(self) -> int:
        """0 if all went through, 2 if something could not be run, 1 if gates refused and nothing worse."""
        outcomes = {asset.outcome for asset in self.assets}
        if self.failure or outcomes & {"bad input", "error"}:
            return 2
        return 1 if outcomes & {"refused", "not run"} else 0


def report_run(instance: dg.DagsterInstance, run_id: str, assets: Sequence[str]) -> RunReport:
    """Collect what became of each asset in a finished run."""
    checks: dict[str, list[CheckReport]] = {name: [] for name in assets}
    outcomes: dict[str, tuple[str, str]] = {}
    failures: dict[str, dg.DagsterEvent] = {}
    steps: dict[str, list[str]] = {}
    failure = ""
    for log in instance.all_logs(run_id):
        event = log.dagster_event
        if event is None:
            continue
        if (
            event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
            and event.asset_key
            and event.step_key
        ):
            steps.setdefault(event.step_key, []).append(event.asset_key.to_user_string())
        elif event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key is not None:
            number = metadata_value(event.materialization.metadata.get("aims/version"))
            outcomes[event.asset_key.to_user_string()] = (
                f"published as version {number}" if number is not None else "materialised",
                "",
            )
        elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            status = metadata_value(evaluation.metadata.get("aims/status")) or (
                "pass" if evaluation.passed else "fail"
            )
            checks.setdefault(evaluation.asset_key.to_user_string(), []).append(
                CheckReport(
                    name=evaluation.check_name, status=str(status), found=evaluation.description or ""
                )
            )
        elif event.is_step_failure and event.step_key is not None:
            failures[event.step_key] = event
        elif event.event_type is dg.DagsterEventType.RUN_FAILURE and not failures:
            told = _told(event.job_failure_data.error)
            failure = f"The run failed: {told or event.message}. The run page in Dagster shows the stack."
    for step, event in failures.items():
        names, each = steps.get(step, [step]), _refused(event)
        for name in names:
            if name in each:
                outcomes[name] = each[name]
            elif len(names) == 1 or name not in outcomes:  # what a step of several published stays published
                outcomes[name] = ("not run", "") if each else _failure(event)
    return RunReport(
        run_id=run_id,
        assets=tuple(
            AssetReport(
                name=name,
                outcome=outcomes.get(name, ("not run", ""))[0],
                checks=tuple(checks[name]),
                message=outcomes.get(name, ("", ""))[1],
            )
            for name in assets
        ),
        failure=failure,
    )


def _refused(event: dg.DagsterEvent) -> dict[str, tuple[str, str]]:
    """Outcome and message of each asset of a failed step of several; empty for a step of one."""
    data = event.step_failure_data
    told = data.user_failure_data.metadata.get("aims/refused") if data.user_failure_data is not None else None
    return {
        name: (str(outcome), str(message))
        for name, (outcome, message) in (metadata_value(told) or {}).items()
    }


def _failure(event: dg.DagsterEvent) -> tuple[str, str]:
    """Outcome and message of a failed step: a gate's own words, or the kind of error in the user's code."""
    data = event.step_failure_data
    if data.user_failure_data is not None:
        outcome = metadata_value(data.user_failure_data.metadata.get("aims/outcome")) or "error"
        return str(outcome), data.user_failure_data.description or ""
    told = _told(data.error)
    if not told:
        return "error", f"{event.step_key} failed without saying why. The run page in Dagster may tell."
    return "error", f"{event.step_key} raised {told}. The run page in Dagster shows the stack."


def _told(error: "SerializableErrorInfo | None") -> str:
    """What went wrong first, and where in the user's own code; empty if nothing is known."""
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return ""
    frames = [line.split("\n")[0].strip() for line in error.stack if line.strip().startswith("File ")]
    own = [frame for frame in frames if not any(mark in frame for mark in _NOT_THE_USERS)] or frames
    place = f" ({own[-1].replace('File ', '')})" if own else ""
    return f"{error.message.strip()}{place}"
