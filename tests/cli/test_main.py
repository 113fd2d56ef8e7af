"""The command line as a whole: help, versions, and a reference that says what there is."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import typer

from aims_pipelines.cli.main import app


def commands() -> dict[str, click.Command]:
    """Every command by its full name, such as ``ledger verify``."""
    found: dict[str, click.Command] = {}

    def walk(command: click.Command, name: str) -> None:
        subcommands = getattr(command, "commands", None)
        if subcommands is None:
            found[name] = command
        else:
            for part, sub in subcommands.items():
                walk(sub, f"{name} {part}".strip())

    walk(typer.main.get_command(app), "")
    return found


@pytest.mark.parametrize("name", sorted(commands()))
def test_the_reference_names_every_command_and_option(name: str, repository: Path) -> None:
    text = (repository / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert f"aims {name}" in text
    for parameter in commands()[name].params:
        for option in parameter.opts:
            if option.startswith("--") and option != "--help":
                assert option in text, f"{name} {option} is not in the reference"


def test_the_reference_names_no_command_that_is_not_there(repository: Path) -> None:
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for path in [*repository.glob("docs/**/*.md"), repository / "README.md"]
    )
    known = {name.split()[0] for name in commands()}
    named = set(re.findall(r"`(?:\$ )?aims ([a-z][a-z-]*)", text))
    assert named <= known


def test_every_command_explains_itself() -> None:
    for name, command in commands().items():
        assert command.help, f"aims {name} has no help"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['aims', '--help']\n"
        "from aims_pipelines.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = ['dagster', 'mlflow', 'pandas', 'pyarrow', 'sqlalchemy', 'numpy', 'great_expectations', 'evidently']\n"
        "print('LOADED', *[name for name in heavy if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1].split() == ["LOADED"]


@pytest.mark.parametrize("arguments", [["no-such-command"], ["status", "--no-such-option"], ["gate"]])
def test_bad_usage_is_exit_code_2(arguments: list[str], tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "aims_pipelines.cli.main", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
