"""Every error that this package raises on purpose.

A message says what was expected, what was found, where, and what to do next. The command line prints the
message without a traceback and exits with ``exit_code``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

_PACKAGE: Final = Path(__file__).resolve().parent.parent


class AimsError(Exception):
    """Base of all errors of this package."""

    exit_code: ClassVar[int] = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with an input.

    Args:
        where: File, line, path, column or option, as precisely as known.
        expected: What would have been right.
        found: What was there instead, shortened; never personal data.
        remedy: What to do next; empty if the expectation says it all.
    """

    where: str
    expected: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        """One line for people."""
        line = f"{self.where}: expected {self.expected}, found {self.found}"
        return f"{line}. {self.remedy}" if self.remedy else line


class BadInput(AimsError):
    """An input cannot be used. Carries all faults found, not just the first; nothing was written."""

    def __init__(self, faults: Fault | Iterable[Fault]) -> None:
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class RecordsInvalid(BadInput):
    """The governance records hold faults."""


class StoreUnavailable(AimsError):
    """A database, file system or server that is needed did not answer, or refused to write."""


class NotOurs(AimsError):
    """A file or database exists but was not made by this package, so it is left alone."""


class LedgerBroken(AimsError):
    """The evidence ledger does not verify; every gate stays shut until it does."""

    exit_code = 1


class GateRefused(AimsError):
    """A gate stayed shut. The message lists each verdict that did not pass, with its remedy."""

    exit_code = 1


class RowsNotKept(AimsError):
    """A check asked for rows of a candidate of the past that are not there to be read.

    Args:
        reason: Why not.
        column: The column that was asked for; empty for whole rows.
    """

    def __init__(self, reason: str, *, column: str = "") -> None:
        self.reason = reason
        self.column = column
        super().__init__(reason)


def raised_at(error: BaseException) -> str:
    """Where in this package an exception passed last, `` at FILE:LINE``; its text may quote values, this does not."""
    place, trace = "", error.__traceback__
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path.is_relative_to(_PACKAGE):
            place = f" at {path.relative_to(_PACKAGE.parent).as_posix()}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
