"""What all tests share: where real data lies, and an environment that calls nobody."""

import fcntl
import io
import os
import signal
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
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
    """Leave out simulations, which take hours, unless they are asked for by name.

    Tests of work that is done once for all workers come first: workers take each other's last tests, and would wait for
    each other there.
    """
    items.sort(key=lambda item: "once" not in getattr(item, "fixturenames", ()))
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
    """Folder of real tables; tests that need them are skipped where it is absent. CONTRIBUTING lists what is in it."""
    folder = Path(os.environ.get("AIMS_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("needs the real tables in the folder that AIMS_TEST_DATA names")
    return folder


@pytest.fixture(scope="session")
def great_expectations() -> ModuleType:
    """Great Expectations, for tests that import it themselves: the workers of the test run are programs without a
    file, which pyspark would end."""
    from aims_pipelines.checks.beside_pyspark import beside_pyspark

    with beside_pyspark():
        return import_module("great_expectations")


@pytest.fixture(scope="session")
def once(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Callable[[str, Callable[[Path], None]], Path]:
    """Does some work in a folder once for all workers, and gives the folder."""
    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent

    def do(name: str, work: Callable[[Path], None]) -> Path:
        folder, done = base / name, base / f"{name}.done"
        with (base / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                folder.mkdir(exist_ok=True)
                work(folder)
                done.touch()
        return folder

    return do


@pytest.fixture(scope="session")
def aims_here() -> Callable[..., tuple[int, str, str]]:
    """``aims`` in this process, where its libraries are loaded already: exit code and what it printed.

    Called with the folder to be in, the arguments, and variables of the environment.
    """
    from aims_pipelines.cli.main import main

    def run(folder: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.delenv("DAGSTER_HOME", raising=False)
            for name, value in variables.items():
                patch.setenv(name, value)
            patch.setattr("sys.argv", ["aims", *arguments])
            with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
                main()
        return int(ended.value.code or 0), out.getvalue(), err.getvalue()

    return run
