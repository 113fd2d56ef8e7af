"""A console that keeps what is printed on it, for answers that go to a terminal or into a file."""

from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def text_console(*, to_file: bool, file_width: int) -> "tuple[Console, StringIO]":
    """Make a console, and the buffer that it prints into.

    Args:
        to_file: Whether the text goes into a file, whatever standard output is.
        file_width: Width in characters where there is no terminal to fit.

    Returns:
        The console, in colour and as wide as the terminal if there is one; and its buffer.
    """
    from rich.console import Console

    screen = Console()
    on_terminal = screen.is_terminal and not to_file
    written = StringIO()
    console = Console(
        file=written,
        width=screen.width if on_terminal else file_width,
        force_terminal=on_terminal,
        highlight=False,
    )
    return console, written
