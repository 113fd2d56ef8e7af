"""What YAML becomes, and what is refused in it."""

import re

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from aims_pipelines.records.document import parse


def _value(text: str):
    reading = parse(text, name="f.yaml")
    assert reading.faults == ()
    return reading.documents[0].value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("012", "012"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("-3", -3),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ('"5"', "5"),
        ("2026-01-31", "2026-01-31"),
        ("nan", "nan"),
        ("~", None),
        ("", None),
        ("'~'", "~"),
        (".", "."),
        ("e", "e"),
        ("+", "+"),
    ],
)
def test_scalars_follow_yaml_1_2_without_surprises(text, value):
    found = _value(f"a: {text}")["a"]
    assert found == value
    assert type(found) is type(value)


#: Numbers of YAML 1.2 that YAML 1.1, which the library writes, takes for text and leaves without quotes.
ONLY_1_2 = re.compile(r"[-+]?[0-9]+([eE][-+]?[0-9]+)|[-+]?[0-9]*\.[0-9]*[eE][0-9]+")


@example("E0")  # an exponent of nothing is text
@example("+e5")
@example(1e-7)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec="utf-8"), max_size=20).filter(
            lambda text: not ONLY_1_2.fullmatch(text)
        ),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    )
)
def test_what_a_yaml_library_writes_is_read_back(value):
    text = yaml.safe_dump({"a": value}, sort_keys=False)
    reading = parse(text, name="f.yaml")
    if reading.faults:  # the only thing it writes that a record must not hold
        assert "<<" in text
        return
    assert _same(reading.documents[0].value["a"], value)


def _same(left, right):
    if isinstance(right, dict):
        return list(left) == list(right) and all(_same(left[key], right[key]) for key in right)
    if isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return left == right and isinstance(left, bool) == isinstance(right, bool)


@pytest.mark.parametrize(
    ("text", "where", "found"),
    [
        ("a: 1\nb: .nan", "f.yaml:2 b", "'.nan'"),
        ("a: -.INF", "f.yaml:1 a", "'-.INF'"),
        ("a: 1e999", "f.yaml:1 a", "'1e999'"),
        ("a: 9007199254740993", "f.yaml:1 a", "'9007199254740993'"),
        ("a: 1\n\nb: 2\na: 3", "f.yaml:4 a", "it again (first on line 1)"),
        ("a: &x [1]\nb: *x", "f.yaml:2 b", "the alias '*x'"),
        ("a: {<<: {b: 1}}", "f.yaml:1 a.'<<'", "the merge key '<<'"),
        (
            "a: !!python/object/apply:os.system [ls]",
            "f.yaml:1 a",
            "the tag 'tag:yaml.org,2002:python/object/apply:os.system'",
        ),
        ("a: !!str 5", "f.yaml:1 a", "the tag 'tag:yaml.org,2002:str'"),
    ],
)
def test_what_a_record_must_not_hold_is_named_with_its_line(text, where, found):
    faults = parse(text, name="f.yaml").faults
    assert [(fault.where, fault.found) for fault in faults] == [(where, found)]


def test_all_faults_of_a_document_are_reported_at_once():
    faults = parse("a: .nan\nb: !x 1\nc: [1, *y]\na: 2", name="f.yaml").faults
    assert [fault.where for fault in faults] == ["f.yaml:1 a", "f.yaml:2 b", "f.yaml:3 c[1]", "f.yaml:4 a"]


def test_alias_bomb_is_refused_without_being_expanded():
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    reading = parse(bomb, name="f.yaml")
    assert len(reading.faults) == 72


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [1", 2),
        ("a: 1\nb: : 2", 2),
        ("[" * 100, 1),
        ("? [1]\n: 2", 1),
        ("a: 1\nb: \x01", 2),
        ("a:\n\tb: 1", 2),
    ],
)
def test_a_syntax_error_names_its_line_and_ends_the_reading(text, line):
    reading = parse(text, name="f.yaml")
    assert not reading.complete
    assert reading.faults[-1].where in {f"f.yaml:{line}", f"f.yaml:{line + 1}"}


def test_every_document_of_a_file_knows_its_lines():
    documents = parse("a: 1\n---\n# only a comment\n---\nb:\n  c: [1,\n   2]\n", name="f.yaml").documents
    assert [document.value for document in documents] == [{"a": 1}, {"b": {"c": [1, 2]}}]
    assert documents[1].where(("b", "c", 1)) == "f.yaml:7 b.c[1]"
    assert documents[1].where(("b", "absent")) == "f.yaml:5 b.absent"
