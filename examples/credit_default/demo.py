"""The story of the reference project, told in the terminal and checked while it is told.

    python -m examples.credit_default.demo [--rows 100000] [--output FOLDER]

A clean batch is published and a model of it registered; four bad batches are refused while the last good version
stays current; an auditor verifies the ledger and catches an entry that somebody changed. Everything is done with the
command ``aims`` and the one-file verifier, as anybody else would. Exit code 0 means that all of it happened as told,
1 that something did not, 2 that it could not be tried.
"""

import argparse
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from aims_pipelines.core.errors import AimsError, BadInput, Fault
from examples.credit_default.commands import Commands, StoryError
from examples.credit_default.faults import FAULTS, Planted
from examples.credit_default.workplace import Workplace

LEAST_ROWS = 50_000
_MOST_REASONS = 2
BAD_BATCHES = ("schema", "missing", "label-bias", "subgroup-drift")
_TITLES = {
    "schema": "a broken schema",
    "missing": "missing values",
    "label-bias": "labels biased against a group",
    "subgroup-drift": "drift inside one subgroup only",
}
_STAGES = ("applications", "holdout", "training", "credit_default")


def main(arguments: Sequence[str] | None = None) -> int:
    """Tell the story; return 0 if all of it came out as told."""
    parser = argparse.ArgumentParser(prog="python -m examples.credit_default.demo", description=__doc__)
    parser.add_argument(
        "--rows", type=int, default=100_000, metavar="N", help="rows of a batch (default 100000)"
    )
    parser.add_argument("--output", type=Path, default=None, metavar="FOLDER", help="default demo-output")
    options = parser.parse_args(arguments)
    console = Console(highlight=False)
    place = Workplace.default() if options.output is None else Workplace(folder=options.output.resolve())
    started = time.monotonic()
    try:
        if options.rows < LEAST_ROWS:
            raise BadInput(
                Fault(
                    where="--rows",
                    expected=f"at least {LEAST_ROWS}, fewer of which would be too few to judge every group",
                    found=str(options.rows),
                )
            )
        place.prepare()
        Story(console, place, rows=options.rows).tell()
        place.finish()
    except StoryError as broken:
        console.print(
            f"\n[bold red]The story did not come out as told.[/]\n{escape(str(broken))}", soft_wrap=True
        )
        return 1
    except AimsError as error:
        Console(stderr=True).print(str(error), markup=False, highlight=False, soft_wrap=True)
        return error.exit_code
    except KeyboardInterrupt:
        console.print("\nStopped before the end.")
        return 130
    console.print(f"\n[dim]Told in {time.monotonic() - started:.0f} s.[/]")
    return 0


class Story:
    """The chapters, in order; each raises ``StoryError`` if what happens is not what it tells.

    Args:
        console: Where it is told.
        place: Where it happens.
        rows: Rows of each batch.
    """

    def __init__(self, console: Console, place: Workplace, *, rows: int) -> None:
        self.console = console
        self.place = place
        self.rows = rows
        self.commands = Commands(console, place)
        self.current: dict[str, str] = {}

    def tell(self) -> None:
        """Tell all chapters."""
        self.console.print(
            "[bold]A bank's credit applications, behind gates[/]\n"
            "A batch is judged before it exists for anyone, and a model before it is registered.\n"
            f"Everything is kept in {self.place.folder}.",
            soft_wrap=True,
        )
        self.clean_batch()
        self.next_clean_batch()
        for number, fault in enumerate(BAD_BATCHES, start=3):
            self.bad_batch(number, fault)
        self.work_goes_on()
        self.audit()
        self.where_to_look()

    def clean_batch(self) -> None:
        """A clean batch is published; a model of it is trained, validated, carded and registered."""
        self._chapter(1, "A clean batch arrives")
        file = self._deliver("clean", seed=1, faults=())
        report = self.commands.materialize(file, expect=0)
        self._show(report)
        self.current = self.commands.current_versions()
        for name in _STAGES:
            self._require(f"'{name}' has a first version", self.current.get(name), "1".__eq__)
        said = self.commands.aims("gate", "credit_default@challenger", expect=0)
        for line in said.strip().splitlines():
            self.console.print(f"  {escape(line)}", soft_wrap=True)

    def next_clean_batch(self) -> None:
        """The next clean batch is published too: the gate does not cry wolf."""
        self._chapter(2, "The next batch is clean, too")
        file = self._deliver("clean", seed=2, faults=())
        self._show(self.commands.materialize(file, expect=0, select="+applications"))
        self.current = self.commands.current_versions()
        self._require(
            "'applications' has a second version",
            self.current["applications"],
            "2".__eq__,
        )

    def bad_batch(self, number: int, name: str) -> None:
        """A batch with a planted fault is refused by the check that is meant for it."""
        fault = FAULTS[name]
        self._chapter(number, f"A batch with {_TITLES[name]}")
        self.console.print(f"Planted: {fault.describe(fault.default)}", soft_wrap=True)
        file = self._deliver(name, seed=number, faults=(Planted(fault=fault, size=fault.default),))
        report = self.commands.materialize(file, expect=1)
        assets = {asset["name"]: asset for asset in report["assets"]}
        self._show(report)
        self._require("'applications' is refused", assets["applications"]["outcome"], "refused".__eq__)
        failed = {check["name"] for check in assets["applications"]["checks"] if check["status"] == "fail"}
        self._require(f"the check '{fault.check}' fails", sorted(failed), lambda names: fault.check in names)
        for below in _STAGES[1:]:
            self._require(f"'{below}' is not run", assets[below]["outcome"], "not run".__eq__)
        now = self.commands.current_versions()
        self._require("every version is the one from before", now, self.current.__eq__)
        for line in self._reasons(assets["applications"]["message"], fault.check):
            self.console.print(f"[red]{escape(line)}[/]", soft_wrap=True)
        self.console.print(f"Nothing was published. Still current: {self._versions()}.", soft_wrap=True)

    def work_goes_on(self) -> None:
        """A new model is made of the last good version, whatever else has arrived meanwhile."""
        self._chapter(len(BAD_BATCHES) + 3, "Work goes on with the last good version")
        self._show(self.commands.materialize(None, expect=0, select="holdout+"))
        now = self.commands.current_versions()
        for name in _STAGES:
            self._require(f"'{name}' has a second version", now[name], "2".__eq__)

    def audit(self) -> None:
        """An auditor verifies the exported ledger, and catches an entry that somebody changed."""
        self._chapter(len(BAD_BATCHES) + 4, "The auditor comes")
        export, verifier = self.place.audit / "ledger.zip", self.place.audit / "verify.py"
        self.commands.aims("ledger", "verify", expect=0)
        self.commands.aims(
            "ledger", "export", str(export), expect=0, shown=f"aims ledger export {export.name}"
        )
        verifier.write_text(self.commands.aims("ledger", "verifier", expect=0), encoding="utf-8")
        said = self.commands.verifier(verifier, export, expect=0)
        self.console.print(f"  {escape(said.strip().splitlines()[0])}", soft_wrap=True)
        copy = self.place.audit / "ledger-tampered.zip"
        line = tamper(export, copy)
        self.console.print(
            f"Somebody turns a refusal into a pass, in line {line} of a copy, and hands that in:",
            soft_wrap=True,
        )
        said = self.commands.verifier(verifier, copy, expect=1)
        for text in said.strip().splitlines()[:4]:
            self.console.print(f"  [red]{escape(text)}[/]", soft_wrap=True)

    def where_to_look(self) -> None:
        """Where the results are."""
        self.console.rule("[bold]Where to look")
        for what, where in (
            ("The model's card", str(self._card())),
            ("Lineage, verdicts, registry", self._ui()),
            ("State of the project", f"cd {self.place.project} && aims status"),
            ("What the auditor got", str(self.place.audit)),
            ("The records", str(self.place.project / "governance")),
            ("Output of every command", str(self.place.logs)),
        ):
            self.console.print(f"{what:28} {escape(where)}", soft_wrap=True)

    def _chapter(self, number: int, title: str) -> None:
        self.console.print()
        self.console.rule(f"[bold]{number}. {title}", align="left")

    def _deliver(self, name: str, *, seed: int, faults: tuple[Planted, ...]) -> Path:
        file = self.place.deliveries / f"{seed}-{name}.parquet"
        options = [text for one in faults for text in ("--fault", one.fault.name)]
        self.commands.generate("--rows", str(self.rows), "--seed", str(seed), *options, "--out", str(file))
        return file

    def _show(self, report: dict[str, Any]) -> None:
        table = Table(box=None, pad_edge=False, show_header=False)
        for style in ("bold", "", ""):
            table.add_column(style=style)
        assets = {asset["name"]: asset for asset in report["assets"]}
        waiting = [name for name in _STAGES if name in assets and assets[name]["outcome"] == "not run"]
        for name in _STAGES:
            if name not in assets or name in waiting:
                continue
            asset = assets[name]
            shut = [check for check in asset["checks"] if check["status"] in {"fail", "inconclusive"}]
            told = "\n".join(f"{check['name']}: {check['status']}" for check in shut)
            colour = "red" if shut else "green"
            table.add_row(
                name,
                f"[{colour}]{asset['outcome']}[/]",
                f"[{colour}]{told or _all_clear(asset['checks'])}[/]",
            )
        if waiting:
            table.add_row(", ".join(waiting), "[dim]not run[/]", "")
        self.console.print(table)

    def _reasons(self, message: str, check: str) -> list[str]:
        """Give the lines of a refusal that a check is answerable for."""
        lines = [line for line in message.splitlines() if line.startswith((f"  {check}[", f"  {check}:"))]
        self._require(f"the refusal names '{check}'", lines, bool)
        return lines[:_MOST_REASONS]

    def _ui(self) -> str:
        if self.place == Workplace.default():
            return "make ui"
        return f"python -m examples.credit_default.ui --output {self.place.folder}"

    def _card(self) -> Path:
        cards = sorted((self.place.project / ".aims" / "mlflow-artifacts").rglob("card.html"))
        self._require("each version of the model has a card", len(cards), (2).__eq__)
        return max(cards, key=lambda card: card.stat().st_mtime)

    def _versions(self) -> str:
        return ", ".join(f"{name} {version}" for name, version in self.current.items())

    def _require(self, told: str, found: Any, holds: Callable[[Any], bool]) -> None:
        if found is None or not holds(found):
            raise StoryError(f"Told: {told}.\nFound: {found}.\nOutput of all commands: {self.place.logs}")


def _all_clear(checks: Sequence[dict[str, Any]]) -> str:
    """Say how many checks passed, and how many had nothing to judge (no earlier version, no time column)."""
    passed = sum(1 for check in checks if check["status"] == "pass")
    beside = len(checks) - passed
    return f"{passed} checks pass" + (
        f", {beside} {'does' if beside == 1 else 'do'} not apply" if beside else ""
    )


def tamper(export: Path, copy: Path) -> int:
    """Copy an exported ledger and turn the first refusal in it into a pass; return the number of its line."""
    changed = 0
    with zipfile.ZipFile(export) as source, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith(".jsonl") and not changed:
                lines = data.splitlines(keepends=True)
                changed = next((i for i, line in enumerate(lines, start=1) if b'"status":"fail"' in line), 0)
                if changed:
                    lines[changed - 1] = lines[changed - 1].replace(b'"status":"fail"', b'"status":"pass"')
                data = b"".join(lines)
            target.writestr(name, data)
    if not changed:
        raise StoryError(f"Told: the ledger holds refusals.\nFound: none in {export}.")
    return changed


if __name__ == "__main__":
    sys.exit(main())
