"""The how-to on charts, run as it stands."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aims_pipelines.cli.main import app

BLOCK = re.compile(r"```(python|console)\n(.*?)```", re.DOTALL)


def test_the_how_to_on_charts_says_what_is_printed(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    text = (repository / "docs" / "how-to" / "watch-a-statistic-over-time.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for language, block in BLOCK.findall(text):
        if language == "python":
            exec(block, {})  # noqa: S102 - our own documentation
            continue
        for command in block.split("$ ")[1:]:
            line, _, output = command.partition("\n")
            if line.startswith("python"):
                continue
            result = CliRunner().invoke(app, shlex.split(line)[1:])
            assert result.exit_code == (1 if " chart " in line else 0), result.output
            assert output.strip() in result.output
