"""What looks like a credential is told without repeating it; plain addresses are not mistaken for one."""

import pytest

from aims_pipelines.records.credentials import credential_in


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://etl:hunter2@db.internal/core",
        "https://hunter2@git.internal/data",
        "see mysql+pymysql://u:hunter2@h/d for it",
        "jdbc:sqlserver://h;user=sa;password=hunter2",
        "host=db dbname=core PASSWORD = hunter2",
        "AccountName=x;AccountKey=hunter2==",
        "https://api.internal/v1/rates?region=eu&api_key=hunter2",
        "https://api.internal/v1/rates?code=hunter2",
        "https://x.blob.core.windows.net/c?sv=2022&sig=hunter2",
        "https://b.s3.amazonaws.com/k?X-Amz-Signature=hunter2",
        "token: hunter2",
        "s3 with AKIAABCDEFGHIJKLMNOP",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.abc",
        "-----BEGIN RSA PRIVATE KEY-----",
    ],
)
def test_a_credential_is_told_and_not_repeated(text: str) -> None:
    found = credential_in(text)
    assert found
    assert "hunter2" not in found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "core banking",
        "postgresql://db.internal:5432/core, table public.applications",
        "https://api.internal/v1/rates?region=eu&page=2",
        "s3://landing/applications/date=2026-01-31/",
        "kafka://broker:9092/topic/applications",
        "SELECT * FROM tokens WHERE signature IS NOT NULL",
        "query of 'secret' columns excluded",
        "service account etl@project.iam.gserviceaccount.com",
        "http://[not an address",
        "passenger=all; keyed=no",
    ],
)
def test_a_plain_address_is_not_mistaken_for_one(text: str) -> None:
    assert credential_in(text) == ""
