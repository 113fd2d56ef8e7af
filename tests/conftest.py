"""What all tests share: where real data lies, and an environment that calls nobody."""

import os
import signal
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "yes")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As in a background job. Dagster ends its log readers by this signal; they would inherit ignoring it and live on.
    signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out simulations, which take hours, unless they are asked for by name."""
    if "simulation" in config.option.markexpr or any("::" in argument for argument in config.args):
        return
    simulations = [item for item in items if item.get_closest_marker("simulation")]
    if simulations:
        config.hook.pytest_deselected(items=simulations)
        items[:] = [item for item in items if item not in simulations]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real tables beside the checkout; tests that need it are skipped where it is absent."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the real tables (adult, credit, bike) in ../shared/data, which are not here")
    return folder


@pytest.fixture(scope="session")
def great_expectations() -> ModuleType:
    """Great Expectations, for tests that import it themselves: the workers of the test run are programs without a
    file, which pyspark would end."""
    from aims_pipelines.checks.beside_pyspark import beside_pyspark

    with beside_pyspark():
        return import_module("great_expectations")
