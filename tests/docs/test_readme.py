"""The README's five-minute path, run as it stands, and links that lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


ON_FILES_OF_THE_READERS = "Measure without a project"


def blocks(repository: Path) -> list[list[str]]:
    text = (repository / "README.md").read_text(encoding="utf-8")
    sections = text.split("\n## ")
    assert any(section.startswith(ON_FILES_OF_THE_READERS) for section in sections)
    return [
        [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
        for section in sections
        if not section.startswith(ON_FILES_OF_THE_READERS)
        for block in CONSOLE.findall(section)
    ]


@pytest.mark.slow
def test_the_five_minute_path_ends_in_a_refused_batch(repository: Path, tmp_path: Path) -> None:
    """Runs every console block but ``make demo`` and those on files that readers bring, in one shell, in order."""
    commands = [
        line for block in blocks(repository) for line in block if not line.startswith(("make", "source"))
    ]
    refused = next(index for index, line in enumerate(commands) if "--select loans" in line)
    script = ["set -e"]
    for index, line in enumerate(commands):
        expected = 1 if index == refused else 0
        script.append(
            f'code=0; {{ {line.split("#")[0]}; }} || code=$?; echo "EXIT $code"; test $code -eq {expected}'
        )
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(repository),
        "COLUMNS": "110",
    }
    result = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    assert "label_rate_gap[sex]: fail" in result.stdout
    assert "stays current" in result.stdout


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        *sorted(
            str(path.relative_to(Path(__file__).parents[2]))
            for path in (Path(__file__).parents[2] / "docs").rglob("*.md")
        ),
    ],
)
def test_links_and_pictures_lead_somewhere(document: str, repository: Path) -> None:
    file = repository / document
    dead = [
        target
        for target in LINK.findall(file.read_text(encoding="utf-8"))
        if not (file.parent / target.split()[0]).exists()
    ]
    assert dead == []
