"""How a registered model version is named on the command line."""

import re
from typing import TYPE_CHECKING

from aims_pipelines.core.errors import BadInput, Fault

if TYPE_CHECKING:
    from aims_pipelines.resources.mlflow import RegisteredVersion
    from aims_pipelines.resources.project import Project

REFERENCE_HELP = "MODEL@ALIAS or MODEL/VERSION, such as credit@challenger."
_REFERENCE = re.compile(r"^(?P<name>[^@/\s]+)(?:@(?P<alias>[^@/\s]+)|/(?P<number>[1-9][0-9]{0,8}))$")


def resolve(project: "Project", reference: str, *, command: str) -> "RegisteredVersion":
    """Find the version that ``MODEL@ALIAS`` or ``MODEL/VERSION`` names.

    Args:
        project: Where the registry is.
        reference: As the user wrote it.
        command: Command that was given, for the examples of a message.

    Raises:
        BadInput: It is written otherwise, or there is no such model, alias or version.
        StoreUnavailable: MLflow did not answer.
    """
    match = _REFERENCE.match(reference)
    if match is None:
        raise BadInput(
            Fault(
                where="MODEL",
                expected="MODEL@ALIAS or MODEL/VERSION",
                found=repr(reference),
                remedy=f"For example: {command} credit@challenger, or {command} credit/3.",
            )
        )
    number = int(match["number"]) if match["number"] else None
    return project.mlflow.resolve(match["name"], alias=match["alias"] or "", number=number)
