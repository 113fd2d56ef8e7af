"""The command ``aims``: wires the commands, prints errors, maps them to exit codes.

0 means done and nothing refused; 1 refused by a gate, or evidence that does not verify; 2 bad usage or input; 3 (of
``aims compare``, ``aims chart``, ``aims replay`` and ``aims performance``) that the rows, the past, or the labels could
not tell.
"""

import io
import os
import sys
import traceback
from importlib import import_module

import typer

from aims_pipelines.core.errors import AimsError, raised_at

_COMMANDS = (
    "init",
    "validate",
    "schema",
    "materialize",
    "status",
    "gate",
    "card",
    "profile",
    "compare",
    "chart",
    "replay",
    "performance",
)
_READER_WENT_AWAY = 141  # as the shell says it: 128 and the number of SIGPIPE
_UNEXPECTED = 2  # 1 would say that a gate refused
_HOMES = {"schema": "validate"}

app = typer.Typer(
    name="aims",
    help="Controls of an AI management system (ISO/IEC 42001) as gates inside Dagster.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from aims_pipelines import __version__

        typer.echo(f"aims-pipelines {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    """Options before the command."""


for _name in _COMMANDS:
    _module = import_module(f"aims_pipelines.cli.{_HOMES.get(_name, _name)}")
    app.command(_name)(getattr(_module, _name))
app.add_typer(import_module("aims_pipelines.cli.ledger").app, name="ledger", help="The evidence ledger.")


def main() -> None:
    """Run the command line; shows no traceback unless ``AIMS_TRACEBACK`` is set, and never ends like a refusal."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "yes")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # what the terminal cannot show is no reason to fail
    try:
        app()
    except AimsError as error:
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - the last place where the exit code can be kept right
        if os.environ.get("AIMS_TRACEBACK"):
            traceback.print_exc()
        typer.echo(
            f"{type(error).__name__}{raised_at(error)}\nThis was not expected, and nothing was decided. "
            "Set AIMS_TRACEBACK=1 to see all of it, and report it if the fault is not in your own code.",
            err=True,
        )
        sys.exit(_UNEXPECTED)
    except SystemExit as error:
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        # The reader went away, and with it the answer: neither success nor a refusal.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_READER_WENT_AWAY)


if __name__ == "__main__":
    main()
