"""``aims gate``: may this model version be used? For pipelines that deploy."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any
from xml.etree import ElementTree

import typer

from aims_pipelines.cli.model_reference import REFERENCE_HELP, resolve
from aims_pipelines.core.statement import judgement_to_json
from aims_pipelines.core.verdict import Severity, Status

if TYPE_CHECKING:
    from aims_pipelines.core.gate import Judgement
    from aims_pipelines.core.verdict import Verdict

_MARKS = {Status.PASS: "✓", Status.FAIL: "✗", Status.INCONCLUSIVE: "?"}


class Format(StrEnum):
    """How the answer is printed."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    MARKDOWN = "markdown"


def gate(
    model: Annotated[str, typer.Argument(help=REFERENCE_HELP)],
    form: Annotated[Format, typer.Option("--format", help="How to print the answer.")] = Format.TEXT,
) -> None:
    """Ask whether a registered model version may be used now.

    Exit code 0 if the gate is open, 1 if it is shut (each failing item is named, with what to do next), 2 if the
    question makes no sense, such as an unknown model.
    """
    from aims_pipelines.assets.model_gate import examine
    from aims_pipelines.resources.project import find_project

    project = find_project()
    version = resolve(project, model, command="aims gate")
    judgement = examine(project, version, now=datetime.now(UTC))
    typer.echo(_PRINTERS[form](judgement))
    raise typer.Exit(0 if judgement.status is Status.PASS else 1)


def _text(judgement: "Judgement") -> str:
    lines = [f"{judgement.subject}: {_word(judgement)}"]
    for verdict in judgement.verdicts:
        note = " (warns only)" if verdict.severity is Severity.WARN else ""
        lines.append(f"  {_MARKS[verdict.status]} {verdict.check}{note}: {_said(verdict)}")
        lines.extend(f"      Next: {remedy}" for remedy in _remedies(verdict))
    return "\n".join(lines)


def _json(judgement: "Judgement") -> str:
    data: dict[str, Any] = {"open": judgement.status is Status.PASS, **judgement_to_json(judgement)}
    return json.dumps(data, indent=2)


def _markdown(judgement: "Judgement") -> str:
    lines = [f"### `{judgement.subject}`: {_word(judgement)}", "", "| item | answer | |", "|---|---|---|"]
    for verdict in judgement.verdicts:
        said = " ".join([_said(verdict), *(f"**Next:** {remedy}" for remedy in _remedies(verdict))])
        lines.append(
            f"| {verdict.check} | {_MARKS[verdict.status]} {verdict.status} | {said.replace('|', chr(92) + '|')} |"
        )
    return "\n".join(lines)


def _junit(judgement: "Judgement") -> str:
    shut = [verdict for verdict in judgement.verdicts if not verdict.opens]
    suite = ElementTree.Element(
        "testsuite",
        name=f"aims gate {judgement.subject}",
        tests=str(len(judgement.verdicts)),
        failures=str(len(shut)),
        errors="0",
        skipped="0",
    )
    for verdict in judgement.verdicts:
        case = ElementTree.SubElement(suite, "testcase", classname=judgement.subject, name=verdict.check)
        if verdict in shut:
            failure = ElementTree.SubElement(
                case, "failure", type=str(verdict.status), message=_said(verdict)
            )
            failure.text = "\n".join(f"Next: {remedy}" for remedy in _remedies(verdict))
        else:
            ElementTree.SubElement(case, "system-out").text = _said(verdict)
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, encoding="unicode")


_PRINTERS: dict[Format, "Callable[[Judgement], str]"] = {
    Format.TEXT: _text,
    Format.JSON: _json,
    Format.JUNIT: _junit,
    Format.MARKDOWN: _markdown,
}


def _word(judgement: "Judgement") -> str:
    if judgement.status is Status.PASS:
        return "open"
    shut = len(judgement.refusing) + len(judgement.missing)
    return f"shut, {shut} of {len(judgement.required)} items did not pass"


def _said(verdict: "Verdict") -> str:
    shown = verdict.problems or verdict.findings
    parts = [f"{item.target}: {item.reason}" if item.target else item.reason for item in shown]
    return "; ".join(parts) or "nothing was measured"


def _remedies(verdict: "Verdict") -> list[str]:
    return list(dict.fromkeys(item.remedy for item in verdict.problems if item.remedy))
