"""Runs whose process ended before they did: Dagster would show them as running for ever."""

import os
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import dagster as dg

PROCESS_TAG: Final = "aims/process"
_MOST_LOOKED_AT = 50


def process_tag() -> dict[str, str]:
    """The tag that says which process a run lives in."""
    return {PROCESS_TAG: f"{socket.gethostname()}:{os.getpid()}"}


def cancel(instance: "dg.DagsterInstance", run_id: str) -> None:
    """Say of a run of this process that its user stopped it."""
    from aims_pipelines._dagster_compat import end_run

    run = instance.get_run_by_id(run_id)
    if run is not None and not run.is_finished:
        end_run(
            instance, run, "Stopped by the user. What was published before stays; nothing is half written."
        )


def end_abandoned(instance: "dg.DagsterInstance") -> None:
    """Say of earlier runs on this machine that their processes are gone, killed or otherwise."""
    import dagster as dg

    from aims_pipelines._dagster_compat import end_run
    from aims_pipelines.storage.processes import is_alive

    under_way = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]
    )
    for run in instance.get_runs(under_way, limit=_MOST_LOOKED_AT):
        host, _, number = run.tags.get(PROCESS_TAG, "").rpartition(":")
        if host == socket.gethostname() and number.isdecimal() and not is_alive(int(number)):
            end_run(
                instance,
                run,
                "Its process ended before the run did. What was published before stays; run it again.",
            )
