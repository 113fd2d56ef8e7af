"""Environments of peers that cannot share ours: virtual environments from pinned versions, made when first needed.

``NAME.txt`` beside this module pins a peer and all that it needs. Its environment lies in ``.bench/NAME`` and is made
again when the pins or the Python change.
"""

import hashlib
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.timing import ROOT

ENVIRONMENTS = ROOT / ".bench"
_PINS = Path(__file__).parent
_STAMP = "pins.sha256"
_SECONDS = 1_200


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """Why a peer cannot be run here, in one line."""

    reason: str


def interpreter(name: str, *, home: Path = ENVIRONMENTS, pins: Path = _PINS) -> Path | Unavailable:
    """Find, or make, the interpreter of a peer's environment.

    Args:
        name: Name of the environment and of its file of pins; empty for the environment of the benchmarks.
        home: Folder of the environments.
        pins: Folder of the files of pins.
    """
    if not name:
        return Path(sys.executable)
    listed = pins / f"{name}.txt"
    folder = home / name
    python = folder / "bin" / "python"
    stamp, wanted = folder / _STAMP, _digest(listed)
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Everything is pinned, so nothing is left to resolve: another version could be another result.
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", str(listed)])
    except (subprocess.SubprocessError, OSError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        return Unavailable(reason=f"its environment cannot be made: {_reason(error)}")
    stamp.write_text(wanted, encoding="utf-8")
    return python


def version_of(name: str, *, pins: Path = _PINS) -> str:
    """Pinned version of the peer that an environment is named after."""
    for line in (pins / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        package, _, version = line.partition("==")
        if package == name:
            return version.split()[0]
    raise LookupError(f"{name}.txt does not pin {name}")


def _digest(listed: Path) -> str:
    return hashlib.sha256(listed.read_bytes() + platform.python_version().encode()).hexdigest()


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)


def _reason(error: Exception) -> str:
    """Return the line of an error that says most: pip's last error, without warnings around it."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"over {_SECONDS // 60} minutes"
    if isinstance(error, subprocess.CalledProcessError):
        lines = [line.strip() for line in (error.stderr or error.stdout or "").splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines
        return errors[-1].removeprefix("ERROR: ") if errors else f"exit code {error.returncode}"
    return type(error).__name__
