"""aims profile and aims compare, as a user runs them."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from aims_pipelines.cli.main import app
from aims_pipelines.core.errors import BadInput
from aims_pipelines.measure import merge_all, profile_file, read_profile

POLICY = """kind: policy
id: default
title: t
owner: o
status: {status}
effective_from: 2026-01-01
dataset_limits: {{drift_effect: {effect}, drift_alpha: {alpha}}}
"""
DATASET = """kind: dataset
id: people
title: t
owner: o
status: admitted
purpose: p
source: {{origin: o, licence: CC0-1.0, legal_basis: none}}
columns:
  number: {{type: integer, unique: true}}
  sex: {{type: string}}
  age: {{type: integer}}
  income: {{type: number}}
  granted: {{type: string}}
label: {{column: granted, positive: "yes"}}
protected: [{{column: sex}}, {{column: age, bands: [40]}}]
{more}
"""


def people(seed: int, rows: int = 6000) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "number": np.arange(rows) + seed * rows,
            "sex": draw.choice(["f", "m"], rows),
            "age": draw.integers(18, 80, rows),
            "income": np.exp(draw.normal(10, 0.5, rows)).round(2),
            "granted": draw.choice(["yes", "no"], rows, p=[0.4, 0.6]),
        }
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a reference, another sample, a shifted one and a small one."""
    people(1).to_csv(tmp_path / "reference.csv", index=False)
    people(2).to_csv(tmp_path / "same.csv", index=False)
    moved = people(3)
    moved.loc[moved.sex == "f", "income"] *= 1.6
    moved.to_csv(tmp_path / "moved.csv", index=False)
    people(4, rows=60).to_csv(tmp_path / "small.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run():
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def fault_of(result) -> str:
    assert isinstance(result.exception, BadInput), result.output
    return str(result.exception)


@pytest.mark.parametrize(("current", "code"), [("same", 0), ("moved", 1), ("small", 3)])
def test_the_exit_code_is_the_answer(current, code, run, folder):
    result = run("compare", "reference.csv", f"{current}.csv", "--protected", "sex,age", "--ignore", "number")
    assert result.exit_code == code, result.output
    assert result.stdout.splitlines()[-1].startswith(["pass", "fail", "", "inconclusive"][code])


def test_bad_input_exits_2_without_a_traceback(folder):
    command = [sys.executable, "-m", "aims_pipelines.cli.main", "compare", "reference.csv", "nothing.csv"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == "nothing.csv: expected a table file, found nothing there\n"


def test_the_text_names_column_group_distance_and_rows_needed(run, folder):
    moved = run("compare", "reference.csv", "moved.csv", "--protected", "sex", "--ignore", "number").stdout
    line = next(line for line in moved.splitlines() if "sex=f: income" in line)
    cells = [cell.strip() for cell in line.strip("│").split("│")]
    assert cells[0] == "fail"
    assert float(cells[3].removesuffix(" sd")) > 0.3
    assert cells[5:7] == ["<0.0001", "<0.0001"]
    small = run("compare", "reference.csv", "small.csv", "--ignore", "number").stdout
    needed = next(line for line in small.splitlines() if "│ income" in line).strip("│").split("│")[-1]
    assert int(needed.strip().replace(",", "")) > 60


def test_json_holds_every_finding_with_its_figures(run, folder):
    result = run(
        "compare",
        "reference.csv",
        "moved.csv",
        "--protected",
        "sex",
        "--ignore",
        "number",
        "--format",
        "json",
    )
    report = json.loads(result.stdout)
    assert report["status"] == "fail"
    assert (report["reference"], report["current"]["rows"]) == ({"file": "reference.csv", "rows": 6000}, 6000)
    found = {finding["target"]: finding for finding in report["findings"] if finding["status"] == "fail"}
    assert found["sex=f: income"]["p_adjusted"] < 0.01
    assert {"observed", "limit", "unit", "p_value", "rows_needed", "reason"} <= found["income"].keys()


def test_one_profile_of_several_files_is_the_merge_of_theirs_and_holds_no_row_hashes(run, folder):
    result = run("profile", "reference.csv", "same.csv", "--out", "both.aimsprofile", "--label", "granted")
    assert result.exit_code == 0, result.output
    saved = read_profile("both.aimsprofile")
    whole = merge_all(profile_file(name) for name in ("reference.csv", "same.csv"))
    assert saved.rows == whole.rows == 12000
    assert saved.columns["sex"].categories == whole.columns["sex"].categories
    assert (
        saved.columns["age"].distribution.counts.tolist() == whole.columns["age"].distribution.counts.tolist()
    )
    assert saved.row_sketch is None
    assert "12,000 rows, 5 columns" in result.stdout
    assert run("profile", "same.csv", "--out", "rows.json", "--keep-rows").exit_code == 0
    assert read_profile("rows.json").row_sketch is not None


def test_the_summary_shows_ranges_of_numbers_and_label_rates_but_no_texts(run, folder):
    frame = people(5)
    frame["name"] = [f"Ada {place}" for place in range(len(frame))]
    frame.to_csv("named.csv", index=False)
    shown = run(
        "profile", "named.csv", "--out", "p.json", "--protected", "sex,age", "--label", "granted"
    ).stdout
    assert "Ada" not in shown
    age = next(line for line in shown.splitlines() if "│ age" in line)
    assert [cell.strip() for cell in age.strip("│").split("│")] == [
        "age",
        "numeric",
        "none",
        "62",
        "18",
        "79",
    ]
    women = next(line for line in shown.splitlines() if line.startswith("│ f "))
    rate = (frame[frame.sex == "f"].granted == "yes").mean()
    assert f"{rate:.1%}" in women


def test_profiles_are_compared_by_the_groups_they_were_made_with(run, folder):
    assert run("profile", "reference.csv", "--protected", "sex,age", "--out", "r.json").exit_code == 0
    assert run("profile", "moved.csv", "--like", "r.json", "--out", "m.json").exit_code == 0
    from_profiles = run("compare", "r.json", "m.json", "--ignore", "number", "--format", "json")
    from_tables = run(
        "compare",
        "reference.csv",
        "moved.csv",
        "--protected",
        "sex,age",
        "--ignore",
        "number",
        "--format",
        "json",
    )
    assert from_profiles.exit_code == 1
    assert json.loads(from_profiles.stdout)["findings"] == json.loads(from_tables.stdout)["findings"]


@pytest.mark.parametrize("command", ["profile", "compare"])
def test_an_existing_file_is_not_replaced_unless_asked(command, run, folder):
    (folder / "out").write_text("precious")
    arguments = ["same.csv"] if command == "profile" else ["reference.csv", "same.csv", "--ignore", "number"]
    assert "--overwrite" in fault_of(run(command, *arguments, "--out", "out"))
    assert (folder / "out").read_text() == "precious"
    assert run(command, *arguments, "--out", "out", "--overwrite").exit_code == 0
    assert (folder / "out").read_bytes() != b"precious"


@pytest.mark.parametrize("command", ["profile", "compare"])
@pytest.mark.parametrize("kind", ["a link", "a pipe"])
def test_a_link_or_a_device_is_never_replaced(command, kind, run, folder):
    (folder / "precious").write_text("precious")
    if kind == "a link":
        (folder / "out").symlink_to("precious")
    else:
        os.mkfifo(folder / "out")
    arguments = ["same.csv"] if command == "profile" else ["reference.csv", "same.csv", "--ignore", "number"]
    assert "a regular file" in fault_of(run(command, *arguments, "--out", "out", "--overwrite"))
    assert (folder / "out").is_symlink() or (folder / "out").is_fifo()
    assert (folder / "precious").read_text() == "precious"


@pytest.mark.parametrize("command", ["profile", "compare"])
def test_an_input_is_never_overwritten(command, run, folder):
    before = (folder / "same.csv").read_bytes()
    arguments = ["same.csv"] if command == "profile" else ["reference.csv", "same.csv"]
    assert "found one of them" in fault_of(run(command, *arguments, "--out", "same.csv", "--overwrite"))
    assert (folder / "same.csv").read_bytes() == before


def test_files_of_different_tables_are_not_profiled_together(run, folder):
    (folder / "other.csv").write_text("sex,colour\nf,red\n")
    message = fault_of(run("profile", "same.csv", "other.csv", "--out", "p.json"))
    assert message.startswith("other.csv: expected the columns of same.csv")
    assert "number" in message
    assert "colour besides" in message
    assert not (folder / "p.json").exists()


def test_a_wrong_label_leaves_no_file(run, folder):
    assert "Did you mean 'granted'?" in fault_of(
        run("profile", "same.csv", "--label", "grnted", "--out", "p.json")
    )
    assert not (folder / "p.json").exists()


def test_limits_of_a_policy_apply(run, folder):
    slight = people(2)
    slight["income"] *= 1.06
    slight.to_csv("slight.csv", index=False)

    def answer(effect: float, status: str = "in_force") -> dict:
        (folder / "policy.yaml").write_text(POLICY.format(effect=effect, alpha=0.02, status=status))
        arguments = ("reference.csv", "slight.csv", "--ignore", "number", "--policy", "policy.yaml")
        return json.loads(run("compare", *arguments, "--format", "json").stdout)

    strict, lax = answer(0.06), answer(0.6)
    assert (strict["effect"], strict["alpha"]) == (0.06, 0.02)
    assert (strict["status"], lax["status"]) == ("fail", "pass")
    assert strict["notes"] == []
    assert "not in force but draft" in answer(0.3, "draft")["notes"][0]


def test_a_dataset_record_says_label_groups_bands_and_running_numbers(run, folder):
    (folder / "policy.yaml").write_text(POLICY.format(effect=0.2, alpha=0.05, status="in_force"))
    (folder / "people.yaml").write_text(DATASET.format(more="limits: {drift_alpha: 0.03}"))
    result = run("compare", "reference.csv", "same.csv", "--policy", "people.yaml", "--format", "json")
    report = json.loads(result.stdout)
    assert (report["effect"], report["alpha"], report["label"]) == (0.2, 0.03, "granted")
    targets = {finding["target"] for finding in report["findings"]}
    assert report["groupings"] == ["sex", "age"]
    assert {"age=<40", "age=>=40"} <= targets
    assert "number" not in targets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DATASET.format(more=""), "the policy record 'default' in a file beside it"),
        (POLICY.format(effect="x", alpha=0.01, status="in_force"), "dataset_limits.drift_effect"),
        ("", "found none"),
        ("kind: [", "a syntax error"),
    ],
)
def test_a_record_that_cannot_be_used_is_explained(text, expected, run, folder):
    (folder / "record.yaml").write_text(text)
    result = run("compare", "reference.csv", "same.csv", "--policy", "record.yaml")
    assert expected in fault_of(result)


def test_the_page_is_written_and_the_answer_told(run, folder):
    result = run(
        "compare", "reference.csv", "moved.csv", "--protected", "sex", "--ignore", "number", "--format", "html",
        "--out", "page.html",
    )  # fmt: skip
    assert result.exit_code == 1
    assert result.stdout == "page.html: fail\n"
    assert "most of all in income" in (folder / "page.html").read_text()


def test_judging_saved_profiles_loads_no_readers_and_no_frameworks(run, folder):
    for name in ("reference", "same"):
        assert run("profile", f"{name}.csv", "--out", f"{name}.json").exit_code == 0
    code = (
        "import sys\n"
        "from aims_pipelines.measure import compare\n"
        "assert compare('reference.json', 'same.json', ignore=['number']).status == 'pass'\n"
        "print(*[name for name in ('pyarrow', 'pandas', 'dagster', 'mlflow', 'pydantic') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_profile_counts_pairs_together_and_like_takes_them_over(folder, run):
    made = run("profile", "reference.csv", "--pairs", "sex:income, age:granted", "--out", "r.json")
    assert made.exit_code == 0, made.output
    assert "counted together: income × sex, age × granted" in made.output
    assert run("profile", "same.csv", "--like", "r.json", "--out", "s.json").exit_code == 0
    assert set(read_profile("s.json").pairs) == {("income", "sex"), ("age", "granted")}
    assert read_profile("s.json").pairs["income", "sex"].counts.sum() == 6000


def test_pairs_that_will_not_do_are_refused_and_nothing_is_written(folder, run):
    for text, said in (
        ("income", "two columns with a colon between, A:B"),
        ("income:sex:age", "two columns with a colon between, A:B"),
        ("income:incme", "'incme'"),
        ("sex:sex", "'sex' twice"),
    ):
        assert said in fault_of(run("profile", "same.csv", "--pairs", text, "--out", "p.json"))
    assert "either it or --like" in fault_of(
        run("profile", "same.csv", "--pairs", "sex:age", "--like", "same.csv", "--out", "p.json")
    )
    assert not (folder / "p.json").exists()


def turned(folder):
    """Two files in which age and income are alike, and depend on each other the other way round."""
    for seed, name in ((1, "with.csv"), (-1, "against.csv")):
        table = people(5 + seed)
        order = np.argsort(
            np.argsort(seed * table["age"] + np.random.default_rng(seed + 9).normal(0, 15, len(table)))
        )
        table.assign(income=np.sort(table["income"])[order]).to_csv(folder / name, index=False)


def test_compare_finds_a_dependence_that_turned_round_between_files_and_profiles(folder, run):
    turned(folder)
    files = ("compare", "with.csv", "against.csv", "--ignore", "number")
    assert run(*files).exit_code == 0
    found = run(*files, "--pairs", "income:age")
    assert found.exit_code == 1, found.output
    assert "age × income" in found.output
    assert "rank correlation fell by" in found.output
    for name in ("with", "against"):
        assert run("profile", f"{name}.csv", "--pairs", "age:income", "--out", f"{name}.json").exit_code == 0
    kept = json.loads(
        run("compare", "with.json", "against.csv", "--ignore", "number", "--format", "json").output
    )
    assert kept["pairs"] == [["age", "income"]]
    assert [one["target"] for one in kept["findings"] if one["status"] == "fail"] == ["age × income"]
    both = ("compare", "with.json", "against.json", "--ignore", "number")
    assert run(*both).exit_code == 1
    assert run(*both, "--pairs", "").exit_code == 0
    assert "pairs that it was made with (age × income)" in fault_of(run(*both, "--pairs", "age:sex"))
    assert run("profile", "with.csv", "--out", "without.json").exit_code == 0
    assert "the same pairs in both profiles" in fault_of(
        run("compare", "without.json", "against.json", "--ignore", "number")
    )


def test_the_record_of_a_dataset_tells_compare_its_pairs(folder, run):
    turned(folder)
    (folder / "people.yaml").write_text(
        DATASET.format(more="limits: {drift_effect: 0.1, drift_alpha: 0.01}\npairs: [[age, income]]")
    )
    found = run("compare", "with.csv", "against.csv", "--policy", "people.yaml")
    assert found.exit_code == 1, found.output
    assert "age × income" in found.output


def test_compare_tells_what_carries_the_change_in_text_and_json(folder, run):
    changed = people(4)
    changed.loc[changed.sex == "f", "income"] *= 1.6
    changed.loc[changed.index % 3 == 0, "granted"] = "yes"
    changed.to_csv("changed.csv", index=False)
    options = (
        "compare",
        "reference.csv",
        "changed.csv",
        "--ignore",
        "number",
        "--protected",
        "sex",
        "--label",
        "granted",
    )
    text = run(*options).output
    assert "What carries the change:" in text
    assert "(label shift)" in text
    assert "by group sex=f" in text
    told = json.loads(run(*options, "--format", "json").output)
    assert {one["kind"] for one in told["attribution"]} == {"column", "label shift"}
    assert sum(one["part"] for one in told["attribution"]) == pytest.approx(1.0)
    income = next(one for one in told["attribution"] if one["target"] == "income")
    assert income["groups"][0]["group"] == "sex=f"
    assert income["groups"][0]["part"] > 0.8
    parts = [one["part"] for one in told["findings"] if one["status"] == "fail"]
    assert parts == sorted(parts, reverse=True)
    assert "attribution" in json.loads(run("compare", "reference.csv", "same.csv", "--format", "json").output)


def test_long_labels_and_long_numbers_are_told_apart(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    pq.write_table(
        pa.table(
            {
                "g": rng.choice(["a", "b"], 10_000),
                "code": rng.choice([1_000_000, 1_000_001, 2_000_000], 10_000, p=[0.7, 0.2, 0.1]),
                "far": 1e15 + rng.normal(0, 1, 10_000),
                "huge": rng.normal(1e25, 1e24, 10_000),
            }
        ),
        "t.parquet",
    )
    for protected in ("g", "far", "huge"):
        result = run(
            "profile", "t.parquet", "--protected", protected, "--label", "code", "--out", f"{protected}.p"
        )
        assert result.exit_code == 0, result.exception
    shown = run(
        "profile", "t.parquet", "--protected", "g", "--label", "code", "--out", "g.p", "--overwrite"
    ).output
    assert "code = 2000000" in shown
    (line,) = (line for line in shown.splitlines() if re.match(r"│ a ", line))
    rates = [float(rate) for rate in re.findall(r"([\d.]+)%", line)][1:]
    assert rates == pytest.approx([70.0, 20.0, 10.0], abs=2.0)


def test_a_struct_is_answered_with_the_names_of_its_fields(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    pq.write_table(pa.table({"s": [{"a": 1, "b": "x"}] * 10, "y": [1] * 10}), "t.parquet")
    said = fault_of(run("profile", "t.parquet", "--protected", "s", "--out", "t.p"))
    assert "expected one of the columns s.a, s.b, y" in said
    assert run("profile", "t.parquet", "--protected", "s.b", "--out", "t.p").exit_code == 0
