"""Put together the verifier that an auditor runs without this package: one file, standard library only.

It is made of the sources of the very modules that verify here, so there is no second implementation.
"""

import ast
from importlib import resources

#: In the order in which they build on each other.
PARTS = (
    "core/canonical.py",
    "core/digest.py",
    "core/merkle.py",
    "core/chain.py",
    "core/seams.py",
    "core/inspection.py",
    "storage/audit.py",
)

_HEAD = '''#!/usr/bin/env python3
"""Verify an exported evidence ledger of aims-pipelines: python verify.py EXPORT [--checkpoint COUNT:HEAD]

Exit code 0: intact. 1: broken; each fault is named. 2: not an export. Needs Python 3.9 or newer and nothing else.
The parts below are modules of aims-pipelines, unchanged but for their imports of each other.
"""

from __future__ import annotations
'''


def verifier_source() -> str:
    """The verifier as one Python file."""
    package = resources.files("aims_pipelines")
    parts = [_HEAD]
    for part in PARTS:
        source = package.joinpath(part).read_text(encoding="utf-8")
        parts.append(f"\n\n# ---- {part} ----\n\n{_standalone(source)}")
    return "\n".join(parts)


def _standalone(source: str) -> str:
    """Drop the imports that only make sense inside this package, and the one that must come first."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in {
            "__future__",
            "aims_pipelines",
        }:
            for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[number] = ""
    return "\n".join(lines).strip() + "\n"
