"""``aims gate`` on a registered version: open, or shut with the item that was tampered with, changed or expired.

And ``aims card``, which shows the card of that version only as it was judged.
"""

import json
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import dagster as dg
import mlflow
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from aims_pipelines import AimsResource, DatasetIOManager, governed_model
from aims_pipelines.assets.model_gate import GATE_CHECKS, examine
from aims_pipelines.cli.main import main
from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.verdict import Finding, Status, Verdict
from aims_pipelines.resources.project import load_project

TODAY = datetime.now(UTC).date()


@governed_model(system="loans")
def late_payment(training: pd.DataFrame):
    return LogisticRegression().fit(training[["income", "debt"]], training["late"])


@pytest.fixture(scope="module")
def registered(published, tmp_path_factory):
    """A project with one registered version that needed an accepted shortfall; MLflow's files stay where they are."""
    folder = tmp_path_factory.mktemp("registered") / "project"
    shutil.copytree(published, folder)
    system = folder / "governance" / "system.yaml"
    accepted = (
        "limits: {min_metric: 0.99}\n"
        f"review_by: {TODAY + timedelta(days=300)}\n"
        "accepted:\n- {check: performance, measure: roc_auc, observed: 0.8, tolerance: 0.1, reason: pilot, "
        f"review_by: {TODAY + timedelta(days=30)}}}\n"
    )
    system.write_text(system.read_text() + accepted, encoding="utf-8")
    aims = AimsResource(folder=str(folder))
    result = dg.materialize(
        [late_payment, dg.AssetSpec("training"), dg.AssetSpec("holdout")],
        resources={"aims": aims, "io_manager": DatasetIOManager(aims=aims)},
        selection=[late_payment],
    )
    assert result.success
    shutil.copytree(folder, folder.with_name("kept"))
    return folder


@pytest.fixture
def folder(registered, monkeypatch):
    """The project, put back as it was after each test; but for MLflow's database, which MLflow keeps open."""
    monkeypatch.chdir(registered)
    yield registered
    monkeypatch.undo()
    for part in (*registered.iterdir(), *(registered / ".aims").iterdir()):
        if part.is_file() and part.name != "mlflow.db":
            part.unlink()
        elif part.is_dir() and part.name != ".aims":
            shutil.rmtree(part)
    kept = registered.with_name("kept")
    shutil.copytree(kept, registered, dirs_exist_ok=True, ignore=shutil.ignore_patterns("mlflow.db"))


@pytest.fixture
def client(folder):
    """MLflow as an administrator has it; undoes what the tests do with it."""
    address = load_project(folder).locations.mlflow
    client = mlflow.MlflowClient(address, address)
    tags = dict(client.get_model_version("late-payment", "1").tags)
    yield client
    for version in client.search_model_versions("name = 'late-payment'"):
        if int(version.version) != 1:
            client.delete_model_version("late-payment", version.version)
    client.set_registered_model_alias("late-payment", "challenger", "1")
    for name, value in tags.items():
        client.set_model_version_tag("late-payment", "1", name, value)


@pytest.fixture
def aims(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["aims", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return call


def stored(folder: Path, path: str) -> Path:
    (found,) = (folder / ".aims" / "mlflow-artifacts").rglob(path)
    return found


def failing(output: str) -> set[str]:
    verdicts = json.loads(output)["verdicts"]
    return {item["check"] for item in verdicts if item["status"] != "pass" and item["severity"] == "error"}


@pytest.mark.parametrize(
    "reference", ["late-payment@challenger", "late-payment@Challenger", "late-payment/1"]
)
def test_an_untouched_version_is_open(reference, folder, aims):
    code, out, _ = aims("gate", reference)
    assert code == 0
    assert out.startswith("late-payment/1: open")
    assert "✗" not in out


def edit_model(folder):
    file = stored(folder, "model.skops")
    file.write_bytes(file.read_bytes()[:-1] + b"!")


def edit_mlmodel(folder):
    file = stored(folder, "MLmodel")
    file.write_text(file.read_text().replace("skops_trusted_types: []", "skops_trusted_types: [os.system]"))


def edit_card(folder):
    file = stored(folder, "card.md")
    file.write_text(file.read_text().replace("can ask for a review", "cannot complain"))


def remove_card(folder):
    stored(folder, "card.html").unlink()


def add_file(folder):
    stored(folder, "MLmodel").with_name("model.pkl").write_bytes(b"cos\nsystem\n")


def edit_manifest_too(folder):
    edit_model(folder)
    stored(folder, "manifest.json").write_text('{"files":{},"format":"aims-model-manifest/1"}')


@pytest.mark.parametrize(
    ("corruption", "said"),
    [
        (edit_model, "model/model.skops was changed"),
        (edit_mlmodel, "model/MLmodel was changed"),
        (edit_card, "card/card.md was changed"),
        (remove_card, "card/card.html is missing"),
        (add_file, "model/model.pkl was added"),
        (edit_manifest_too, "manifest.json is not the one in the ledger"),
    ],
)
def test_a_changed_file_shuts_the_gate_by_its_name(corruption, said, folder, aims):
    corruption(folder)
    code, out, _ = aims("gate", "late-payment@challenger", "--format", "json")
    assert code == 1
    assert "files" in failing(out)
    assert said in out


def test_an_alias_moved_to_a_version_that_was_slipped_in_is_shut(client, aims):
    real = client.get_model_version("late-payment", "1")
    client.create_model_version("late-payment", real.source, run_id=real.run_id, tags=real.tags)
    client.set_registered_model_alias("late-payment", "challenger", "2")
    code, out, _ = aims("gate", "late-payment@challenger", "--format", "json")
    assert code == 1
    assert "evidence" in failing(out)
    assert aims("gate", "late-payment/1")[0] == 0


def test_tags_that_claim_other_evidence_are_not_believed(client, aims):
    client.set_model_version_tag("late-payment", "1", "aims/model_digest", "sha256:" + "0" * 64)
    code, out, _ = aims("gate", "late-payment/1", "--format", "json")
    assert code == 1
    assert "evidence" in failing(out)


def test_changed_records_make_the_evidence_stale(folder, aims):
    system = folder / "governance" / "system.yaml"
    system.write_text(system.read_text().replace("min_metric: 0.99", "min_metric: 0.5"), encoding="utf-8")
    code, out, _ = aims("gate", "late-payment/1")
    assert code == 1
    assert "? records: stale" in out
    assert "Next: Materialise the model's asset again" in out


def test_a_retired_system_is_shut(folder, aims):
    system = folder / "governance" / "system.yaml"
    system.write_text(system.read_text().replace("status: assessed", "status: retired"), encoding="utf-8")
    code, out, _ = aims("gate", "late-payment/1")
    assert code == 1
    assert "the system is retired" in out


def test_an_expired_acceptance_shuts_the_gate(folder):
    project = load_project(folder)
    version = project.mlflow.resolve("late-payment", number=1)
    then = datetime.combine(TODAY + timedelta(days=30), datetime.min.time(), tzinfo=UTC)
    before = examine(project, version, now=then - timedelta(seconds=1))
    after = examine(project, version, now=then)
    assert before.status is Status.PASS
    assert [verdict.check for verdict in after.refusing] == ["acceptances"]


def test_an_overdue_review_is_shown_but_does_not_shut(folder):
    project = load_project(folder)
    version = project.mlflow.resolve("late-payment", number=1)
    judgement = examine(project, version, now=datetime.now(UTC) + timedelta(days=301))
    review = next(verdict for verdict in judgement.verdicts if verdict.check == "review")
    assert review.status is Status.FAIL
    assert "review" not in [verdict.check for verdict in judgement.refusing]


def judged_again(project, kind, name, digest):
    """What a later run leaves that finds fault with the same content."""
    from aims_pipelines.core.statement import summary_to_json
    from aims_pipelines.storage.ledger import EntryDraft

    finding = Finding(target="", measure="x", status=Status.FAIL, reason="found later")
    verdict = Verdict(check="schema", version="1", findings=(finding,))
    judgement = Judgement(subject=name, required=("schema",), verdicts=(verdict,))
    project.ledger.append(
        [
            EntryDraft(
                kind="observation",
                actor="run:later",
                subject_kind=kind,
                subject_id=name,
                digests={"content": digest},
                body={"judgement": summary_to_json(judgement)},
                at=datetime.now(UTC),
            )
        ]
    )


@pytest.mark.parametrize(
    ("subject", "role", "item"),
    [(("dataset", "training"), "training", "data"), (("model", "late-payment"), "content", "verdicts")],
)
def test_what_was_judged_again_and_failed_no_longer_counts(subject, role, item, folder, aims):
    project = load_project(folder)
    digest = project.ledger.latest("model", "late-payment").digests[role]
    judged_again(project, *subject, digest)
    code, out, _ = aims("gate", "late-payment/1", "--format", "json")
    assert code == 1
    assert failing(out) == {item}


def test_a_ledger_that_was_edited_shuts_the_gate(folder, aims):
    with sqlite3.connect(folder / ".aims" / "aims.db") as database:
        for (trigger,) in database.execute(
            "select name from sqlite_master where type = 'trigger'"
        ).fetchall():
            database.execute(f"drop trigger {trigger}")
        edited = database.execute(
            "update ledger_entry set line = replace(line, 'pass', 'fail') where seq = 1"
        )
        assert edited.rowcount == 1
    code, out, _ = aims("gate", "late-payment/1", "--format", "json")
    assert code == 1
    assert "ledger" in failing(out)


def test_an_evidence_file_that_is_gone_shuts_the_gate(folder, aims):
    findings = next(path for path in (folder / ".aims" / "evidence").rglob("*") if path.is_file())
    findings.unlink()
    code, out, _ = aims("gate", "late-payment/1", "--format", "json")
    assert code == 1
    assert failing(out) == {"ledger"}


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("late-payment", "expected MODEL@ALIAS or MODEL/VERSION"),
        ("late-payment@", "expected MODEL@ALIAS or MODEL/VERSION"),
        ("late-payment/0", "expected MODEL@ALIAS or MODEL/VERSION"),
        ("late-payment@champion", "There is: challenger."),
        ("late-payment/7", "There is: 1."),
        ("unknown@challenger", "There is: late-payment."),
        ("x' or name like '%@challenger", "expected a registered model, found none"),
    ],
)
def test_a_question_that_makes_no_sense_is_answered_with_what_there_is(reference, said, folder, aims):
    code, out, err = aims("gate", reference.replace(" ", "_"))
    assert (code, out) == (2, "")
    assert said in err


def test_outside_of_a_project_it_says_how_to_start_one(tmp_path, monkeypatch, aims):
    monkeypatch.chdir(tmp_path)
    code, _, err = aims("gate", "late-payment@challenger")
    assert code == 2
    assert "aims init" in err


def test_mlflow_that_does_not_answer_is_told_in_seconds(folder, aims):
    (folder / "aims.toml").write_text('mlflow = "http://127.0.0.1:9"\n', encoding="utf-8")
    code, _, err = aims("gate", "late-payment@challenger")
    assert code == 2
    assert "Could not reach MLflow at http://127.0.0.1:9" in err


def test_junit_is_what_pipelines_read(folder, aims):
    edit_model(folder)
    code, out, _ = aims("gate", "late-payment/1", "--format", "junit")
    suite = ElementTree.fromstring(out)  # noqa: S314 - our own output
    failures = {case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None}
    assert code == 1
    assert {case.get("name") for case in suite.iter("testcase")} == set(GATE_CHECKS)
    assert suite.get("failures") == str(len(failures))
    assert "files" in failures
    assert "Next:" in suite.find(".//failure").text


def test_markdown_has_a_row_an_item(folder, aims):
    code, out, _ = aims("gate", "late-payment/1", "--format", "markdown")
    assert code == 0
    assert [line.split("|")[1].strip() for line in out.splitlines()[4:]] == list(GATE_CHECKS)


def test_an_unknown_format_is_bad_usage(folder, aims):
    assert aims("gate", "late-payment/1", "--format", "pdf")[0] == 2


@pytest.mark.parametrize(
    ("form", "name"), [("markdown", "card.md"), ("html", "card.html"), ("json", "card.json")]
)
def test_the_card_is_printed_as_it_was_judged(form, name, folder, aims):
    code, out, err = aims("card", "late-payment@challenger", "--format", form)
    assert (code, err) == (0, "")
    assert out.rstrip("\n") == stored(folder, name).read_text(encoding="utf-8").rstrip("\n")


def test_the_card_is_written_to_a_file_byte_for_byte_and_over_none_by_accident(folder, aims, tmp_path):
    file = tmp_path / "card.html"
    assert aims("card", "late-payment/1", "--format", "html", "--out", str(file))[0] == 0
    assert file.read_bytes() == stored(folder, "card.html").read_bytes()
    file.write_text("mine")
    code, _, err = aims("card", "late-payment/1", "--out", str(file))
    assert code == 2
    assert "--overwrite" in err
    assert file.read_text() == "mine"
    assert aims("card", "late-payment/1", "--out", str(file), "--overwrite")[0] == 0
    assert file.read_bytes() == stored(folder, "card.md").read_bytes()


@pytest.mark.parametrize("corruption", [edit_model, edit_card, remove_card, add_file, edit_manifest_too])
def test_no_card_is_shown_of_files_that_were_changed(corruption, folder, aims):
    corruption(folder)
    code, out, err = aims("card", "late-payment@challenger")
    assert (code, out) == (1, "")
    assert "Refused late-payment/1" in err


def test_no_card_is_shown_of_a_version_that_was_slipped_in(client, aims, tmp_path):
    real = client.get_model_version("late-payment", "1")
    false = client.create_model_version("late-payment", real.source, run_id=real.run_id, tags=real.tags)
    code, _, err = aims("card", f"late-payment/{false.version}", "--out", str(tmp_path / "card.md"))
    assert code == 1
    assert "did not come through the gate" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("late-payment", "aims card credit@challenger"),
        ("late-payment@champion", "There is: challenger."),
        ("late-payment/7", "There is: 1."),
        ("unknown@challenger", "There is: late-payment."),
    ],
)
def test_a_card_of_nothing_is_answered_with_what_there_is(reference, said, folder, aims):
    code, out, err = aims("card", reference)
    assert (code, out) == (2, "")
    assert said in err
