"""Profiles in files: told from tables by their first bytes, whatever they are called."""

from pathlib import Path

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.core.files import write_whole
from aims_pipelines.measure.serialise import MAGIC, from_bytes, to_bytes
from aims_pipelines.stats.profile import Profile


def is_saved_profile(path: Path | str) -> bool:
    """Whether a file starts like a saved profile; a file that cannot be read does not."""
    try:
        with Path(path).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_profile(path: Path | str) -> Profile:
    """Read a saved profile.

    Raises:
        BadInput: The file cannot be read, or is no whole profile of a version known here.
    """
    try:
        return from_bytes(Path(path).read_bytes())
    except OSError as error:
        raise BadInput(
            Fault(where=str(path), expected="a saved profile", found=error.strerror or type(error).__name__)
        ) from error
    except BadInput as error:
        faults = [
            Fault(where=str(path), expected=fault.expected, found=fault.found, remedy=fault.remedy)
            for fault in error.faults
        ]
        raise BadInput(faults) from error


def write_profile(profile: Profile, path: Path | str) -> int:
    """Write a profile to a file, the whole of it or nothing.

    Returns:
        Bytes written.

    Raises:
        BadInput: The place cannot be written to.
    """
    path, data = Path(path), to_bytes(profile)
    try:
        write_whole(path, data)
    except OSError as error:
        raise BadInput(
            Fault(
                where=str(path), expected="a file to write to", found=error.strerror or type(error).__name__
            )
        ) from error
    return len(data)
