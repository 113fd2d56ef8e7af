"""The demo tells its story for real, in a folder of its own, and says so when something is not as told."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from aims_pipelines.core.errors import BadInput, NotOurs
from examples.credit_default import demo, ui
from examples.credit_default.commands import Commands, StoryError
from examples.credit_default.workplace import Workplace

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def told(once: Callable[[str, Callable[[Path], None]], Path]) -> tuple[Workplace, str]:
    """The demo, run once for all workers, in a folder that an earlier demo and a person left something in."""

    def run_the_demo(shared: Path) -> None:
        place = Workplace(folder=shared / "output")
        place.prepare()
        (place.project / "left over").write_text("from an earlier demo")
        (place.folder / "notes.txt").write_text("mine")
        run = subprocess.run(
            [sys.executable, "-m", "examples.credit_default.demo", "--output", str(place.folder)],
            cwd=ROOT,
            env={**os.environ, "DAGSTER_HOME": str(place.folder / "elsewhere")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        (shared / "said.txt").write_text(run.stdout, encoding="utf-8")

    shared = once("demo-told", run_the_demo)
    return Workplace(folder=shared / "output"), (shared / "said.txt").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(1_500)
def test_the_story_comes_out_as_told(told: tuple[Workplace, str]):
    place, said = told
    for check in ("schema[income]", "completeness[income]", "label_rate_gap[sex]", "drift[region=coast"):
        assert f"  {check}" in said
    assert said.count("Nothing was published. Still current: applications 2, holdout 1") == 4
    assert "BROKEN" in said
    card = next(
        line.split(maxsplit=3)[3] for line in said.splitlines() if line.startswith("The model's card")
    )
    assert "Default risk of consumer loans" in Path(card).read_text(encoding="utf-8")
    place.require_results()


@pytest.mark.slow
@pytest.mark.timeout(1_500)
def test_it_wipes_only_what_an_earlier_demo_made(told: tuple[Workplace, str]):
    place, _ = told
    assert (place.folder / "notes.txt").read_text() == "mine"
    assert not (place.project / "left over").exists()
    assert not (place.folder / "elsewhere").exists()


@pytest.mark.slow
@pytest.mark.timeout(1_500)
def test_refused_batches_left_no_version_and_no_card(told: tuple[Workplace, str]):
    place, _ = told
    assert len(list((place.project / ".aims" / "data" / "applications" / "_v").iterdir())) == 2
    assert len(list((place.project / ".aims").rglob("card.html"))) == 2


def test_a_demo_that_is_run_again_starts_afresh(tmp_path: Path):
    place = Workplace(folder=tmp_path / "again")
    for _ in range(2):
        place.prepare()
        with pytest.raises(BadInput, match="make demo"):
            place.require_results()
        place.finish()
        place.require_results()


@pytest.mark.slow
@pytest.mark.timeout(1_500)
def test_dagster_and_mlflow_open_on_the_results_and_stop_together(told: tuple[Workplace, str]):
    place, _ = told
    ports = free_ports()
    options = ["--dagster-port", str(ports[0]), "--mlflow-port", str(ports[1]), "--output", str(place.folder)]
    process = subprocess.Popen(
        [sys.executable, "-m", "examples.credit_default.ui", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(3)]
        assert lines == [
            f"Dagster  http://127.0.0.1:{ports[0]}",
            f"MLflow   http://127.0.0.1:{ports[1]}",
            "Ctrl-C stops both.",
        ]
        query = b'{"query": "{ assetsOrError { ... on AssetConnection { nodes { key { path } } } } }"}'
        request = urllib.request.Request(
            f"http://127.0.0.1:{ports[0]}/graphql", query, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - http on this machine
            nodes = json.load(answer)["data"]["assetsOrError"]["nodes"]
        assert {"applications", "credit_default"} <= {node["key"]["path"][0] for node in nodes}
        url = f"http://127.0.0.1:{ports[1]}/api/2.0/mlflow/registered-models/get?name=credit_default"
        with urllib.request.urlopen(url, timeout=60) as answer:
            assert json.load(answer)["registered_model"]["aliases"][0]["alias"] == "challenger"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
    deadline = time.monotonic() + 20
    while any(answers(port) for port in ports) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not any(answers(port) for port in ports)


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- what it refuses to do


def test_a_folder_with_other_peoples_files_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert demo.main(["--output", str(tmp_path)]) == 2
    assert "did not make" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_link_and_a_file_in_place_of_the_folder_are_left_alone(tmp_path: Path):
    (tmp_path / "real").mkdir()
    Workplace(folder=tmp_path / "real").prepare()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("mine")
    for name in ("link", "file"):
        with pytest.raises(NotOurs):
            Workplace(folder=tmp_path / name).prepare()
    assert (tmp_path / "file").read_text() == "mine"
    assert (tmp_path / "real" / "project" / "definitions.py").is_file()


def test_too_few_rows_to_judge_every_group_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert demo.main(["--rows", "100", "--output", str(tmp_path / "demo")]) == 2
    assert "--rows: expected at least" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_ends_otherwise_breaks_the_story_with_its_own_words(tmp_path: Path):
    place = Workplace(folder=tmp_path / "demo")
    place.prepare()
    (place.project / "governance" / "policy.yaml").unlink()
    commands = Commands(Console(quiet=True), place)
    with pytest.raises(StoryError, match=r"(?s)aims validate ends with code 0.*Found: 2.*credit-scoring"):
        commands.aims("validate", expect=0)
    (log,) = place.logs.iterdir()
    assert "credit-scoring" in log.read_text(encoding="utf-8")


def test_tampering_needs_a_refusal_to_tamper_with(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "ledger.zip", "w") as export:
        export.writestr("ledger.jsonl", '{"status":"pass"}\n')
    with pytest.raises(StoryError, match="Found: none"):
        demo.tamper(tmp_path / "ledger.zip", tmp_path / "copy.zip")


def test_tampering_changes_one_line_and_nothing_else(tmp_path: Path):
    lines = ['{"status":"pass"}\n', '{"status":"fail"}\n', '{"status":"fail"}\n']
    with zipfile.ZipFile(tmp_path / "ledger.zip", "w") as export:
        export.writestr("ledger.jsonl", "".join(lines))
        export.writestr("evidence/one", b'{"status":"fail"}')
    assert demo.tamper(tmp_path / "ledger.zip", tmp_path / "copy.zip") == 2
    with zipfile.ZipFile(tmp_path / "copy.zip") as copy:
        assert copy.read("ledger.jsonl").decode() == lines[0] + lines[0] + lines[2]
        assert copy.read("evidence/one") == b'{"status":"fail"}'


def test_the_pages_need_a_demo_that_has_finished(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert ui.main(["--output", str(tmp_path / "nothing")]) == 2
    assert "make demo" in capsys.readouterr().err
    Workplace(folder=tmp_path / "started").prepare()
    assert ui.main(["--output", str(tmp_path / "started")]) == 2
    assert "did not finish" in capsys.readouterr().err


def test_busy_and_impossible_ports_are_named_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    place = Workplace(folder=tmp_path / "demo")
    place.prepare()
    place.finish()
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = str(busy.getsockname()[1])
        ports = ["--dagster-port", port, "--mlflow-port", "70000"]
        assert ui.main([*ports, "--output", str(place.folder)]) == 2
    said = capsys.readouterr().err
    assert f"--dagster-port {port}: expected a free port" in said
    assert "--mlflow-port: expected a port from 1 to 65535" in said
