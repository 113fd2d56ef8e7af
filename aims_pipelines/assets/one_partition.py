"""The partition that a step is for: one, so that what it makes is judged by itself."""

from typing import TYPE_CHECKING

from aims_pipelines import _dagster_compat as compat
from aims_pipelines.core.errors import BadInput, Fault

if TYPE_CHECKING:
    import dagster as dg


def one_partition(context: "dg.AssetExecutionContext", names: str) -> str:
    """The key of a step's partition; empty where there are none.

    Args:
        context: The step's context.
        names: Its assets, for the message.

    Raises:
        BadInput: The step is for several partitions.
    """
    partition = compat.partition_of(context)
    if partition is None:
        raise BadInput(
            Fault(
                where=f"asset {names}",
                expected="one partition a run, so that each is judged",
                found="a range of partitions in a single run",
                remedy="Use BackfillPolicy.multi_run().",
            )
        )
    return partition
