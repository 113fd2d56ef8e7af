"""Patience, output files and lists of names: word on the terminal after two seconds, nothing overwritten unasked."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.core.files import write_whole

PATIENCE_SECONDS = 2.0


@contextmanager
def patience(text: str) -> Iterator[None]:
    """Say on the terminal what is going on, if it goes on for more than two seconds."""
    running: list[object] = []

    def begin() -> None:
        from rich.console import Console
        from rich.markup import escape

        status = Console(stderr=True).status(escape(text))
        running.append(status)
        status.start()

    timer = Timer(PATIENCE_SECONDS, begin)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        for status in running:
            status.stop()  # type: ignore[attr-defined]  # a rich Status, whose module is loaded only when needed


def output_faults(out: Path, *, overwrite: bool | None, inputs: Sequence[Path] = ()) -> list[Fault]:
    """What keeps a file from being written.

    Args:
        out: The file.
        overwrite: Whether one that exists may be replaced; ``None`` where a command never does.
        inputs: Files that are read.
    """
    if out.is_dir():
        return [Fault(where=str(out), expected="a file to write to", found="a folder")]
    if out.is_symlink() or (out.exists() and not out.is_file()):
        # Files are put in place whole, which would put an end to a link or a device.
        found = "a symbolic link" if out.is_symlink() else "something else"
        return [Fault(where=str(out), expected="a regular file to write to", found=found)]
    if not out.parent.is_dir():
        return [Fault(where=str(out), expected="a folder that exists", found=f"no folder {out.parent}")]
    if any(item.exists() and out.exists() and out.samefile(item) for item in inputs):
        return [Fault(where=str(out), expected="another file than the inputs", found="one of them")]
    if out.exists() and not overwrite:
        remedy = f"Choose another name, or {'remove it' if overwrite is None else 'say --overwrite'}."
        return [Fault(where=str(out), expected="a new file", found="one that exists", remedy=remedy)]
    return []


def write_bytes(out: Path, data: bytes) -> None:
    """Write the whole of a file, or nothing."""
    try:
        write_whole(out, data)
    except OSError as error:
        raise BadInput(
            Fault(where=str(out), expected="a file to write to", found=error.strerror or "an error")
        ) from error


def write_text(out: Path, text: str) -> None:
    """Write the whole text, or nothing."""
    write_bytes(out, text.encode())


def names(text: str | None) -> tuple[str, ...] | None:
    """Split names with commas between; ``None`` stays ``None``, and an empty text is no name at all."""
    return (
        None
        if text is None
        else tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    )


def pairs(text: str | None) -> tuple[tuple[str, str], ...] | None:
    """Split pairs of columns, ``A:B`` with commas between; ``None`` stays ``None``, an empty text is no pair.

    Raises:
        BadInput: Some are no pairs; all of them are named.
    """
    if text is None:
        return None
    found: list[tuple[str, str]] = []
    faults: list[Fault] = []
    for named in names(text) or ():
        first, _, second = (part.strip() for part in named.partition(":"))
        if first and second and ":" not in second:
            found.append((first, second))
        else:
            faults.append(
                Fault(where="--pairs", expected="two columns with a colon between, A:B", found=repr(named))
            )
    if faults:
        raise BadInput(faults)
    return tuple(found)
