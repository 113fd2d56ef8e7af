"""The commands that the demo gives: what is run, what is expected of it, and where its output is kept."""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from examples.credit_default.workplace import Workplace


class StoryError(Exception):
    """Something did not happen as told."""


class Commands:
    """Runs commands in the demo's project, says so, and insists on their exit codes.

    Args:
        console: Where they are shown.
        place: Where they run.
    """

    def __init__(self, console: Console, place: Workplace) -> None:
        self.console = console
        self.place = place
        self._count = 0

    def generate(self, *options: str) -> None:
        """Run the generator of the example."""
        self._run([sys.executable, "-m", "examples.credit_default.generator", *options], expect=0)

    def materialize(self, file: Path | None, *, expect: int, select: str = "") -> dict[str, Any]:
        """Let a batch arrive, if there is one, and materialise; give the report that the command prints."""
        command = ["materialize", *(["--select", select] if select else [])]
        arrival = f"CREDIT_DEFAULT_INPUT={file.name} " if file else ""
        printed = self.aims(
            *(*command, "--format", "json"),
            expect=expect,
            shown=f"{arrival}aims {shlex.join(command)}",
            environment={"CREDIT_DEFAULT_INPUT": str(file)} if file else {},
        )
        report: dict[str, Any] = json.loads(printed)
        return report

    def current_versions(self) -> dict[str, str]:
        """Give the number of the current version of every dataset and model, as ``aims status`` tells it."""
        rows = json.loads(self.aims("status", "--format", "json", expect=0, shown=""))
        return {row["name"]: row["current"].split()[0] for row in rows}

    def verifier(self, verifier: Path, export: Path, *, expect: int) -> str:
        """Run the one-file verifier on an exported ledger, cut off from every installed package."""
        return self._run(
            [sys.executable, "-I", "-S", str(verifier), str(export)],
            expect=expect,
            shown=f"python {verifier.name} {export.name}",
        )

    def aims(
        self,
        *arguments: str,
        expect: int,
        shown: str | None = None,
        environment: dict[str, str] | None = None,
    ) -> str:
        """Run ``aims`` in the project folder; give what it printed.

        Args:
            arguments: Its arguments.
            expect: Exit code without which the story is broken.
            shown: What the terminal shows; the arguments if absent, nothing if empty.
            environment: Variables besides those of the place.
        """
        told = f"aims {shlex.join(arguments)}" if shown is None else shown
        return self._run(
            [sys.executable, "-m", "aims_pipelines.cli.main", *arguments],
            expect=expect,
            shown=told,
            environment=environment,
        )

    def _run(
        self,
        command: Sequence[str],
        *,
        expect: int,
        shown: str = "",
        environment: dict[str, str] | None = None,
    ) -> str:
        self._count += 1
        started = time.monotonic()
        with self.console.status(escape(shown) or "…"):
            done = subprocess.run(  # noqa: S603 - our own interpreter with arguments of our own
                command,
                cwd=self.place.project,
                env={**self.place.environment(), **(environment or {})},
                capture_output=True,
                text=True,
                encoding="utf-8",
                stdin=subprocess.DEVNULL,
                check=False,
            )
        words = [Path(word).stem for word in command[1:] if not word.startswith("-")][:3]
        log = self.place.logs / f"{self._count:02d}-{'-'.join(words)}.log"
        log.write_text(f"$ {shlex.join(command)}\n{done.stdout}\n{done.stderr}\n", encoding="utf-8")
        if shown:
            self.console.print(
                f"[cyan]$ {escape(shown)}[/]  [dim]{time.monotonic() - started:.1f} s[/]", soft_wrap=True
            )
        if done.returncode != expect:
            raise StoryError(
                f"Told: {shown or shlex.join(command)} ends with code {expect}.\n"
                f"Found: {done.returncode}.\n{_explained(done.stdout, done.stderr)}\nAll of its output: {log}"
            )
        return done.stdout


def _explained(printed: str, errors: str) -> str:
    """Say in a few lines what a command had to say about its end."""
    try:
        assets = json.loads(printed)["assets"]
    except (ValueError, TypeError, KeyError):
        return "\n".join([*printed.strip().splitlines()[-8:], *errors.strip().splitlines()[-8:]])
    return "\n".join(f"{asset['name']}: {asset['outcome']}. {asset['message']}".strip() for asset in assets)
