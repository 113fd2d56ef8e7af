"""The generator of the reference project: same seed, same rows; its stated truth is the truth of its rows."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv, parquet
from scipy import stats
from sklearn.linear_model import LogisticRegression

from examples.credit_default.applications import SCHEMA, batches
from examples.credit_default.faults import FAULTS
from examples.credit_default.generator import main, parse_fault, truth

ROOT = Path(__file__).parents[2]
NEWEST = date(2026, 6, 30)


def table(rows: int, *faults: str, seed: int = 11, batch_rows: int = 50_000) -> pa.Table:
    planted = [parse_fault(fault) for fault in faults]
    return pa.Table.from_batches(
        batches(rows, seed=seed, newest=NEWEST, planted=planted, batch_rows=batch_rows)
    )


def frame(rows: int, *faults: str, seed: int = 11) -> pd.DataFrame:
    return table(rows, *faults, seed=seed).to_pandas()


@pytest.fixture(scope="module")
def clean() -> pd.DataFrame:
    return frame(160_000)


def test_same_seed_gives_the_same_rows_and_another_seed_gives_others():
    assert table(20_000).equals(table(20_000))
    assert not table(1_000).select(["income"]).equals(table(1_000, seed=12).select(["income"]))


@settings(max_examples=12, deadline=None)
@given(rows=st.integers(0, 40_000), batch_rows=st.integers(1, 50_000).filter(lambda n: n == 1 or n > 500))
def test_rows_do_not_depend_on_how_they_are_cut(rows: int, batch_rows: int):
    rows = rows if batch_rows > 1 else rows % 300
    pieces = list(
        batches(rows, seed=3, newest=NEWEST, planted=[parse_fault("duplicates")], batch_rows=batch_rows)
    )
    assert [piece.num_rows for piece in pieces[:-1]] == [batch_rows] * (len(pieces) - 1)
    whole = table(40_000, "duplicates", seed=3)
    assert pa.Table.from_batches(pieces, schema=SCHEMA).equals(whole.slice(0, rows))


def test_a_file_holds_exactly_the_rows_that_the_stream_gives(tmp_path: Path):
    for name in ("rows.parquet", "rows.csv"):
        arguments = ["--rows", "20000", "--seed", "11", "--as-of", str(NEWEST), "--out", str(tmp_path / name)]
        assert main(arguments) == 0
    assert parquet.read_table(tmp_path / "rows.parquet").equals(table(20_000))
    types = csv.ConvertOptions(column_types=SCHEMA, strings_can_be_null=True)
    assert csv.read_csv(tmp_path / "rows.csv", convert_options=types).equals(table(20_000))
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["rows.csv", "rows.parquet"]


def test_logistic_regression_recovers_the_stated_coefficients(clean: pd.DataFrame):
    rows = clean.dropna()
    truths = truth()["label"]
    features = pd.DataFrame(
        {
            "log_income": np.log(rows.income),
            "log_loan_to_income": np.log(rows.loan_amount / rows.income),
            **{name: rows[name] for name in ("debt_ratio", "utilisation", "delinquencies", "inquiries")},
            "history_years": rows.history_years,
            **{name: rows.employment == name for name in ("fixed_term", "self_employed", "unemployed")},
            "rent": rows.housing == "rent",
            "female": rows.sex == "female",
            "coast": rows.region == "coast",
            "age": rows.age / 10,
            "online": rows.channel == "online",
        }
    ).astype(float)
    centred = features - pd.Series(truths["centred_at"]).reindex(features.columns).fillna(0.0)
    model = LogisticRegression(C=np.inf, max_iter=2_000, tol=1e-8).fit(
        centred, rows.outcome == truths["positive"]
    )
    design = np.column_stack([np.ones(len(centred)), centred])
    score = model.predict_proba(centred)[:, 1]
    error = np.sqrt(np.diag(np.linalg.inv(design.T @ (design * (score * (1 - score))[:, None]))))
    fitted = np.concatenate([model.intercept_, model.coef_[0]])
    stated = [truths["intercept"], *(truths["log_odds"].get(name, 0.0) for name in features.columns)]
    deviation = dict(zip(["intercept", *features.columns], (fitted - stated) / error, strict=True))
    assert {name: z for name, z in deviation.items() if abs(z) > 3.9} == {}
    assert error.max() < 0.25  # small enough that a wrong coefficient would show


def test_natural_missingness_is_as_stated_and_unrelated_to_the_label(clean: pd.DataFrame):
    stated = truth()["natural_missing_share"]
    for name in clean.columns:
        lost = int(clean[name].isna().sum())
        if name in stated:
            assert stats.binomtest(lost, len(clean), stated[name]).pvalue > 1e-4
            in_default = clean[name].isna()[clean.outcome == "default"]
            assert stats.binomtest(int(in_default.sum()), len(in_default), stated[name]).pvalue > 1e-4
        else:
            assert lost == 0, name


def test_incomes_have_a_heavy_tail_and_the_strained_owe_more(clean: pd.DataFrame):
    assert stats.kurtosis(np.log(clean.income.dropna())) > 0.3
    assert stats.spearmanr(clean.debt_ratio, clean.utilisation, nan_policy="omit").statistic > 0.25
    assert stats.spearmanr(clean.delinquencies, clean.debt_ratio).statistic > 0.1


def test_one_application_in_25_is_by_a_person_who_applied_before(clean: pd.DataFrame):
    assert clean.application_id.is_unique
    again = clean.applicant_id.duplicated()
    assert again.mean() == pytest.approx(truth()["reapplying_share"], abs=0.002)
    people = clean[clean.applicant_id.isin(clean.applicant_id[again])].groupby("applicant_id")
    assert (people[["age", "sex", "region", "employment"]].nunique() == 1).all(axis=None)
    assert (people.loan_amount.nunique() > 1).mean() > 0.9


def test_the_window_of_dates_ends_on_the_newest_date(clean: pd.DataFrame):
    assert clean.application_date.max() == NEWEST
    assert (NEWEST - clean.application_date.min()).days == 89


# --- planted faults: the stated change, and nothing but it


@pytest.mark.parametrize(
    ("fault", "touched"),
    [
        ("missing", {"income"}),
        ("label-bias", {"outcome"}),
        ("subgroup-drift", {"utilisation"}),
        ("population-drift", {"utilisation", "income"}),
    ],
)
def test_a_fault_touches_only_the_columns_it_names(fault: str, touched: set[str]):
    before, after = table(30_000), table(30_000, fault)
    assert before.schema == after.schema
    assert {name for name in SCHEMA.names if before[name] != after[name]} == touched


def test_missing_loses_the_stated_share_of_incomes():
    lost = frame(60_000, "missing").income.isna().sum()
    assert stats.binomtest(int(lost), 60_000, 1 - 0.98 * 0.70).pvalue > 1e-4
    lost = frame(60_000, "missing=0.05").income.isna().sum()
    assert stats.binomtest(int(lost), 60_000, 1 - 0.98 * 0.95).pvalue > 1e-4


def test_label_bias_flips_the_stated_share_of_good_labels_of_women_only():
    before, after = frame(60_000), frame(60_000, "label-bias")
    flipped = before.outcome != after.outcome
    assert set(before.sex[flipped]) == {"female"}
    assert set(before.outcome[flipped]) == {"repaid"}
    eligible = (before.sex == "female") & (before.outcome == "repaid")
    assert stats.binomtest(int(flipped.sum()), int(eligible.sum()), 0.15).pvalue > 1e-4


def test_subgroup_drift_shifts_one_region_by_the_stated_size_and_hides_in_the_whole():
    before, after = frame(120_000), frame(120_000, "subgroup-drift")
    logit = lambda share: np.log(share / (1 - share))  # noqa: E731 - one formula for two frames
    moved = (logit(after.utilisation) - logit(before.utilisation)) / 1.1
    inside = before.region == "coast"
    assert moved[inside].median() == pytest.approx(0.5, abs=0.01)
    assert (moved[~inside].dropna() == 0).all()
    assert inside.mean() == pytest.approx(0.08, abs=0.005)
    whole = stats.ks_2samp(before.utilisation.dropna(), after.utilisation.dropna()).statistic
    within = stats.ks_2samp(before.utilisation[inside].dropna(), after.utilisation[inside].dropna()).statistic
    assert within > 0.14
    assert whole < 0.02


def test_duplicates_are_copies_of_earlier_rows_in_the_stated_share():
    rows = frame(60_000, "duplicates")
    copies = rows.duplicated()
    assert stats.binomtest(int(copies.sum()), 60_000, 0.05).pvalue > 1e-4
    originals = rows[~copies].set_index("application_id")
    assert originals.index.is_unique
    assert (
        originals.loc[rows.application_id[copies]].reset_index().equals(rows[copies].reset_index(drop=True))
    )


def test_a_broken_schema_renames_one_column_and_retypes_another_with_the_values_kept():
    before, after = table(5_000), table(5_000, "schema")
    assert after.schema.field("loan_amount").type == pa.string()
    assert after["loan_amount"].cast(pa.float64()) == before["loan_amount"]
    assert after["annual_income"] == before["income"]
    assert set(before.column_names) ^ set(after.column_names) == {"income", "annual_income"}


def test_the_order_in_which_faults_are_asked_for_changes_nothing():
    assert table(20_000, "missing", "duplicates", "label-bias").equals(
        table(20_000, "label-bias", "missing", "duplicates")
    )


def test_every_fault_says_what_it_plants_and_which_check_is_meant_to_refuse_it():
    from aims_pipelines.records.policy_record import DATASET_CHECK_NAMES

    for name, fault in truth()["faults"].items():
        assert fault["meant_for_check"] in DATASET_CHECK_NAMES
        assert FAULTS[name].describe(0.123) != fault["truth"] or not fault["unit"]


# --- the command line


def test_all_bad_arguments_are_named_at_once_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "absent" / "rows.txt"
    arguments = ["--rows", "0", "--seed", "-1", "--as-of", "soon", "--out", str(out)]
    assert main([*arguments, "--fault", "missing=3", "--fault", "gremlins", "--fault", "schema=1"]) == 2
    said = capsys.readouterr().err
    for part in (
        "--rows",
        "--seed",
        "--as-of",
        "missing",
        "'gremlins'",
        "schema",
        ".parquet or .csv",
        "absent",
    ):
        assert part in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rows", ["nan", "-5", "1e3", "", "1.5M", "99999999999"])
def test_rows_that_are_no_count_are_refused(rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([f"--rows={rows}", "--out", str(tmp_path / "rows.csv")]) == 2
    assert "--rows: expected a whole number" in capsys.readouterr().err


def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "rows.csv"
    out.write_text("mine")
    assert main(["--rows", "10", "--out", str(out)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main(["--rows", "10", "--out", str(out), "--overwrite"]) == 0
    assert len(out.read_text().splitlines()) == 11


def test_the_truth_is_printed_as_json(capsys: pytest.CaptureFixture[str]):
    assert main(["--truth"]) == 0
    assert json.loads(capsys.readouterr().out) == truth()


def test_memory_stays_flat_in_the_number_of_rows(tmp_path: Path):
    def peak_kilobytes(rows: str) -> int:
        code = (
            "import resource, sys\n"
            "from examples.credit_default.generator import main\n"
            f"assert main(['--rows', '{rows}', '--out', sys.argv[1], '--overwrite']) == 0\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        run = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "rows.parquet")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return int(run.stdout.split()[-1])

    assert peak_kilobytes("1500k") < 1.25 * peak_kilobytes("300k")
