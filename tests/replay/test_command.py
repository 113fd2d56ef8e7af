"""``aims replay`` as a user runs it."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest
from typer.testing import CliRunner

from aims_pipelines.cli.main import app
from aims_pipelines.core.errors import BadInput

Tables = Callable[..., pa.Table]


@pytest.fixture
def run(scene: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(scene.folder)
    return lambda *arguments: CliRunner().invoke(app, ["replay", *map(str, arguments)])


@pytest.fixture
def past(scene: Any, table: Tables) -> Any:
    for n, rows in enumerate((400, 400, 300)):
        scene.judge(table(n, rows=rows))
    scene.judge(table(4, missing=0.5))
    return scene


def faults(result: Any) -> str:
    assert isinstance(result.exception, BadInput), result.output
    return str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 0),
        (["--set", "min_rows=350"], 1),
        (["--set", "min_rows=60"], 0),
        (["--set", "min_rows=60", "--budget", "0.6"], 0),
        (["--set", "min_rows=60", "--budget", "0.01"], 3),
        (["--set", "min_rows=500", "--budget", "0.01"], 1),
        (["--since", "2026-01-05"], 3),
        (["--since", "2026-01-03"], 0),
        (["--stage", "completeness=warn"], 0),
    ],
)
def test_the_exit_code_is_the_answer(past: Any, run: Any, arguments: list[str], code: int) -> None:
    result = run(*arguments)
    assert result.exit_code == code, result.output


def test_the_text_says_what_turns_and_how_it_was_judged(past: Any, run: Any) -> None:
    text = run("--set", "min_rows=350").output
    assert "min_rows: 50 → 350" in text
    assert re.search(
        r"2026-01-03 +│ version 3 +│ completeness +│ rows +│ +300 rows │ +350 rows │ newly blocked", text
    )
    assert re.search(r"as decided then +│ +3 │ +1 │", text)
    assert re.search(r"with the change +│ +2 │ +2 │", text)
    assert "Each window is judged as it was" in text
    assert "False alarms: 1 of 3 windows that people let stand would be refused (95 % interval" in text
    assert text.rstrip().endswith("fail: The change would newly block 1 of 4 windows.")


def test_a_budget_of_the_policy_is_measured_without_being_named_again(past: Any, run: Any) -> None:
    past.policy(limits="false_alarm_budget: 0.05")
    result = run()
    assert result.exit_code == 3
    assert "too few to tell against the budget of 5 %; 73 windows without a refusal" in result.output


def test_one_json_value_tells_all_of_it(past: Any, run: Any) -> None:
    result = run("--set", "min_rows=350", "--format", "json", "--budget", "0.9")
    told = json.loads(result.output)
    (dataset,) = told["datasets"]
    assert (told["status"], dataset["dataset"], dataset["changes"]) == (
        "pass",
        "orders",
        ["min_rows: 50 → 350"],
    )
    assert dataset["windows_by_effect"] == {
        "none": 3,
        "newly blocked": 1,
        "newly let through": 0,
        "unknown": 0,
    }
    assert dataset["false_alarms"]["refused"] == 1
    third = dataset["windows"][2]
    assert (third["version"], third["effect"], third["let_stand"]) == (3, "newly blocked", True)
    assert third["changes"][0]["findings"][0]["observed"] == 300
    assert third["proposed"]["answers"]["completeness"] == {
        "status": "fail",
        "gates": True,
        "basis": "replayed",
    }
    assert third["now"]["answers"]["leakage"]["status"] == "not applicable"
    assert dataset["windows"][3]["then"]["outcome"] == "fail"


def test_markdown_is_a_table_for_a_merge_request(past: Any, run: Any) -> None:
    text = run("--set", "min_rows=350", "--format", "markdown").output
    assert text.startswith("### ✗ The change would newly block 1 of 4 windows.")
    assert "| with the change | 2 | 2 | – | – |" in text
    assert (
        "| 2026-01-03 | version 3 | completeness | rows | 300 rows | 350 rows | newly blocked (fail) |"
        in text
    )


def test_the_page_is_written_to_a_file_and_nothing_is_overwritten(past: Any, run: Any) -> None:
    out = past.folder / "replay.html"
    result = run("--set", "min_rows=350", "--format", "html", "--out", out)
    assert (result.exit_code, result.output) == (1, f"{out}: fail\n")
    assert out.read_text().startswith("<!doctype html>")
    assert "expected a new file, found one that exists" in faults(run("--out", out))
    assert run("--out", out, "--overwrite").exit_code == 0
    assert "Each window is judged as it was" in out.read_text()


def test_without_a_history_the_past_cannot_tell(scene: Any, run: Any) -> None:
    result = run("--set", "min_rows=1")
    assert result.exit_code == 3
    assert "There is nothing to replay: no candidate was judged." in result.output


def test_a_dataset_without_a_history_does_not_speak_for_the_others(past: Any, run: Any) -> None:
    past.record(id="later")
    result = run()
    assert result.exit_code == 0
    assert "later: 0 windows" in result.output
    assert run("--dataset", "later").exit_code == 3


def test_every_fault_of_the_command_line_is_told_at_once(past: Any, run: Any) -> None:
    said = faults(run("--since", "soon", "--budget", "0", "--rolling", "extra.file"))
    assert [line.partition(":")[0] for line in said.splitlines()] == [
        "--since",
        "--budget",
        "--rolling",
        "extra.file",
    ]
    said = faults(
        run("--dataset", "order", "--set", "min_row=1", "--stage", "drift=maybe", "--policy", "no.yaml")
    )
    assert "Did you mean 'orders'?" in said
    assert "Did you mean 'min_rows'?" in said
    assert "--stage drift: expected one of warn, block" in said
    assert "no.yaml: expected a readable file" in said


@pytest.mark.parametrize("since", ["0d", "d", "90", "2026-13-01", "2999-01-01", "-3d", ""])
def test_a_period_is_days_or_a_date_of_the_past(past: Any, run: Any, since: str) -> None:
    assert "--since: expected" in faults(run("--since", since))


@pytest.mark.parametrize("budget", ["-0.1", "0", "1", "1.5", "nan"])
def test_a_budget_is_a_share_that_windows_can_show(past: Any, run: Any, budget: str) -> None:
    assert "--budget: expected a share" in faults(run("--budget", budget))


def test_outside_a_project_and_without_a_traceback(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "aims_pipelines.cli.main", "replay"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "expected a project folder" in result.stderr
    assert "Traceback" not in result.stderr


class TestProfiles:
    """Saved profiles, without a project."""

    @pytest.fixture
    def files(self, tmp_path: Path, table: Tables, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """A reference, another sample, a shifted one, and one more of the reference's kind."""
        monkeypatch.chdir(tmp_path)
        names = []
        for n, shift in enumerate((0.0, 0.0, 1.0, 0.0)):
            pyarrow.csv.write_csv(table(n, rows=12_000, shift=shift), f"w{n}.csv")
            made = CliRunner().invoke(
                app, ["profile", f"w{n}.csv", "--protected", "colour", "--out", f"w{n}.json"]
            )
            assert made.exit_code == 0, made.output
            names.append(f"w{n}.json")
        return names

    def test_each_is_judged_against_the_first(self, files: list[str], run: Any, tmp_path: Path) -> None:
        result = run("--profiles", *files, "--ignore", "note")
        assert result.exit_code == 1
        assert re.search(r"w2.json +│ drift +│ amount: location shift.*refused \(fail\)", result.output)
        assert "Each profile is judged against the first." in result.output
        assert result.output.rstrip().endswith("fail: These limits would refuse 1 of 3 windows.")

    def test_or_against_the_one_before_it(self, files: list[str], run: Any) -> None:
        told = json.loads(run("--profiles", *files, "--rolling", "--format", "json").output)
        assert [window["now"]["outcome"] for window in told["datasets"][0]["windows"]] == [
            "pass",
            "fail",
            "fail",
        ]

    def test_a_change_of_limits_is_held_against_the_limits_of_the_record(
        self, files: list[str], run: Any, scene: Any
    ) -> None:
        scene.policy(limits="drift_effect: 0.2")
        scene.record(more="protected: [{column: colour}]")
        policy = scene.folder / "governance" / "orders.yaml"
        result = run("--profiles", *files, "--policy", policy, "--set", "drift_effect=0.9", "--budget", "0.7")
        assert "orders: 3 windows; drift_effect: 0.2 → 0.9" in result.output
        assert "by the rules now" in result.output
        assert "with the change" in result.output

    def test_pooling_takes_in_the_windows_before(self, tmp_path: Path, table: Tables, run: Any) -> None:
        names = []
        for n in range(7):
            pyarrow.csv.write_csv(table(n, rows=3000 if n == 0 else 150), f"s{n}.csv")
            CliRunner().invoke(app, ["profile", f"s{n}.csv", "--out", f"s{n}.p"])
            names.append(f"s{n}.p")
        alone = json.loads(run("--profiles", *names, "--format", "json").output)
        pooled = json.loads(
            run(
                "--profiles",
                *names,
                "--set",
                "drift_inconclusive=pool",
                "--set",
                "drift_effect=0.25",
                "--format",
                "json",
            ).output
        )
        assert {window["now"]["outcome"] for window in alone["datasets"][0]["windows"]} == {"inconclusive"}
        assert "pass" in {window["proposed"]["outcome"] for window in pooled["datasets"][0]["windows"]}

    def test_a_copy_of_a_profile_counts_once(self, files: list[str], run: Any) -> None:
        Path("copy.json").write_bytes(Path(files[1]).read_bytes())
        told = json.loads(run("--profiles", files[0], files[1], "copy.json", "--format", "json").output)
        assert len(told["datasets"][0]["windows"]) == 2
        assert told["datasets"][0]["false_alarms"]["windows"] == 1

    def test_every_file_that_will_not_do_is_named(self, files: list[str], run: Any) -> None:
        Path("cut.json").write_bytes(Path(files[1]).read_bytes()[:200])
        said = faults(
            run("--profiles", "w0.csv", "none.json", "cut.json", files[0], files[0], "--set", "x=1")
        )
        assert "w0.csv: expected a saved profile, found another file" in said
        assert "none.json: expected a saved profile, found No such file or directory" in said
        assert "cut.json: expected a profile as it was written, found one that is cut off" in said
        assert "w0.json: expected each file once" in said
        assert "--set x" in said

    def test_a_limit_that_profiles_say_nothing_about_is_bad_input(self, files: list[str], run: Any) -> None:
        said = faults(run("--profiles", *files, "--set", "min_rows=99"))
        assert "--set min_rows: expected a limit of drift" in str(said)
        assert "drift_effect" in str(faults(run("--profiles", *files, "--set", "drift_effect=2")))

    def test_profiles_of_other_groups_and_unknown_columns_are_faults(
        self, files: list[str], run: Any
    ) -> None:
        CliRunner().invoke(app, ["profile", "w1.csv", "--out", "plain.json"])
        said = faults(run("--profiles", files[0], "plain.json", "--label", "amuont", "--ignore", "notes"))
        assert "plain.json: grouping 'colour'" in said
        assert "--like w0.json" in said
        assert "Did you mean 'amount'?" in said
        assert "Did you mean 'note'?" in said

    def test_one_profile_is_no_series(self, files: list[str], run: Any) -> None:
        assert "expected at least two" in faults(run("--profiles", files[0]))
        assert "expected at least two" in faults(run("--profiles"))

    def test_options_of_the_other_kind_of_replay_are_faults(self, files: list[str], run: Any) -> None:
        said = faults(
            run(
                "--profiles",
                *files,
                "--dataset",
                "a",
                "--stage",
                "drift=warn",
                "--since",
                "3d",
                "--with-rows",
            )
        )
        assert [line.partition(":")[0] for line in said.splitlines()] == [
            "--dataset",
            "--stage",
            "--since",
            "--with-rows",
        ]
