"""A governed model in real Dagster runs with a real MLflow database: registered with its card, or not there at all."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import mlflow
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from aims_pipelines import governed_asset, governed_model
from aims_pipelines.core.errors import BadInput, GateRefused
from aims_pipelines.model_cards.document import ModelCard
from aims_pipelines.resources.model_loading import load_verified

FEATURES = ["income", "debt"]


def good_estimator(training):
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(training[FEATURES], training["late"])


def model_asset(fit, **options):
    @governed_model(system="loans", **options)
    def late_payment(training: pd.DataFrame):
        return fit(training)

    return late_payment


def run(asset, upstream, resources, **options):
    return dg.materialize(
        [asset, *upstream], resources=resources, selection=[asset], raise_on_error=False, **options
    )


def message_of(result):
    return next(
        event.event_specific_data.error.cause.message
        if event.event_specific_data.error.cause
        else event.event_specific_data.error.message
        for event in result.all_events
        if event.is_step_failure
    )


def test_a_good_model_gets_one_version_with_its_card_and_alias(project, upstream, resources):
    result = run(model_asset(good_estimator), upstream, resources)
    assert result.success
    version = project.mlflow.resolve("late-payment", alias="challenger")
    assert (version.number, version.aliases) == (1, ("challenger",))
    files = project.mlflow.files(version)
    assert {
        "card/card.md",
        "card/card.html",
        "card/card.json",
        "model/MLmodel",
        "model/model.skops",
    } < files.keys()
    card = ModelCard.from_json(files["card/card.json"])
    assert card.identity.name == "late-payment"
    assert card.purpose.risk.startswith("Some are wrongly taken")
    (materialisation,) = result.get_asset_materialization_events()
    metadata = materialisation.materialization.metadata
    assert metadata["aims/model"].value == "late-payment/1"
    assert metadata["aims/evidence"].value == version.evidence
    assert "# Late payment of loans" in metadata["aims/card"].value
    assert {e.check_name: e.passed for e in result.get_asset_check_evaluations()} == dict.fromkeys(
        [
            "provenance",
            "performance",
            "subgroup_performance",
            "fairness_gap",
            "calibration",
            "generalisation",
            "leakage",
        ],
        True,
    )


def test_evidence_comes_first_and_the_registration_second(project, upstream, resources):
    before = [entry.id for entry in project.ledger.entries()]
    run(model_asset(good_estimator), upstream, resources)
    judged, registered = [entry for entry in project.ledger.entries() if entry.id not in before]
    assert (judged.subject_kind, judged.subject_id) == ("model", "late-payment")
    assert judged.digests.keys() == {"content", "manifest", "card", "training", "holdout", "policy"}
    assert (registered.subject_kind, registered.body["version"]) == ("registration", 1)
    assert registered.body["evidence_of"] == judged.id


def test_no_cell_value_of_the_table_is_in_the_ledger(project, upstream, resources):
    run(model_asset(good_estimator), upstream, resources)
    text = "".join(json.dumps(dict(entry.body)) for entry in project.ledger.entries())
    assert "north" not in text


def test_plain_mlflow_can_load_it_too(project, upstream, resources, folder):
    run(model_asset(good_estimator), upstream, resources)
    version = project.mlflow.resolve("late-payment", alias="challenger")
    rows = pd.read_csv(folder / "holdout.csv").head(20)[FEATURES]
    ours = load_verified(project, "late-payment", alias="challenger").predict(rows)
    assert (mlflow.sklearn.load_model(version.source).predict(rows) == ours).all()
    assert (mlflow.pyfunc.load_model(version.source).predict(rows) == ours).all()


def test_mlflow_keeps_types_of_columns_but_no_rows(project, upstream, resources):
    run(model_asset(good_estimator), upstream, resources)
    files = project.mlflow.files(project.mlflow.resolve("late-payment", alias="challenger"))
    assert not [path for path in files if "example" in path]
    assert '"name": "debt"' in files["model/MLmodel"].decode().replace("\\", "")


def test_a_refused_model_leaves_its_verdicts_and_nothing_else(project, upstream, resources):
    def noise(training):
        shuffled = training["late"].sample(frac=1, random_state=0).to_numpy()
        return LogisticRegression().fit(training[FEATURES], shuffled)

    result = run(model_asset(noise), upstream, resources)
    assert not result.success
    assert "performance" in message_of(result)
    assert result.get_asset_materialization_events() == []
    evaluations = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
    assert len(evaluations) == 7
    assert not evaluations["performance"]
    assert project.mlflow.names() == ()
    assert not list(project.locations.root.glob(".aims/mlflow-artifacts/*"))
    entry = project.ledger.latest("model", "late-payment")
    assert entry.body["judgement"]["status"] == "fail"
    assert "card" not in entry.digests
    assert project.ledger.latest("registration", "late-payment") is None


def test_the_last_good_version_stays_when_the_next_is_refused(project, upstream, resources):
    run(model_asset(good_estimator), upstream, resources)

    def constant(training):
        return LogisticRegression(C=1e-9).fit(training[["income"]], training["late"])

    assert not run(model_asset(constant), upstream, resources).success
    assert project.mlflow.resolve("late-payment", alias="challenger").number == 1
    assert project.mlflow.latest("late-payment").number == 1


@pytest.mark.parametrize(
    ("corruption", "named"),
    [
        ("label", "'late'"),
        ("excluded column", "'sex'"),
        ("row number", "'number'"),
    ],
)
def test_a_column_that_must_not_be_a_feature_is_refused_by_leakage(
    corruption, named, project, upstream, resources
):
    columns = {"label": "late", "excluded column": "sex", "row number": "number"}

    def fit(training):
        features = [*FEATURES, columns[corruption]]
        coded = FunctionTransformer(_as_numbers)
        return make_pipeline(coded, LogisticRegression(max_iter=500)).fit(
            training[features], training["late"]
        )

    result = run(model_asset(fit), upstream, resources)
    assert not result.success
    entry = project.ledger.latest("model", "late-payment")
    leakage = next(v for v in entry.body["judgement"]["verdicts"] if v["check"] == "leakage")
    assert named in " ".join(finding["reason"] for finding in leakage["findings"])


def _as_numbers(frame):
    return frame.assign(sex=(frame["sex"] == "male").astype(int)) if "sex" in frame else frame


def test_a_function_of_the_users_own_in_the_model_is_refused_until_a_reviewer_allows_it(
    project, upstream, resources, folder
):
    def fit(training):
        return make_pipeline(
            FunctionTransformer(np.tanh), FunctionTransformer(_same), LogisticRegression()
        ).fit(training[FEATURES], training["late"])

    result = run(model_asset(fit), upstream, resources)
    assert not result.success
    assert f"{_same.__module__}._same" in message_of(result)
    assert "model.trusted_types" in message_of(result)


def _same(values):
    return values


def test_a_model_that_pickle_alone_could_save_is_refused(project, upstream, resources):
    def fit(training):
        return make_pipeline(FunctionTransformer(lambda values: values), LogisticRegression()).fit(
            training[FEATURES], training["late"]
        )

    result = run(model_asset(fit), upstream, resources)
    assert not result.success
    assert "model file" in message_of(result)
    assert project.mlflow.names() == ()


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (lambda _: LogisticRegression(), "which was not fitted"),
        (lambda _: LogisticRegression, "the class LogisticRegression"),
        (lambda _: None, "NoneType"),
        (lambda training: training, "DataFrame"),
        (
            lambda training: LogisticRegression().fit(training[FEATURES].assign(extra=1), training["late"]),
            "'extra'",
        ),
        (
            lambda training: LogisticRegression().fit(training[FEATURES], training["late"] + 5),
            "expected one of the 2 classes",
        ),
    ],
    ids=["unfitted", "a class", "nothing", "a table", "made a column outside", "other labels"],
)
def test_what_is_no_usable_estimator_is_answered_well(returned, said, project, upstream, resources):
    result = run(model_asset(returned), upstream, resources)
    assert not result.success
    assert said in message_of(result)
    assert project.mlflow.names() == ()
    assert {e.passed for e in result.get_asset_check_evaluations()} == {False}


def test_checks_of_the_users_own_are_refused_where_the_model_is_defined():
    own = dg.AssetCheckSpec("looks_right", asset="late_payment")
    with pytest.raises(BadInput, match="looks_right") as caught:
        governed_model(system="late-payment", name="late_payment", check_specs=[own])(
            lambda training: training
        )
    assert "asset_check" in str(caught.value)


def test_training_rows_that_no_gate_judged_are_not_admitted(project, upstream, resources):
    trained = []

    @dg.io_manager
    def tampering(_):
        class Tampering(dg.IOManager):
            def handle_output(self, context, obj):
                raise AssertionError

            def load_input(self, context):
                frame = (
                    resources["aims"]
                    .project.store.read(
                        context.asset_key.to_user_string(),
                        project.store.head(context.asset_key.to_user_string()).digest,
                    )
                    .to_pandas()
                )
                if context.asset_key == dg.AssetKey("training"):
                    frame.loc[0, "late"] = 1 - frame.loc[0, "late"]
                return frame

        return Tampering()

    def fit(training):
        trained.append(training)
        return good_estimator(training)

    result = run(model_asset(fit), upstream, {**resources, "io_manager": tampering})
    assert not result.success
    assert trained == []
    assert "no passing verdict exists" in message_of(result)


def regions():
    return pd.DataFrame({"number": range(400), "region": ["north", "south", "west", "east"] * 100})


@pytest.fixture
def third(folder):
    """A third record, whose dataset has no version yet."""
    (folder / "governance" / "regions.yaml").write_text(
        """\
kind: dataset
id: regions
title: Regions
owner: data steward
status: admitted
purpose: tests
source: {path: regions.csv, licence: CC0-1.0, legal_basis: no personal data}
columns: {number: {type: integer}, region: {type: string}}
""",
        encoding="utf-8",
    )


def with_a_further_input(fit=lambda training, table: good_estimator(training)):  # noqa: ARG005 - Dagster names inputs by it
    @governed_model(system="loans", ins={"table": dg.AssetIn(key="regions")})
    def late_payment(training: pd.DataFrame, table: pd.DataFrame):
        return fit(training, table)

    return late_payment


@pytest.mark.usefixtures("third")
def test_a_further_input_is_admitted_by_its_evidence_and_told_of_in_ledger_and_card(
    project, upstream, resources, folder
):
    regions().to_csv(folder / "regions.csv", index=False)

    @governed_asset(dataset="regions", name="regions")
    def made() -> pd.DataFrame:
        return regions()

    assert dg.materialize([made], resources=resources).success
    model = with_a_further_input()
    assert run(model, [*upstream, made], resources).success
    judged = project.ledger.latest("model", "late-payment")
    digest = project.store.head("regions").digest
    assert judged.digests["input table"] == digest
    version = project.mlflow.resolve("late-payment", alias="challenger")
    card = ModelCard.from_json(project.mlflow.files(version)["card/card.json"])
    assert [(use.role, use.rows) for use in card.data] == [
        ("training", 3000),
        ("holdout", 2000),
        ("input table", 400),
    ]
    page = project.mlflow.files(version)["card/card.md"].decode()
    assert "cases of the holdout" in page
    assert "had not seen" not in page, "nobody knows what the other table tells of these cases"


@pytest.mark.parametrize(
    ("recorded", "said"), [(False, "no dataset record claims it"), (True, "no passing verdict exists")]
)
def test_a_further_input_without_evidence_is_refused_before_anything_is_trained(
    recorded, said, request, upstream, resources
):
    project = request.getfixturevalue("project")
    if recorded:
        request.getfixturevalue("third")
    called = []

    @dg.asset(name="regions")
    def by_hand() -> pd.DataFrame:
        return regions()

    @dg.io_manager
    def memory(_):
        class Memory(dg.IOManager):
            def handle_output(self, context, obj):
                raise AssertionError

            def load_input(self, context):
                name = context.asset_key.to_user_string()
                if name == "regions":
                    return regions()
                return project.store.read(name, project.store.head(name).digest).to_pandas()

        return Memory()

    result = run(
        with_a_further_input(lambda *tables: called.append(tables)),
        [*upstream, by_hand],
        {**resources, "io_manager": memory},
    )
    assert not result.success
    assert said in message_of(result)
    assert called == []
    assert project.mlflow.names() == ()


def test_a_function_that_asks_for_the_holdout_is_refused_where_it_is_defined():
    with pytest.raises(BadInput, match="parameter 'peek'"):

        @governed_model(system="loans", ins={"peek": dg.AssetIn(key="holdout")})
        def late_payment(training: pd.DataFrame, peek: pd.DataFrame):
            return good_estimator(training)


def test_a_function_may_take_the_training_table_apart_and_the_rows_judged_stay_those_admitted(
    project, upstream, resources
):
    def fit(training):
        late = training.pop("late")
        training.drop(columns=["number", "sex"], inplace=True)
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(training[FEATURES], late)
        training["income"] = 0.0
        return model

    assert run(model_asset(good_estimator), upstream, resources).success
    assert run(model_asset(fit), upstream, resources).success
    versions = [project.mlflow.resolve("late-payment", number=number) for number in (1, 2)]
    first, second = (ModelCard.from_json(project.mlflow.files(item)["card/card.json"]) for item in versions)
    assert first.figures == second.figures
    assert first.checks == second.checks


def test_a_polars_table_that_is_taken_apart_stays_what_was_admitted(project, resources, upstream):
    @governed_model(system="loans")
    def late_payment(training: pl.DataFrame):
        late = training.drop_in_place("late")
        training.replace_column(
            training.get_column_index("income"), pl.zeros(len(training), eager=True).alias("income")
        )
        return LogisticRegression().fit(training.select("debt").to_pandas(), late.to_numpy())

    assert run(late_payment, upstream, resources).success
    version = project.mlflow.resolve("late-payment", alias="challenger")
    card = ModelCard.from_json(project.mlflow.files(version)["card/card.json"])
    assert card.identity.features == ("debt",)


def test_rows_of_the_holdout_in_a_further_input_are_leakage(upstream, resources, folder):
    (folder / "governance" / "everything.yaml").write_text(
        (folder / "governance" / "training.yaml").read_text().replace("id: training", "id: everything"),
        encoding="utf-8",
    )
    parts = [pd.read_csv(folder / f"{name}.csv") for name in ("training", "holdout")]
    shutil.copy(folder / "training.csv", folder / "everything.csv")

    @governed_asset(dataset="everything", name="everything")
    def made() -> pd.DataFrame:
        return pd.concat(parts)

    @governed_model(system="loans")
    def late_payment(training: pd.DataFrame, everything: pd.DataFrame):
        estimator = good_estimator(everything)
        everything.drop(
            columns="income", inplace=True
        )  # the rows that were given stay the ones that are judged
        return estimator

    assert dg.materialize([made], resources=resources).success
    result = run(late_payment, [*upstream, made], resources)
    assert not result.success
    assert "leakage[rows of input everything]: fail" in message_of(result)


def test_a_key_prefix_may_be_a_word_as_in_dagster():
    @governed_model(system="loans", key_prefix="ml")
    def late_payment(training: pd.DataFrame):
        return good_estimator(training)

    assert late_payment.key == dg.AssetKey(["ml", "late_payment"])


def test_an_asynchronous_training_is_refused_where_it_is_defined():
    with pytest.raises(BadInput, match="async def"):

        @governed_model(system="loans")
        async def late_payment(training: pd.DataFrame):
            return good_estimator(training)


def test_records_that_changed_after_the_data_was_judged_shut_the_gate(project, upstream, resources, folder):
    record = folder / "governance" / "holdout.yaml"
    record.write_text(record.read_text().replace("purpose: tests", "purpose: other tests"), encoding="utf-8")
    result = run(model_asset(good_estimator), upstream, resources)
    assert not result.success
    assert "records have changed" in message_of(result)


def test_an_accepted_shortfall_opens_the_gate_and_stands_in_the_card(project, upstream, resources, folder):
    system = folder / "governance" / "system.yaml"
    ambitious = system.read_text() + "limits: {min_metric: 0.99}\n"
    system.write_text(ambitious, encoding="utf-8")
    assert not run(model_asset(good_estimator), upstream, resources).success
    until = datetime.now(UTC).date() + timedelta(days=30)
    entry = f"check: performance, measure: roc_auc, observed: 0.8, tolerance: 0.05, reason: pilot, review_by: {until}"
    system.write_text(f"{ambitious}accepted: [{{{entry}}}]\n", encoding="utf-8")
    assert run(model_asset(good_estimator), upstream, resources).success
    version = project.mlflow.resolve("late-payment", alias="challenger")
    card = ModelCard.from_json(project.mlflow.files(version)["card/card.json"])
    assert [(item.check, item.needed) for item in card.accepted] == [("performance", True)]


def test_a_declared_threshold_is_what_rates_are_measured_at_and_what_the_card_says(
    project, upstream, resources, folder
):
    system = folder / "governance" / "system.yaml"
    as_it_decides = system.read_text()
    limits = "limits: {min_metric: 0.6, metric: balanced_accuracy}\n"
    cards = {}
    for threshold in ("", ", threshold: 0.3"):
        declared = as_it_decides.replace("exclude: [number, sex]", f"exclude: [number, sex]{threshold}")
        system.write_text(declared + limits, encoding="utf-8")
        assert run(model_asset(good_estimator), upstream, resources).success
        version = project.mlflow.resolve("late-payment", alias="challenger")
        files = project.mlflow.files(version)
        cards[threshold] = ModelCard.from_json(files["card/card.json"])
    model = load_verified(project, "late-payment", alias="challenger")
    holdout = pd.read_csv(folder / "holdout.csv")
    flagged = model.predict_proba(holdout[FEATURES])[:, 1] >= 0.3
    for group in cards[", threshold: 0.3"].groups:
        expected = flagged[holdout["sex"] == group.level].mean()
        assert group.selection_rate.value == pytest.approx(expected)
    assert cards[""].figures[0].value != cards[", threshold: 0.3"].figures[0].value
    assert b"apply this threshold to its predict\\_proba" in files["card/card.md"]
    assert b"from a probability of 0.3 on" in files["card/card.html"]
    assert cards[""].identity.threshold is None


def test_mlflow_that_does_not_answer_fails_the_run_before_training(project, upstream, resources, folder):
    (folder / "aims.toml").write_text('mlflow = "http://127.0.0.1:9"\n', encoding="utf-8")
    trained = []
    result = run(model_asset(trained.append), upstream, resources)
    assert not result.success
    assert trained == []
    assert "Could not reach MLflow at http://127.0.0.1:9" in message_of(result)


def test_a_range_of_partitions_in_one_run_is_refused_before_training(project, upstream, resources):
    called = []

    @governed_model(
        system="loans",
        partitions_def=dg.StaticPartitionsDefinition(["spring", "summer"]),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def late_payment(training: pd.DataFrame):
        called.append(True)
        return good_estimator(training)

    whole = {"dagster/asset_partition_range_start": "spring", "dagster/asset_partition_range_end": "summer"}
    result = run(late_payment, upstream, resources, tags=whole)
    assert not result.success
    assert "one partition a run" in message_of(result)
    assert "BackfillPolicy.multi_run()" in message_of(result)
    assert called == []
    assert project.mlflow.names() == ()


def test_config_context_and_other_resources_work_as_in_an_ordinary_asset(upstream, resources):
    class Settings(dg.Config):
        strength: float = 1.0

    @governed_model(system="loans", group_name="lending", tags={"team": "risk"})
    def late_payment(
        context: dg.AssetExecutionContext,
        config: Settings,
        training: pd.DataFrame,
        note: dg.ResourceParam[str],
    ):
        context.log.info(note)
        assert config.strength == 0.5
        return LogisticRegression(C=config.strength).fit(training[FEATURES], training["late"])

    result = run(
        late_payment,
        upstream,
        {**resources, "note": "hello"},
        run_config={"ops": {"late_payment": {"config": {"strength": 0.5}}}},
    )
    assert result.success
    spec = late_payment.specs_by_key[dg.AssetKey("late_payment")]
    assert (spec.group_name, spec.tags["team"]) == ("lending", "risk")


def test_a_function_without_a_parameter_for_the_table_is_refused_when_definitions_load():
    with pytest.raises(BadInput, match="a parameter named 'training'"):

        @governed_model(system="loans")
        def late_payment(rows: pd.DataFrame):
            return rows


def test_loading_refuses_a_version_whose_bytes_were_changed(project, upstream, resources):
    run(model_asset(good_estimator), upstream, resources)
    version = project.mlflow.resolve("late-payment", alias="challenger")
    stored = Path(version.source.removeprefix("file://")) / "model.skops"
    stored.write_bytes(stored.read_bytes() + b"x")
    with pytest.raises(GateRefused, match=r"model/model\.skops was changed"):
        load_verified(project, "late-payment", alias="challenger")


def test_loading_refuses_a_version_that_did_not_come_through_the_gate(project, upstream, resources):
    run(model_asset(good_estimator), upstream, resources)
    version = project.mlflow.resolve("late-payment", alias="challenger")
    client = mlflow.MlflowClient(project.locations.mlflow, project.locations.mlflow)
    tags = client.get_model_version("late-payment", "1").tags
    client.create_model_version("late-payment", version.source, run_id=version.run_id, tags=tags)
    with pytest.raises(GateRefused, match="did not come through the gate"):
        load_verified(project, "late-payment", number=2)
