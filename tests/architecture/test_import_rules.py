"""The layout tells the architecture: arrows point down, the core is pure, and importing loads nothing heavy."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "aims_pipelines"

# Lower number = lower level. Packages on one level do not import each other, except where ALLOWED says so.
LEVELS = {
    "core": 0,
    "stats": 1,
    "measure": 2,
    "records": 2,
    "storage": 2,
    "resources": 3,
    "model_cards": 3,
    "reports": 3,
    "assets": 4,
    "checks": 4,
    "sensors": 4,
    "cli": 5,
    "components": 5,
    "scaffold": 5,
}
ALLOWED_ON_ONE_LEVEL = {("assets", "checks"), ("cli", "scaffold")}
# What a whole package may never import, however lazily.
FORBIDDEN = {
    "core": {"*"},
    "stats": {"pyarrow", "pandas", "dagster", "mlflow", "sqlalchemy", "pydantic", "yaml"},
    "measure": {"dagster", "mlflow", "sqlalchemy", "pydantic"},
    "records": {"dagster", "mlflow", "sqlalchemy", "pyarrow", "pandas"},
    "storage": {"dagster", "mlflow", "pandas"},
    "model_cards": {"dagster", "mlflow"},
    "reports": {"dagster", "mlflow"},
}
HEAVY = [
    "dagster",
    "mlflow",
    "great_expectations",
    "evidently",
    "numpy",
    "pandas",
    "sklearn",
    "scipy",
    "pyarrow",
    "matplotlib",
    "pyspark",
    "py4j",
]


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Each imported module of a file: its name, the line, and whether it is imported when the file loads."""
    tree = ast.parse(path.read_text(encoding="utf-8"))

    def walk(node: ast.AST, at_load: bool) -> Iterator[tuple[str, int, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, child.lineno, at_load) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path}:{child.lineno} imports relatively"
                yield (child.module or "", child.lineno, at_load)
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                for name, line, _ in walk(child, False):
                    yield name, line, False
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from walk(child, False)
            else:
                yield from walk(child, at_load)

    yield from walk(tree, True)


def package_of(path: Path) -> str | None:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else None


def test_every_package_has_a_level() -> None:
    found = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert found <= LEVELS.keys()


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_point_down(path: Path) -> None:
    mine = package_of(path)
    if mine is None:
        return
    wrong = []
    for name, line, _ in imports(path):
        parts = name.split(".")
        if parts[0] != "aims_pipelines" or len(parts) < 2 or parts[1] not in LEVELS or parts[1] == mine:
            continue
        same_level_allowed = (mine, parts[1]) in ALLOWED_ON_ONE_LEVEL
        if LEVELS[parts[1]] > LEVELS[mine] or (LEVELS[parts[1]] == LEVELS[mine] and not same_level_allowed):
            wrong.append(f"{path.name}:{line} imports {name}")
    assert wrong == []


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_lower_packages_stay_free_of_frameworks(package: str) -> None:
    wrong = []
    for path in sorted((PACKAGE / package).rglob("*.py")):
        for name, line, _ in imports(path):
            top = name.split(".")[0]
            outside_core = FORBIDDEN[package] == {"*"} and top not in {
                *sys.stdlib_module_names,
                "aims_pipelines",
            }
            if outside_core or top in FORBIDDEN[package]:
                wrong.append(f"{package}/{path.name}:{line} imports {name}")
    assert wrong == []


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_libraries_are_imported_where_they_are_used(path: Path) -> None:
    heavy = {"mlflow", "great_expectations", "evidently", "sklearn", "matplotlib", "skops", "pyspark", "py4j"}
    wrong = [
        f"{path.name}:{line} imports {name} at load"
        for name, line, at_load in imports(path)
        if at_load and name.split(".")[0] in heavy
    ]
    assert wrong == []


def test_the_package_graph_has_no_cycles() -> None:
    edges: dict[str, set[str]] = {}
    for path in modules():
        mine = "aims_pipelines." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for name, _, at_load in imports(path):
            if at_load and name.startswith("aims_pipelines."):
                edges.setdefault(mine.removesuffix(".__init__"), set()).add(name)
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, f"cycle: {' -> '.join([*trail, module])}"
        if module not in done:
            for target in sorted(edges.get(module, ())):
                visit(target, (*trail, module))
            done.add(module)

    for module in sorted(edges):
        visit(module, ())


@pytest.mark.parametrize(
    "module", ["aims_pipelines", "aims_pipelines.core.gate", "aims_pipelines.checks.catalogue"]
)
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []


def test_dagster_parts_add_no_other_heavy_library() -> None:
    heavy = [name for name in HEAVY if name != "dagster"]
    code = (
        "import sys, dagster; before = set(sys.modules)\n"
        "from aims_pipelines import AimsResource, DatasetIOManager, govern, governed_asset, governed_model, uncovered\n"
        f"print(*[name for name in {heavy!r} if name in set(sys.modules) - before])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []
