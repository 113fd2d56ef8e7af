"""Canonical JSON agrees with RFC 8785, with ECMAScript, and with itself."""

import json
import math
import shutil
import struct
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aims_pipelines.core.canonical import CanonicalError, canonical_json, parse_canonical, parse_json

# RFC 8785, appendix B: the double's bits, and how it is written.
RFC_NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "written"), RFC_NUMBERS)
def test_numbers_of_rfc_8785_appendix_b(bits: str, written: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical_json(value) == written.encode()
    assert canonical_json(parse_json(written.encode())) == written.encode()


def test_the_example_of_rfc_8785_section_3_2_2() -> None:
    value = json.loads(
        r"""{
          "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
          "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
          "literals": [null, true, false]
        }"""
    )
    assert canonical_json(value) == (
        rb'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_are_ordered_by_utf16_code_units_as_in_rfc_8785_section_3_2_3() -> None:
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    order = list(json.loads(canonical_json(value)))
    assert order == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@pytest.mark.skipif(
    shutil.which("node") is None, reason="needs node as the outside judge of ECMAScript's numbers"
)
def test_ten_thousand_doubles_are_written_as_ecmascript_writes_them() -> None:
    program = """
      const bytes = new DataView(new ArrayBuffer(8)); let state = 12345n; const out = [];
      for (let i = 0; i < 10000; i++) {
        state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
        let bits = state;
        if (i % 2) bits = (bits & 0x800fffffffffffffn) | ((0x3a0n + (state >> 53n) % 0xa0n) << 52n);
        bytes.setBigUint64(0, bits); const value = bytes.getFloat64(0);
        if (Number.isFinite(value)) out.push([bits.toString(16).padStart(16, "0"), JSON.stringify(value)]);
      }
      console.log(JSON.stringify(out));"""
    run = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True)
    judged = json.loads(run.stdout)
    assert len(judged) > 9000
    for bits, written in judged:
        assert canonical_json(struct.unpack(">d", bytes.fromhex(bits))[0]) == written.encode(), bits


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        [1, {"deep": math.nan}],
        {1: "an integer as key"},
        {None: 1},
        pytest.param({"a": object()}, id="an object"),
        {"a": {1, 2}},
        b"bytes",
        "\ud800",
        {"\udfff": 1},
        2**53,
        -(2**53),
    ],
    ids=repr,
)
def test_what_json_cannot_say_exactly_is_refused(value: object) -> None:
    with pytest.raises(CanonicalError):
        canonical_json(value)


def test_the_largest_exact_integers_are_written() -> None:
    assert canonical_json([2**53 - 1, -(2**53 - 1)]) == b"[9007199254740991,-9007199254740991]"


def test_nesting_that_is_too_deep_is_refused_and_does_not_crash() -> None:
    value: list[object] = []
    for _ in range(10_000):
        value = [value]
    with pytest.raises(CanonicalError, match="deep"):
        canonical_json(value)
    with pytest.raises(CanonicalError):
        parse_canonical(b"[" * 100_000)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), inner, max_size=5)
    ),
    max_leaves=25,
)


@settings(max_examples=300)
@given(json_values)
@example({"\U00010000": 1, "\ue000": 2})
@example({"x": 1e16, "y": 1e-5, "z": -0.0, "w": [100.0]})
def test_writing_and_reading_come_back_to_the_same_value_and_the_same_bytes(value: object) -> None:
    data = canonical_json(value)
    assert parse_json(data) == value
    assert json.loads(data) == pytest.approx(value, rel=1e-15) if isinstance(value, float) else True
    assert canonical_json(parse_canonical(data)) == data


@settings(max_examples=200)
@given(st.dictionaries(st.text(max_size=3), json_values, min_size=1, max_size=4))
def test_only_the_canonical_spelling_is_read_as_canonical(value: dict[str, object]) -> None:
    try:
        canonical = canonical_json(value)
    except CanonicalError:
        return
    for other in (
        json.dumps(value).encode(),
        json.dumps(value, ensure_ascii=False).encode("utf-8"),
        json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8"),
        canonical + b" ",
        b" " + canonical,
    ):
        if other != canonical:
            with pytest.raises(CanonicalError):
                parse_canonical(other)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":1E-7}',
        b'{"a":1e-07}',
        b'{"a":0.0000001}',
        b'{"a":-0}',
        b'{"a":-0.0}',
        b'{"a":1.50}',
        b'{"a":9007199254740993}',
        b'{"a":123456789012345678901234567890}',
        b'{"a":1,"a":1}',
        b'{"a":{"status":"fail"},"a":{"status":"pass"}}',
        b'{"b":1,"a":1}',
        '{"\ue000":1,"\U00010000":2}'.encode(),
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":1}\r',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1',
        b"",
        b"1.0",
    ],
)
def test_each_other_spelling_is_refused(data: bytes) -> None:
    with pytest.raises(CanonicalError):
        parse_canonical(data)
