"""aims init: a project for a table never seen before, or a plain answer why not."""

import ast
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from aims_pipelines.core.errors import BadInput
from aims_pipelines.records.load import load_records
from aims_pipelines.scaffold.guess import Contract, guess_contracts
from aims_pipelines.scaffold.project import create
from aims_pipelines.scaffold.request import Request
from aims_pipelines.scaffold.values import columns_of

TODAY = date(2026, 6, 1)


def _table(rows: int = 2_000, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    sex = random.choice(["f", "m"], rows)
    score = random.normal(size=rows)
    return pa.table(
        {
            "id": np.arange(rows),
            "person": [f"p{number}" for number in random.integers(0, rows // 2, rows)],
            "age": random.integers(18, 90, rows),
            "sex": sex,
            "town": random.choice(["a", "b", "c"], rows),
            "income": np.round(np.exp(random.normal(10, 1, rows)), 2),
            "score": score,
            "seen": pa.array(np.datetime64("2026-01-01") + random.integers(0, 100, rows), pa.date32()),
            "paid": np.where(score + random.normal(size=rows) > 0.8, "yes", "no"),
        }
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A CSV file with an ordinary table."""
    path = tmp_path / "people.csv"
    csv.write_csv(_table(), path)
    return path


def _request(data: Path, **changes: object) -> Request:
    options: dict[str, object] = {
        "folder": data.parent / "trial",
        "data": data,
        "label": "paid",
        "protected": ("sex", "age"),
        "today": TODAY,
    }
    return Request(**{**options, **changes})  # type: ignore[arg-type]  # a test's table of options


def _refusal(request: Request) -> str:
    around = request.data.parent
    before = sorted(path.name for path in around.iterdir())
    with pytest.raises(BadInput) as refused:
        create(request)
    assert sorted(path.name for path in around.iterdir()) == before, "something was written"
    assert refused.value.exit_code == 2
    return str(refused.value)


def test_the_new_project_has_valid_records_and_a_pipeline(data):
    created = create(_request(data, subject="person", time="seen"))
    assert set(created.files) >= {
        "definitions.py",
        "workspace.yaml",
        "aims.toml",
        "pyproject.toml",
        "README.md",
        ".gitignore",
        "governance/trial.yaml",
        "governance/trial_training.yaml",
        "governance/trial_holdout.yaml",
        "governance/trial_model.yaml",
        "governance/policy.yaml",
        "governance/.schemas/dataset.json",
        "governance/expectations/trial.json",
    }
    records = load_records(created.folder / "governance", today=TODAY)
    source = records.dataset("trial")
    assert (source.subject, source.time, source.label.column, source.label.positive) == (
        "person",
        "seen",
        "paid",
        "yes",
    )
    assert source.columns["id"].unique
    assert source.columns["person"].personal
    assert source.columns["paid"].max_missing == 0
    assert [item.column for item in source.protected] == ["sex", "age"]
    assert len(source.protected[1].bands) == 2
    assert records.dataset("trial_training").columns == source.columns
    assert records.dataset("trial_training").disjoint_from == ("trial_holdout",)
    assert set(records.system("trial_model").model.exclude) == {"id", "person", "age", "sex", "seen"}
    assert records.policy("default").effective_from == TODAY
    assert records.limits_for("trial", TODAY)


def test_the_pipeline_is_python_that_compiles_and_names_only_columns_that_exist(data):
    created = create(_request(data))
    code = (created.folder / "definitions.py").read_text()
    compile(code, "definitions.py", "exec")
    assert '"income"' in code
    assert max(map(len, code.splitlines())) <= 120
    subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "--isolated",
            "--config",
            "line-length=110",
            "definitions.py",
        ],
        cwd=created.folder,
        check=True,
    )


def test_parquet_and_csv_of_one_table_give_the_same_contract(data):
    parquet.write_table(_table(), data.with_suffix(".parquet"))
    first = create(_request(data))
    second = create(_request(data.with_suffix(".parquet"), folder=data.parent / "trial2"))
    one = load_records(first.folder / "governance").dataset("trial").columns
    two = load_records(second.folder / "governance").dataset("trial2").columns
    assert one == two


def test_the_source_is_read_in_place(data, monkeypatch):
    monkeypatch.chdir(data.parent)
    relative = create(_request(Path("people.csv"), folder=Path("trial")))
    assert load_records("trial/governance").dataset("trial").source.path == "../people.csv"
    absolute = create(_request(data, folder=data.parent / "second"))
    assert load_records(absolute.folder / "governance").dataset("second").source.path == str(data)
    assert not list(relative.folder.rglob("*.csv"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"label": "payd"}, "Did you mean 'paid'?"),
        ({"label": "zzz"}, "There are: id, person, age"),
        ({"protected": ("sexe",)}, "Did you mean 'sex'?"),
        ({"protected": ()}, "--protected: expected at least one column"),
        (
            {"protected": ("paid",)},
            "--protected paid: expected another column, found the one named by --label",
        ),
        ({"protected": ("sex", "sex")}, "found the one named by --protected"),
        ({"protected": ("person",)}, "at most 50 groups"),
        ({"protected": ("seen",)}, "numbers to put in bands"),
        ({"subject": "paid"}, "found the one named by --label"),
        ({"subject": "town"}, "a column that tells people apart, found 3 distinct values"),
        ({"subject": "nobody"}, "--subject nobody: expected a column of people.csv"),
        ({"time": "town"}, "--time town: expected dates or times"),
        ({"time": "tuesday"}, "--time tuesday: expected a column"),
        ({"label": "person"}, "--label person: expected at most 20 classes"),
        ({"label": "income", "task": "classification"}, "add: --task regression"),
        ({"label": "town", "task": "regression"}, "expected numbers, for a regression"),
        ({"label": "income", "positive": "1"}, "no positive value for a regression"),
        ({"positive": "Yes"}, "Did you mean 'yes'?"),
    ],
)
def test_options_that_do_not_fit_the_table_are_answered_and_nothing_is_written(data, changes, expected):
    assert expected in _refusal(_request(data, **changes))


def test_all_faults_are_named_at_once(data):
    message = _refusal(
        _request(data, label="payd", protected=("sexe",), time="town", folder=data.parent / "a/b")
    )
    assert [line.split(":")[0].split(" ")[0] for line in message.splitlines()] == [
        "NAME",
        "--label",
        "--protected",
        "--time",
    ]


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("paid", ["no"] * 2_000, "--label paid: expected at least two different values"),
        ("paid", [None] * 2_000, "--label paid: expected a column with values"),
        ("sex", ["f"] * 2_000, "--protected sex: expected at least two groups"),
        ("sex", [None] * 2_000, "--protected sex: expected a column with values"),
        ("age", [30] * 2_000, "--protected age: expected at least two groups"),
    ],
)
def test_columns_that_can_be_no_label_or_group_are_answered(data, column, values, expected):
    table = _table()
    table = table.set_column(table.column_names.index(column), column, pa.array(values))
    csv.write_csv(table, data)
    assert expected in _refusal(_request(data))


def test_a_class_that_was_taken_to_mean_missing_is_told(data):
    table = _table()
    labels = ["null" if value == "no" else value for value in table["paid"].to_pylist()]
    csv.write_csv(table.set_column(8, "paid", pa.array(labels)), data)
    assert "By custom, 'null' was taken to mean missing" in _refusal(_request(data))
    assert create(_request(data, null_values=("?",))).look


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "nothing there"),
        (b"", ""),
        (b"sex,age,paid\n", "at least 200 rows"),
        (b"sex,age,paid\nf,30,yes\n", "found 1 row"),
        (b"sex,age,paid\nf,30\n", ""),
        (b"sex,sex,paid\nf,30,yes\n", "sex"),
        (b"sex,,paid\nf,30,yes\n", ""),
        (b"sex,age,paid\n\xff\xfe,30,yes\n", "UTF-8"),
        (b"PAR1 not really", ""),
    ],
)
def test_files_that_are_no_table_are_answered(tmp_path, content, expected):
    path = tmp_path / ("people.parquet" if content and content.startswith(b"PAR1") else "people.csv")
    if content is not None:
        path.write_bytes(content)
    message = _refusal(_request(path))
    assert str(path) in message
    assert expected in message


def test_a_truncated_parquet_file_is_answered(tmp_path):
    path = tmp_path / "people.parquet"
    parquet.write_table(_table(), path)
    path.write_bytes(path.read_bytes()[:-200])
    assert str(path) in _refusal(_request(path))


def test_an_existing_folder_with_files_is_left_alone(data):
    folder = data.parent / "trial"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    assert "a new or empty folder" in _refusal(_request(data))
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_used(data):
    (data.parent / "trial").mkdir()
    assert "definitions.py" in create(_request(data)).files


@pytest.mark.parametrize("name", ["", "..", "a\nb", "-x", "x" * 61, "naïve"])
def test_names_that_make_no_folder_are_refused(data, name):
    assert "NAME" in _refusal(_request(data, folder=data.parent / name))


NASTY = [
    '"""\nimport os\n"""',
    "it's",
    "a: b # c",
    "{{ 7 * 7 }}",
    "- x",
    "tab\there",
    "Größe",
    "\\",
    "null",
    "1",
    "a,b",
    "#",
    "%",
]


def test_column_names_cannot_break_out_of_the_files_that_are_written(data):
    table = _table()
    random = np.random.default_rng(3)
    for name in NASTY:
        table = table.append_column(name, pa.array(random.integers(0, 50, table.num_rows)))
    renamed = {"sex": 'pro"""tected\n', "paid": 'la"bel\n\\', "person": "per'son\n- x: y"}
    names = [renamed.get(name, name) for name in table.column_names]
    path = data.with_suffix(".parquet")
    parquet.write_table(table.rename_columns(names), path)
    created = create(
        _request(path, label=renamed["paid"], protected=(renamed["sex"],), subject=renamed["person"])
    )
    record = load_records(created.folder / "governance").dataset("trial")
    assert set(record.columns) == set(names)
    tree = ast.parse((created.folder / "definitions.py").read_text())
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id in {"LABEL", "NUMBERS", "CATEGORIES"}:
            found[node.targets[0].id] = ast.literal_eval(node.value)
    assert found["LABEL"] == renamed["paid"]
    assert set(NASTY) <= {*found["NUMBERS"], *found["CATEGORIES"]}
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"dagster", "pandas", "pyarrow", "pyarrow.compute"}
    assert not any("could not be fitted" in line or "would refuse" in line for line in created.look), (
        created.look
    )


def test_odd_but_ordinary_columns_still_make_a_model(data):
    random = np.random.default_rng(5)
    rows = 3_000
    score, noise = random.normal(size=rows), random.normal(size=rows)
    table = pa.table(
        {
            "group": random.choice(["x", "y"], rows),
            "flag": pa.array([None if n % 9 == 0 else bool(n % 2) for n in range(rows)]),
            "count": pa.array([None if n % 11 == 0 else n % 4 for n in range(rows)], pa.int64()),
            "share": pa.array(
                [float("nan") if n % 7 == 0 else value for n, value in enumerate(random.random(rows))]
            ),
            "word": pa.array([None if n % 5 == 0 else "ab"[n % 2] for n in range(rows)]),
            "empty": pa.nulls(rows, pa.float64()),
            "constant": ["same"] * rows,
            "text": [f"note number {n}" for n in range(rows)],
            "when": pa.array(np.datetime64("2026-01-01T00:00:00") + np.arange(rows), pa.timestamp("us")),
            "score": score,
            "good": pa.array(
                [None if n % 50 == 0 else bool(value > noise[n]) for n, value in enumerate(score)]
            ),
        }
    )
    path = data.with_suffix(".parquet")
    parquet.write_table(table, path)
    created = create(_request(path, label="good", protected=("group",)))
    record = load_records(created.folder / "governance").dataset("trial")
    assert record.label.positive in {True, False}
    assert record.columns["empty"].max_missing == 1
    assert not any("could not be fitted" in line or "would refuse" in line for line in created.look), (
        created.look
    )
    assert ("completeness", "good") in {(item.check, item.target) for item in record.accepted}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            pa.array([b"x"] * 2_000),
            "column 'odd': expected numbers, texts, booleans, dates or timestamps, found the",
        ),
        (pa.array(range(2_000), pa.time64("us")), "found the type time64[us]"),
        (pa.array(range(2_000), pa.duration("s")), "found the type duration[s]"),
        (
            pa.array([float("inf"), *range(1_999)]),
            "column 'odd': expected finite numbers, found 1 infinite value",
        ),
        (pa.array([[1]] * 2_000), "found the type list<element: int64>"),
        (
            pa.array([{"street": "a", "number": 1}] * 2_000),
            "column 'odd': expected one value a cell, found the fields street, number in each",
        ),
    ],
    ids=["bytes", "time of day", "duration", "infinite", "list", "struct"],
)
def test_a_column_that_no_contract_can_describe_is_answered_with_what_to_do(data, values, expected):
    path = data.with_suffix(".parquet")
    parquet.write_table(_table().append_column("odd", values), path)
    message = _refusal(_request(path))
    assert expected in message
    assert "leave it out" in message or "Leave the cell empty" in message


@pytest.mark.parametrize(
    "values",
    [
        pa.array([2**53 + number % 200 for number in range(2_000)]),
        pa.array([1.7e9 + number % 7 for number in range(2_000)]),
        pa.array([1e-9 * (number % 11) for number in range(2_000)]),
        pa.array([2**64 - 1 - number % 50 for number in range(2_000)], pa.uint64()),
        pa.array([Decimal(number % 300) / 100 for number in range(2_000)], pa.decimal128(38, 2)),
        pa.array(["lo", "hi"] * 1_000).dictionary_encode(),
        pa.array(range(2_000), pa.timestamp("us", tz="Europe/Zurich")),
    ],
    ids=["beyond 2^53", "far from zero", "tiny", "unsigned", "decimal", "dictionary", "time zone"],
)
def test_odd_values_do_not_refuse_the_first_run(data, values):
    path = data.with_suffix(".parquet")
    parquet.write_table(_table().append_column("odd", values), path)
    created = create(_request(path, protected=("sex",)))
    assert not [line for line in created.look if "would refuse" in line or "could not be fitted" in line]


def test_numbers_with_a_decimal_comma_are_told_apart_from_free_text(data):
    table = _table()
    income = [f"{value:.2f}".replace(".", ",") for value in table["income"].to_pylist()]
    csv.write_csv(table.set_column(5, "income", pa.array(income)), data)
    created = create(_request(data))
    (line,) = (line for line in created.look if "'income' is no feature" in line)
    assert "decimal point" in line
    (line,) = (line for line in created.look if "'person' is no feature" in line)
    assert "decimal point" not in line


def test_a_running_number_is_no_feature_whatever_it_is_called(data):
    table = _table().rename_columns(["case" if name == "id" else name for name in _table().column_names])
    csv.write_csv(table.sort_by("paid").set_column(0, "case", pa.array(range(1, 2_001))), data)
    created = create(_request(data))
    assert "definitions.py: 'case' is no feature (it tells rows apart)." in created.look
    assert not any(line.startswith("leakage") for line in created.look)


def test_values_that_are_others_in_every_batch_are_no_features_and_have_no_range_and_no_drift(data):
    random = np.random.default_rng(1)
    more = {
        "order no": random.integers(0, 700, 2_000),
        "customerId": [f"c{number}" for number in random.integers(0, 150, 2_000)],
        "remark": [f"{number} words" for number in random.integers(0, 10**9, 2_000)],
        "mail": [f"m{number}@example.org" for number in random.integers(0, 900, 2_000)],
    }
    table = _table()
    for name, values in more.items():
        table = table.append_column(name, pa.array(values))
    csv.write_csv(table, data)
    created = create(_request(data, protected=("sex",), subject="person"))
    columns = load_records(created.folder / "governance", today=TODAY).dataset("trial").columns
    for name in (*more, "seen"):
        contract = columns[name]
        assert (contract.feature, contract.drift) == (False, False), name
        assert contract.model_dump(include={"min", "max", "allowed"}) == {
            "min": None,
            "max": None,
            "allowed": None,
        }
    (line,) = (line for line in created.look if "is not judged" in line)
    assert all(f"'{name}'" in line for name in (*more, "seen"))


def _guessed(**more: object) -> dict[str, Contract]:
    """Contracts guessed for columns of an ordinary table that has some more."""
    table = _table()
    for name, values in more.items():
        table = table.drop_columns([name]) if name in table.column_names else table
        table = table.append_column(name, pa.array(values))
    request = Request(folder=Path("x"), data=Path("x"), label="paid", protected=("sex",), today=TODAY)
    return {one.column.name: one for one in guess_contracts(columns_of(table), request, personal=())}


@pytest.mark.parametrize(
    "written",
    [
        "%d/%m/%Y",
        "%m-%d-%y",
        "%d.%m.%Y %H:%M",
        "%Y-%m",
        "%d %b %Y",
        "%B %d, %Y",
        "%d-%b-%y",
        "%Y%m%d",
        "%I/%d/%Y %I:%M %p",
    ],
)
def test_days_are_told_however_they_are_written_and_those_of_the_next_batch_are_no_fault(written):
    days = [date.fromordinal(739_000 + number % 45).strftime(written) for number in range(2_000)]
    booked = _guessed(booked=[int(day) for day in days] if written == "%Y%m%d" else days)["booked"]
    assert booked.why_not == "a date"
    assert {"type", "max_missing", "feature", "drift"} == booked.rules.keys()
    assert booked.rules["drift"] is False


def test_days_as_numbers_are_told_where_some_are_missing_as_pandas_writes_them():
    values = [20_260_100.0 + 1 + number % 28 for number in range(1_999)] + [float("nan")]
    assert _guessed(booked=values)["booked"].why_not == "a date"


@pytest.mark.parametrize(
    "values",
    [["1.2.3", "10.4.1"], ["12/7", "3/4"], [20_261_350, 20_261_101], [1889.5, 2022.75]],
    ids=["versions", "fractions", "no month 13", "amounts"],
)
def test_what_only_looks_like_a_day_keeps_its_list_or_range(values):
    rules = _guessed(odd=values * 1_000)["odd"].rules
    assert "drift" not in rules
    assert "allowed" in rules or "max" in rules


@pytest.mark.parametrize("text", [" ", " ?", "n/a "], ids=repr)
def test_blank_texts_and_marks_among_numbers_mean_missing(data, text):
    table = _table(600)
    income = [
        text if number % 50 == 0 else f"{value}" for number, value in enumerate(table["income"].to_pylist())
    ]
    csv.write_csv(table.set_column(5, "income", pa.array(income)), data)
    created = create(_request(data))
    source = load_records(created.folder / "governance", today=TODAY).dataset("trial")
    assert source.source.null_values == (text,)
    assert source.columns["income"].type == "number"
    assert any(f"{text!r} in the file was taken to mean missing" in line for line in created.look)


def test_the_range_of_a_small_table_leaves_room_for_the_long_tail_of_the_next():
    """Of heavy-tailed tables of 300 rows hardly one has more values beyond another's range than the contract allows."""
    random = np.random.default_rng(3)
    table = pa.table({"income": random.lognormal(3.0, 1.5, 300), "paid": ["yes", "no"] * 150})
    request = Request(folder=Path("x"), data=Path("x"), label="paid", protected=(), today=TODAY)
    most = guess_contracts(columns_of(table), request, personal=())[0].rules["max_invalid"]
    pairs = random.lognormal(3.0, 1.5, (2_000, 2, 300))
    beyond = (pairs[:, 1] > 1.1 * pairs[:, 0].max(axis=1)[:, None]).mean(axis=1)
    assert 0.02 < most <= 0.05
    assert (beyond > most).mean() < 0.005


def test_a_column_without_values_does_not_keep_a_large_table_from_showing_that_nothing_drifted(data):
    table = _table(20_000).select(["sex", "town", "score", "paid"])
    csv.write_csv(table.append_column("empty", pa.nulls(20_000, pa.string())), data)
    created = create(_request(data, protected=("sex",)))
    source = load_records(created.folder / "governance", today=TODAY).dataset("trial")
    assert not source.columns["empty"].drift
    assert not any("too small to show" in line and "/trial.yaml" in line for line in created.look)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("born", np.datetime64("1950-01-01") + np.arange(2_000) * 10),
        ("town", [f"town {number % 150}" for number in range(2_000)]),
        ("shop_id", np.arange(2_000) % 40),
        ("paid_out", np.arange(2_000) * 7 % 1_999),
    ],
)
def test_dates_of_birth_places_codes_and_amounts_are_judged_for_drift(name, values):
    assert "drift" not in _guessed(**{name: values})[name].rules


def test_a_table_with_nothing_to_learn_from_is_refused(data):
    csv.write_csv(_table().select(["sex", "paid"]), data)
    assert "at least one column that a model may learn from" in _refusal(_request(data, protected=("sex",)))


@pytest.mark.parametrize("name", ["class", "2026", "My Table", "aims", "a.b-c"])
def test_names_that_are_no_python_names_still_give_a_pipeline(data, name):
    created = create(_request(data, folder=data.parent / name))
    compile((created.folder / "definitions.py").read_text(), "definitions.py", "exec")
    assert load_records(created.folder / "governance")


def test_what_the_first_run_would_refuse_is_written_out_with_its_figure_and_a_date(data):
    table = _table(4_000)
    sex, town = table["sex"].to_pylist(), table["town"].to_pylist()
    paid = [
        "yes" if (group == "m" and index % 2) or index % 10 == 0 else "no" for index, group in enumerate(sex)
    ]
    town = ["z" if index < 30 else name for index, name in enumerate(town)]
    table = table.set_column(8, "paid", pa.array(paid)).set_column(4, "town", pa.array(town))
    table = pa.concat_tables([table.drop(["id"]), table.drop(["id"]).slice(0, 200)])
    csv.write_csv(table, data)
    created = create(_request(data, protected=("sex", "town")))
    accepted = {
        (item.check, item.target): item
        for item in load_records(created.folder / "governance", today=TODAY).dataset("trial").accepted
    }
    rates = {
        group: np.mean(
            [
                value == "yes"
                for value, own in zip(table["paid"].to_pylist(), table["sex"].to_pylist(), strict=True)
                if own == group
            ]
        )
        for group in ("f", "m")
    }
    gap = accepted["label_rate_gap", "sex"]
    assert gap.observed == pytest.approx(rates["m"] - rates["f"], abs=1e-4)
    assert 0 < gap.tolerance < 0.06
    assert gap.review_by == date(2026, 8, 30)
    assert accepted["representation", "town=z"].observed == 60
    assert accepted["uniqueness", ""].observed == pytest.approx(200 / 4200, abs=1e-4)
    assert any("label_rate_gap[sex]" in line and f"{gap.observed:g}" in line for line in created.look)


def test_nothing_is_accepted_that_needs_no_acceptance(data):
    csv.write_csv(_table(50_000), data)
    created = create(_request(data))
    for record in load_records(created.folder / "governance").datasets.values():
        assert record.accepted == ()


def test_what_the_next_table_may_miss_by_chance_is_accepted_too_with_room_for_chance_alone(data):
    table = _table(8_000)
    town = ["z" if index < 110 else name for index, name in enumerate(table["town"].to_pylist())]
    csv.write_csv(table.set_column(4, "town", pa.array(town)), data)
    created = create(_request(data, protected=("sex", "town")))
    records = load_records(created.folder / "governance", today=TODAY)
    whole = {(item.check, item.target): item for item in records.dataset("trial").accepted}
    group = whole["representation", "town=z"]
    assert "by chance" in group.reason
    assert (group.observed, group.tolerance) == (
        110,
        45,
    )  # three standard deviations of the difference of counts
    model = {(item.check, item.target): item for item in records.system("trial_model").accepted}
    assert all(item.tolerance <= 0.2 for item in model.values() if item.observed < 1)
    assert (
        model["fairness_gap", "town=z positives"].tolerance
        < model["fairness_gap", "town=z positives"].observed
    )
    assert any(
        line.startswith("representation: few rows, or hardly enough, of town=z") for line in created.look
    )


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        ((True, False), True),
        ((1, 0), 1),
        ((1.0, 0.0), 1.0),
        (("yes", "no"), "yes"),
        (("N", "Y"), "Y"),
        (("a", "b"), "b"),
    ],
    ids=str,
)
def test_the_positive_value_is_the_one_that_says_yes_or_else_the_rarer(data, values, positive):
    table = _table(600)
    labels = pa.array([values[0] if index % 5 else values[1] for index in range(600)])
    csv.write_csv(table.set_column(8, "paid", labels), data)
    created = create(_request(data, positive=None))
    assert load_records(created.folder / "governance").dataset("trial").label.positive == positive


def test_what_cannot_be_accepted_comes_first_with_what_to_do(data):
    table = _table(240)
    csv.write_csv(table, data)
    created = create(_request(data))
    refusing = [line for line in created.look if "would refuse the first run" in line]
    assert any(line.startswith("label_rate_gap[") and "min_group_size" in line for line in refusing)
    figures = [line for line in created.look if "accepted until 20" in line]
    assert created.look.index(refusing[-1]) < created.look.index(figures[0])


def test_texts_that_mean_missing_by_custom_are_found_and_listed(data):
    table = _table()
    town = ["?" if index % 7 == 0 else name for index, name in enumerate(table["town"].to_pylist())]
    csv.write_csv(table.set_column(4, "town", pa.array(town)), data)
    created = create(_request(data))
    record = load_records(created.folder / "governance").dataset("trial")
    assert record.source.null_values == ("?",)
    assert "?" not in record.columns["town"].allowed
    assert record.columns["town"].max_missing == pytest.approx(0.2)  # 286 of 2,000, and what chance explains
    assert any("'?'" in line for line in created.look)


def test_personal_data_is_declared_and_kept_out_of_features_and_lists(data):
    table = _table().append_column("mail", pa.array([f"a{n % 40}@example.org" for n in range(2_000)]))
    csv.write_csv(table, data)
    created = create(_request(data))
    contract = load_records(created.folder / "governance").dataset("trial").columns["mail"]
    assert contract.personal
    assert contract.allowed is None
    assert not any("example.org" in path.read_text() for path in created.folder.rglob("*") if path.is_file())
    assert any("'mail' looks like personal data" in line for line in created.look)


def test_values_that_few_rows_have_are_not_written_into_records(data):
    table = _table()
    town = ["rare-place" if index < 4 else name for index, name in enumerate(table["town"].to_pylist())]
    csv.write_csv(table.set_column(4, "town", pa.array(town)), data)
    created = create(_request(data))
    assert load_records(created.folder / "governance").dataset("trial").columns["town"].allowed == (
        "a",
        "b",
        "c",
    )
    assert not any("rare-place" in path.read_text() for path in created.folder.rglob("*") if path.is_file())


def test_a_numeric_label_of_many_values_makes_a_regression(data):
    created = create(_request(data, label="score"))
    records = load_records(created.folder / "governance")
    assert records.dataset("trial").label.task == "regression"
    assert records.policy("default").model_limits.metric == "r2"
    assert "Ridge" in (created.folder / "definitions.py").read_text()


def test_the_suite_is_one_that_great_expectations_reads_and_the_table_meets(data, great_expectations):
    import json

    created = create(_request(data))
    suite = json.loads((created.folder / "governance/expectations/trial.json").read_text())
    context = great_expectations.get_context(mode="ephemeral")
    batch = (
        context.data_sources.add_pandas("p")
        .add_dataframe_asset("a")
        .add_batch_definition_whole_dataframe("b")
    ).get_batch({"dataframe": csv.read_csv(data).to_pandas()})
    result = batch.validate(great_expectations.ExpectationSuite(**suite))
    assert len(result.results) >= 5
    assert result.success


def test_a_killed_init_leaves_no_project_and_the_next_one_works(data):
    code = (
        "import sys, time; from datetime import date; from pathlib import Path\n"
        "from aims_pipelines.scaffold import project; from aims_pipelines.scaffold.request import Request\n"
        "def stop(*_): print('writing', flush=True); time.sleep(60)\n"
        "project._put = stop\n"
        "project.create(Request(folder=Path(sys.argv[1]) / 'trial', data=Path(sys.argv[1]) / 'people.csv',"
        " label='paid', protected=('sex',), today=date(2026, 6, 1)))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(data.parent)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "writing"  # all files are written, none is in place
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    time.sleep(0.05)
    assert not (data.parent / "trial").exists()
    assert "definitions.py" in create(_request(data)).files


def test_a_folder_that_cannot_be_written_is_answered(data):
    if os.geteuid() == 0:
        full = Path("/proc/self")  # not even root can make folders here
        with pytest.raises(BadInput, match="to write the project"):
            create(_request(data, folder=full / "trial"))
        return
    closed = data.parent / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(BadInput, match="to write the project"):
        create(_request(data, folder=closed / "trial"))


@pytest.mark.parametrize(
    ("file", "label", "protected", "bands"),
    [
        ("adult-train.csv", "income", ("sex", "race"), 0),
        ("credit-card-clients.csv", "default", ("SEX", "AGE"), 3),
    ],
)
def test_real_tables_get_projects(real_data, tmp_path, file, label, protected, bands):  # noqa: PLR0917 - a table
    created = create(
        Request(
            folder=tmp_path / "trial", data=real_data / file, label=label, protected=protected, today=TODAY
        )
    )
    record = load_records(created.folder / "governance", today=TODAY).dataset("trial")
    assert len(record.protected[1].bands) == bands
    assert not any("would refuse" in line for line in created.look)
    shutil.rmtree(created.folder)
