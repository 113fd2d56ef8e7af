"""Digests agree with published SHA-256 vectors (FIPS 180-4 examples)."""

import io
from pathlib import Path

import pytest

from aims_pipelines.core.digest import file_digest, is_digest, sha256_digest, stream_digest

ABC = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
MILLION_A = "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"


def test_published_vectors(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_digest(b"abc") == file_digest(tmp_path / "abc") == ABC
    assert stream_digest(io.BytesIO(b"a" * 1_000_000)) == MILLION_A


def test_a_file_longer_than_one_chunk_has_the_digest_of_all_of_it(tmp_path: Path) -> None:
    data = bytes(range(256)) * 20_000
    (tmp_path / "long").write_bytes(data)
    assert file_digest(tmp_path / "long") == sha256_digest(data)


@pytest.mark.parametrize(
    "text",
    ["", ABC.upper(), ABC[:-1], ABC + "0", ABC.replace("sha256", "sha512"), ABC + "\n", None, 7, ABC[7:]],
)
def test_other_things_are_no_digests(text: object) -> None:
    assert is_digest(ABC)
    assert not is_digest(text)
