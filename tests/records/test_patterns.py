"""Patterns that may run on every value of a column, and those that may not."""

import subprocess
import sys

import pytest

from aims_pipelines.records.patterns import problem_with

SAFE = [
    "[A-Z]{2}[0-9]{6}",
    r"[a-z]+(\.[a-z]+)*",
    r"(\d{1,3}\.){3}\d{1,3}",
    r"[\w+-]+@[\w-]+(\.[\w-]+)+",
    "(foo|bar)+",
    r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?)?",
    "((a+)b)*c",
    "",
]
# Each comes with a value on which Python's engine does not come back.
UNSAFE = [
    ("(a+)+b", "a" * 60),
    ("(a|a)*b", "a" * 60),
    ("(a|ab|aab)*c", "aab" * 40),
    (r"(\w+\s?)*!", "word" * 20),
    ("(x+x+)+y", "x" * 60),
    ("(.*)*b", "a" * 60),
    ("(a?b?)*c", "ab" * 30),
    (r"(\d+|[0-9a-f]+)*!", "1" * 60),
    ("(?i)(a[A]*)+b", "a" * 60),
    ("(([a-z]+)*b)*!", "a" * 60),
]


@pytest.mark.parametrize("pattern", SAFE)
def test_ordinary_patterns_are_accepted(pattern):
    assert problem_with(pattern) == ""


@pytest.mark.parametrize(("pattern", "value"), UNSAFE)
def test_patterns_that_take_exponential_time_are_refused(pattern, value):
    assert "exponential" in problem_with(pattern)


@pytest.mark.parametrize(("pattern", "value"), UNSAFE[:3])
def test_the_refused_patterns_do_hang_python(pattern, value):
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(
            [sys.executable, "-c", f"import re; re.fullmatch({pattern!r}, {value!r})"],
            timeout=1.5,
            check=False,
        )


@pytest.mark.parametrize("pattern", ["[", "(", "(?P<n>", "*a", "a" * 301, r"(a)\1", ".*.*.*.*.*.*.*x"])
def test_broken_long_or_costly_patterns_are_refused_with_a_reason(pattern):
    assert problem_with(pattern)


def test_accepted_patterns_match_quickly_on_long_values():
    values = ("a" * 5_000, "1." * 2_500, "a.b@" * 1_000)
    ran = subprocess.run(
        [sys.executable, "-c", f"import re; [re.fullmatch(p, v) for p in {SAFE!r} for v in {values!r}]"],
        timeout=10,
        check=False,
    )
    assert ran.returncode == 0
