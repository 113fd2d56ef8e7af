"""What the how-to says is what happens."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from aims_pipelines.cli.main import app
from aims_pipelines.core.verdict import Status
from aims_pipelines.stats.false_alarms import false_alarms

Tables = Callable[..., pa.Table]


@pytest.fixture(scope="module")
def how_to(repository: Path) -> str:
    return (repository / "docs" / "how-to" / "replay-a-policy.md").read_text(encoding="utf-8")


@pytest.fixture
def past(scene: Any, table: Tables, monkeypatch: pytest.MonkeyPatch) -> Any:
    for n, rows in enumerate((400, 400, 300)):
        scene.judge(table(n, rows=rows))
    scene.judge(table(4, missing=0.5))
    monkeypatch.chdir(scene.folder)
    return scene


def test_the_example_prints_what_the_how_to_shows(how_to: str, past: Any) -> None:
    (block,) = [block for block in re.findall(r"```console\n(.*?)```", how_to, re.DOTALL) if "┏" in block]
    command, _, shown = block.partition("\n")
    arguments = command.removeprefix("$ aims ").split()
    arguments[arguments.index("--since") + 1] = (
        "2026-01-01"  # the past of this test does not move with the calendar
    )
    printed = CliRunner().invoke(app, arguments).output
    assert printed.startswith(shown)


def test_the_program_runs(how_to: str, past: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", how_to, re.DOTALL)
    names: dict[str, Any] = {}
    exec(program.replace("days=90", "days=9000"), names)  # noqa: S102 - the document's own example
    assert names["made"].status is Status.INCONCLUSIVE
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_the_numbers_of_windows_are_those_of_the_code(how_to: str) -> None:
    for budget, needed in ((0.05, 73), (0.01, 381)):
        assert false_alarms(0, 10, confidence=0.95, budget=budget).windows_needed == needed
        assert re.search(rf"{budget:.0%}".replace("%", " %") + rf" takes {needed}", how_to)
