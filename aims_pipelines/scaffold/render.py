"""Text of the project's files, from templates."""

import re
import textwrap
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

_PLAIN = re.compile(r"[A-Za-z_/][\w./&()-]*(?: [\w./&()-]+)*", re.ASCII)
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def render(template: str, facts: Mapping[str, Any]) -> str:
    """Fill a template of this package."""
    return _environment().get_template(template).render(facts)


def yaml_text(value: object) -> str:
    """Write a value as YAML on one line, so that any reader of YAML gets it back.

    Example:
        >>> yaml_text(["Male", "<=50K", "no", 3, 0.5, True])
        '[Male, "<=50K", "no", 3, 0.5, true]'
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else _float(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(yaml_text(item) for item in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{yaml_text(key)}: {yaml_text(item)}" for key, item in value.items()) + "}"
    return _text(str(value))


def _float(value: float) -> str:
    text = repr(value)
    return text if "." in text or "e" not in text else text.replace("e", ".0e")  # YAML 1.1 wants a point


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(_character(character) for character in text) + '"'


def _character(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _wrapped_list(values: list[object], indent: int) -> str:
    """A list on one line if it fits, else wrapped."""
    line = yaml_text(values)
    if len(line) + indent <= 110:
        return line
    lines, current = [], ""
    for item in values:
        text = yaml_text(item) + ", "
        if len(current) + len(text) + indent > 110:
            lines.append(current.rstrip())
            current = ""
        current += text
    lines.append(current.removesuffix(", "))
    return "[" + f"\n{' ' * (indent + 1)}".join(lines) + "]"


def _mapping(rules: Mapping[str, object], indent: int) -> str:
    """What stands after a key: a mapping on the same line if it fits, else below it."""
    line = yaml_text(dict(rules))
    if len(line) + indent <= 110:
        return f" {line}"
    inner = " " * 4
    return "".join(
        f"\n{inner}{key}: {_wrapped_list(value, 4 + len(key) + 2) if isinstance(value, list) else yaml_text(value)}"
        for key, value in rules.items()
    )


def one_line(text: str) -> str:
    """A text fit for a comment or a docstring: on one line, printable, and unable to end either."""
    return _printable(text).replace("\\", "/").replace('"', "'")


def _printable(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _comment(text: str, indent: int = 0) -> str:
    """Wrap a text as lines of comment, the first of which is already indented."""
    text = _printable(text)
    return textwrap.fill(
        text, 110, initial_indent="# ", subsequent_indent=" " * indent + "# ", break_long_words=False
    )


def _python_text(value: object) -> str:
    """A Python literal, with double quotes around text."""
    if isinstance(value, list):
        return f"[{', '.join(_python_text(item) for item in value)}]"
    text = repr(value)
    if text.startswith("'") and '"' not in text:
        return '"' + text[1:-1].replace("\\'", "'") + '"'
    return text


def _environment() -> Environment:
    environment = Environment(  # noqa: S701 - makes YAML, Python and Markdown, not HTML; values are quoted by filters
        loader=FunctionLoader(_source),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "yaml": yaml_text,
        "yaml_mapping": _mapping,
        "py": _python_text,
        "comment": _comment,
        "one_line": one_line,
    }
    return environment


def _source(name: str) -> str:
    return files("aims_pipelines.scaffold").joinpath("templates", name).read_text(encoding="utf-8")
