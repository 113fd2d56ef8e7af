import pyarrow as pa
import pytest

from aims_pipelines.checks.candidate import InputVersion
from aims_pipelines.core.verdict import Status

TABLE = pa.table({"amount": [1.0, 2.0, 3.0]})
DIGEST = "sha256:" + "a" * 64


def source(**changes):
    return {
        "source": {"path": "data/offers.csv", "licence": "CC BY 4.0", "legal_basis": "contract", **changes}
    }


def test_a_known_source_and_code_pass(build, answer):
    verdict = answer("provenance", build(TABLE, record=source(), source_digest=DIGEST, code_version="abc"))
    assert verdict.status is Status.PASS
    assert {item.measure for item in verdict.findings} == {
        "source digest",
        "code version",
        "licence",
        "legal basis",
    }


def test_an_unreadable_source_fails(build, answer, finding):
    verdict = answer("provenance", build(TABLE, record=source(), source_digest=""))
    assert finding(verdict, "data/offers.csv").status is Status.FAIL


@pytest.mark.parametrize(("digest", "status"), [(DIGEST, Status.PASS), ("sha256:" + "b" * 64, Status.FAIL)])
def test_only_the_pinned_file_passes(build, answer, finding, digest, status):
    verdict = answer("provenance", build(TABLE, record=source(sha256=DIGEST), source_digest=digest))
    assert finding(verdict, "data/offers.csv").status is status


def test_an_admitted_upstream_passes_and_a_missing_hop_fails(build, answer, finding):
    record = source(path=None, upstream=["applications", "branches"])
    admitted = InputVersion(asset="applications", digest=DIGEST, evidence="e1")
    verdict = answer("provenance", build(TABLE, record=record, inputs=(admitted,)))
    assert finding(verdict, "applications").status is Status.PASS
    assert finding(verdict, "branches").status is Status.FAIL
    assert "Materialise 'branches'" in finding(verdict, "branches").remedy


def test_an_input_read_without_evidence_fails_even_if_undeclared(build, answer, finding):
    verdict = answer("provenance", build(TABLE, record=source(), missing_inputs=("side_door",)))
    assert finding(verdict, "side_door").status is Status.FAIL


def test_an_input_that_the_record_does_not_declare_fails(build, answer, finding):
    admitted = InputVersion(asset="other", digest=DIGEST, evidence="e1")
    verdict = answer("provenance", build(TABLE, record=source(), inputs=(admitted,)))
    assert "'other'" in finding(verdict, "source.upstream").reason


@pytest.mark.parametrize("evidence", [{"digest": ""}, {"evidence": ""}])
def test_an_input_without_digest_or_evidence_is_a_missing_hop(build, answer, finding, evidence):
    admitted = InputVersion(**{"asset": "applications", "digest": DIGEST, "evidence": "e1", **evidence})
    verdict = answer(
        "provenance", build(TABLE, record=source(path=None, upstream=["applications"]), inputs=(admitted,))
    )
    assert finding(verdict, "applications").status is Status.FAIL


def test_data_from_nowhere_fails_even_if_somebody_is_said_to_have_collected_it(build, answer, finding):
    for origin in ("", "core banking, nightly"):
        nowhere = answer(
            "provenance", build(TABLE, record=source(path=None, origin=origin), source_digest="")
        )
        assert finding(nowhere, "source").status is Status.FAIL


OUTSIDE = {
    "kind": "object_store",
    "name": "landing bucket",
    "locator": "s3://landing/applications/",
    "retrieved_by": "service account etl",
}


def test_a_declared_external_origin_passes_on_the_digest_of_what_was_loaded(build, answer, finding):
    candidate = build(TABLE, record=source(path=None, external=OUTSIDE), source_digest="")
    found = finding(answer("provenance", candidate), "source.external")
    assert found.status is Status.PASS
    assert "by service account etl from the object store 'landing bucket'" in found.reason
    assert candidate.digest[:19] in found.reason
    assert "own bytes are not pinned" in found.reason


@pytest.mark.parametrize("field", ["name", "locator", "retrieved_by"])
def test_an_external_origin_that_is_left_open_fails(build, answer, finding, field):
    record = source(path=None, external={**OUTSIDE, field: "TBD"})
    verdict = answer("provenance", build(TABLE, record=record))
    assert finding(verdict, f"source.external.{field}").status is Status.FAIL


def test_an_external_origin_with_code_that_nobody_knows_fails(build, answer, finding):
    verdict = answer("provenance", build(TABLE, record=source(path=None, external=OUTSIDE), code_version=""))
    assert finding(verdict, "code").status is Status.FAIL
    assert finding(verdict, "source.external").status is Status.PASS


@pytest.mark.parametrize("version", ["", "  "])
def test_unknown_code_fails(build, answer, finding, version):
    verdict = answer("provenance", build(TABLE, record=source(), code_version=version))
    assert finding(verdict, "code").status is Status.FAIL


@pytest.mark.parametrize("field", ["licence", "legal_basis"])
@pytest.mark.parametrize("text", ["TODO", " tbd ", "?", "unknown"])
def test_a_licence_or_legal_basis_left_open_fails(build, answer, finding, field, text):
    verdict = answer("provenance", build(TABLE, record=source(**{field: text})))
    assert finding(verdict, f"source.{field}").status is Status.FAIL


@pytest.mark.parametrize("status", ["expired", "erased"])
def test_a_dataset_at_the_end_of_its_life_gets_no_new_version(build, answer, finding, status):
    verdict = answer("provenance", build(TABLE, record={"status": status}))
    assert finding(verdict, "status").status is Status.FAIL
